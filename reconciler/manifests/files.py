"""Paths -> the files to read, each real file once, sorted; a path that a file names -> whether it is allowed.

Below a directory these are YAML files by their extension, in any case, and JSON files whose content is a manifest.
Any other file that looks like a manifest is a warning: the user may expect it to be loaded.

Secrets are read from and written to files in the folder of the configuration, and in additional folders that the
environment names, so that a user who can edit a manifest cannot make the tool read or overwrite other files. Files of
git are neither read nor written, and files that the tool or a CI job reads are not written.
"""

import json
import os
import re
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from threading import RLock
from typing import Any, Final, Self, TypeVar, cast

from reconciler.errors import ReconcilerError
from reconciler.kinds import DEFAULT_KIND, KINDS
from reconciler.manifests.yaml import shown, unreadable
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity
from reconciler.model.json import Json
from reconciler.model.secret import SecretReference, SecretSource

T = TypeVar("T")

_SUFFIXES: Final = (".yaml", ".yml")
_ADDRESS_HINT: Final = (
    "a PATH is a file or a folder; plan, apply, drift and export select a resource with --only KIND/NAME"
)
EMPTY_FOLDER_HINT: Final = f"run reconciler export --write, or write a manifest (see reconciler explain {DEFAULT_KIND})"

