"""Look, write, and look again: until it is known how a change ended, whatever became of answers on the way."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import field
from threading import Lock
from typing import Final, TypeAlias

from reconciler.errors import AnswerLost, ReconcilerError, RemoteError, RequestFacts, TurnedAway
from reconciler.kinds import Kind, naming_roles
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, Json
from reconciler.model.named_secret import Provided
from reconciler.model.outcome import Outcome, Recorder
from reconciler.model.plan import Change, Creation
from reconciler.model.resource import Address, LiveResource, ObjectKey
from reconciler.model.secret import Secret
from reconciler.remote import ReadRemote, WriteRemote, at_least

_TRIES: Final = 3
"""How often a write whose answer is lost is sent; each time only after a look that shows it was not carried out."""

Next: TypeAlias = Outcome | Callable[[int], Outcome]
"""How a change ended, or else the write that is due, which takes how often it has been tried, itself included."""


class Conflict(Exception):
    """The object is not what the plan saw; the message says how."""

    after_a_write = False
    """A write of ours, whose answer is lost, may be a part of what it is now."""


def with_hint(error: ReconcilerError) -> str:
    """Say what went wrong, and what to do."""
    return "; ".join(filter(None, [error.message, error.hint]))


def repeated(
    send: Callable[[int], None], tries: int = _TRIES, attempt: int = 1, lost: AnswerLost | None = None
) -> bool:
    """Send a write that may be repeated until there is an answer to it, or no more tries.

    Returns:
        Whether an answer was lost before: then that write may be the one that was carried out.

    Raises:
        AnswerLost: nobody knows whether it was written, also where it was refused after an answer was lost.
    """
    try:
        send(attempt)
    except TurnedAway:
        return repeated(send, tries, attempt + 1, lost)
    except AnswerLost as error:
        if tries == 1:
            raise
        return repeated(send, tries - 1, attempt + 1, error)
    except RemoteError as error:
        if lost is None:
            raise
        lost.message += f"; then it was refused: {error.message}"
        lost.hint = error.hint
        raise lost from error
    return lost is not None


def settle(
    step: Callable[[AnswerLost | None], Next], tries: int = _TRIES, lost: AnswerLost | None = None, attempt: int = 1
) -> Outcome:
    """Look, write, and where the answer is lost or the write turned away look again, until it is known how it ended.

    Args:
        step: looks, and gives the outcome or else the write to be sent; takes the error of the write before, if any.
        tries: how many writes may be sent.
        lost: the error of the write before.
        attempt: counts the writes that were sent; the remote waits the longer after each, and its patience with one
            that is turned away ends, not ours.

    Raises:
        AnswerLost: nobody knows whether it was written, or every answer was lost and the object is as it was.
    """
    try:
        now = step(lost)
    except Conflict as conflict:
        conflict.after_a_write = lost is not None
        raise
    except RemoteError as error:
        if lost is None:
            raise
        lost.message += f"; it could not be looked at: {error.message}"
        lost.hint = error.hint
        raise lost from error
    if isinstance(now, Outcome):
        return now
    if lost and not tries:
        raise lost
    try:
        return now(attempt)
    except TurnedAway:
        return settle(step, tries, lost, attempt + 1)
    except AnswerLost as error:
        return settle(step, tries - 1, error, attempt + 1)


@dataclass(slots=True)
class Newcomers:
    """Knows what has appeared since the plan. Thread-safe."""

    remote: ReadRemote
    known: frozenset[ObjectKey]
    """What was live when the plan was made: none of these is what a creation made."""
    _listed: dict[str, Mapping[Json, Sequence[Body]] | RemoteError] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def before_the_run(self, kind: Kind, name: str) -> list[LiveResource]:
        """Objects of the name as they were before this run created its first one by POST.

        Raises:
            RemoteError: the list could not be read; it is not tried again in this run.
        """
        with self._lock:
            if kind.name not in self._listed:
                self._listed[kind.name] = self._read(kind)
            listed = self._listed[kind.name]
        if isinstance(listed, RemoteError):
            raise listed
        return self._new(kind, listed.get(name, ()))

    def now(self, kind: Kind, name: str) -> list[LiveResource]:
        """Objects of the name as they are."""
        bodies = self._listing(kind, [{kind.name_field: at_least(name)}])
        return self._new(kind, [body for body in bodies if body.get(kind.name_field) == name])

    def _read(self, kind: Kind) -> Mapping[Json, Sequence[Body]] | RemoteError:
        found: dict[Json, list[Body]] = defaultdict(list)
        try:
            bodies = self._listing(kind)
        except RemoteError as error:
            return error
        for body in bodies:
            name = body.get(kind.name_field)
            if isinstance(name, str):
                found[name].append(body)
        return found

    def _listing(self, kind: Kind, filters: Sequence[Mapping[str, str]] = ()) -> Sequence[Body]:
        with naming_roles(f"reading {kind.noun}s", kind.reading_roles):
            return self.remote.list_all(kind.path, filters=filters)

    def _new(self, kind: Kind, bodies: Sequence[Body]) -> list[LiveResource]:
        facts = RequestFacts("GET", f"/v1{kind.path}")
        found = [kind.live(body, facts) for body in bodies]
        return [one for one in found if one.key not in self.known]


Secrets: TypeAlias = Mapping[tuple[Address, str], Secret]
"""(address, secret field) -> the value to be sent."""
Provide: TypeAlias = Callable[[Change, str], Provided]
"""Makes and delivers the new secrets of one change, whose object has this id."""


@dataclass(frozen=True, slots=True)
class Writer:
    """What all changes of a run are written with."""

    remote: WriteRemote
    secrets: Secrets
    newcomers: Newcomers
    recorder: Recorder
    provide: Provide
    creation: Creation
    pool: Executor
    """Makes the writes of one change that can go side by side."""
    made: dict[str, str] = field(default_factory=dict)
    """What stands in the plan for an id that is known after apply -> the id."""
