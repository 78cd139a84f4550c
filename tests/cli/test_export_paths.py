"""Files of the user that commands write: only where the repository is, unless the command line says otherwise."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Project, Runner


@pytest.fixture
def outside(project: Project, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration has its manifests beside its own folder, which is the working directory."""
    folder = project.folder / "shop"
    folder.mkdir()
    document = json.loads((project.folder / "reconciler.yaml").read_text()) | {"manifests": ["../manifests/"]}
    (folder / "reconciler.yaml").write_text(json.dumps(document))
    monkeypatch.chdir(folder)
    return project.folder


WRITING = [["export", "--write"], ["drift", "--write-back", "--write"]]


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_manifests_outside_the_repository_are_read_but_not_written(
    outside: Path, project: Project, run: Runner, arguments: list[str]
) -> None:
    path = project.manifest("front", AccessTokenDuration=60)
    before = path.read_text()
    done = run(*arguments)
    assert (done.code, path.read_text()) == (1, before)
    assert "is outside the repository" in done.err
    assert run("plan").code == 0
    assert outside.is_dir()


@pytest.mark.parametrize("arguments", WRITING, ids=" ".join)
def test_a_repository_begins_where_git_does(outside: Path, project: Project, run: Runner, arguments: list[str]) -> None:
    (outside / ".git").mkdir()
    path = project.manifest("front", AccessTokenDuration=60)
    before = path.read_text()
    run(*arguments)
    assert path.read_text() != before


def test_an_export_goes_where_the_command_line_says(outside: Path, run: Runner) -> None:
    assert run("export", "--out", str(outside / "elsewhere"), "--write").code == 0
    assert list((outside / "elsewhere").iterdir())
