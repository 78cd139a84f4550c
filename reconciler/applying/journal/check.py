"""Journals -> what was removed, altered or moved, and lines that this version cannot have written.

Who can write the files can also write them anew, hashes and all: this shows accidents and careless hands. The last
lines of the newest run have no line after them that would miss them; a run without its end shows as cut off.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.applying.journal.read import NO_LINE, SUFFIX, Entry, NotALine, Run, all_files, lines_of
from reconciler.errors import ReconcilerError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import part_validator, read_schema
from reconciler.model.run import RecordedChange


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


SCHEMA: Final = "run.v2.schema.json"


def unusable(run: Run) -> ReconcilerError:
    """The error for a journal that says what this version does not write."""
    message = f"the journal {run.path} is not in the format of this version"
    return ReconcilerError(message, hint="history verify says whether it was altered")


def require_shape(run: Run) -> None:
    """Refuse a journal with facts that are missing or of another type.

    Raises:
        ReconcilerError: it is one.
    """
    known = read_schema(SCHEMA)["$defs"]
    for entry in run.entries:
        name = _definition(entry)
        if name in known and part_validator(SCHEMA, name).faults({name: dict(entry.facts)}):
            raise unusable(run)


def _definition(entry: Entry) -> str:
    """The part of the schema for a line; the first one of a rotation has members of its own."""
    return "rotation" if entry.event == "start" and entry.facts.get("kind") == "rotation" else entry.event


def is_possible(change: RecordedChange) -> bool:
    """Whether there is its kind, with such bodies and assignments."""
    kind = KINDS.get(change.address.kind)
    if kind is None:
        return False
    steps = [*change.assignments, *(write.assignment for write in change.writes if write.assignment)]
    bodies = [{kind.id_field: "any"} | dict(body) for body in (change.before, change.after, change.left) if body]
    if steps and kind.assignments is None:
        return False
    return all(kind.assignments.has(step.party, step.id) for step in steps if kind.assignments) and not any(
        kind.faults(body) for body in bodies
    )
