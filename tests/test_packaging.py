"""What is shipped: the wheel, away from the checkout."""

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import Version

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds what an installation of the wheel would put into site-packages."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    site = folder / "site"
    zipfile.ZipFile(wheel).extractall(site)
    return site


def run(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the shipped command with nothing of the checkout before it on the path."""
    environment = {"PYTHONPATH": str(site), "PATH": "/usr/bin:/bin", "HOME": str(cwd)}
    command = [sys.executable, "-P", "-m", "reconciler", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, check=False, capture_output=True, text=True)


@pytest.mark.sweep
def test_the_wheel_carries_the_schemas_from_their_one_place(installed: Path) -> None:
    shipped = {path.name: path.read_bytes() for path in (installed / "reconciler" / "schemas").iterdir()}
    assert shipped == {path.name: path.read_bytes() for path in (ROOT / "schemas").iterdir()}


def test_the_wheel_carries_nothing_but_the_package(installed: Path) -> None:
    names = {path.name for path in installed.iterdir() if not path.name.endswith(".dist-info")}
    assert names == {"reconciler"}
    assert (installed / "reconciler" / "py.typed").exists()


@pytest.mark.sweep
def test_an_installed_wheel_validates_and_plans_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    for name in ("reconciler.yaml", "marketplace.yaml"):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    (tmp_path / "manifests").mkdir()
    for path in (ROOT / "manifests").iterdir():
        (tmp_path / "manifests" / path.name).write_bytes(path.read_bytes())
    validated = run(installed, tmp_path, "validate")
    assert (validated.returncode, validated.stderr) == (0, "")
    planned = run(installed, tmp_path, "plan", "--detailed-exitcode")
    assert planned.returncode == 2, planned.stderr
    assert "ApiClient/storefront" in planned.stdout
    assert str(ROOT) not in planned.stdout


@pytest.mark.sweep
def test_an_installed_wheel_starts_a_folder_that_is_valid(installed: Path, tmp_path: Path) -> None:
    started = run(installed, tmp_path, "init", "--region", "us-west", "--stage", "sandbox", "--marketplace", "my-shop")
    assert (started.returncode, started.stderr) == (0, "")
    (tmp_path / "seed.yaml").write_text("Objects: {ApiClients: [{ID: a, AppName: Shop, Active: true}]}\n", "utf-8")
    assert run(installed, tmp_path, "import", "seed.yaml", "--write").returncode == 0
    assert run(installed, tmp_path, "validate").returncode == 0


def test_what_a_package_index_shows_links_to_the_repository(installed: Path) -> None:
    (metadata,) = installed.glob("*.dist-info/METADATA")
    shown = metadata.read_text("utf-8").partition("\n\n")[2]
    targets = re.findall(r"\]\(([^)]+)\)", shown)
    assert len(targets) > 20
    assert [one for one in targets if not one.startswith(("https://", "#"))] == []


def test_the_lowest_versions_that_are_tested_are_the_lowest_that_are_allowed() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    allowed = [Requirement(one) for one in [*project["dependencies"], *project["optional-dependencies"]["emulator"]]]
    lines = (ROOT / "constraints-lowest.txt").read_text("utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    lowest = {one.name: next(part.version for part in one.specifier if part.operator == ">=") for one in allowed}
    pinned = {name: Version(tested[name.lower().replace(".", "-")]) for name in lowest}
    assert {name: version for name, version in pinned.items() if version not in _first_of(lowest[name])} == {}


def _first_of(lowest: str) -> SpecifierSet:
    """The versions that are as good as the lowest: a bound of two numbers need not exist itself."""
    return SpecifierSet(f"=={lowest}.*")


@pytest.mark.sweep
def test_a_strict_type_checker_accepts_scripts_that_use_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    examples = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    for number, example in enumerate(examples):
        (tmp_path / f"example_{number}.py").write_text(example, encoding="utf-8")
    wrong = tmp_path / "wrong.py"
    misspelt = "reconciler.laod()\nplan: reconciler.Plans\n"
    wrong.write_text(f"import reconciler\nreconciler.load(1).plan().no_such_name\n{misspelt}", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "."]
    environment = {"PYTHONPATH": str(installed), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, check=False, capture_output=True, text=True)
    found = re.findall(r"^(\w+\.py):\d+: error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    codes = ["arg-type", "attr-defined", "attr-defined", "name-defined"]
    assert sorted(found) == [("wrong.py", code) for code in codes], done.stdout + done.stderr
