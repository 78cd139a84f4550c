"""Written changes -> live state, at the end of a run and after an interrupted one.

The response to a PUT shows what the service stored. This read also shows later changes by others. If many objects were
written, listing all is cheaper than reading each; an object that the list does not show as sent is still read by
itself, since a list may be outdated. Reads only.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import StrEnum
from typing import Final, TypeAlias

from reconciler.applying.task import Task, Writer, read, with_hint
from reconciler.errors import RemoteError, RequestFacts
from reconciler.kinds import KINDS, Kind, naming_roles
from reconciler.kinds.assignments import Level
from reconciler.live import every_body
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body, pointer
from reconciler.model.outcome import Certainty, Outcome, RecordedChange, RecordedRun, RecordedWrite, Status, WriteStep
from reconciler.model.plan import Action, FieldChange
from reconciler.model.resource import ObjectKey
from reconciler.remote import ReadRemote
from reconciler.remote.threads import Threads

_PAGE: Final = 100
"""Maximum objects in a page of a list."""

_Written: TypeAlias = tuple[Task, Outcome]
_Rows: TypeAlias = frozenset[tuple[str, str]] | RemoteError
"""Keys of rows, or why they could not be read."""


def look_again(written: Sequence[_Written], writer: Writer, *, live: int, at_a_time: int) -> Iterator[Outcome]:
    """Re-read each object and update its outcome.

    Args:
        written: the tasks whose writes succeeded, and their outcomes.
        writer: their writer.
        live: the approximate number of live objects.
        at_a_time: how many objects are read concurrently.
    """
    if not written:
        return
    final = _Verification(_listed(written, writer, live), _assigned(written, writer))
    alone = []
    for task, outcome in written:
        if final.is_listed_as_sent(task, outcome):
            yield final.with_parties(task, outcome)
        else:
            alone.append((task, outcome))
    if alone:
        with Threads(min(at_a_time, len(alone))) as pool:
            yield from pool.map(lambda one: final.by_itself(*one), alone)


def _listed(written: Sequence[_Written], writer: Writer, live: int) -> Mapping[ObjectKey, Body]:
    """The objects of each kind that are cheaper to list than to read."""
    found: dict[ObjectKey, Body] = {}
    for kind in {task.kind.name: task.kind for task, _ in written}.values():
        count = sum(task.kind is kind for task, _ in written)
        if count > live // _PAGE + 1:
            with suppress(RemoteError):  # each is then read by itself
                bodies = every_body(writer.remote, kind)
                found |= {ObjectKey(kind.name, str(one[kind.id_field])): one for one in bodies}
    return found


def _assigned(written: Sequence[_Written], writer: Writer) -> Mapping[Level, _Rows]:
    """The assignment rows of every level that was changed."""
    levels: dict[Level, Kind] = {}
    objects: dict[str, set[str]] = defaultdict(set)
    for task, outcome in written:
        for step in task.change.assignments:
            level = task.level(step)
            levels[level] = task.kind
            objects[level.path].add(outcome.id or "")
    lists = {level.path: (kind, level.filters(sorted(objects[level.path]))) for level, kind in levels.items()}
    listed = {path: _rows(path, kind, filters, writer) for path, (kind, filters) in lists.items()}
    return {one: rows if isinstance(rows := listed[one.path], RemoteError) else one.keys(rows) for one in levels}


def _rows(path: str, kind: Kind, filters: Sequence[Mapping[str, str]], writer: Writer) -> Sequence[Body] | RemoteError:
    try:
        with naming_roles(f"reading assignments of {kind.noun}s", kind.assignment_reading_roles):
            return writer.remote.list_all(path, key=None, filters=filters)
    except RemoteError as error:
        return error


@dataclass(frozen=True, slots=True)
class _Verification:
    """Verifies objects by lists, or by reading them."""

    listed: Mapping[ObjectKey, Body]
    assigned: Mapping[Level, _Rows]

    def is_listed_as_sent(self, task: Task, outcome: Outcome) -> bool:
        """Whether the list shows the object as sent."""
        if task.change.action is Action.DELETE:
            return False
        body = self.listed.get(ObjectKey(task.kind.name, outcome.id or ""))
        if outcome.status is not Status.APPLIED or body is None or task.kind.faults(body):
            return False
        return not task.misses(task.kind.live(body, RequestFacts("GET", f"/v1{task.kind.path}")))

    def by_itself(self, task: Task, outcome: Outcome) -> Outcome:
        """Read the object, and compare it with what was sent."""
        try:
            live = task.read(outcome.id)
        except RemoteError as error:
            return _unseen(outcome, error)
        if task.change.action is Action.DELETE:
            held = outcome if live is None else _not_held(outcome, "it still exists")
        elif live is None:
            held = _not_held(outcome, "it was written, but does not exist")
        else:
            misses = task.misses(live)
            held = replace(outcome, status=Status.NOT_CONVERGED if misses else Status.APPLIED, fields=misses)
        return self.with_parties(task, held)

    def with_parties(self, task: Task, outcome: Outcome) -> Outcome:
        """Add the parties that are not assigned as planned."""
        misses: list[FieldChange] = []
        for step in task.change.assignments:
            level = task.level(step)
            rows = self.assigned[level]
            if isinstance(rows, RemoteError):
                return _unseen(outcome, rows)
            is_there = level.key(outcome.id, step.id) in rows
            if is_there is not step.assign:
                sides = (step.id, ABSENT) if step.assign else (ABSENT, step.id)
                misses.append(FieldChange(pointer("assignments", step.party), *sides))
        return replace(outcome, status=Status.NOT_CONVERGED, fields=(*outcome.fields, *misses)) if misses else outcome


def _not_held(outcome: Outcome, message: str) -> Outcome:
    return replace(outcome, status=Status.NOT_CONVERGED, message=message, fields=())


def _unseen(outcome: Outcome, error: RemoteError) -> Outcome:
    """Unknown state, treated as failure."""
    message = f"it was written, but could not be read again: {with_hint(error)}"
    return replace(outcome, status=Status.NOT_CONVERGED, message=message)


class Condition(StrEnum):
    """Live state of an uncertain write."""

    AS_SENT = "as-sent"
    AS_BEFORE = "as-before"
    OTHERWISE = "otherwise"
    UNKNOWN = "unknown"
    """The bodies before and after are equal: only secrets were written, which reading does not show."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Looked:
    """One uncertain write, and the live state."""

    change: RecordedChange
    write: RecordedWrite
    found: Condition
    message: str = ""
    """Why it could not be read."""


