from pathlib import Path

import pytest

from reconciler.cli.git import Checkout, checkout
from tests.cli.conftest import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "a.yaml").write_text("a: 1\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--quiet", "--message", "first")
    return tmp_path


def test_a_clean_checkout_gives_its_commit(repository: Path) -> None:
    assert checkout(repository) == Checkout(git(repository, "rev-parse", "HEAD"), dirty=False)


def test_a_changed_file_makes_it_dirty(repository: Path) -> None:
    (repository / "a.yaml").write_text("a: 2\n", encoding="utf-8")
    assert checkout(repository).dirty


@pytest.mark.parametrize(("name", "dirty"), [("m/new.yaml", True), ("m/deep/new.yml", True), ("m/plan.json", False)])
def test_a_new_file_makes_it_dirty_where_manifests_are_read_from(repository: Path, name: str, dirty: bool) -> None:
    (repository / "m" / "deep").mkdir(parents=True)
    (repository / name).write_text("{}\n", encoding="utf-8")
    assert checkout(repository, [repository / "m"]).dirty is dirty
    assert not checkout(repository, [repository / "a.yaml"]).dirty


def test_a_folder_outside_of_any_repository_gives_nothing(tmp_path: Path) -> None:
    assert checkout(tmp_path) == Checkout()


def test_without_git_there_is_nothing_to_tell(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert checkout(repository) == Checkout()
