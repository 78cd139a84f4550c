"""One write of a change -> its outcome: the object is read before it, and again if no response confirms it.

The wire body adds only secret values to `Change.after`: those that the live object shows are carried over, so that a
PUT cannot erase them, and those that the plan names are added.

After a lost response the object is read: the write counts as applied if the object is as sent, and is sent again only
if the object is unchanged. A write that was turned away (429, no connection) is also sent again only after such a
read: the object may have changed meanwhile.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import field
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from reconciler.errors import AnswerLost, BadAnswer, NotExecuted, NotFound, ReconcilerError, RemoteError, RequestFacts
from reconciler.kinds import KINDS, LOGIN_KIND, Kind, naming_roles
from reconciler.kinds.assignments import Level
from reconciler.kinds.fields import with_moments
from reconciler.kinds.references import with_references
from reconciler.kinds.secrecy import with_secrets
from reconciler.live import body_of
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body, pointer, same
from reconciler.model.named_secret import Provided
from reconciler.model.outcome import Ending, Outcome, Recorder, Status, Write, WriteStep
from reconciler.model.plan import AssignmentChange, Change, Creation, FieldChange
from reconciler.model.resource import LiveResource, Values, same_id
from reconciler.model.secret import Secret
from reconciler.remote import ReadRemote, WriteRemote

if TYPE_CHECKING:
    from reconciler.applying.write import NewObjects

ALREADY: Final = "already up to date"
"""The message for a body that needs no write."""

_T = TypeVar("_T")


_TRIES: Final = 3
"""How often a write is sent when responses are lost; each time after a read that shows that it was not executed."""

Next: TypeAlias = Outcome | Callable[[int], Outcome]
"""The outcome of a change, or the next write, which takes the number of this attempt."""


class Conflict(Exception):
    """The object differs from the plan; the message has the difference."""

    after_a_write = False
    """The difference may come from a write of this run whose response was lost."""


def with_hint(error: ReconcilerError) -> str:
    """The message of an error with its hint."""
    return "; ".join(filter(None, [error.message, error.hint]))


def repeated(
    send: Callable[[int], None], tries: int = _TRIES, attempt: int = 1, lost: AnswerLost | None = None
) -> bool:
    """Send a repeatable write until a response arrives or attempts are exhausted.

    Returns:
        Whether an earlier response was lost: then that write may be the executed one.

    Raises:
        AnswerLost: it is unknown whether it was written, also if it was refused after a lost response.
    """
    try:
        send(attempt)
    except NotExecuted:
        return repeated(send, tries, attempt + 1, lost)
    except AnswerLost as error:
        if tries == 1:
            raise
        return repeated(send, tries - 1, attempt + 1, error)
    except RemoteError as error:
        if lost is None:
            raise
        lost.message += f"; the retry was refused: {error.message}"
        lost.hint = error.hint
        raise lost from error
    return lost is not None


def settle(
    step: Callable[[AnswerLost | None], Next], tries: int = _TRIES, lost: AnswerLost | None = None, attempt: int = 1
) -> Outcome:
    """Read, write, and read again if the response is lost or the write turned away, until the result is known.

    Args:
        step: reads, and returns the outcome or the write to send; takes the error of the previous write, if any.
        tries: how many writes may be sent.
        lost: the error of the previous write.
        attempt: counts the writes that were sent; the remote waits longer after each, and limits how often one that is
            turned away is retried.

    Raises:
        AnswerLost: it is unknown whether it was written, or every response was lost and the object is unchanged.
    """
    try:
        now = step(lost)
    except Conflict as conflict:
        conflict.after_a_write = lost is not None
        raise
    except RemoteError as error:
        if lost is None:
            raise
        lost.message += f"; the object could not be read: {error.message}"
        lost.hint = error.hint
        raise lost from error
    if isinstance(now, Outcome):
        return now
    if lost and not tries:
        raise lost
    try:
        return now(attempt)
    except NotExecuted:
        return settle(step, tries, lost, attempt + 1)
    except AnswerLost as error:
        return settle(step, tries - 1, error, attempt + 1)


Provide: TypeAlias = Callable[[Change, str], Provided]
"""Creates and delivers the new secrets of one change, whose object has this ID."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Shared by all writes of a run."""

    remote: WriteRemote
    secrets: Values
    """Secret values to send."""
    new_objects: "NewObjects"
    recorder: Recorder
    provide: Provide
    creation: Creation
    pool: Executor
    """Runs the concurrent writes of one change."""
    made: dict[str, str] = field(default_factory=dict)
    """Placeholder of an ID in the plan -> the ID."""