def look(run: RecordedRun, remote: ReadRemote) -> Iterator[Looked]:
    """Read every object whose write is uncertain."""
    for change in run.changes:
        if change.certainty is Certainty.UNCERTAIN:
            # Of repeated writes, the last counts; assignments are written concurrently.
            last = {(write.step, write.assignment): write for write in change.open_writes}
            for write in last.values():
                yield _looked(change, write, remote, KINDS[change.address.kind])


def _looked(change: RecordedChange, write: RecordedWrite, remote: ReadRemote, kind: Kind) -> Looked:
    try:
        if write.step is WriteStep.ASSIGNMENT:
            with naming_roles(f"reading assignments of {kind.noun}s", kind.assignment_reading_roles):
                return Looked(change, write, _assignment(change, write, remote, kind))
        return Looked(change, write, _body(change, _live(change, write, remote, kind), kind))
    except RemoteError as error:
        return Looked(change, write, Condition.UNREADABLE, with_hint(error))


def _live(change: RecordedChange, write: RecordedWrite, remote: ReadRemote, kind: Kind) -> Body | None:
    """The object by its ID, or, if the service was to assign the ID, the first of its name."""
    if write.method == "POST" or not change.id:
        name = (change.after or {}).get(kind.name_field)
        with naming_roles(f"reading {kind.noun}s", kind.reading_roles):
            return next((body for body in remote.list_all(kind.path) if body.get(kind.name_field) == name), None)
    live = read(remote, kind, change.id)
    return live.body if live else None


def _body(change: RecordedChange, live: Body | None, kind: Kind) -> Condition:
    if live is None:
        return {Action.CREATE: Condition.AS_BEFORE, Action.DELETE: Condition.AS_SENT}.get(
            change.action, Condition.OTHERWISE
        )
    as_sent, as_before = (body is not None and _holds(kind, live, body) for body in (change.after, change.before))
    if as_sent:
        return Condition.UNKNOWN if as_before else Condition.AS_SENT
    return Condition.AS_BEFORE if as_before else Condition.OTHERWISE


def _holds(kind: Kind, live: Body, body: Body) -> bool:
    """Whether the object has all known fields of a body."""
    known = {name: field for name, field in kind.fields.items() if name in body}
    return all(field.equal(body[name], live.get(name)) for name, field in known.items())


def _assignment(change: RecordedChange, write: RecordedWrite, remote: ReadRemote, kind: Kind) -> Condition:
    if kind.assignments is None or write.assignment is None:
        return Condition.OTHERWISE
    step, level = write.assignment, kind.assignments.level(write.assignment.party)
    is_there = level.key(change.id, step.id) in level.keys(remote.list_all(level.path, key=None))
    return Condition.AS_SENT if is_there is step.assign else Condition.AS_BEFORE
