"""The journal of a run -> its events; one line for each event, whose hash covers the line before it."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ReconcilerError, UsageError
from reconciler.manifests.git import Disbelieved, disbelief
from reconciler.manifests.replacing import open_own, read_own
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, canonical_text
from reconciler.planning import seal as sealed

FORMAT_VERSION: Final = "2.0"
NO_LINE: Final = "0" * 64
"""What the first line has for the hash of the line before it."""
_MEMBERS: Final = {"at": str, "event": str, "facts": dict, "hash": str, "line": int, "previous": str}


class NotALine(ValueError):
    """A text is not a line of a journal; the message says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a run."""

    line: int
    """Counted from 1, as an editor does."""
    at: str
    """UTC, ISO 8601 with microseconds and a Z."""
    event: str
    facts: Mapping[str, Json]
    previous: str
    """The hash of the line before it; 64 zeros in the first line."""
    hash: str
    """SHA-256 in hexadecimal over all other members in canonical JSON."""

    @classmethod
    def after(cls, last: "Entry | None", at: str, event: str, facts: Mapping[str, Json]) -> "tuple[Entry, str]":
        """Make the next line, and its text with its end, which is canonical JSON as well.

        What is not JSON, a secret above all, is refused with a TypeError.
        """
        line, previous = (last.line + 1, last.hash) if last else (1, NO_LINE)
        head, tail = _halves(line, at, event, facts, previous)
        sealed = _hash(head, tail)
        return cls(line, at, event, facts, previous, sealed), f'{head},"hash":"{sealed}",{tail}\n'

    @classmethod
    def of(cls, text: str) -> "Entry":
        """Read a line; whether its hash is right is `is_genuine`.

        Raises:
            NotALine: it has another form.
        """
        try:
            found: Any = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise NotALine("it is not JSON") from None
        if not isinstance(found, dict) or found.keys() != _MEMBERS.keys():
            raise NotALine("it does not have the members of a journal line")
        wrong = [name for name, shape in _MEMBERS.items() if type(found[name]) is not shape]
        if wrong:
            raise NotALine(f"its {wrong[0]} is of another type")
        return cls(**found)

    @property
    def is_genuine(self) -> bool:
        """Whether the line is as it was written."""
        try:
            return self.hash == _hash(*_halves(self.line, self.at, self.event, self.facts, self.previous))
        except ValueError:  # 1e999 is JSON, and no number that we would have written
            return False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _halves(line: int, at: str, event: str, facts: Mapping[str, Json], previous: str) -> tuple[str, str]:
    """The canonical text of a line, parted at the comma where its hash belongs: facts may be long, and come once."""
    head = canonical_text({"at": at, "event": event, "facts": facts})
    tail = canonical_text({"line": line, "previous": previous})
    return head[:-1], tail[1:]


def _hash(head: str, tail: str) -> str:
    return hashlib.sha256(f"{head},{tail}".encode("ascii")).hexdigest()


SUFFIX: Final = ".jsonl"


@dataclass(frozen=True, slots=True)
class Run:
    """What the journal of one run says."""

    path: Path
    entries: tuple[Entry, ...]
    """At least the first, which says what the run is."""
    torn: bool = False
    """The last line is there in part only: the process or the machine stopped while it was written."""

    @property
    def id(self) -> str:
        """The name of the file, less its suffix."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def facts(self) -> Mapping[str, Json]:
        """What the first line says of the run."""
        return self.entries[0].facts

    @property
    def kind(self) -> str:
        """What sort of run it is: ``apply``, for example."""
        return str(self.facts.get("kind", ""))

    @property
    def started_at(self) -> str:
        """UTC, ISO 8601."""
        return self.entries[0].at

    @property
    def is_finished(self) -> bool:
        """Whether the run came to its own end, good or bad, and was not cut off."""
        return self.entries[-1].event == "end"

    def of(self, event: str) -> list[Entry]:
        """The events of one sort, in their order."""
        return [entry for entry in self.entries if entry.event == event]