_JSON: Final = ".json"
UNREAD: Final = "unread-manifest"
"""The rule for a file that looks like a manifest but is not loaded."""
_HEAD_LENGTH: Final = 4096
"""Bytes at the beginning of a file that are inspected."""
_WHOLE: Final = 1 << 20
"""Bytes of the largest manifest."""
_BEGINNING: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t]*+(?:(?:#|---|%)[^\n]*+)?\r?\n)*+[ \t]*+[{]?\s*+"
    rb"[\"']?apiVersion[\"']?\s*+:\s*+[\"']?reconciler/"
)


def _content(entry: "os.DirEntry[str]", limit: int) -> bytes:
    """The beginning of a file; empty if it cannot be read."""
    with suppress(OSError):
        if S_ISREG(entry.stat().st_mode):
            with Path(entry.path).open("rb") as file:
                return file.read(limit)
    return b""


def _is_manifest(data: Json) -> bool:
    """Whether JSON is a manifest by its top-level keys, unlike a configuration, an export or a saved plan."""
    match data:
        case {"apiVersion": "reconciler/v1", "kind": kind}:
            return kind != "Config"
        case _:
            return False


@dataclass(frozen=True, slots=True)
class File:
    """A file, and its name in messages."""

    path: str
    shown: str


@dataclass(frozen=True, slots=True)
class FoundFiles:
    """The files of a run, and the paths without files."""

    files: tuple[File, ...]
    faults: tuple[Diagnostic, ...]


def find_files(paths: Sequence[Path], apart: Sequence[Path] = (), *, may_be_empty: bool = False) -> FoundFiles:
    """Find the named files, and the manifests below the named directories.

    In directories, entries that start with a dot are skipped, and so are those in `apart`, with everything below.
    A directory without manifests is a fault, unless it `may_be_empty`.
    A file is found only once, which also ends cycles of symbolic links.
    """
    search = _Search.past(apart) if apart else _Search()
    search.may_be_empty = may_be_empty
    for path in paths:
        search.add(os.fspath(path))
    return FoundFiles(tuple(search.files), tuple(search.faults))


@dataclass(slots=True)
class _Search:
    files: list[File] = field(default_factory=list)
    faults: list[Diagnostic] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _apart: frozenset[tuple[int, int]] = frozenset()
    may_be_empty: bool = False

    @classmethod
    def past(cls, apart: Sequence[Path]) -> Self:
        """Mark the files and folders in `apart` as already found."""
        before = cls()
        for path in apart:
            before.add(os.fspath(path))
        return cls(_seen=before._seen, _apart=frozenset(before._seen))

    def add(self, path: str) -> None:
        name = shown(path)
        try:
            status = os.stat(path)  # noqa: PTH116  # strings: ten thousand Path objects cost more than reading the files
        except ValueError:  # a null character
            self.faults.append(Diagnostic(Place(name), "a path cannot contain a null character", "unreadable"))
            return
        except OSError as error:
            fault = unreadable(error, path, name)
            is_folder = isinstance(error, FileNotFoundError) and not os.path.splitext(path)[1]  # noqa: PTH122  # see above
            kind, _, named = path.partition("/")
            hint = _ADDRESS_HINT if named and kind in KINDS else EMPTY_FOLDER_HINT
            self.faults.append(replace(fault, hint=hint) if is_folder and not fault.hint else fault)
            return
        if (status.st_dev, status.st_ino) in self._apart:
            message = "this is an overlay or a file of ids, not a manifest"
            hint = "remove it: it is loaded with its environment"
            self.faults.append(Diagnostic(Place(name), message, "overlay", hint=hint))
        elif not S_ISDIR(status.st_mode):
            self._add_file(path, name, status)
        elif not self._walk(path, name, status) and not self.may_be_empty:
            kind = "file of manifests" if self._apart else "file"
            message = f"there is no {' or '.join('*' + suffix for suffix in _SUFFIXES)} {kind} in this directory"
            self.faults.append(Diagnostic(Place(name), message, "no-manifests", hint=EMPTY_FOLDER_HINT))

    def _add_file(self, path: str, name: str, status: os.stat_result) -> None:
        if self._is_new(status):
            self.files.append(File(path, name))

    def _is_new(self, status: os.stat_result) -> bool:
        identity = (status.st_dev, status.st_ino)
        is_new = identity not in self._seen
        self._seen.add(identity)
        return is_new

    def _walk(self, path: str, name: str, status: os.stat_result) -> int:
        """Add everything below a directory; return the number of files, new or not."""
        count = 0
        self._seen.add((status.st_dev, status.st_ino))
        waiting = [(path, "" if name == "." else name)]
        while waiting:
            directory, name = waiting.pop()
            folders = []
            for entry in self._entries(directory, name):
                entry_name = os.path.join(name, entry.name)  # noqa: PTH118  # see add
                if self._is_new_folder(entry):
                    folders.append((entry.path, entry_name))
                elif self._is_manifest(entry, entry_name):
                    count += 1
                    self._add_entry(entry, entry_name)
                elif entry.is_symlink() and not os.path.exists(entry.path):  # noqa: PTH110  # see add
                    message = "the symbolic link is broken, and its target may have contained manifests"
                    self.faults.append(Diagnostic(Place(entry_name), message, "broken-link", severity=Severity.WARNING))
            waiting += reversed(folders)
        return count

    def _is_manifest(self, entry: "os.DirEntry[str]", name: str) -> bool:
        lower = entry.name.lower()
        if lower.endswith(_SUFFIXES):
            return True
        is_json = lower.endswith(_JSON)
        content = _content(entry, _WHOLE if is_json else _HEAD_LENGTH)
        if is_json:
            with suppress(ValueError, RecursionError):
                return _is_manifest(json.loads(content.decode("utf-8-sig")))
        if _BEGINNING.match(content):
            message = "this file looks like a manifest but is not loaded: it does not end in .yaml, .yml or .json"
            hint = "rename it, move it out of this directory, or name it as a PATH"
            if is_json:
                message, hint = "this file looks like a manifest but is not loaded: it is not JSON", "correct it"
            self.faults.append(Diagnostic(Place(name), message, UNREAD, hint=hint, severity=Severity.WARNING))
        return False

    def _entries(self, directory: str, name: str) -> Iterator["os.DirEntry[str]"]:
        try:
            with os.scandir(directory) as entries:
                found = sorted((entry for entry in entries if entry.name[0] != "."), key=lambda entry: entry.name)
        except OSError as error:
            self.faults.append(unreadable(error, directory, name))
            return
        yield from found

    def _is_new_folder(self, entry: "os.DirEntry[str]") -> bool:
        try:
            return entry.is_dir() and self._is_new(entry.stat())
        except OSError:
            return False

    def _add_entry(self, entry: "os.DirEntry[str]", name: str) -> None:
        try:
            self._add_file(entry.path, name, entry.stat())
        except OSError as error:
            self.faults.append(unreadable(error, entry.path, name))


_GIT: Final = frozenset({".git", "git~1"})
"""Names of git's folder; the second is its short name on old Windows file systems."""
_KEPT: Final = (".github", ".reconciler")
"""Names of folders to which nothing is delivered: files that CI runs, and the tool's own files."""
_OWN: Final = frozenset({".yaml", ".yml", ".json", ".jsonl", ".lock"})
"""Extensions of manifests, journals and locks."""
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


class Memo:
    """Key -> value that is computed once, by the first thread that needs it, and kept as long as this object."""

    def __init__(self) -> None:
        self._lock, self._known = RLock(), dict[Hashable, Any]()

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """The value of a key; other threads wait for its computation."""
        with self._lock:
            if key not in self._known:
                self._known[key] = compute()
            return cast("T", self._known[key])


@dataclass(frozen=True, slots=True)
class AllowedPaths:
    """The folders that may contain secrets."""

    root: Path
    """The folder of the configuration."""
    folders: tuple[Path, ...] = ()
    """Additional folders that the environment allows; absolute."""
    inputs: tuple[Path, ...] = ()
    """Files that the tool reads and keeps, see `Config.inputs`; no delivery may overwrite them."""
    resolved: Memo = field(default_factory=Memo, compare=False)
    """The resolved inputs, `_folded`: computed once for all environments of a run, whose threads share them."""

    def kept(self, path: str, source: str) -> str:
        """Convert a path that is relative to the folder of the file `source` to one that is relative to the root.

        A path that is not below the root becomes absolute, and an empty one stays empty.
        """
        if not path:
            return ""
        root = Path(os.path.abspath(self.root))  # noqa: PTH100  # resolves ".." lexically, not through links
        target = Path(os.path.abspath(Path(source).parent / path))  # noqa: PTH100
        return target.relative_to(root).as_posix() if target.is_relative_to(root) else target.as_posix()

    def objection(self, kept: str, *, to_write: bool = False) -> str:
        """Why no secret may be read from or written to this path; empty: it may. Links are followed."""
        root, target = self.root.resolve(), resolved(self.root / kept)
        if target == root:
            return "names no file"
        if target is None or not self._holds(target):
            return "is outside the folder of the configuration"
        names = [_plain(part) for part in Path(os.path.relpath(target, root)).parts]
        if not _GIT.isdisjoint(names):
            return "is below .git"
        return self._objection_to_write(target, names) if to_write else ""

    def at(self, kept: str, *, to_write: bool = False) -> Path:
        """Resolve a kept path and check it again, since a saved plan may contain any path.

        Raises:
            ReconcilerError: the path is not allowed.
        """
        objection = self.objection(kept, to_write=to_write)
        if objection:
            raise ReconcilerError(f"the file {kept} {objection}", hint=hint_for(objection))
        return (self.root / kept).resolve()

    def is_named(self, kept: str, references: Iterable[SecretReference]) -> bool:
        """Whether a kept path and one of these paths are the same file, with links followed."""
        target = (self.root / kept).resolve()
        files = (self.root / one.name for one in references if one.source is SecretSource.FILE)
        return any(file.resolve() == target for file in files)

    def _holds(self, target: Path) -> bool:
        return any(target.is_relative_to(folder.resolve()) for folder in (self.root, *self.folders))

    def _objection_to_write(self, target: Path, names: list[str]) -> str:
        for name in _KEPT:
            if name in names:
                return f"is below {name}"
        if self._is_own(target):
            return (
                "is an input or a file of the reconciler: configuration, manifests, overlays, logins, emulator data, "
                "journals, files that the command line names"
            )
        return ""

    def _is_own(self, target: Path) -> bool:
        """Whether a file is an input, or would belong to one, as a manifest in a folder of them. Ignores case."""
        own = self.resolved.get(self.inputs, lambda: frozenset(_folded(place.resolve()) for place in self.inputs))
        name = Path(_folded(target))
        return str(name) in own or (name.suffix in _OWN and any(str(folder) in own for folder in name.parents))


def hint_for(objection: str) -> str:
    """The hint for an objection of `AllowedPaths`."""
    if objection.startswith("is outside"):
        return "to allow another folder, add it to secrets.folders of the environment"
    return "choose another path"


def below(folder: Path, path: str) -> Path:
    """The absolute form of a path that a file in this folder names."""
    return Path(os.path.normpath(folder / path))


def repository_of(folder: Path) -> Path:
    """The top of the git repository that contains a folder, otherwise the folder itself. Does not run git."""
    start = folder.resolve()
    return next((each for each in (start, *start.parents) if (each / ".git").exists()), start)


def objection_to_write(path: Path, folder: Path) -> str:
    """Why a configuration in this folder may not name this path to write to; empty: it may. Follows links."""
    top, target = repository_of(folder), resolved(path)
    if target is None or not target.is_relative_to(top):
        return f"is outside the repository {top}"
    names = {_plain(part) for part in target.relative_to(top).parts}
    return "" if _GIT.isdisjoint(names) else "is below .git"


def require_inside(paths: Iterable[Path], folder: Path) -> None:
    """Refuse to write files that the repository names but that are outside it; `folder` as above.

    Raises:
        ReconcilerError: one is outside.
    """
    for path in paths:
        if objection := objection_to_write(path, folder):
            raise ReconcilerError(
                f"{path} {objection}, so nothing is written there", hint="move it into the repository"
            )


def resolved(path: Path) -> Path | None:
    """Follow links; None for a null character or a cycle of links, which Python 3.13 does not report."""
    try:
        target = path.resolve()
        is_circle = any(one.is_symlink() for one in (target, *target.parents))
    except (OSError, RuntimeError, ValueError):
        return None
    return None if is_circle else target


def _plain(name: str) -> str:
    """A name normalised as the most lenient file systems compare it."""
    return _NOT_ASCII.sub("", name).casefold().rstrip(". ")


def _folded(path: Path) -> str:
    return str(path).casefold()
