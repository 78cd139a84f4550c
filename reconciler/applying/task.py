"""One write of a change -> its outcome: the object is read before it, and again if no answer confirms it.

The only thing that the wire body has beyond `Change.after` are secret values: those that the live object shows are
carried over, so that a PUT cannot erase them, and those that the plan names are put in.

A write whose answer is lost is settled by reading: it counts as applied when the object is there as sent, and is sent
again only when the object is there as before. A write that was rejected (429, no connection) is sent again only
after such a look, too: the object may have changed while we waited.
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
from reconciler.model.outcome import Ending, Outcome, Recorder, Status, Step, Write
from reconciler.model.plan import AssignmentChange, Change, Creation, FieldChange
from reconciler.model.resource import LiveResource, Values, same_id
from reconciler.model.secret import Secret
from reconciler.remote import ReadRemote, WriteRemote

if TYPE_CHECKING:
    from reconciler.applying.write import Appeared

ALREADY: Final = "already up to date"
"""The message for a body that did not need to be written."""

_T = TypeVar("_T")


_TRIES: Final = 3
"""How often a write whose answer is lost is sent; each time after a read that shows that it was not carried out."""

Next: TypeAlias = Outcome | Callable[[int], Outcome]
"""How a change ended, or else the write that is due, which takes the number of this attempt."""


class Conflict(Exception):
    """The object is not as in the plan; the message says how."""

    after_a_write = False
    """A write of ours, whose answer is lost, may be a part of what it is now."""


def with_hint(error: ReconcilerError) -> str:
    """The message of an error with its hint."""
    return "; ".join(filter(None, [error.message, error.hint]))


def repeated(
    send: Callable[[int], None], tries: int = _TRIES, attempt: int = 1, lost: AnswerLost | None = None
) -> bool:
    """Send a write that may be repeated until there is an answer to it, or no more tries.

    Returns:
        Whether an answer was lost before: then that write may be the one that was carried out.

    Raises:
        AnswerLost: it is unknown whether it was written, also if it was refused after a lost answer.
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
        lost.message += f"; then it was refused: {error.message}"
        lost.hint = error.hint
        raise lost from error
    return lost is not None


def settle(
    step: Callable[[AnswerLost | None], Next], tries: int = _TRIES, lost: AnswerLost | None = None, attempt: int = 1
) -> Outcome:
    """Read, write, and read again if the answer is lost or the write rejected, until the result is known.

    Args:
        step: reads, and returns the outcome or the write to send; takes the error of the previous write, if any.
        tries: how many writes may be sent.
        lost: the error of the write before.
        attempt: counts the writes that were sent; the remote waits the longer after each, and its patience with one
            that is turned away ends, not ours.

    Raises:
        AnswerLost: it is unknown whether it was written, or every answer was lost and the object is as before.
    """
    try:
        now = step(lost)
    except Conflict as conflict:
        conflict.after_a_write = lost is not None
        raise
    except RemoteError as error:
        if lost is None:
            raise
        lost.message += f"; it could not be read: {error.message}"
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
"""Makes and delivers the new secrets of one change, whose object has this id."""


@dataclass(frozen=True, slots=True)
class Writer:
    """What all writes of a run share."""

    remote: WriteRemote
    secrets: Values
    """Those to be sent."""
    newcomers: "Appeared"
    recorder: Recorder
    provide: Provide
    creation: Creation
    pool: Executor
    """Makes the writes of one change that can run concurrently."""
    made: dict[str, str] = field(default_factory=dict)
    """The placeholder of an id in the plan -> the id."""


