"""The events of a run -> a journal file that survives crashes and reveals tampering.

One file for each run, `<folder>/<run id>.jsonl`. A line is a JSON object, chained to the line before it by SHA-256. An
upcoming write is on disk before `Journal.append` returns, so it is not lost if the process is killed while it sends
the write. The first line of a run also records the end of the previous run, so that a removed run and removed last
lines are detected. A user who can write the files can also rewrite all of them with their hashes: this detects
accidents. Removed last lines of the newest run are not detected; a run without an end is shown as cut off.

This module has the lines, the runs of a folder and the search for altered lines (`check_all`); `write` writes lines,
`events` interprets them.

No secret can be written by accident: a `Secret` is not JSON.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ReconcilerError, UsageError
from reconciler.manifests.git import Untrusted, untrusted
from reconciler.manifests.replacing import open_own, read_own
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, canonical_text
from reconciler.planning import seal as sealed

APPLY: Final = "apply"
ROLLBACK: Final = "rollback"
ROTATION: Final = "rotation"

FORMAT_VERSION: Final = "2.0"
NO_LINE: Final = "0" * 64
"""The previous hash in the first line."""
_MEMBERS: Final = {"at": str, "event": str, "facts": dict, "hash": str, "line": int, "previous": str}


class NotALine(ValueError):
    """Raised for an invalid journal line; the message has the reason, without quoting the line."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a run."""

    line: int
    """Counted from 1, as in an editor."""
    at: str
    """UTC, ISO 8601 with microseconds and a Z."""
    event: str
    facts: Mapping[str, Json]
    previous: str
    """The hash of the previous line; 64 zeros in the first line."""
    hash: str
    """SHA-256 in hexadecimal over all other members in canonical JSON."""

    @classmethod
    def after(cls, last: "Entry | None", at: str, event: str, facts: Mapping[str, Json]) -> "tuple[Entry, str]":
        """Return the next line, and its text with a newline, which is canonical JSON too.

        Raises TypeError for facts that are not JSON, such as a secret.
        """
        line, previous = (last.line + 1, last.hash) if last else (1, NO_LINE)
        head, tail = _halves(line, at, event, facts, previous)
        sealed = _hash(head, tail)
        return cls(line, at, event, facts, previous, sealed), f'{head},"hash":"{sealed}",{tail}\n'

    @classmethod
    def of(cls, text: str) -> "Entry":
        """Parse a line; `is_genuine` checks its hash.

        Raises:
            NotALine: it is invalid.
        """
        try:
            found: Any = json.loads(text, parse_constant=_no_constant)
        except (ValueError, RecursionError):
            raise NotALine("it is not JSON") from None
        if not isinstance(found, dict) or found.keys() != _MEMBERS.keys():
            raise NotALine("members are missing or unknown")
        wrong = [name for name, shape in _MEMBERS.items() if type(found[name]) is not shape]
        if wrong:
            raise NotALine(f"its {wrong[0]} has the wrong type")
        return cls(**found)

    @property
    def is_genuine(self) -> bool:
        """Whether the line is unaltered."""
        try:
            return self.hash == _hash(*_halves(self.line, self.at, self.event, self.facts, self.previous))
        except ValueError:  # 1e999 is JSON, but not a number that we write
            return False


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _halves(line: int, at: str, event: str, facts: Mapping[str, Json], previous: str) -> tuple[str, str]:
    """Split a line's canonical text around its hash: facts may be long."""
    head = canonical_text({"at": at, "event": event, "facts": facts})
    tail = canonical_text({"line": line, "previous": previous})
    return head[:-1], tail[1:]


def _hash(head: str, tail: str) -> str:
    return hashlib.sha256(f"{head},{tail}".encode("ascii")).hexdigest()


SUFFIX: Final = ".jsonl"


@dataclass(frozen=True, slots=True)
class Run:
    """The journal of one run."""

    path: Path
    entries: tuple[Entry, ...]
    """At least the first, which describes the run."""
    torn: bool = False
    """The last line is incomplete: the process or the machine stopped while it was written."""

    @property
    def id(self) -> str:
        """The file name without its suffix."""
        return self.path.name.removesuffix(SUFFIX)

    @property
    def facts(self) -> Mapping[str, Json]:
        """Facts in the first line."""
        return self.entries[0].facts

    @property
    def kind(self) -> str:
        """Kind of run: ``apply``, for example."""
        return str(self.facts.get("kind", ""))

    @property
    def started_at(self) -> str:
        """UTC, ISO 8601."""
        return self.entries[0].at

    @property
    def is_finished(self) -> bool:
        """Whether the run has ended, successfully or not; False if it was killed."""
        return self.entries[-1].event == "end"

    def of(self, event: str) -> list[Entry]:
        """The events of one type, in order."""
        return [entry for entry in self.entries if entry.event == event]


