"""Paths -> the files to be read, each real file once, in sorted order; a path that a file names -> may it be used.

Below a directory these are YAML files by their extension, in any case, and JSON files whose content is a manifest.
Another file that reads like a manifest is a warning: somebody may think that it is one.

Secrets are read from files and written to files. Both stay in the folder of the configuration, and in folders that the
environment names besides, so that whoever may edit a manifest cannot have other files read or overwritten. What git
keeps for itself is neither read nor written, and what the tool or a CI job reads is not written.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, Self

from reconciler.errors import ReconcilerError
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.yaml import shown, unreadable
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity
from reconciler.model.json import Json
from reconciler.model.secret import SecretReference, SecretSource

_SUFFIXES: Final = (".yaml", ".yml")
EMPTY_FOLDER_HINT: Final = (
    f"fill it with: reconciler export --write, or write a manifest: reconciler explain {DEFAULT_KIND}"
)


_JSON: Final = ".json"
UNREAD: Final = "unread-manifest"
"""The rule that a file breaks which is not read and reads like a manifest."""
_HEAD_LENGTH: Final = 4096
"""Bytes at the beginning of a file by which it is judged."""
_WHOLE: Final = 1 << 20
"""Bytes of the largest manifest."""
_BEGINNING: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t]*+(?:(?:#|---|%)[^\n]*+)?\r?\n)*+[ \t]*+[{]?\s*+"
    rb"[\"']?apiVersion[\"']?\s*+:\s*+[\"']?reconciler/"
)


def _content(entry: "os.DirEntry[str]", limit: int) -> bytes:
    """The beginning of a file; nothing of what cannot be read, which is none of our business."""
    with suppress(OSError):
        if S_ISREG(entry.stat().st_mode):
            with Path(entry.path).open("rb") as file:
                return file.read(limit)
    return b""


def _is_manifest(data: Json) -> bool:
    """A manifest says so at the top level; a configuration, an export or a saved plan says something else."""
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
    """The files of a run, and the paths that gave none."""

    files: tuple[File, ...]
    faults: tuple[Diagnostic, ...]


def find_files(paths: Sequence[Path], apart: Sequence[Path] = (), *, may_be_empty: bool = False) -> FoundFiles:
    """Give the files that are named, and the manifests below the directories that are named.

    In directories, entries that start with a dot are passed over, and so is what is `apart`, with all that is below it.
    That there is no manifest in one is a fault, unless it `may_be_empty`.
    What has been reached before is not given again, which also ends the circles that symbolic links can make.
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
        """Begin as if all that is apart had been reached before."""
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
            self.faults.append(replace(fault, hint=EMPTY_FOLDER_HINT) if is_folder and not fault.hint else fault)
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
        """Take all that is below a directory; give how many files there were, new or not."""
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
                    message = "the symbolic link is broken, and may have led to manifests"
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
"""Names of git's folder; the second is the first on old file systems of Windows."""
_KEPT: Final = (".github", ".reconciler")
"""Names of folders that nothing is delivered below: what CI runs, and what the tool keeps for itself."""
_OWN: Final = frozenset({".yaml", ".yml", ".json", ".jsonl", ".lock"})
"""Extensions of manifests, journals and locks."""
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class AllowedPaths:
    """The folders in which secrets may be."""

    root: Path
    """The folder of the configuration."""
    folders: tuple[Path, ...] = ()
    """Others that the environment allows; absolute."""
    inputs: tuple[Path, ...] = ()
    """What the tool reads from and keeps, see `Config.inputs`: nothing is delivered over these."""
    resolved: dict[tuple[Path, ...], frozenset[str]] = field(default_factory=dict, compare=False)
    """These as `_folded`, where they lead to: found once for all environments of a run."""

    def kept(self, path: str, beside: str) -> str:
        """Give a path, which is relative to the folder of the file `beside`, as it is kept: relative to the root.

        A path that is not below the root is kept as an absolute one, and an empty one as it is.
        """
        if not path:
            return ""
        root = Path(os.path.abspath(self.root))  # noqa: PTH100  # resolves ".." in words, not through links
        target = Path(os.path.abspath(Path(beside).parent / path))  # noqa: PTH100
        return target.relative_to(root).as_posix() if target.is_relative_to(root) else target.as_posix()

    def objection(self, kept: str, *, to_write: bool = False) -> str:
        """Why no secret may be read from this path, or be written there; empty: it may. Links are followed."""
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
        """Give the place of a path that was kept, links resolved; a saved plan may name anything, so look again.

        Raises:
            ReconcilerError: it may not be used.
        """
        objection = self.objection(kept, to_write=to_write)
        if objection:
            raise ReconcilerError(f"the file {kept} {objection}", hint=hint_for(objection))
        return (self.root / kept).resolve()

    def is_named(self, kept: str, references: Iterable[SecretReference]) -> bool:
        """Whether a path that was kept leads to a file that one of these names, links followed."""
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
                "is used by the tool itself: configuration, manifests, overlays, logins, emulator data, journals, "
                "files that the command line names"
            )
        return ""

    def _is_own(self, target: Path) -> bool:
        """Whether a file is an input, or would belong to one: a manifest in a folder of them. Case does not count."""
        if self.inputs not in self.resolved:
            self.resolved[self.inputs] = frozenset(_folded(place.resolve()) for place in self.inputs)
        own, name = self.resolved[self.inputs], Path(_folded(target))
        return str(name) in own or (name.suffix in _OWN and any(str(folder) in own for folder in name.parents))


def hint_for(objection: str) -> str:
    """What to do about an objection of `AllowedPaths`."""
    if objection.startswith("is outside"):
        return "to allow another folder, name it in secrets.folders of the environment"
    return "choose another path"


def below(folder: Path, path: str) -> Path:
    """Give a path that a file in this folder names as an absolute one."""
    return Path(os.path.normpath(folder / path))


def repository_of(folder: Path) -> Path:
    """Give the top of the git repository that a folder is in, else the folder itself. Asks git nothing."""
    start = folder.resolve()
    return next((each for each in (start, *start.parents) if (each / ".git").exists()), start)


def objection_to_write(path: Path, folder: Path) -> str:
    """Why the tool may not write where a configuration in this folder says; empty: it may. Links are followed."""
    top, target = repository_of(folder), resolved(path)
    if target is None or not target.is_relative_to(top):
        return f"is outside the repository {top}"
    names = {_plain(part) for part in target.relative_to(top).parts}
    return "" if _GIT.isdisjoint(names) else "is below .git"


def require_inside(paths: Iterable[Path], folder: Path) -> None:
    """Refuse to write files that only the repository names, where they are not in it; `folder` as above.

    Raises:
        ReconcilerError: one is outside.
    """
    for path in paths:
        if objection := objection_to_write(path, folder):
            raise ReconcilerError(
                f"{path} {objection}, so nothing is written there", hint="move it into the repository"
            )


def resolved(path: Path) -> Path | None:
    """Follow links. None for what leads nowhere: a null character, or links in a circle, which Python 3.13 leaves."""
    try:
        target = path.resolve()
        is_circle = any(one.is_symlink() for one in (target, *target.parents))
    except (OSError, RuntimeError, ValueError):
        return None
    return None if is_circle else target


def _plain(name: str) -> str:
    """A name as the most lenient file systems compare it."""
    return _NOT_ASCII.sub("", name).casefold().rstrip(". ")


def _folded(path: Path) -> str:
    return str(path).casefold()