@dataclass(slots=True)
class Task:
    """One change, what is needed to write it, and what was read while writing it.

    Used by one thread at a time, except for its assignments.
    """

    change: Change
    writer: Writer
    sent: dict[str, Secret | None] = field(default_factory=dict)
    """The secret values that were sent with the planned body."""
    before: LiveResource | None = None
    """The object as it was just before it was written."""
    after: LiveResource | None = None
    """The object as answered by the service, or as read."""
    has_sent: bool = False
    """Whether any write was sent."""
    has_written: bool = False
    """Whether any write was carried out: it was answered, or its answer was lost and the service has what was sent."""

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return KINDS[self.change.address.kind]

    def update(self) -> Outcome:
        """Replace the object, if it is as in the plan."""

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
        """Delete the object, if it is as in the plan."""

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
        """Restore the previous body, unless the object has changed since our write.

        Raises:
            Conflict: it has changed since our write.
            RemoteError: it could not be read or written.
        """
        before, done = self.before, Outcome(self.change, Status.FAILED)  # only its presence matters
        if before is None:
            raise Conflict("it was not written by this run")

        def put_back(attempt: int) -> Outcome:
            self._put(self.kind.writable(before.body), before.secrets, Step.RESTORE, attempt)
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
        """The body that the plan shows, with the ids that this run has learned."""
        if self.change.after is None:
            raise ValueError(f"{self.change.address} was planned without a body")
        if not self.change.depends_on:
            return self.change.after
        made = self.writer.made
        return with_references(self.kind, self.change.after, lambda _, id_: made.get(str(id_), id_))

    def level(self, step: AssignmentChange) -> Level:
        """Where a party is assigned."""
        if self.kind.assignments is None:
            raise ValueError(f"{self.kind.name} has no assignments")
        return self.kind.assignments.level(step.party)

    def read(self, object_id: str | None = None) -> LiveResource | None:
        """The object as it is now, by its planned id if no other is given; None only where the service says 404."""
        return read(self.writer.remote, self.kind, object_id or self._id)

    def require_unchanged(self, live: LiveResource) -> None:
        """Refuse to go on unless the object is as in the plan.

        Raises:
            Conflict: it is not.
        """
        moved = self.kind.moved(self.change.before or {}, live.body)
        generated = [one.field for one in self.change.secrets if one.reference and one.reference.is_generated]
        appeared = [name for name in generated if live.secrets.get(name)]
        if moved or appeared:
            raise Conflict(f"it has changed since the plan was made: {', '.join([*moved, *appeared])}")

    def is_done(self, live: LiveResource, lost: AnswerLost | None = None) -> bool:
        """Whether the object is already what we are about to make of it: another run, or a lost answer, did it.

        A write-only secret cannot be read; it arrived if the body of the lost write did.
        """
        if self.misses(live, self.secrets(None)):
            return False
        unseen = any(one.reference and one.field in self.kind.write_only_fields for one in self.change.secrets)
        return not unseen or bool(lost and self.kind.moved(self.change.before or {}, live.body))

    def misses(self, live: LiveResource, secrets: Mapping[str, Secret | None] | None = None) -> tuple[FieldChange, ...]:
        """What was sent and is not held; `secrets` are those sent with the body, if not what was sent."""
        secret = [
            FieldChange(f"/{name}", ABSENT, ABSENT, sensitive=True)
            for name, value in (self.sent if secrets is None else secrets).items()
            if not (_same_secret(live.secrets.get(name), value) or (value and self._is_kept(live, name, value)))
        ]
        return (*_misses(self.kind, self.planned, live.body), *secret)

    def secrets(self, live: LiveResource | None) -> dict[str, Secret | None]:
        """What is sent with the planned body: the secrets that the live object shows, overlaid by planned ones."""
        shown = live.secrets if live and not self.change.is_patch else {}
        carried = {name: value for name, value in shown.items() if self.kind.has_place_for(name, self.planned)}
        address = self.change.address
        planned = {intent.field: self.writer.secrets.get((address, intent.field)) for intent in self.change.secrets}
        return {**carried, **planned}

    def send_put(self, attempt: int) -> Outcome:
        """Put the planned body to the planned id."""
        return self.verified(self._put(self.planned, self.sent, Step.BODY, attempt), "PUT")

    def send_patch(self, attempt: int) -> Outcome:
        """Patch the fields that the plan shows as changed, and what must be written together with a secret."""
        together = {self.kind.secret_rows[name].together for name in self.sent}
        names = {field.name for field in self.change.fields} | together
        body = {name: value for name, value in self.planned.items() if name in names}
        send = partial(self.writer.remote.patch, *self._place, with_secrets(body, self.sent), attempt=attempt)
        return self.verified(self.announced("PATCH", self._path, send), "PATCH")

    def _put(self, body: Body, secrets: Mapping[str, Secret | None], step: Step, attempt: int) -> Body:
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
        step: Step = Step.BODY,
        party: AssignmentChange | None = None,
    ) -> _T:
        """Announce a write, send it, and record its result."""
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
        """Send a write that may be repeated, see `repeated`."""
        if repeated(send):
            self.has_written = True

    def verified(self, answer: Body, method: str) -> Outcome:
        """Compare the answer with what was sent.

        Raises:
            AnswerLost: the answer cannot be used, or is about another object, so that only a look tells.
        """
        facts = _facts(method, self.kind, self.change.id or "")
        if not answer:
            raise AnswerLost("it was executed, but its answer is empty", facts)
        try:
            live = self.kind.live(self.kind.identified(answer, self.change.id or ""), facts)
        except BadAnswer as error:
            raise AnswerLost("it was executed, but its answer cannot be used", error.request) from error
        if self.change.before is not None and not same_id(live.id, self._id):
            raise AnswerLost("it was executed, but its answer is about another object", facts)
        return self.compared(live)

    def found(self, live: LiveResource, lost: AnswerLost | None) -> Outcome:
        """The object is as wanted, but no answer confirms it: by our write whose answer was lost, or by another."""
        self.has_written |= lost is not None
        return self.compared(live, "" if lost else ALREADY)

    def compared(self, live: LiveResource, message: str = "") -> Outcome:
        """Whether the service holds what was sent."""
        self.after = live
        misses = self.misses(live)
        status = Status.NOT_CONVERGED if misses else Status.APPLIED
        words = "; ".join(filter(None, [message, _other_notations(self.kind, self.planned, live.body)]))
        return Outcome(self.change, status, words, live.id, misses, body=live.body)

    def _is_kept(self, live: LiveResource, name: str, value: Secret) -> bool:
        """Whether a secret that was sent is there, although the service shows null: a login needs it."""
        remote = self.writer.remote
        with suppress(RemoteError):  # then it is not known to be there
            is_null = self.has_sent and live.kind == LOGIN_KIND and live.secrets.get(name, value) is None
            return is_null and remote.has_secret(live.id) and remote.proves(live.id, value).accepted
        return False


