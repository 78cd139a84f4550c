"""A folder -> its git repository and files, read with git commands that run no other programs.

The author of a pull request can add files to the checkout that make git run a command: a bare repository among
ordinary files, attributes that name filters, hooks, links. So only plumbing commands are used (`rev-parse`,
`for-each-ref`, `ls-tree`, `ls-files`, `cat-file`, `check-attr`, `check-ignore`), only for the repository whose `.git`
is found here; nothing refreshes the index, compares files or fetches. Of git's environment variables, only those that
configure it are passed on, as they may contain `safe.directory`.
"""

import os
import shlex
import shutil
import subprocess  # git has no other interface that is always available
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Self

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass

_SECONDS: Final = 10
_CONFIGURED: Final = {
    "safe.bareRepository": "explicit",
    "core.fsmonitor": "false",
    "core.hooksPath": os.devnull,
    "protocol.allow": "never",
}
_OURS: Final = {
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_PASSED_ON: Final = "GIT_CONFIG_"
_ARGUMENTS: Final = 500


class GitFailed(Exception):
    """A git command failed; `problem` is the reason, and `fix` a hint."""

    def __init__(self, problem: str, fix: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of a commit."""

    id: bytes
    is_link: bool


@dataclass(frozen=True, slots=True)
class Repository:
    """A checkout; names of files are bytes, relative to its top."""

    top: bytes
    """Links resolved."""

    @classmethod
    def around(cls, folder: Path) -> Self | None:
        """The nearest folder with a `.git`, here or above."""
        here = Path(os.path.realpath(folder))
        found = next((one for one in (here, *here.parents) if os.path.lexists(one / ".git")), None)
        return cls(os.fsencode(found)) if found else None

    def commit(self) -> str | None:
        """The checked-out commit; None: there is none yet.

        Raises:
            GitFailed: git cannot be run, or fails.
        """
        return self._ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}", may_fail=True).decode().strip() or None

    def tip(self, branch: str) -> str | None:
        """The commit of a branch as last fetched, or of the local branch if it was never fetched; None: there is none.

        Raises:
            GitFailed: as for `commit`.
        """
        names = [branch] if branch.startswith("refs/") else [f"refs/{one}{branch}" for one in _WHERE]
        lines = self._ask("for-each-ref", "--format=%(objectname) %(refname)", "--", *names).splitlines()
        known = {os.fsdecode(name): commit.decode() for commit, _, name in (line.partition(b" ") for line in lines)}
        return next((known[name] for name in names if name in known), None)

    def tree(self, commit: str, names: Iterable[bytes]) -> Mapping[bytes, Blob]:
        """The files of a commit that have one of these names, or are below a folder with one.

        Raises:
            GitFailed: as for `commit`.
        """
        chosen = sorted(set(names))
        if b"" in chosen or len(chosen) > _ARGUMENTS:
            chosen = []
        listed = self._ask("--literal-pathspecs", "ls-tree", "-r", "-z", "--full-tree", commit, "--", *chosen)
        return dict(_entry(line) for line in listed.split(b"\0") if b" blob " in line.partition(b"\t")[0])

    def contents(self, ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes | None]]:
        """The content of blobs, by id; None: this clone does not have it.

        Raises:
            GitFailed: as for `commit`.
        """
        requested = sorted(set(ids))
        answer = self._ask("cat-file", "--batch", stdin=b"\n".join([*requested, b""])) if requested else b""
        at = 0
        for one in requested:
            head = answer[at : answer.index(b"\n", at)]
            at += len(head) + 1
            if head.endswith(b" missing"):
                yield one, None
                continue
            size = int(head.rpartition(b" ")[2])
            yield one, answer[at : at + size]
            at += size + 1

    def filters(self, names: Iterable[bytes]) -> Mapping[bytes, str]:
        """The files that git would store with different content, and the attribute that causes it.

        Raises:
            GitFailed: as for `commit`.
        """
        requested = b"".join(name + b"\0" for name in names)
        answer = self._ask("check-attr", "-z", "--stdin", *_CONVERTING, stdin=requested) if requested else b""
        words = answer.split(b"\0")
        rows = zip(words[::3], words[1::3], words[2::3], strict=False)
        return {
            name: f"{attribute.decode()}={value.decode(errors='replace')}"
            for name, attribute, value in rows
            if value not in {b"unspecified", b"unset"}
        }

    def tracked(self) -> frozenset[bytes]:
        """All files that git tracks.

        Raises:
            GitFailed: as for `commit`.
        """
        return frozenset(self._ask("ls-files", "-z").split(b"\0"))

    def ignored(self, names: Iterable[bytes]) -> frozenset[bytes]:
        """The files among these that git ignores.

        Raises:
            GitFailed: as for `commit`.
        """
        requested = b"".join(b"./" + name + b"\0" for name in names)  # otherwise a name may be read as a pattern
        found = self._ask("check-ignore", "-z", "--stdin", stdin=requested, may_fail=True) if requested else b""
        return frozenset(name.removeprefix(b"./") for name in found.split(b"\0"))

    def _ask(self, *arguments: str | bytes, stdin: bytes = b"", may_fail: bool = False) -> bytes:
        """The output of one command; `may_fail`: empty if git fails without a message."""
        settings = [word for name, value in _CONFIGURED.items() for word in ("-c", f"{name}={value}")]
        command = [_program(self.top), "-C", self.top, *settings, *arguments]
        try:
            done = subprocess.run(  # noqa: S603  # a fixed program, and arguments that no shell sees
                command, input=stdin, capture_output=True, check=False, env=_environment(self.top), timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise GitFailed(f"git failed in this checkout: {error}") from error
        if done.returncode == 0 or (may_fail and done.returncode == 1):
            return done.stdout
        raise _failure(done.stderr.decode(errors="replace"), os.fsdecode(self.top))


_WHERE: Final = ("remotes/", "remotes/origin/", "heads/")
_CONVERTING: Final = ("filter", "working-tree-encoding", "ident")


def _entry(line: bytes) -> tuple[bytes, Blob]:
    head, _, name = line.partition(b"\t")
    mode, _, blob = head.split(b" ")
    return name, Blob(blob, is_link=mode == b"120000")


def _program(top: bytes) -> str:
    """The git executable, but none inside the checkout or the working directory."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    inside = os.fsdecode(top)
    trusted = [one for one in folders if Path(one).is_absolute() and not Path(one).resolve().is_relative_to(inside)]
    found = shutil.which("git", path=os.pathsep.join(trusted)) if trusted else None
    if not found:
        raise GitFailed("this is a git checkout, and git is not installed", "install git")
    return found


def _environment(top: bytes) -> dict[str, str]:
    here_only = {"GIT_CEILING_DIRECTORIES": str(Path(os.fsdecode(top)).parent)}
    given = os.environ.items()
    kept = {name: value for name, value in given if name.startswith(_PASSED_ON) or not name.startswith("GIT_")}
    return {**kept, **here_only, **_OURS}


def _failure(message: str, top: str) -> GitFailed:
    if "safe.directory" in message or "dubious ownership" in message:
        fix = f"if you trust it: git config --global --add safe.directory {top}"
        return GitFailed("git refuses to read this checkout, which belongs to another user", fix)
    first = next((line for line in message.splitlines() if line.strip()), "no error message")
    return GitFailed(f"git failed in this checkout: {first.removeprefix('fatal: ')}")


@dataclass(frozen=True, slots=True)
class InGit:
    """A file that git tracks or would add."""

    line: str
    """Its line for a .gitignore at the top of the repository."""
    is_tracked: bool


def in_git(paths: Collection[Path]) -> Mapping[Path, InGit | GitFailed]:
    """Look up files that git tracks or would add, without ignored files and files outside any repository."""
    found: dict[Path, InGit | GitFailed] = {}
    for repository, names in _by_repository(paths):
        try:
            tracked, ignored = _tracked(repository, names), repository.ignored(names)
        except GitFailed as failure:
            found |= dict.fromkeys(names.values(), failure)
            continue
        found |= {
            path: InGit(f"/{os.fsdecode(name)}", is_tracked=name in tracked)
            for name, path in names.items()
            if name in tracked or name not in ignored
        }
    return found


class Untrusted(ReconcilerError):
    """A file of an earlier run is not trusted, because it may have come with the checkout."""


def untrusted(paths: Iterable[Path]) -> Mapping[Path, Untrusted]:
    """Files of earlier runs that are not trusted, with the reason: tracked files may come from a pull request."""
    found: dict[Path, Untrusted] = {}
    for repository, names in _by_repository(path for path in paths if os.path.lexists(path)):
        try:
            tracked = _tracked(repository, names)
        except GitFailed as failure:
            why = f"is not used, because git may track it: {failure.problem}"
            found |= {path: Untrusted(f"{path} {why}", hint=failure.fix) for path in names.values()}
            continue
        for name in tracked:
            hint = f"run git rm --cached {shlex.quote(':/' + os.fsdecode(name))}"
            found[names[name]] = Untrusted(f"{names[name]} is not used: git tracks it", hint=hint)
    return found


def _by_repository(paths: Iterable[Path]) -> Iterator[tuple[Repository, Mapping[bytes, Path]]]:
    """The repositories of files, each with its files by their names in it."""
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        folders[path.parent].append(path)
    found: dict[Repository, dict[bytes, Path]] = defaultdict(dict)
    for folder, files in folders.items():
        if repository := Repository.around(folder):
            within = folder.resolve().relative_to(os.fsdecode(repository.top))
            found[repository] |= {os.fsencode((within / path.name).as_posix()): path for path in files}
    yield from found.items()


def _tracked(repository: Repository, names: Collection[bytes]) -> frozenset[bytes]:
    """The files among these that git tracks."""
    tracked = set(map(_folded, repository.tracked()))
    return frozenset(name for name in names if _folded(name) in tracked)


def _folded(name: bytes) -> str:
    """A name for comparison: on some file systems, names that differ only in case are one file."""
    return os.fsdecode(name).casefold()