def lines_of(path: Path) -> tuple[list[str], bool]:
    """The lines of a journal without their ends, and whether one more is torn.

    Raises:
        ReconcilerError: it cannot be read.
    """
    try:
        *whole, rest = read_own(path).split(b"\n")
    except OSError as error:
        raise ReconcilerError(f"the journal {path} cannot be read: {error.strerror}") from error
    return [line.decode("utf-8", "replace") for line in whole], bool(rest)


def first(path: Path) -> Entry | None:
    """The first line of a journal; None where it cannot be read."""
    with suppress(OSError, NotALine), os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        return Entry.of(file.readline().decode("utf-8", "replace"))
    return None


def read(path: Path) -> Run:
    """Read a journal, whose last line may be torn. That nothing was altered is for `check` to say.

    Raises:
        ReconcilerError: it cannot be read, or a line of it is none.
    """
    lines, torn = lines_of(path)
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(Entry.of(line))
        except NotALine as fault:
            hint = "history verify says what is wrong with it"
            raise ReconcilerError(f"{path}:{number}: this is not a line of a journal: {fault}", hint=hint) from None
    if entries and (other := sealed.other_format(entries[0].facts, FORMAT_VERSION)):
        message = f"the journal {path} has format {other}, and this version reads format {FORMAT_VERSION}"
        raise ReconcilerError(message, hint="read it with the version that wrote it, or move it out of this folder")
    if not entries:
        raise ReconcilerError(f"the journal {path} has no line", hint="its run was stopped before it had begun")
    return Run(path, tuple(entries), torn)


def all_files(folder: Path) -> Mapping[Path, Disbelieved | None]:
    """The journals of a folder, the oldest first, and why one is not believed; none where there is no such folder."""
    paths = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.name)
    problems = disbelief(paths)
    return {path: problems.get(path) for path in paths}


def run_files(folder: Path) -> list[Path]:
    """The journals of a folder that are believed, the oldest first."""
    return [path for path, problem in all_files(folder).items() if problem is None]


def require_belief(files: Mapping[Path, Disbelieved | None]) -> None:
    """Raise why a journal is not believed, where there is one: it may be the one that is asked for.

    Raises:
        Disbelieved: there is one.
    """
    for problem in filter(None, files.values()):
        raise problem


def runs(folder: Path) -> Mapping[Path, Run | ReconcilerError]:
    """Every run of a folder, the oldest first; for one that cannot be read or is not believed, why not."""
    found: dict[Path, Run | ReconcilerError] = {}
    for path, problem in all_files(folder).items():
        try:
            found[path] = problem or read(path)
        except ReconcilerError as error:
            found[path] = error
    return found


def find(folder: Path, name: str, environment: str | None = None) -> Path:
    """The journal of a run by its id, or by a start or an end of it that no other id has.

    ``last`` is the newest, of the environment if one is given.

    Raises:
        UsageError: there is no such run, or several.
        Disbelieved: git tracks its journal, or all.
    """
    files = all_files(folder)
    if name == "last":
        believed = reversed([path for path, problem in files.items() if problem is None])
        newest = next((path for path in believed if not environment or _environment(path) == environment), None)
        if newest:
            return newest
        require_belief(files)
    ids = {path.name.removesuffix(SUFFIX): path for path in files}
    hits = [name] if name in ids else [one for one in ids if name and (one.startswith(name) or one.endswith(name))]
    if len(hits) == 1:
        path = ids[hits[0]]
        if problem := files[path]:
            raise problem
        return path
    if hits:
        raise UsageError(f"several runs are called {name}", hint=f"write more of one: {', '.join(hits)}")
    where = f" of {environment}" if name == "last" and environment else ""
    raise UsageError(f"there is no run {name}{where} in {folder}", hint="reconciler history lists the runs")


def _environment(path: Path) -> Json:
    """The environment that a journal says it is of; None where it cannot be read."""
    begun = first(path)
    return begun.facts.get("environment") if begun else None