def read(remote: ReadRemote, kind: Kind, object_id: str) -> LiveResource | None:
    """The object as it is now; None only where the service says 404."""
    try:
        with naming_roles(f"reading {kind.noun}s", kind.reading_roles):
            body = body_of(remote, kind, object_id)
    except NotFound:
        return None
    return kind.live(body, _facts("GET", kind, object_id))


def _facts(method: str, kind: Kind, object_id: str) -> RequestFacts:
    return RequestFacts(method, f"/v1{'/'.join(filter(None, kind.place(object_id)))}")


def _same_secret(held: Secret | None, sent: Secret | None) -> bool:
    """What the service hides may be what was sent."""
    if held is None or sent is None:
        return held is sent
    return held.is_mask or held.equals(sent)


def _misses(kind: Kind, sent: Body, held: Body) -> Iterator[FieldChange]:
    """What was sent and is not held: a known field by value; an unknown one, maybe read-only, if it is lost."""
    for name, value in sent.items():
        if name in kind.fields:
            if not kind.fields[name].equal(value, held.get(name)):
                yield FieldChange(pointer(name), value, held.get(name, ABSENT))
        elif name not in held and value is not None:
            yield FieldChange(pointer(name), value, ABSENT)


def _other_notations(kind: Kind, sent: Body, held: Body) -> str:
    """Name the fields of free data that the service holds as it was sent, but for how a moment is written."""
    names = [
        pointer(name)
        for name, value in sent.items()
        if value and name in kind.fields and kind.fields[name].canonical is with_moments
        if kind.fields[name].equal(value, held.get(name)) and not same(value, held.get(name))
    ]
    return f"equal, but stored in a different notation: {', '.join(names)}" if names else ""
