"""Paths -> the files to be read, each real file once, in sorted order.

Below a directory these are YAML files by their extension, in any case, and JSON files whose content is a manifest.
Another file that reads like a manifest is a warning: somebody may think that it is one.
"""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import field, replace
from enum import Enum, auto
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import Final, Self

from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.yaml import shown, unreadable
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity

_SUFFIXES: Final = (".yaml", ".yml")
NO_MANIFESTS: Final = "no-manifests"
"""The rule that a folder without manifests breaks."""
WAY_TO_FILL: Final = f"fill it with: reconciler export --write, or write a manifest: reconciler explain {DEFAULT_KIND}"


_JSON: Final = ".json"
UNREAD: Final = "unread-manifest"
"""The rule that a file breaks which is not read and reads like a manifest."""
_ENOUGH: Final = 4096
"""Bytes at the beginning of a file by which it is judged."""
_WHOLE: Final = 1 << 20
"""Bytes of the largest manifest."""
_BEGINNING: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:[ \t]*+(?:(?:#|---|%)[^\n]*+)?\r?\n)*+[ \t]*+[{]?\s*+"
    rb"[\"']?apiVersion[\"']?\s*+:\s*+[\"']?reconciler/"
)


class _Look(Enum):
    """What a file without the extension of YAML is."""

    MANIFEST = auto()
    UNREAD = auto()
    """It reads like a manifest, but nobody can tell."""
    OTHER = auto()


def _look(entry: "os.DirEntry[str]", *, whole: bool) -> _Look:
    """Look into a file; what cannot be read is none of our business."""
    try:
        if not S_ISREG(entry.stat().st_mode):
            return _Look.OTHER
        with Path(entry.path).open("rb") as file:
            content = file.read(_WHOLE if whole else _ENOUGH)
    except OSError:
        return _Look.OTHER
    if not whole:
        return _Look.UNREAD if _BEGINNING.match(content) else _Look.OTHER
    return _look_at_json(content)


def _look_at_json(content: bytes) -> _Look:
    """A manifest says so at the top level; a configuration, an export or a saved plan says something else."""
    try:
        data = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return _Look.UNREAD if _BEGINNING.match(content) else _Look.OTHER
    match data:
        case {"apiVersion": "reconciler/v1", "kind": kind} if kind != "Config":
            return _Look.MANIFEST
        case _:
            return _Look.OTHER


@dataclass(frozen=True, slots=True)
class File:
    """A file, and its name in messages."""

    path: str
    shown: str


@dataclass(frozen=True, slots=True)
class Found:
    """The files of a run, and the paths that gave none."""

    files: tuple[File, ...]
    faults: tuple[Diagnostic, ...]


def find_files(paths: Sequence[Path], apart: Sequence[Path] = ()) -> Found:
    """Give the files that are named, and the manifests below the directories that are named.

    In directories, entries that start with a dot are passed over, and so is what is `apart`, with all that is below it.
    What has been reached before is not given again, which also ends the circles that symbolic links can make.
    """
    search = _Search.past(apart) if apart else _Search()
    for path in paths:
        search.add(os.fspath(path))
    return Found(tuple(search.files), tuple(search.faults))


@dataclass(slots=True)
class _Search:
    files: list[File] = field(default_factory=list)
    faults: list[Diagnostic] = field(default_factory=list)
    _seen: set[tuple[int, int]] = field(default_factory=set)
    _apart: frozenset[tuple[int, int]] = frozenset()

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
        except OSError as error:
            fault = unreadable(error, path, name)
            is_folder = isinstance(error, FileNotFoundError) and not os.path.splitext(path)[1]  # noqa: PTH122  # see below
            self.faults.append(replace(fault, hint=WAY_TO_FILL) if is_folder and not fault.hint else fault)
            return
        if (status.st_dev, status.st_ino) in self._apart:
            message, hint = (
                "this is an overlay or a file of ids, not a manifest",
                "leave it out: it is read with its environment",
            )
            self.faults.append(Diagnostic(Place(name), message, "overlay", hint=hint))
        elif not S_ISDIR(status.st_mode):
            self._add_file(path, name, status)
        elif not self._walk(path, name, status):
            kind = "file of manifests" if self._apart else "file"
            message = f"there is no {' or '.join('*' + suffix for suffix in _SUFFIXES)} {kind} in this directory"
            self.faults.append(Diagnostic(Place(name), message, NO_MANIFESTS, hint=WAY_TO_FILL))

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
                    message = "the symbolic link leads nowhere, and may have led to manifests"
                    self.faults.append(Diagnostic(Place(entry_name), message, "broken-link", severity=Severity.WARNING))
            waiting += reversed(folders)
        return count

    def _is_manifest(self, entry: "os.DirEntry[str]", name: str) -> bool:
        lower = entry.name.lower()
        if lower.endswith(_SUFFIXES):
            return True
        look = _look(entry, whole=lower.endswith(_JSON))
        if look is _Look.UNREAD:
            message = "this file reads like a manifest, and is not read: it does not end in .yaml, .yml or .json"
            hint = "rename it, move it out of this directory, or name it as a PATH"
            if lower.endswith(_JSON):
                message, hint = "this file reads like a manifest, and is not read: it is not JSON", "correct it"
            self.faults.append(Diagnostic(Place(name), message, UNREAD, hint=hint, severity=Severity.WARNING))
        return look is _Look.MANIFEST

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