@dataclass(slots=True)
class Task:
    """One change, its writer, and the object as read before and after the write.

    Used by one thread at a time, except for its assignments.
    """

    change: Change
    writer: Writer
    sent: dict[str, Secret | None] = field(default_factory=dict)
    """The secret values that were sent with the planned body."""
    before: LiveResource | None = None
    """The object as read just before it was written."""
    after: LiveResource | None = None
    """The object as in the response, or as read."""
    has_sent: bool = False
    """Whether any write was sent."""
    has_written: bool = False
    """Whether any write was executed: confirmed by a response, or by a read after a lost response."""

    @property
    def kind(self) -> Kind:
        """The kind of the object."""
        return KINDS[self.change.address.kind]

    def update(self) -> Outcome:
        """Update the object, if it matches the plan."""

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                raise Conflict("it was deleted since the plan was made")
            if self.is_done(live, lost):
                return self.found(live, lost)
            self.require_unchanged(live)
            self.before = live
            self.sent.update(self.secrets(live))
            return self.send_patch if self.change.is_patch else self.send_put

        return settle(step)

    def delete(self) -> Outcome:
        """Delete the object, if it matches the plan."""

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                message = "" if lost else "already deleted"
                return Outcome(self.change, Status.APPLIED, message, self.change.id)
            self.require_unchanged(live)
            self.before = live
            return self._send_delete

        return settle(step)

    def restore(self) -> None:
        """Restore the previous body, unless the object has changed since this run wrote it.

        Raises:
            Conflict: it has changed since.
            RemoteError: it could not be read or written.
        """
        before, done = self.before, Outcome(self.change, Status.FAILED)  # only its presence matters
        if before is None:
            raise Conflict("it was not written by this run")

        def put_back(attempt: int) -> Outcome:
            self._put(self.kind.writable(before.body), before.secrets, WriteStep.RESTORE, attempt)
            return done

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                raise Conflict("it no longer exists")
            if lost and same(self.kind.canonical(before.body), self.kind.canonical(live.body)):
                return done
            if self.after and self.kind.moved(self.after.body, live.body):
                raise Conflict("the object has changed since this run wrote it")
            return put_back

        settle(step)

    @property
    def _id(self) -> str:
        if not self.change.id:
            raise ValueError(f"{self.change.address} was planned without an id")
        return self.change.id

    @property
    def planned(self) -> Body:
        """The body in the plan, with the IDs of objects created by this run."""
        if self.change.after is None:
            raise ValueError(f"{self.change.address} was planned without a body")
        if not self.change.depends_on:
            return self.change.after
        made = self.writer.made
        return with_references(self.kind, self.change.after, lambda _, id_: made.get(str(id_), id_))

    def level(self, step: AssignmentChange) -> Level:
        """The level at which a party is assigned."""
        if self.kind.assignments is None:
            raise ValueError(f"{self.kind.name} has no assignments")
        return self.kind.assignments.level(step.party)

    def read(self, object_id: str | None = None) -> LiveResource | None:
        """Read the object, by its planned ID if no other is given; None only on 404."""
        return read(self.writer.remote, self.kind, object_id or self._id)

    def require_unchanged(self, live: LiveResource) -> None:
        """Raise unless the object matches the plan.

        Raises:
            Conflict: it differs from the plan.
        """
        moved = self.kind.moved(self.change.before or {}, live.body)
        generated = [one.field for one in self.change.secrets if one.reference and one.reference.is_generated]
        appeared = [name for name in generated if live.secrets.get(name)]
        if moved or appeared:
            raise Conflict(f"it has changed since the plan was made: {', '.join([*moved, *appeared])}")

    def is_done(self, live: LiveResource, lost: AnswerLost | None = None) -> bool:
        """Whether the object already has the planned state, by another run or by a write whose response was lost.

        A write-only secret cannot be read; it was stored if the body of the lost write was.
        """
        if self.misses(live, self.secrets(None)):
            return False
        unseen = any(one.reference and one.field in self.kind.write_only_fields for one in self.change.secrets)
        return not unseen or bool(lost and self.kind.moved(self.change.before or {}, live.body))

    def misses(self, live: LiveResource, secrets: Mapping[str, Secret | None] | None = None) -> tuple[FieldChange, ...]:
        """Sent fields that were not stored; `secrets` replaces the secrets that were sent with the body."""
        secret = [
            FieldChange(f"/{name}", ABSENT, ABSENT, sensitive=True)
            for name, value in (self.sent if secrets is None else secrets).items()
            if not (_same_secret(live.secrets.get(name), value) or (value and self._is_kept(live, name, value)))
        ]
        return (*_misses(self.kind, self.planned, live.body), *secret)

    def secrets(self, live: LiveResource | None) -> dict[str, Secret | None]:
        """Secrets to send with the planned body: those that the live object shows, overridden by planned ones."""
        shown = live.secrets if live and not self.change.is_patch else {}
        carried = {name: value for name, value in shown.items() if self.kind.has_place_for(name, self.planned)}
        address = self.change.address
        planned = {intent.field: self.writer.secrets.get((address, intent.field)) for intent in self.change.secrets}
        return {**carried, **planned}

    def send_put(self, attempt: int) -> Outcome:
        """Send the planned body by PUT to the planned ID."""
        return self.verified(self._put(self.planned, self.sent, WriteStep.BODY, attempt), "PUT")

    def send_patch(self, attempt: int) -> Outcome:
        """Send the changed fields by PATCH, with those that must be written together with a secret."""
        together = {self.kind.secret_rows[name].together for name in self.sent}
        names = {field.name for field in self.change.fields} | together
        body = {name: value for name, value in self.planned.items() if name in names}
        send = partial(self.writer.remote.patch, *self._place, with_secrets(body, self.sent), attempt=attempt)
        return self.verified(self.announced("PATCH", self._path, send), "PATCH")

    def _put(self, body: Body, secrets: Mapping[str, Secret | None], step: WriteStep, attempt: int) -> Body:
        carried = secrets.keys() - {intent.field for intent in self.change.secrets}
        hidden = [name for name in sorted(carried) if (value := secrets[name]) and value.is_placeholder]
        if hidden:
            raise Conflict(f"the service does not show its {', '.join(hidden)}, which this write would overwrite")
        send = partial(self.writer.remote.put, *self._place, with_secrets(body, secrets), attempt=attempt)
        return self.announced("PUT", self._path, send, step)

    def _send_delete(self, attempt: int) -> Outcome:
        with suppress(NotFound):  # it has just been deleted by another client
            self.announced("DELETE", self._path, partial(self.writer.remote.delete, *self._place, attempt=attempt))
        return Outcome(self.change, Status.APPLIED, id=self.change.id)

    @property
    def _place(self) -> tuple[str, str | None]:
        return self.kind.place(self._id)

    @property
    def _path(self) -> str:
        return "/".join(filter(None, self._place))

    def announced(
        self,
        method: str,
        path: str,
        send: Callable[[], _T],
        step: WriteStep = WriteStep.BODY,
        party: AssignmentChange | None = None,
    ) -> _T:
        """Record a write, send it, and record its result."""
        number = self.writer.recorder.intend(Write(self.change, step, method, path, party))
        self.has_sent = True
        noun, roles = f"{self.kind.noun}s", self.kind.writing_roles
        if party:
            noun, roles = f"assignments of {noun}", self.kind.assigning_roles
        try:
            with naming_roles(f"writing {noun}", roles):
                answer = send()
        except RemoteError as error:
            ending = Ending.LOST if isinstance(error, AnswerLost) else Ending.REFUSED
            self.writer.recorder.settle(number, ending, error.message)
            raise
        self.has_written = True
        self.writer.recorder.settle(number, Ending.ANSWERED, "")
        return answer

    def repeat(self, send: Callable[[int], None]) -> None:
        """Send a repeatable write, see `repeated`."""
        if repeated(send):
            self.has_written = True

    def verified(self, answer: Body, method: str) -> Outcome:
        """Compare the response with what was sent.

        Raises:
            AnswerLost: the response is unusable or about another object: only a read shows the result.
        """
        facts = _facts(method, self.kind, self.change.id or "")
        if not answer:
            raise AnswerLost("the write succeeded, but the response is empty", facts)
        try:
            live = self.kind.live(self.kind.identified(answer, self.change.id or ""), facts)
        except BadAnswer as error:
            raise AnswerLost("the write succeeded, but the response is unusable", error.request) from error
        if self.change.before is not None and not same_id(live.id, self._id):
            raise AnswerLost("the write succeeded, but the response is about another object", facts)
        return self.compared(live)

    def found(self, live: LiveResource, lost: AnswerLost | None) -> Outcome:
        """The outcome for an object that already has the planned state; `lost` is our write, if there was one."""
        self.has_written |= lost is not None
        return self.compared(live, "" if lost else ALREADY)

    def compared(self, live: LiveResource, message: str = "") -> Outcome:
        """Compare the live object with what was sent."""
        self.after = live
        misses = self.misses(live)
        status = Status.NOT_CONVERGED if misses else Status.APPLIED
        words = "; ".join(filter(None, [message, _other_notations(self.kind, self.planned, live.body)]))
        return Outcome(self.change, status, words, live.id, misses, body=live.body)

    def _is_kept(self, live: LiveResource, name: str, value: Secret) -> bool:
        """Whether a sent secret was stored although the service shows null: a login requires it."""
        remote = self.writer.remote
        with suppress(RemoteError):  # then it is unknown
            is_null = self.has_sent and live.kind == LOGIN_KIND and live.secrets.get(name, value) is None
            return is_null and remote.has_secret(live.id) and remote.proves(live.id, value).accepted
        return False


