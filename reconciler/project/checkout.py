"""Compare the inputs of a run with a commit. The comparison does not use git, which could run configured commands.

Without git, as in an image, `RECONCILER_COMMITS` names a file that lists the commit of the inputs and its ancestors.

Line ends are ignored. A file that git stores in another form because of an attribute (LFS, for example) cannot be
compared without running what the repository configures, so the answer is unknown.
"""

import hashlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from reconciler.errors import PlanRefused, ReconcilerError
from reconciler.manifests.git import Blob, GitFailed, Repository
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Checkout
from reconciler.project.files import read_file
from reconciler.render.wording import few

_SEPARATOR: Final = os.fsencode(os.sep)
_SHA1: Final = 40
"""The length of a SHA-1 id in digits; longer ids are SHA-256."""
_SUFFIXES: Final = (b".yaml", b".yml", b".json")
COMMITS_VARIABLE: Final = "RECONCILER_COMMITS"
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Inputs:
    """The inputs of a run."""

    files: frozenset[str] = frozenset()
    """All files that were read."""
    folders: tuple[Path, ...] = ()
    """The folders that were searched. A file that only the commit has there is a difference, too."""
    named: frozenset[Path] = frozenset()
    """Files that the inputs name. They need not be in the commit; those that are, are compared."""


@dataclass(frozen=True, slots=True)
class Differences:
    """The inputs that differ from the commit."""

    different: tuple[str, ...]
    unknown: Mapping[str, str]
    """File -> the git attribute that prevents its comparison."""


def checkout(folder: Path, inputs: Inputs) -> Checkout:
    """Describe the checkout around a folder. Never fails: a plan does not need git."""
    repository = Repository.around(folder)
    if repository is None:
        return Checkout()
    try:
        commit = repository.commit()
        if commit is None:
            return Checkout()
        found = _compare(repository, commit, inputs)
    except GitFailed as failure:
        return Checkout(problem=f"{failure.problem}; the plan is not bound to a commit", fix=failure.fix)
    if found.different or not found.unknown:
        return Checkout(commit, dirty=bool(found.different))
    names = [f"{name} ({attribute})" for name, attribute in found.unknown.items()]
    return Checkout(commit, None, f"files under a git filter cannot be compared with the commit: {_listed(names)}")


