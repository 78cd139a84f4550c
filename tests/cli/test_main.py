import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.main import COMMANDS
from tests.cli.conftest import Project, Runner
from tests.cli.test_options import commands

if TYPE_CHECKING:
    from reconciler.model.json import Json


def reconciler(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "reconciler", *arguments]
    environment = {**os.environ, **variables}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )  # our own command


@pytest.fixture
def local(tmp_path: Path) -> Path:
    """A folder whose only environment embeds the emulator."""
    environments: Json = {"local": {"emulator": {"seed": "seed.json", "state": "state/emulator.db"}}}
    config = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["m"], "environments": environments}
    (tmp_path / "reconciler.yaml").write_text(json.dumps(config))
    seed = {"Objects": {"ApiClients": [{"ID": "A", "AppName": "a", "AccessTokenDuration": 600}]}}
    (tmp_path / "seed.json").write_text(json.dumps(seed))
    (tmp_path / "m").mkdir()
    spec = {"AppName": "a", "xp": {"word": "Zürich"}}
    document = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "a"}, "spec": spec}
    (tmp_path / "m" / "a.yaml").write_text(json.dumps(document))
    return tmp_path


@pytest.fixture
def faulty(local: Path) -> Path:
    """A manifest with a fault whose message has a letter beyond ASCII."""
    text = (local / "m" / "a.yaml").read_text()
    (local / "m" / "a.yaml").write_text(text.replace('"spec": {', '"spec": {"Zürich": 1, '), encoding="utf-8")
    return local


def test_a_terminal_without_unicode_gets_escapes(faulty: Path) -> None:
    done = reconciler("validate", folder=faulty, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert "unknown field Z\\xfcrich" in done.stdout


def test_a_reader_that_has_gone_changes_nothing_about_the_code(faulty: Path) -> None:
    command = f"'{sys.executable}' -m reconciler validate | true; echo ${{PIPESTATUS[0]}}"
    shell = ["bash", "-c", command]
    done = subprocess.run(shell, cwd=faulty, capture_output=True, text=True, check=False)  # fixed words
    assert (done.stdout, done.stderr) == ("1\n", "")


def test_help_imports_neither_the_network_nor_yaml_nor_pydantic() -> None:
    program = "import sys; sys.argv[1:] = ['--help']; from reconciler.cli.main import run\n"
    program += "try: run()\nexcept SystemExit: print(*sys.modules, sep='\\n')\n"
    program += "from reconciler.cli.main import main; main(['plan', '--help']); main(['apply', '--help'])\n"
    program += "print('then', *sys.modules, sep='\\n')"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # fixed words
    first, _, of_both = done.stdout.partition("\nthen\n")
    ours = {line for line in first.splitlines() if line.startswith("reconciler.") or line == "reconciler"}
    modules = (
        "",
        ".cli",
        ".cli.main",
        ".cli.options",
        ".cli.signals",
        ".manifests",
        ".manifests.replacing",
        ".model",
        ".model.dataclass",
    )
    assert ours == {f"reconciler{name}" for name in modules}
    assert {"httpx", "ruamel", "pydantic", "jsonschema", "deepdiff", "rich"}.isdisjoint(of_both.split())
    assert {"reconciler.config", "reconciler.manifests.load"}.isdisjoint(of_both.split())
    assert {"zoneinfo", "concurrent.futures"}.isdisjoint(of_both.split())


def test_validate_imports_neither_the_network_nor_deepdiff(local: Path) -> None:
    program = "import sys; from reconciler.cli.main import main; main(['validate']); print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=local, capture_output=True, text=True, check=True)  # fixed words
    assert {"httpx", "deepdiff", "jsonschema", "rich", "falcon"}.isdisjoint(done.stdout.split())


def test_a_command_that_reads_no_file_imports_neither_yaml_nor_a_schema_library() -> None:
    program = "import sys; from reconciler.cli.main import main; main(['explain', 'ApiClient'])\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # fixed words
    imported = done.stdout.splitlines()[-1].split()
    assert {"httpx", "ruamel.yaml", "jsonschema_rs", "pydantic", "reconciler.config"}.isdisjoint(imported)


def test_commands_import_what_carries_them_out_only_when_they_run() -> None:
    program = "import sys\nfrom importlib import import_module as load\nfrom reconciler.cli.main import COMMANDS\n"
    program += "for name in COMMANDS: load(f'reconciler.cli.commands.{name}')\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # fixed words
    imported = done.stdout.split()
    assert {"httpx", "ruamel", "pydantic", "deepdiff", "jsonschema", "rich", "falcon"}.isdisjoint(imported)
    assert {"reconciler.config", "reconciler.manifests.load", "reconciler.project.session"}.isdisjoint(imported)


@pytest.mark.sweep
def test_the_network_brings_no_command_line_of_its_own(local: Path) -> None:
    program = "import sys; sys.argv[1:] = ['plan']; from reconciler.cli.main import run\n"
    program += "try: run()\nexcept SystemExit: print(*sys.modules, sep='\\n')"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=local, capture_output=True, text=True, check=True)  # fixed words
    assert "httpx" in done.stdout.split()
    assert {"rich", "pygments"}.isdisjoint(done.stdout.split())


@pytest.mark.parametrize(
    "arguments", [["plan"], ["validate"], ["init", "x"], ["import", "x.json"], ["plan", "--config", "x"]]
)
def test_a_working_directory_that_is_gone_is_an_error_that_says_so(
    tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    options = ["--url", "http://127.0.0.1:1", "--marketplace", "m"] if "init" in arguments else []
    done = run(*arguments, *options)
    assert (done.code, done.err.splitlines()[0]) == (1, "error: the working directory no longer exists")


@pytest.mark.parametrize(
    "arguments", [["plan", "--json-into", "{}/x"], ["export", "--out", "{}"], ["init", "{}"], ["plan", "--out", "{}"]]
)
def test_a_name_that_no_file_can_have_is_an_error(project: Project, run: Runner, arguments: list[str]) -> None:
    options = ["--url", "http://127.0.0.1:1", "--marketplace", "m"] if "init" in arguments else []
    done = run(*(one.format("n" * 300) for one in arguments), *options)
    assert (done.code, "File name too long" in done.err) == (1, True)


def test_a_file_whose_name_is_as_long_as_one_can_be_is_written(project: Project, run: Runner) -> None:
    assert run("plan", "--out", "n" * 255).code == 0
    assert run("show", "n" * 255).code == 0


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_help_on_a_full_disk_is_an_error(unbuffered: str) -> None:
    command = [sys.executable, "-m", "reconciler", "--help"]
    own = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=own, check=False)
    assert (done.returncode, done.stderr) == (1, "error: system error: No space left on device\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(run: Runner, name: str) -> None:
    done = run(name, "--help")
    assert (done.code, done.err) == (0, "")
    assert "Examples:\n" in done.out
    assert f"reconciler {name}" in done.out.partition("Examples:")[2]


def test_the_list_of_commands_is_that_of_the_modules(run: Runner) -> None:
    folder = Path(__file__).parents[2] / "reconciler" / "cli" / "commands"
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(COMMANDS)
    assert all(command.name == name for name, command in commands().items() if name)
    assert all(f"  {name} " in run("--help").out for name in COMMANDS)