def read(remote: ReadRemote, kind: Kind, object_id: str) -> LiveResource | None:
    """Read the object; None only on 404."""
    try:
        with naming_roles(f"reading {kind.noun}s", kind.reading_roles):
            body = body_of(remote, kind, object_id)
    except NotFound:
        return None
    return kind.live(body, _facts("GET", kind, object_id))


def _facts(method: str, kind: Kind, object_id: str) -> RequestFacts:
    return RequestFacts(method, f"/v1{'/'.join(filter(None, kind.place(object_id)))}")


def _same_secret(held: Secret | None, sent: Secret | None) -> bool:
    """A hidden secret may equal the sent one."""
    if held is None or sent is None:
        return held is sent
    return held.is_mask or held.equals(sent)


def _misses(kind: Kind, sent: Body, held: Body) -> Iterator[FieldChange]:
    """Sent fields that were not stored: known ones by value; unknown ones, maybe read-only, if missing."""
    for name, value in sent.items():
        if name in kind.fields:
            if not kind.fields[name].equal(value, held.get(name)):
                yield FieldChange(pointer(name), value, held.get(name, ABSENT))
        elif name not in held and value is not None:
            yield FieldChange(pointer(name), value, ABSENT)


def _other_notations(kind: Kind, sent: Body, held: Body) -> str:
    """Name the free-form fields that the service stored with another notation of a time."""
    names = [
        pointer(name)
        for name, value in sent.items()
        if value and name in kind.fields and kind.fields[name].canonical is with_moments
        if kind.fields[name].equal(value, held.get(name)) and not same(value, held.get(name))
    ]
    return f"equal, but stored in a different notation: {', '.join(names)}" if names else ""
