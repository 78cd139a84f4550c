"""Repositories built to make git run a program, contact a server, or take one file for another."""

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.manifests.git import GitFailed, Repository
from reconciler.project.checkout import checkout
from tests.cli.conftest import git
from tests.project.test_checkout import below, commit


@dataclass(frozen=True, slots=True)
class Victim:
    """A checkout, and a program that leaves a mark."""

    folder: Path
    script: Path
    mark: Path

    def configure(self, name: str, value: str) -> None:
        git(self.folder, "config", "--add", name, value)

    def carelessly(self, *arguments: str) -> None:
        with suppress(subprocess.CalledProcessError):
            git(self.folder, *arguments)

    @property
    def was_harmed(self) -> bool:
        return self.mark.exists()


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    folder, script, mark = tmp_path / "shop", tmp_path / "script", tmp_path / "mark"
    (folder / "m").mkdir(parents=True)
    (folder / "m" / "a.yaml").write_text("a: 1\n", encoding="utf-8")
    script.write_text(f'#!/bin/sh\necho "$0 $@" >> "{mark}"\nexit 1\n', encoding="utf-8")
    script.chmod(0o755)
    git(folder, "init", "--quiet", "--initial-branch", "main")
    commit(folder)
    return Victim(folder, script, mark)


def without_its_objects(victim: Victim) -> None:
    """Make a partial clone of it: what it lacks would be fetched from where it says."""
    victim.configure("core.repositoryFormatVersion", "1")
    victim.configure("extensions.partialClone", "origin")
    victim.configure("remote.origin.promisor", "true")
    blob = git(victim.folder, "rev-parse", "HEAD:m/a.yaml")
    (victim.folder / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    (victim.folder / "m" / "a.yaml").write_text("a: 2\n", encoding="utf-8")


def fetching_by_a_program(victim: Victim) -> None:
    without_its_objects(victim)
    victim.configure("remote.origin.url", f"ext::{victim.script} %S")
    victim.configure("protocol.ext.allow", "always")


def fetching_by_uploadpack(victim: Victim) -> None:
    without_its_objects(victim)
    victim.configure("remote.origin.url", str(victim.folder))
    victim.configure("remote.origin.uploadpack", str(victim.script))


def fetching_from_a_server(victim: Victim) -> None:
    without_its_objects(victim)
    victim.configure("remote.origin.url", "git://127.0.0.1/shop")
    victim.configure("core.gitProxy", str(victim.script))


def filtering(victim: Victim) -> None:
    (victim.folder / ".gitattributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
    for name in ("filter.evil.clean", "filter.evil.process", "diff.evil.textconv", "diff.external"):
        victim.configure(name, str(victim.script))
    (victim.folder / "m" / "a.yaml").write_text("a: 2\n", encoding="utf-8")


def watching_by_an_included_file(victim: Victim) -> None:
    included = victim.folder / "included"
    included.write_text(f"[core]\n\tfsmonitor = {victim.script}\n", encoding="utf-8")
    victim.configure("includeIf.onbranch:main.path", str(included))


def hooks(victim: Victim) -> None:
    folder = victim.folder / "hooks-of-mine"
    folder.mkdir()
    for name in ("post-index-change", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(victim.script, folder / name)
    git(victim.folder, "update-index", "--split-index")
    victim.configure("core.hooksPath", str(folder))
    os.utime(victim.folder / "m" / "a.yaml", (1, 1))


def signing(victim: Victim) -> None:
    victim.configure("gpg.program", str(victim.script))
    victim.configure("log.showSignature", "true")
    signature = "gpgsig -----BEGIN PGP SIGNATURE-----\n -----END PGP SIGNATURE-----\n"
    head, _, message = git(victim.folder, "cat-file", "commit", "HEAD").partition("\n\n")
    (victim.folder / "commit").write_text(f"{head}\n{signature}\n{message}\n", encoding="utf-8")
    signed = git(victim.folder, "hash-object", "-t", "commit", "-w", "commit")
    git(victim.folder, "update-ref", "refs/heads/main", signed)


def elsewhere(victim: Victim) -> Path:
    """Move the repository to where a pull request could have put it, among ordinary files."""
    planted = victim.folder / "planted"
    (victim.folder / ".git").rename(planted)
    return planted


def planted_behind_a_file(victim: Victim) -> None:
    watching_by_an_included_file(victim)
    (victim.folder / ".git").write_text(f"gitdir: {elsewhere(victim)}\n", encoding="utf-8")


def planted_behind_a_link(victim: Victim) -> None:
    watching_by_an_included_file(victim)
    planted = elsewhere(victim)
    (victim.folder / ".git").symlink_to(planted)


def with_a_work_tree_elsewhere(victim: Victim) -> None:
    filtering(victim)
    victim.configure("core.worktree", str(victim.folder / "m"))
    (victim.folder / "m" / ".gitattributes").write_text("* filter=evil\n", encoding="utf-8")
    shutil.copytree(victim.folder / "m", victim.folder / "m" / "m")


TRAPS: Mapping[Callable[[Victim], None], tuple[str, ...]] = {
    fetching_by_a_program: ("cat-file", "-p", "HEAD:m/a.yaml"),
    fetching_by_uploadpack: ("cat-file", "-p", "HEAD:m/a.yaml"),
    fetching_from_a_server: ("cat-file", "-p", "HEAD:m/a.yaml"),
    filtering: ("diff",),
    watching_by_an_included_file: ("status",),
    hooks: ("update-index", "--refresh"),
    signing: ("log",),
    planted_behind_a_file: ("status",),
    planted_behind_a_link: ("status",),
    with_a_work_tree_elsewhere: ("add", "."),
}
"""Each with what a careless program would ask."""
TRAP = pytest.mark.parametrize("trap", TRAPS, ids=lambda trap: trap.__name__)


def ask_everything(folder: Path) -> None:
    repository = Repository.around(folder)
    assert repository
    with suppress(GitFailed):
        head = repository.commit() or ""
        repository.tip("main")
        tree = repository.tree(head, [b""])
        list(repository.contents(blob.id for blob in tree.values()))
    for ask in (repository.filters, repository.ignored):
        with suppress(GitFailed):
            ask([b"m/a.yaml"])
    with suppress(GitFailed):
        repository.tracked()


@pytest.mark.sample(4)
@TRAP
def test_no_question_runs_a_program_or_contacts_a_server(victim: Victim, trap: Callable[[Victim], None]) -> None:
    trap(victim)
    ask_everything(victim.folder)
    checkout(victim.folder, below(victim.folder / "m"))
    assert not victim.was_harmed


@pytest.mark.sample(4)
@TRAP
def test_a_careless_question_does(victim: Victim, trap: Callable[[Victim], None]) -> None:
    """The test above can fail."""
    trap(victim)
    victim.carelessly(*TRAPS[trap])
    assert victim.was_harmed


# -- what is taken for the commit --


def replacing_the_commit(victim: Victim) -> None:
    head = git(victim.folder, "rev-parse", "HEAD")
    git(victim.folder, "replace", head, commit(victim.folder))
    git(victim.folder, "reset", "--soft", head)


def replacing_the_blob(victim: Victim) -> None:
    there, here = (git(victim.folder, "rev-parse", f"{name}:m/a.yaml") for name in ("HEAD", commit(victim.folder)))
    git(victim.folder, "reset", "--soft", "HEAD~1")
    git(victim.folder, "replace", there, here)


def grafting(victim: Victim) -> None:
    first = git(victim.folder, "rev-parse", "HEAD")
    grafts = victim.folder / ".git" / "info" / "grafts"
    grafts.write_text(f"{first} {commit(victim.folder)}\n", encoding="utf-8")
    git(victim.folder, "reset", "--soft", first)


def assuming_it_unchanged(victim: Victim) -> None:
    git(victim.folder, "update-index", "--assume-unchanged", "m/a.yaml")


def skipping_it(victim: Victim) -> None:
    git(victim.folder, "update-index", "--skip-worktree", "m/a.yaml")


def sparse(victim: Victim) -> None:
    git(victim.folder, "sparse-checkout", "set", "--cone", "--sparse-index", "other")


def borrowing(victim: Victim) -> None:
    other = victim.folder.parent / "other"
    shutil.copytree(victim.folder / ".git", other)
    (victim.folder / ".git" / "objects" / "info" / "alternates").write_text(f"{other}/objects\n", encoding="utf-8")


DISGUISES = (
    replacing_the_commit,
    replacing_the_blob,
    grafting,
    assuming_it_unchanged,
    skipping_it,
    sparse,
    borrowing,
)


@pytest.mark.sample(3)
@pytest.mark.parametrize("disguise", DISGUISES, ids=lambda disguise: disguise.__name__)
def test_a_changed_manifest_is_not_called_clean(victim: Victim, disguise: Callable[[Victim], None]) -> None:
    manifest = victim.folder / "m" / "a.yaml"
    manifest.write_text("a: evil\n", encoding="utf-8")
    disguise(victim)
    manifest.parent.mkdir(exist_ok=True)
    manifest.write_text("a: evil\n", encoding="utf-8")
    assert checkout(victim.folder, below(victim.folder / "m")).dirty is True


def test_a_submodule_is_a_repository_of_its_own(victim: Victim) -> None:
    """Its `.git` is a file that leads to the outer one's."""
    outer = victim.folder.parent / "outer"
    outer.mkdir()
    git(outer, "init", "--quiet")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(victim.folder), "inner")
    commit(outer)
    inner = outer / "inner"
    assert (inner / ".git").is_file()
    found = checkout(inner, below(inner / "m"))
    assert (found.commit, found.dirty) == (git(victim.folder, "rev-parse", "HEAD"), False)
    (inner / "m" / "a.yaml").write_text("a: 2\n", encoding="utf-8")
    assert checkout(inner, below(inner / "m")).dirty is True