def lines_of(path: Path) -> tuple[list[str], bool]:
    """Split a journal into lines; also report an incomplete last line.

    Raises:
        ReconcilerError: it cannot be read.
    """
    try:
        *whole, rest = read_own(path).split(b"\n")
    except OSError as error:
        raise ReconcilerError(f"the journal {path} cannot be read: {error.strerror}") from error
    return [line.decode("utf-8", "replace") for line in whole], bool(rest)


def first(path: Path) -> Entry | None:
    """The first line of a journal; None if unreadable."""
    with suppress(OSError), os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        return _entry(file.readline().decode("utf-8", "replace"))
    return None


def read(path: Path) -> Run:
    """Read a journal, whose last line may be incomplete. `check` finds alterations.

    Raises:
        ReconcilerError: it cannot be read, or has an invalid line.
    """
    lines, torn = lines_of(path)
    entries = []
    for number, line in enumerate(lines, 1):
        try:
            entries.append(Entry.of(line))
        except NotALine as fault:
            hint = "check it with: reconciler history verify"
            raise ReconcilerError(f"{path}:{number}: invalid journal line: {fault}", hint=hint) from None
    if entries and (other := sealed.other_format(entries[0].facts, FORMAT_VERSION)):
        message = f"the journal {path} has format {other}, but this version reads format {FORMAT_VERSION}"
        raise ReconcilerError(message, hint="read it with the version that wrote it, or move it out of this folder")
    if not entries:
        hint = "it was emptied, or its run was stopped before it wrote anything, and then the file can be deleted"
        raise ReconcilerError(f"the journal {path} is empty", hint=hint)
    return Run(path, tuple(entries), torn)


def all_files(folder: Path) -> Mapping[Path, Untrusted | None]:
    """List journals, oldest first, with the reason if untrusted; empty if the folder is missing."""
    paths = sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.name)
    problems = untrusted(paths)
    return {path: problems.get(path) for path in paths}


def run_files(folder: Path) -> list[Path]:
    """List trusted journals, oldest first."""
    return [path for path, problem in all_files(folder).items() if problem is None]


def require_trusted(files: Mapping[Path, Untrusted | None]) -> None:
    """Raise if a journal is not trusted: it may be the requested one.

    Raises:
        Untrusted: one is not trusted.
    """
    for problem in filter(None, files.values()):
        raise problem


def runs(folder: Path) -> Mapping[Path, Run | ReconcilerError]:
    """Every run of a folder, oldest first, or the reason it cannot be used."""
    found: dict[Path, Run | ReconcilerError] = {}
    for path, problem in all_files(folder).items():
        try:
            found[path] = problem or read(path)
        except ReconcilerError as error:
            found[path] = error
    return found


def find(folder: Path, name: str, environment: str | None = None) -> Path:
    """Find the journal of a run by ID, or by a unique prefix or suffix.

    ``last`` is the newest run, of the environment if one is given.

    Raises:
        UsageError: no run matches, or several do.
        Untrusted: git tracks its journal, or all.
    """
    files = all_files(folder)
    if name == "last":
        trusted = reversed([path for path, problem in files.items() if problem is None])
        newest = next((path for path in trusted if not environment or _environment(path) == environment), None)
        if newest:
            return newest
        require_trusted(files)
    ids = {path.name.removesuffix(SUFFIX): path for path in files}
    hits = [name] if name in ids else [one for one in ids if name and (one.startswith(name) or one.endswith(name))]
    if len(hits) == 1:
        path = ids[hits[0]]
        if problem := files[path]:
            raise problem
        return path
    if hits:
        raise UsageError(f"several runs match {name}", hint=f"use a longer id: {', '.join(hits)}")
    where = f" of {environment}" if name == "last" and environment else ""
    raise UsageError(f"there is no run {name}{where} in {folder}", hint="list runs: reconciler history")


def _environment(path: Path) -> Json:
    """The environment of a journal; None if unreadable."""
    begun = first(path)
    return begun.facts.get("environment") if begun else None


def newest(folder: Path, environment: str) -> str:
    """The ID of the newest run that intended to write to an environment; empty if none or unreadable."""
    with suppress(ReconcilerError):
        run = last_run(run_files(folder), environment)
        return run.id if run else ""
    return ""


