"""The inputs of a run x the commit that is checked out."""

import os
from pathlib import Path

import pytest

from reconciler.errors import PlanRefused
from reconciler.model.inputs import Checkout
from reconciler.project.checkout import Inputs, checkout, require_tip
from tests.cli.conftest import git


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "a.yaml").write_text("a: 1\nb: 2\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    commit(tmp_path)
    return tmp_path


def commit(folder: Path) -> str:
    git(folder, "add", "--all", "--force")
    git(folder, "commit", "--quiet", "--allow-empty", "--message", "next")
    return git(folder, "rev-parse", "HEAD")


def inputs(*files: Path, named: Path | None = None) -> Inputs:
    folders = tuple({file.parent for file in files})
    return Inputs(frozenset(map(str, files)), folders, frozenset({named} if named else ()))


def below(folder: Path) -> Inputs:
    """As the loader finds them."""
    return Inputs(frozenset(str(one) for one in folder.rglob("*.y*ml")), (folder,))


def seen(repository: Path) -> Checkout:
    return checkout(repository, below(repository / "m"))


def test_a_clean_checkout_gives_its_commit(repository: Path) -> None:
    assert seen(repository) == Checkout(git(repository, "rev-parse", "HEAD"), dirty=False)


def test_a_changed_input_makes_it_dirty_and_another_file_does_not(repository: Path) -> None:
    (repository / "readme").write_text("new", encoding="utf-8")
    assert seen(repository).dirty is False
    (repository / "m" / "a.yaml").write_text("a: 2\n", encoding="utf-8")
    assert seen(repository).dirty is True


@pytest.mark.parametrize(("committed", "here"), [("a: 1\nb: 2\n", "a: 1\r\nb: 2\r\n"), ("a: 1\r\n", "a: 1\n")])
def test_line_ends_do_not_count(repository: Path, committed: str, here: str) -> None:
    file = repository / "m" / "a.yaml"
    file.write_bytes(committed.encode())
    commit(repository)
    file.write_bytes(here.encode())
    assert seen(repository).dirty is False
    file.write_bytes(here.encode() + b"c: 3\n")
    assert seen(repository).dirty is True


@pytest.mark.parametrize("name", ["new.yaml", "deep/new.yml"])
def test_a_new_input_makes_it_dirty_also_where_git_ignores_it(repository: Path, name: str) -> None:
    (repository / ".gitignore").write_text("new.*\n", encoding="utf-8")
    (repository / "m" / name).parent.mkdir(exist_ok=True)
    (repository / "m" / name).write_text("{}\n", encoding="utf-8")
    assert seen(repository).dirty is True


@pytest.mark.parametrize(("name", "dirty"), [("b.yaml", True), ("b.YML", True), ("b.txt", False)])
def test_a_manifest_that_only_the_commit_has_makes_it_dirty(repository: Path, name: str, dirty: bool) -> None:
    (repository / "m" / name).write_text("{}\n", encoding="utf-8")
    commit(repository)
    (repository / "m" / name).unlink()
    assert seen(repository).dirty is dirty


def test_inputs_beside_the_folder_of_the_configuration_count(repository: Path) -> None:
    (repository / "shop").mkdir()
    assert checkout(repository / "shop", below(repository / "shop" / ".." / "m")).dirty is False
    (repository / "m" / "a.yaml").write_text("a: 2\n", encoding="utf-8")
    assert checkout(repository / "shop", below(repository / "shop" / ".." / "m")).dirty is True


def test_an_input_from_outside_the_repository_is_in_no_commit(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    other = tmp_path_factory.mktemp("other") / "b.yaml"
    other.write_text("{}\n", encoding="utf-8")
    assert checkout(repository, inputs(other)).dirty is True


def test_a_file_that_an_input_names_counts_where_the_commit_has_it(repository: Path) -> None:
    secret, manifest = repository / "secret", repository / "m" / "a.yaml"
    secret.write_text("1", encoding="utf-8")
    assert checkout(repository, inputs(manifest, named=secret)).dirty is False
    commit(repository)
    secret.write_text("2", encoding="utf-8")
    assert checkout(repository, inputs(manifest, named=secret)).dirty is True


@pytest.mark.parametrize("link", ["m/link.yaml", "current"])
def test_where_a_link_leads_is_an_input(repository: Path, link: str) -> None:
    (repository / "m" / "b.yaml").write_text("a: 1\n", encoding="utf-8")
    (repository / "n").mkdir()
    (repository / "n" / "a.yaml").write_text("a: 1\n", encoding="utf-8")
    (repository / link).symlink_to("a.yaml" if link.endswith("yaml") else "m")
    commit(repository)
    read = repository / (link if link.endswith("yaml") else "current/a.yaml")
    assert checkout(repository, inputs(read)).dirty is False
    (repository / link).unlink()
    (repository / link).symlink_to("b.yaml" if link.endswith("yaml") else "n")
    assert checkout(repository, inputs(read)).dirty is True


def test_names_need_not_be_utf_8(repository: Path) -> None:
    file = Path(os.fsdecode(os.fsencode(repository / "m") + b"/f\xfc\nr.yaml"))
    file.write_text("a: 1\n", encoding="utf-8")
    commit(repository)
    assert seen(repository).dirty is False
    file.write_text("a: 2\n", encoding="utf-8")
    assert seen(repository).dirty is True


@pytest.mark.parametrize("attribute", ["filter=lfs", "working-tree-encoding=UTF-16", "ident"])
def test_what_git_stores_otherwise_than_it_stands_here_cannot_be_compared(repository: Path, attribute: str) -> None:
    (repository / ".gitattributes").write_text(f"m/*.yaml {attribute}\n", encoding="utf-8")
    assert seen(repository).dirty is False
    (repository / "m" / "a.yaml").write_text("smudged\n", encoding="utf-8")
    found = seen(repository)
    assert found.dirty is None
    assert "m/a.yaml" in found.problem
    assert attribute.partition("=")[0] in found.problem


def test_a_repository_with_longer_ids_is_read_as_well(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n", encoding="utf-8")
    git(tmp_path, "init", "--quiet", "--object-format=sha256")
    commit(tmp_path)
    assert checkout(tmp_path, below(tmp_path)).dirty is False
    (tmp_path / "a.yaml").write_text("a: 2\n", encoding="utf-8")
    assert checkout(tmp_path, below(tmp_path)).dirty is True


def test_a_folder_outside_of_any_repository_gives_nothing(tmp_path: Path) -> None:
    assert checkout(tmp_path, Inputs()) == Checkout()


def test_a_repository_without_a_commit_gives_nothing(tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet")
    assert checkout(tmp_path, Inputs()) == Checkout()


def test_without_git_it_is_said_that_a_checkout_cannot_be_read(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    found = seen(repository)
    assert (found.commit, found.dirty) == (None, None)
    assert "git is not installed" in found.problem


def test_a_checkout_that_git_refuses_is_not_called_clean(
    repository: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    stand_in = tmp_path_factory.mktemp("bin") / "git"
    stand_in.write_text("#!/bin/sh\necho \"fatal: detected dubious ownership in repository at '/x'\" >&2\nexit 128\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_in.parent}:{os.environ['PATH']}")
    found = seen(repository)
    assert (found.commit, found.dirty) == (None, None)
    assert f"git config --global --add safe.directory {repository}" in found.fix


# ------------------------------------------------------------------------------------------------------ tip of a branch


@pytest.fixture
def shallow(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a CI job has: the newest commit only, and no branch of its own."""
    (repository / "shop").mkdir()
    (repository / "shop" / "readme").write_text("1", encoding="utf-8")
    commit(repository)
    clone = tmp_path_factory.mktemp("job") / "clone"
    git(repository, "clone", "--quiet", "--depth", "1", repository.as_uri(), str(clone))
    git(clone, "checkout", "--quiet", "--detach")
    return clone


def advanced(shallow: Path, repository: Path, name: str, text: str) -> None:
    """Somebody merges, and the job fetches."""
    (repository / name).write_text(text, encoding="utf-8")
    commit(repository)
    git(shallow, "fetch", "--quiet", "--depth", "1", "origin", "+main:refs/remotes/origin/main")


def required(clone: Path, branch: str = "main") -> None:
    require_tip(clone / "shop", below(clone / "shop" / ".." / "m"), branch)


@pytest.mark.parametrize("branch", ["main", "origin/main", "refs/remotes/origin/main"])
def test_the_tip_is_that_of_the_last_fetch(shallow: Path, repository: Path, branch: str) -> None:
    required(shallow, branch)
    advanced(shallow, repository, "shop/readme", "another file")
    required(shallow, branch)
    advanced(shallow, repository, "m/a.yaml", "a: 2\n")
    with pytest.raises(PlanRefused, match=r"m/a\.yaml") as error:
        required(shallow, branch)
    assert (error.value.reason, error.value.exit_code) == ("tip", 4)


def test_a_manifest_that_only_the_tip_has_differs(shallow: Path, repository: Path) -> None:
    advanced(shallow, repository, "m/b.yaml", "b: 1\n")
    with pytest.raises(PlanRefused, match=r"m/b\.yaml"):
        required(shallow)


def test_of_many_manifests_that_differ_the_first_are_named(shallow: Path, repository: Path) -> None:
    for number in range(12):
        (repository / "m" / f"b{number:02}.yaml").write_text("b: 1\n", encoding="utf-8")
    advanced(shallow, repository, "shop/readme", "another file")
    with pytest.raises(PlanRefused, match=r"m/b08\.yaml, m/b09\.yaml, and 2 more$"):
        required(shallow)


def test_a_file_under_a_filter_is_compared_by_what_was_committed(shallow: Path, repository: Path) -> None:
    (shallow / ".gitattributes").write_text("*.yaml filter=lfs\n", encoding="utf-8")
    (shallow / "m" / "a.yaml").write_text("smudged\n", encoding="utf-8")
    required(shallow)
    advanced(shallow, repository, "m/a.yaml", "a: 2\n")
    with pytest.raises(PlanRefused, match=r"m/a\.yaml"):
        required(shallow)


@pytest.mark.parametrize("branch", ["nowhere", "main~0", "-h", "../HEAD", "main:m"])
def test_what_is_no_branch_has_no_tip(shallow: Path, branch: str) -> None:
    with pytest.raises(PlanRefused, match="cannot find the tip of branch") as error:
        required(shallow, branch)
    assert "git fetch origin" in error.value.hint


def test_outside_of_a_repository_there_is_no_tip(tmp_path: Path) -> None:
    with pytest.raises(PlanRefused, match="cannot find the tip of branch"):
        require_tip(tmp_path, Inputs(), "main")


def test_without_a_remote_the_tip_is_that_of_the_local_branch(repository: Path) -> None:
    require_tip(repository, below(repository / "m"), "main")
    (repository / "m" / "a.yaml").write_text("a: 2\n", encoding="utf-8")
    with pytest.raises(PlanRefused, match=r"m/a\.yaml"):
        require_tip(repository, below(repository / "m"), "main")
