import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest

from reconciler.cli.failures import report
from reconciler.model.json import Json, pointer_parts
from tests.cli.conftest import Project, Runner


def failure_inside(text: str) -> BaseException:
    """A bug, as it would come: an exception that nobody foresaw, from inside our code, with a value in its text."""
    try:
        pointer_parts(text)
    except ValueError as error:
        return error
    raise AssertionError(text)


def test_an_internal_error_names_its_place_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(failure_inside("s3cret"), verbose=False) == 1
    out, err = capsys.readouterr()
    assert "internal error: ValueError at reconciler/model/json.py:" in err
    assert (out, "s3cret" in err, "Traceback" in err) == ("", False, False)


def test_those_who_ask_see_the_way_to_an_internal_error_but_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("s3cret")
    error.__cause__ = failure_inside("s3cret")
    report(error, verbose=True)
    err = capsys.readouterr().err
    assert "at an unknown place" in err
    assert "in pointer_parts" in err
    assert "s3cret" not in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "there is no memory left"),
        (RuntimeError("can't start new thread"), "the system starts no more threads"),
    ],
)
def test_what_a_machine_runs_out_of_is_no_fault_of_the_program(
    capsys: pytest.CaptureFixture[str], error: BaseException, said: str
) -> None:
    assert report(error, verbose=False) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}\n  hint: allow ")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_exits_with_130(capsys: pytest.CaptureFixture[str], error: BaseException) -> None:
    assert report(error, verbose=False) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_an_exit_keeps_its_code() -> None:
    assert report(SystemExit(1), verbose=False) == 1


@pytest.mark.parametrize(
    ("kind", "title"), [("ApiClient", "API client"), ("config", "configuration"), ("plan", "plan")]
)
def test_schemas_are_printed_as_they_are_published(run: Runner, kind: str, title: str) -> None:
    done = run("schema", kind)
    assert done.code == 0
    assert title.casefold() in json.loads(done.out)["title"].casefold()


def test_the_schema_of_manifests_is_the_first_one_wants(run: Runner) -> None:
    assert run("schema").out == run("schema", "ApiClient").out


# ------------------------------------------------------------------------------------------------- as a whole process


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


def test_the_embedded_emulator_keeps_its_data_between_commands(
    local: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(local)
    assert run("plan", "--detailed-exitcode").code == 2
    assert run("apply", "--auto-approve").code == 0
    assert run("drift").code == 0


def test_a_whole_run_against_the_embedded_emulator(local: Path) -> None:
    done = reconciler("apply", "--auto-approve", folder=local)
    assert done.returncode == 0
    assert "Apply: 1 resource planned: 1 applied" in done.stdout
    assert "Plan: 0 to create, 1 to update" in done.stderr


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


@pytest.mark.sample(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_read_that_is_interrupted_exits_with_130(local: Path, number: signal.Signals) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(60)
        auth = {"clientId": "id", "clientSecret": {"fromEnv": "HOME"}}
        target = {"url": f"http://127.0.0.1:{silent.getsockname()[1]}", "marketplace": "shop", "auth": auth}
        text = (local / "reconciler.yaml").read_text()
        document = json.loads(text) | {"environments": {"silent": target}}
        (local / "reconciler.yaml").write_text(json.dumps(document))
        command = [sys.executable, "-m", "reconciler", "plan"]
        with subprocess.Popen(command, cwd=local, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                connection, _ = silent.accept()
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
                connection.close()
            finally:
                process.kill()  # else one that does not end would be waited for
    assert (process.returncode, out, err.strip()) == (130, b"", b"interrupted")


def test_what_the_emulator_lacks_is_said_with_the_way_to_get_it(local: Path) -> None:
    program = "import sys; sys.modules['falcon'] = None; from reconciler.cli.main import run; run()"
    command = [sys.executable, "-c", program, "plan"]
    done = subprocess.run(command, cwd=local, capture_output=True, text=True, check=False)  # our own command
    assert done.returncode == 1
    assert "the emulator needs falcon, which is not installed" in done.stderr
    assert "pip install 'ordercloud-reconciler[emulator]'" in done.stderr


def test_a_seed_that_cannot_be_loaded_is_named(local: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(local)
    (local / "seed.json").unlink()
    done = run("plan")
    assert (done.code, done.out) == (1, "")
    assert "seed.json" in done.err


def test_a_port_that_is_taken_is_named(run: Runner) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = run("emulator", "--port", str(port))
    assert done.code == 1
    assert f"cannot listen on port {port}" in done.err


def test_the_emulator_announces_itself_and_stops_when_told_to(tmp_path: Path) -> None:
    command, pipe = [sys.executable, "-m", "reconciler", "emulator", "--sample"], subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as server:  # our own command
        try:
            first = server.stdout.readline() if server.stdout else ""
            exports = [server.stderr.readline() for _ in range(3)] if server.stderr else []
            server.terminate()
            assert server.wait(timeout=60) == 0
        finally:
            server.kill()  # else one that does not end would be waited for
    assert first.startswith("listening on http://127.0.0.1:")
    assert exports == [
        "export OC_CLIENT_ID=00000000-0000-0000-0000-00000000AD01\n",
        "export OC_CLIENT_SECRET=emulator-admin-secret\n",
        f"reconciler init --url {first.split()[-1]} --marketplace emulator\n",
    ]


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
    assert (done.returncode, done.stderr) == (1, "error: the system refused: No space left on device\n")
