"""What was sent x what the service holds -> what it does not hold, and what became of a run that was cut off.

Reads only.
"""

from collections.abc import Iterator
from enum import StrEnum

from reconciler.errors import NotFound, RemoteError, RequestFacts
from reconciler.kinds import KINDS, Kind, reach
from reconciler.kinds.fields import with_moments
from reconciler.kinds.roles import naming
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body, pointer, same
from reconciler.model.outcome import Certainty, RecordedChange, RecordedRun, RecordedWrite, Step
from reconciler.model.plan import Action, FieldChange
from reconciler.remote import ReadRemote


class Found(StrEnum):
    """How an object was found."""

    AS_SENT = "as-sent"
    AS_BEFORE = "as-before"
    OTHERWISE = "otherwise"
    UNKNOWN = "unknown"
    """It has the body that it had before, and should have: only secrets were written, which reading does not show."""
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Looked:
    """One uncertain write, and what a look shows."""

    change: RecordedChange
    write: RecordedWrite
    found: Found
    message: str = ""
    """Why it could not be read."""


def look(run: RecordedRun, remote: ReadRemote) -> Iterator[Looked]:
    """Look at every object of which it is uncertain whether it was written."""
    for change in run.changes:
        if change.certainty is Certainty.UNCERTAIN:
            # Of one that was sent again, the last counts; assignments are written side by side.
            last = {(write.step, write.assignment): write for write in change.open_writes}
            for write in last.values():
                yield _looked(change, write, remote, KINDS[change.address.kind])


def _looked(change: RecordedChange, write: RecordedWrite, remote: ReadRemote, kind: Kind) -> Looked:
    try:
        if write.step is Step.ASSIGNMENT:
            with naming(f"reading assignments of {kind.noun}s", kind.assignment_reading_roles):
                return Looked(change, write, _assignment(change, write, remote, kind))
        with naming(f"reading {kind.noun}s", kind.reading_roles):
            return Looked(change, write, _body(change, _live(change, write, remote, kind), kind))
    except RemoteError as error:
        return Looked(change, write, Found.UNREADABLE, "; ".join(filter(None, [error.message, error.hint])))


def _live(change: RecordedChange, write: RecordedWrite, remote: ReadRemote, kind: Kind) -> Body | None:
    """The object by its id, or where the service was to make the id, the newest of its name."""
    if write.method == "POST" or not change.id:
        name = (change.after or {}).get(kind.name_field)
        return next((body for body in remote.list_all(kind.path) if body.get(kind.name_field) == name), None)
    try:
        body = reach.body_of(remote, kind, change.id)
        return kind.live(body, RequestFacts("GET", f"/v1{kind.path}/{change.id}")).body
    except NotFound:
        return None


def _body(change: RecordedChange, live: Body | None, kind: Kind) -> Found:
    if live is None:
        return {Action.CREATE: Found.AS_BEFORE, Action.DELETE: Found.AS_SENT}.get(change.action, Found.OTHERWISE)
    as_sent, as_before = (body is not None and _holds(kind, live, body) for body in (change.after, change.before))
    if as_sent:
        return Found.UNKNOWN if as_before else Found.AS_SENT
    return Found.AS_BEFORE if as_before else Found.OTHERWISE


def _holds(kind: Kind, live: Body, body: Body) -> bool:
    """Whether the object has all fields of a body that we know."""
    known = {name: field for name, field in kind.fields.items() if name in body}
    return all(field.equal(body[name], live.get(name)) for name, field in known.items())


def _assignment(change: RecordedChange, write: RecordedWrite, remote: ReadRemote, kind: Kind) -> Found:
    if kind.assignments is None or write.assignment is None:
        return Found.OTHERWISE
    step, level = write.assignment, kind.assignments.level(write.assignment.party)
    is_there = level.key(change.id, step.id) in level.keys(remote.list_all(level.path, key=None))
    return Found.AS_SENT if is_there is step.assign else Found.AS_BEFORE


def misses(kind: Kind, sent: Body, held: Body) -> Iterator[FieldChange]:
    """What was sent and is not held: a known field by value; an unknown one, maybe read-only, if it is lost."""
    for name, value in sent.items():
        if name in kind.fields:
            if not kind.fields[name].equal(value, held.get(name)):
                yield FieldChange(pointer(name), value, held.get(name, ABSENT))
        elif name not in held and value is not None:
            yield FieldChange(pointer(name), value, ABSENT)


def other_notations(kind: Kind, sent: Body, held: Body) -> str:
    """Name the fields of free data that the service holds as it was sent, but for how a moment is written."""
    names = [
        pointer(name)
        for name, value in sent.items()
        if value and name in kind.fields and kind.fields[name].canonical is with_moments
        if kind.fields[name].equal(value, held.get(name)) and not same(value, held.get(name))
    ]
    return f"equal, written differently: {', '.join(names)}" if names else ""
