"""What a run is about to do and what came of it -> a file that survives a kill, and that shows when it was altered.

One file for each run, `<folder>/<run id>.jsonl`. A line is a JSON object, chained to the line before it by SHA-256. An
announcement is on the disk before `Journal.append` returns: whoever announces a write here and then sends it can be
stopped at any moment without the announcement being lost. The first line of a run also names the end of the run before
it, so that a run that was removed, or whose last lines were, is missed. Who can write the files can also write them
anew, hashes and all: this shows accidents and careless hands. The last lines of the newest run have no line after them
that would miss them; a run without its end shows as cut off. Here: which lines were altered (`check_all`).

Nothing secret can be written by accident: a `Secret` is not JSON.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from reconciler.applying.journal.applying import (
    ApplyRecorder,
    applied,
    facts_of,
    last_run,
    last_written,
    may_have_written,
    newest,
)
from reconciler.applying.journal.read import (
    NO_LINE,
    SUFFIX,
    Entry,
    NotALine,
    Run,
    all_files,
    find,
    lines_of,
    read,
    runs,
)
from reconciler.applying.journal.recorded import recorded, unfinished
from reconciler.applying.journal.write import Journal
from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass

__all__ = [
    "ApplyRecorder",
    "Entry",
    "Fault",
    "Journal",
    "Run",
    "applied",
    "check",
    "check_all",
    "facts_of",
    "find",
    "last_run",
    "last_written",
    "may_have_written",
    "newest",
    "read",
    "recorded",
    "runs",
    "unfinished",
]


@dataclass(frozen=True, slots=True)
class Fault:
    """One line that is not as it was written, or not where."""

    path: Path
    line: int
    """Counted from 1; 0: the whole file."""
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


def check(path: Path) -> tuple[Fault, ...]:
    """What is wrong with the journal of one run; a torn last line is not.

    Raises:
        ReconcilerError: it cannot be read.
    """
    return tuple(_faults(path, lines_of(path)[0]))


def check_all(folder: Path) -> tuple[Fault, ...]:
    """What is wrong with any run of a folder, or with their succession.

    That the oldest runs are gone is no fault: somebody has tidied up.
    """
    lines: dict[Path, list[str]] = {}
    found: list[Fault] = []
    for path, problem in all_files(folder).items():
        if problem:
            found.append(Fault(path, 0, problem.message))
            continue
        try:
            lines[path] = lines_of(path)[0]
        except ReconcilerError as error:
            found.append(Fault(path, 0, error.message))
    hashes = {path.name.removesuffix(SUFFIX): [_hash_of(line) for line in text] for path, text in lines.items()}
    for path, text in lines.items():
        found += [*_faults(path, text), *_succession(path, text, hashes)]
    return tuple(found)


def _faults(path: Path, lines: list[str]) -> Iterator[Fault]:
    """Walk along the chain. After a break it goes on from what is there, so that one alteration is reported once."""
    number, previous = 1, NO_LINE
    for at, text in enumerate(lines, 1):
        try:
            entry = Entry.of(text)
        except NotALine as fault:
            yield Fault(path, at, f"this line was altered: {fault}")
            number, previous = number + 1, ""
            continue
        if not entry.is_genuine:
            yield Fault(path, at, "this line was altered: its hash does not match")
        elif entry.line != number:
            yield Fault(path, at, _misplaced(entry.line, number))
        elif previous and entry.previous != previous:
            yield Fault(path, at, "this line does not follow the line before it: one of them was altered or replaced")
        if at == 1 and entry.event != "start":
            yield Fault(path, at, "this is not the first line of a run")
        number, previous = entry.line + 1, entry.hash


def _misplaced(line: int, expected: int) -> str:
    if line > expected:
        missing = f"line {expected} is" if line == expected + 1 else f"lines {expected} to {line - 1} are"
        return f"{missing} missing before this line, which was line {line}: removed, or moved"
    return f"this line was moved here, or repeated: it was line {line}"


def _succession(path: Path, lines: list[str], hashes: Mapping[str, list[str]]) -> Iterator[Fault]:
    """Whether the run before is there, and as long as it was when this one began."""
    after = _after(lines)
    if not after:
        return
    run, line, known = str(after.get("run")), after.get("line"), after.get("hash")
    if run not in hashes:
        if run > min(hashes):
            yield Fault(path, 1, f"the run before it, {run}, is missing: its journal was removed")
        return
    there = hashes[run]
    if not isinstance(line, int) or not 0 < line <= len(there):
        yield Fault(path, 1, f"the run before it, {run}, had {line} lines when this run began, and has {len(there)}")
    elif there[line - 1] != known:
        yield Fault(path, 1, f"line {line} of the run before it, {run}, has changed since this run began")


def _after(lines: list[str]) -> Mapping[str, object] | None:
    try:
        found = Entry.of(lines[0]).facts.get("after") if lines else None
    except NotALine:
        return None
    return found if isinstance(found, Mapping) else None


def _hash_of(line: str) -> str:
    try:
        return Entry.of(line).hash
    except NotALine:
        return ""