def listed_commits(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The commit of the inputs and its ancestors, as listed in `RECONCILER_COMMITS`; none if it is not set.

    Raises:
        ReconcilerError: the file cannot be read, or is not a list of commits.
    """
    name = variables.get(COMMITS_VARIABLE)
    if not name:
        return ()
    hint = f"write it in the checkout of the manifests: git rev-list HEAD > {name}"
    try:
        commits = tuple(read_file(Path(name)).splitlines())
    except ReconcilerError as error:
        raise ReconcilerError(f"{COMMITS_VARIABLE}: {error.message}", hint=hint) from error
    if not commits or not all(map(_COMMIT.fullmatch, commits)):
        raise ReconcilerError(f"{COMMITS_VARIABLE}: {name} is not a list of commits", hint=hint)
    return commits


def require_tip(folder: Path, inputs: Inputs, branch: str) -> None:
    """Refuse inputs that differ from the tip of a branch, as last fetched.

    Raises:
        PlanRefused: the inputs differ, or cannot be compared.
    """
    try:
        different = _different_from_tip(folder, inputs, branch)
    except GitFailed as failure:
        raise PlanRefused("tip", failure.problem, hint=failure.fix) from failure
    if different:
        message = f"the inputs differ from the tip of {branch}: {_listed(different)}"
        raise PlanRefused("tip", message, hint=f"check out {branch}, plan again and apply that plan")


def _different_from_tip(folder: Path, inputs: Inputs, branch: str) -> list[str]:
    repository = Repository.around(folder)
    tip = repository.tip(branch) if repository else None
    if repository is None or tip is None:
        raise GitFailed(f"cannot find the tip of branch {branch}", f"fetch it: git fetch origin {branch}")
    found = _compare(repository, tip, inputs)
    names = [os.fsencode(name) for name in found.unknown]
    head = repository.commit()
    here, there = (repository.tree(one, names) if one and names else {} for one in (head, tip))
    return [*found.different, *(os.fsdecode(name) for name in names if here.get(name) != there.get(name))]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(few(sorted(names), rest=""))


# ---------------------------------------------------------------------------------------------------------- comparison


def _compare(repository: Repository, commit: str, inputs: Inputs) -> Differences:
    top = repository.top
    read = {os.path.realpath(os.fsencode(path)) for path in inputs.files}
    required = _names(top, read | {*_links(map(os.fsencode, inputs.files))})
    chosen = required | _names(top, (os.path.realpath(os.fsencode(path)) for path in inputs.named))
    folders = _names(top, (os.path.realpath(os.fsencode(path)) for path in inputs.folders))
    outside = sorted(path for path in read if not _is_inside(top, path))
    tree = repository.tree(commit, [*folders, *(name for name in chosen if not _is_below(name, folders))])
    doubtful = {name for name in chosen & tree.keys() if not _is_equal(top, name, tree[name])}
    filters = repository.filters(doubtful)
    stored = dict(repository.contents(tree[name].id for name in doubtful - filters.keys()))
    different = {name for name in doubtful - filters.keys() if not _has_equal_lines(top, name, stored[tree[name].id])}
    different |= required - tree.keys()
    different |= {name for name in tree.keys() - chosen if _is_missing(top, name) and _is_below(name, folders)}
    return Differences(
        tuple(map(os.fsdecode, [*sorted(different), *outside])),
        {os.fsdecode(name): filters[name] for name in sorted(filters)},
    )


def _names(top: bytes, paths: Iterable[bytes]) -> set[bytes]:
    """The paths of these files relative to the repository; files outside of it are left out."""
    inside = (path for path in paths if _is_inside(top, path))
    return {path[len(top) :].lstrip(_SEPARATOR).replace(_SEPARATOR, b"/") for path in inside}


def _is_inside(top: bytes, path: bytes) -> bool:
    return path == top or path.startswith(top.rstrip(_SEPARATOR) + _SEPARATOR)


def _links(paths: Iterable[bytes]) -> Iterator[bytes]:
    """The symbolic links on the paths of files. The links are inputs, too."""
    seen: set[bytes] = set()
    waiting = [os.path.abspath(path) for path in paths]
    while waiting:
        path = waiting.pop()
        folder, name = os.path.split(path)
        if path in seen or not name:
            continue
        seen.add(path)
        waiting.append(folder)
        if os.path.islink(path):
            yield os.path.join(os.path.realpath(folder), name)
            waiting.append(os.path.abspath(os.path.join(folder, os.readlink(path))))


def _is_below(name: bytes, folders: Collection[bytes]) -> bool:
    """Whether a path is one of these, or below one."""
    at = len(name)
    while at >= 0:
        if name[:at] in folders:
            return True
        at = name.rfind(b"/", 0, at)
    return b"" in folders


def _is_missing(top: bytes, name: bytes) -> bool:
    return name.lower().endswith(_SUFFIXES) and not os.path.lexists(os.path.join(top, name))


def _is_equal(top: bytes, name: bytes, blob: Blob) -> bool:
    """Whether a file equals the one in the commit, byte for byte."""
    content = _content(os.path.join(top, name), blob)
    if content is None:
        return False
    hashed = hashlib.new("sha1" if len(blob.id) == _SHA1 else "sha256", usedforsecurity=False)
    hashed.update(b"blob %d\0" % len(content) + content)
    return hashed.hexdigest().encode() == blob.id


def _has_equal_lines(top: bytes, name: bytes, stored: bytes | None) -> bool:
    """Whether a file is equal except for line ends. An object that this clone lacks counts as different."""
    content = _content(os.path.join(top, name), None)
    return content is not None and stored is not None and _lines(content) == _lines(stored)


def _lines(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")


def _content(path: bytes, blob: Blob | None) -> bytes | None:
    """The content of a file, or of a link if the commit has a link; None: there is none."""
    with suppress(OSError):
        if os.path.islink(path):
            return os.readlink(path) if blob and blob.is_link else None
        if os.path.isfile(path) and not (blob and blob.is_link):
            with open(path, "rb") as file:
                return file.read()
    return None