def last_run(files: Sequence[Path], environment: str) -> Run | None:
    """Find the newest run that intended to write to an environment, in journals sorted oldest first.

    Raises:
        ReconcilerError: a journal that may be of this run cannot be read.
    """
    for path in reversed(files):
        run = read(path)
        if run.kind in {APPLY, ROLLBACK} and run.facts.get("environment") == environment:
            return run
    return None


def applied(folder: Path, plan_digest: str) -> str:
    """The ID of the run that applied this plan; empty if none."""
    started = ((path.name.removesuffix(SUFFIX), first(path)) for path in run_files(folder))
    return next((run for run, one in started if one and one.facts.get("plan_digest") == plan_digest), "")


@dataclass(frozen=True, slots=True)
class JournalFault:
    """An altered or moved line."""

    path: Path
    line: int
    """Counted from 1; 0: the whole file."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


def check(path: Path) -> tuple[JournalFault, ...]:
    """Check one journal; an incomplete last line is not a fault.

    Raises:
        ReconcilerError: it cannot be read.
    """
    return tuple(_faults(path, lines_of(path)[0]))


def check_all(folder: Path) -> tuple[JournalFault, ...]:
    """Check all journals of a folder and their order.

    Missing oldest runs are not a fault: they may have been deleted on purpose.
    """
    lines: dict[Path, list[str]] = {}
    found: list[JournalFault] = []
    for path, problem in all_files(folder).items():
        if problem:
            found.append(JournalFault(path, 0, problem.message))
            continue
        try:
            lines[path] = lines_of(path)[0]
        except ReconcilerError as error:
            found.append(JournalFault(path, 0, error.message))
    hashes = {path.name.removesuffix(SUFFIX): [_hash_of(line) for line in text] for path, text in lines.items()}
    for path, text in lines.items():
        found += [*_faults(path, text), *_succession(path, text, hashes)]
    return tuple(found)


def _faults(path: Path, lines: list[str]) -> Iterator[JournalFault]:
    """Follow the chain. After a break, continue from there, so that one alteration is reported once."""
    number, previous = 1, NO_LINE
    for at, text in enumerate(lines, 1):
        try:
            entry = Entry.of(text)
        except NotALine as fault:
            yield JournalFault(path, at, f"this line was altered: {fault}")
            number, previous = number + 1, ""
            continue
        if not entry.is_genuine:
            yield JournalFault(path, at, "this line was altered: its hash does not match")
        elif entry.line != number:
            yield JournalFault(path, at, _misplaced(entry.line, number))
        elif previous and entry.previous != previous:
            yield JournalFault(
                path, at, "this line does not follow the previous line: one of them was altered or replaced"
            )
        if at == 1 and entry.event != "start":
            yield JournalFault(path, at, "the first line of the run is missing")
        number, previous = entry.line + 1, entry.hash


def _misplaced(line: int, expected: int) -> str:
    if line > expected:
        missing = f"line {expected} is" if line == expected + 1 else f"lines {expected} to {line - 1} are"
        return f"{missing} missing before this line (line {line} when it was written): removed or moved"
    return f"this line was moved here, or repeated: it was line {line}"


def _succession(path: Path, lines: list[str], hashes: Mapping[str, list[str]]) -> Iterator[JournalFault]:
    """Check that the previous journal exists and was not truncated."""
    begun = _entry(lines[0]) if lines else None
    after = begun.facts.get("after") if begun else None
    if not after or not isinstance(after, Mapping):
        return
    run, line, known = str(after.get("run")), after.get("line"), after.get("hash")
    if run not in hashes:
        if run > min(hashes):
            yield JournalFault(path, 1, f"the journal of the previous run, {run}, is missing")
        return
    there = hashes[run]
    if not isinstance(line, int) or line < 1:
        yield JournalFault(path, 1, f"it does not record the last line of the previous run, {run}")
    elif line > len(there):
        message = f"the previous run, {run}, had {line} lines when this run began; its journal now has {len(there)}"
        yield JournalFault(path, 1, message)
    elif there[line - 1] != known:
        yield JournalFault(path, 1, f"line {line} of the previous run, {run}, was changed after this run began")


def _hash_of(line: str) -> str:
    entry = _entry(line)
    return entry.hash if entry else ""


def _entry(line: str) -> Entry | None:
    with suppress(NotALine):
        return Entry.of(line)
    return None
