"""One change -> its outcome: read the object, write it, and know whether it was written.

The only thing that the wire body has beyond `Change.after` are secret values: those that the live object shows are
carried over, so that a PUT cannot erase them, and those that the plan names are put in.

A write whose answer is lost is settled by reading: it counts as applied when the object is there as sent, and is sent
again only when the object is there as before. A write that was turned away (429, no connection) is sent again only
after such a look, too: somebody may have changed the object while we waited.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from typing import TypeAlias, TypeVar
from urllib.parse import quote

from reconciler.applier.settling import Conflict, Next, repeated, settle
from reconciler.errors import (
    AnswerLost,
    BadAnswer,
    NotFound,
    ReconcilerError,
    Rejected,
    RemoteError,
    RequestFacts,
)
from reconciler.kinds import Kind
from reconciler.model.json import ABSENT, Body, pointer, same
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, AssignmentChange, Change, FieldChange
from reconciler.model.record import Ending, Recorder, Step, Write
from reconciler.model.resource import Address, LiveResource
from reconciler.model.secret import Secret
from reconciler.remote.protocol import WireBody, WriteRemote

Secrets: TypeAlias = Mapping[tuple[Address, str], Secret]
"""(address, secret field) -> the value to be sent."""
Provide: TypeAlias = Callable[[Change, str], None]
"""Makes and delivers the new secrets of one change, whose object has this id; raises a `ReconcilerError`."""


_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Writer:
    """What all changes of a run are written with."""

    remote: WriteRemote
    kinds: Mapping[str, Kind]
    secrets: Secrets
    known_ids: frozenset[str]
    """Ids that were live when the plan was made: none of these is what a creation made."""
    recorder: Recorder
    provide: Provide


def write(task: "Task") -> Outcome:
    """Write one change and say how it ended. Never raises: what went wrong is in the outcome."""
    change = task.change
    try:
        verb = {Action.CREATE: task.create, Action.UPDATE: task.update, Action.DELETE: task.delete}[change.action]
        return task.provide(task.assign(verb()))
    except Conflict as conflict:
        return Outcome(change, Status.CONFLICT, str(conflict), change.id, uncertain=conflict.after_a_write)
    except ReconcilerError as error:
        hint = f"; {error.hint}" if error.hint else ""
        uncertain = isinstance(error, AnswerLost)
        return Outcome(change, Status.FAILED, f"{error.message}{hint}", change.id, uncertain=uncertain)
    except Exception as error:  # noqa: BLE001  # a fault of ours in one change must not lose the record of the rest
        message = f"internal error ({type(error).__name__}); please report it"
        return Outcome(change, Status.FAILED, message, change.id, uncertain=True)


@dataclass(slots=True)
class Task:
    """One change, all it takes to carry it out, and what was seen on the way. Used by one thread at a time."""

    change: Change
    writer: Writer
    sent: dict[str, Secret | None] = field(default_factory=dict)
    """The secret values that were sent beside the planned body."""
    before: LiveResource | None = None
    """The object as it was just before it was written."""
    after: LiveResource | None = None
    """The object as the service has answered, or as it was found."""

    @property
    def kind(self) -> Kind:
        """What it is about."""
        return self.writer.kinds[self.change.address.kind]

    # ------------------------------------------------------------------------------------------------------- verbs

    def update(self) -> Outcome:
        """Replace the object, if it is what the plan saw."""

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                raise Conflict("it was deleted since it was planned")
            if self._is_done(live):
                return self._found(live, lost)
            self._demand_unmoved(live)
            self.before = live
            self.sent.update(self._secrets(live))
            return self._send_put

        return settle(step)

    def create(self) -> Outcome:
        """Make the object under its planned id, or, where the service makes ids itself, under one of the service's."""
        self.sent.update(self._secrets(None))

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                return self._send_put
            if not lost and not self._is_done(live):
                raise Conflict("an object of its id has appeared since it was planned")
            return self._found(live, lost)

        try:
            return settle(step)
        except NotFound:
            return self._create_by_post()  # before 1.0.406 the API documents this PUT as "Update" only

    def _create_by_post(self) -> Outcome:
        """Create exactly once: look for an object of the name before each try, whoever may have made it."""

        def step(lost: AnswerLost | None) -> Next:
            found = self._newcomers()
            if not found:
                return self._send_post_again if lost else self._send_post
            if len(found) > 1 or not (lost or self._is_done(found[0])):
                ids = ", ".join(sorted(one.id for one in found))
                raise Conflict(f"of its name there have appeared since it was planned: {ids}")
            return self._found(found[0], lost)

        return settle(step)

    def delete(self) -> Outcome:
        """Delete the object, if it is what the plan saw."""

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                message = "" if lost else "it was gone already"
                return Outcome(self.change, Status.APPLIED, message, self.change.id)
            self._demand_unmoved(live)
            self.before = live
            return self._send_delete

        return settle(step)

    def restore(self) -> None:
        """Put the body of before back, unless somebody else has changed the object since we wrote it.

        Raises:
            Conflict: it is not as our write left it.
            RemoteError: it could not be read or written.
        """
        before = self.before
        if before is None:
            raise Conflict("it was not written by this run")

        def step(lost: AnswerLost | None) -> Next:
            live = self.read()
            if live is None:
                raise Conflict("it is gone")
            if lost and same(self.kind.canonical(before.body), self.kind.canonical(live.body)):
                return self._outcome(live)
            if self.after and self.kind.moved(self.after.body, live.body):
                raise Conflict("somebody else has changed it meanwhile")
            return lambda attempt: self._put_back(before, attempt)

        settle(step)

    def _put_back(self, before: LiveResource, attempt: int) -> Outcome:
        body = {**self.kind.writable(before.body), **before.secrets}
        self._put(body, Step.RESTORE, attempt)
        return self._outcome(before)

    def _outcome(self, live: LiveResource) -> Outcome:
        return Outcome(self.change, Status.FAILED, id=live.id, restored=True)

    def assign(self, outcome: Outcome) -> Outcome:
        """Assign and unassign parties, once the body is there. Each step may be repeated: done twice it is done once.

        Source: a repeated assignment may answer 204 or 409, and deleting a missing one 204 or 404; either means done.
        """
        if outcome.status is not Status.APPLIED or not outcome.id:
            return outcome
        for step in self.change.assignments:
            try:
                repeated(partial(self._assign_one, step, outcome.id))
            except RemoteError as error:
                message = f"the body was written, but not all assignments: {error.message}"
                return replace(outcome, status=Status.FAILED, message=message, uncertain=True)
        return replace(outcome, message="") if self.change.assignments else outcome

    def provide(self, outcome: Outcome) -> Outcome:
        """Make and deliver the secrets that the object lacks, once all else is there."""
        if outcome.status is not Status.APPLIED or not outcome.id or not self.change.new_secrets:
            return outcome
        try:
            self.writer.provide(self.change, outcome.id)
        except ReconcilerError as error:
            hint = f"; {error.hint}" if error.hint else ""
            message = f"the body was written, but not all secrets were made: {error.message}{hint}"
            return replace(outcome, status=Status.FAILED, message=message, uncertain=True)
        return replace(outcome, message="")

    def _assign_one(self, step: AssignmentChange, object_id: str, attempt: int) -> None:
        if self.kind.assignments is None:
            raise ValueError(f"{self.kind.name} has no assignments")
        party = self.kind.assignments.party(step.party)
        if step.assign:
            path = self.kind.assignments.path
            body = {self.kind.assignments.object_field: object_id, party.field: step.id}
            try:
                intent = self._assigning("POST", path, step)
                self._announced(intent, lambda: self.writer.remote.post(path, body, attempt=attempt))
            except Rejected as error:
                if error.request.status != HTTPStatus.CONFLICT:
                    raise
        else:
            path = f"{party.path}/{quote(step.id, safe='')}/{party.unassign}"
            intent = self._assigning("DELETE", f"{path}/{object_id}", step)
            with suppress(NotFound):
                self._announced(intent, lambda: self.writer.remote.delete(path, object_id, attempt=attempt))

    def _assigning(self, method: str, path: str, step: AssignmentChange) -> Write:
        return Write(self.change, Step.ASSIGNMENT, method, path, step)

    # ----------------------------------------------------------------------------------------------------- looking

    @property
    def _id(self) -> str:
        if not self.change.id:
            raise ValueError(f"{self.change.address} was planned without an id")
        return self.change.id

    @property
    def _after(self) -> Body:
        if self.change.after is None:
            raise ValueError(f"{self.change.address} was planned without a body")
        return self.change.after

    def read(self, object_id: str | None = None) -> LiveResource | None:
        """The object as it is now, by its planned id if no other is given; None only where the service says 404."""
        try:
            body = self.writer.remote.get(self.kind.path, object_id or self._id)
        except NotFound:
            return None
        return self.kind.live(body, self._facts("GET"))

    def _newcomers(self) -> list[LiveResource]:
        """Objects of our name that were not there when the plan was made."""
        name = self._after[self.kind.name_field]
        bodies = self.writer.remote.list_all(self.kind.path)
        found = [self.kind.live(body, self._facts("GET")) for body in bodies if body.get(self.kind.name_field) == name]
        return [one for one in found if one.id.casefold() not in self.writer.known_ids]

    def _demand_unmoved(self, live: LiveResource) -> None:
        moved = self.kind.moved(self.change.before or {}, live.body)
        appeared = [
            intent.field
            for intent in self.change.secrets
            if intent.reference and intent.reference.is_generated and live.secrets.get(intent.field)
        ]
        if moved or appeared:
            raise Conflict(f"somebody changed it since it was planned: {', '.join([*moved, *appeared])}")

    def _is_done(self, live: LiveResource) -> bool:
        """Whether the object is already what we are about to make of it: another run, or a lost answer, did it."""
        return not self._misses(live, self._secrets(None))

    def misses(self, live: LiveResource) -> tuple[FieldChange, ...]:
        """What was sent and is not held."""
        return self._misses(live, self.sent)

    # ----------------------------------------------------------------------------------------------------- writing

    def _secrets(self, live: LiveResource | None) -> dict[str, Secret | None]:
        """What is sent beside the planned body: the secrets that the live object shows, overlaid by planned ones."""
        carried = live.secrets if live else {}
        address = self.change.address
        planned = {intent.field: self.writer.secrets.get((address, intent.field)) for intent in self.change.secrets}
        return {**carried, **planned}

    def _send_put(self, attempt: int) -> Outcome:
        return self._verified(self._put({**self._after, **self.sent}, Step.BODY, attempt), "PUT")

    def _put(self, body: WireBody, step: Step, attempt: int) -> Body:
        path, remote = self.kind.path, self.writer.remote
        intent = Write(self.change, step, "PUT", f"{path}/{self._id}")
        return self._announced(intent, lambda: remote.put(path, self._id, body, attempt=attempt))

    def _send_post(self, attempt: int) -> Outcome:
        path, body = self.kind.path, {**self._after, **self.sent}
        intent = Write(self.change, Step.BODY, "POST", path)
        answer = self._announced(intent, lambda: self.writer.remote.post(path, body, attempt=attempt))
        return replace(self._verified(answer, "POST"), message="the service has chosen its id")

    def _send_post_again(self, attempt: int) -> Outcome:
        """Send it after a try that was lost, and see whether that one was carried out late, after we had looked.

        Raises:
            Conflict: there are two of them now.
        """
        outcome = self._send_post(attempt)
        with suppress(RemoteError):  # nobody can tell; the next plan sees two of one name
            self._demand_one(self._newcomers())
        return outcome

    def _demand_one(self, found: Sequence[LiveResource]) -> None:
        if len(found) > 1:
            ids = ", ".join(sorted(one.id for one in found))
            conflict = Conflict(f"it was made twice, delete one of them: {ids}")
            conflict.after_a_write = True
            raise conflict

    def _send_delete(self, attempt: int) -> Outcome:
        path, remote = self.kind.path, self.writer.remote
        intent = Write(self.change, Step.BODY, "DELETE", f"{path}/{self._id}")
        with suppress(NotFound):  # somebody else deleted it a moment ago
            self._announced(intent, lambda: remote.delete(path, self._id, attempt=attempt))
        return Outcome(self.change, Status.APPLIED, id=self.change.id)

    def _announced(self, intent: Write, send: Callable[[], _T]) -> _T:
        """Send a write between its announcement and the record of what came of it."""
        number = self.writer.recorder.intend(intent)
        try:
            answer = send()
        except RemoteError as error:
            ending = Ending.LOST if isinstance(error, AnswerLost) else Ending.REFUSED
            self.writer.recorder.settle(number, ending, error.message)
            raise
        self.writer.recorder.settle(number, Ending.ANSWERED, "")
        return answer

    def _verified(self, answer: Body, method: str) -> Outcome:
        """Compare the answer with what was sent.

        Raises:
            AnswerLost: the answer is of no use, or about another object, so that only a look tells.
        """
        try:
            live = self.kind.live(answer, self._facts(method))
        except BadAnswer as error:
            raise AnswerLost("it was carried out, but its answer cannot be used", error.request) from error
        if self.change.before is not None and live.id.casefold() != self._id.casefold():
            raise AnswerLost("it was carried out, but its answer is about another object", self._facts(method))
        return self._compared(live)

    def _found(self, live: LiveResource, lost: AnswerLost | None) -> Outcome:
        """The object is there without an answer that says so: our write whose answer was lost, or another's."""
        return self._compared(live, "" if lost else "it was so already")

    def _compared(self, live: LiveResource, message: str = "") -> Outcome:
        """Whether the service holds what was sent."""
        self.after = live
        misses = self.misses(live)
        status = Status.NOT_CONVERGED if misses else Status.APPLIED
        return Outcome(self.change, status, message, live.id, misses, body=live.body)

    def _misses(self, live: LiveResource, sent: Mapping[str, Secret | None]) -> tuple[FieldChange, ...]:
        """What was sent and is not held: a known field by value; an unknown one, maybe read-only, if it is lost."""
        held, fields = live.body, self.kind.fields
        known = [
            FieldChange(pointer(name), value, held.get(name, ABSENT))
            for name, value in self._after.items()
            if name in fields and not fields[name].equal(value, held.get(name))
        ]
        lost = [
            FieldChange(pointer(name), value, ABSENT)
            for name, value in self._after.items()
            if name not in fields and name not in held and value is not None
        ]
        secret = [
            FieldChange(pointer(name), ABSENT, ABSENT, sensitive=True)
            for name, value in sent.items()
            if not _same_secret(live.secrets.get(name), value)
        ]
        return (*known, *lost, *secret)

    def _facts(self, method: str) -> RequestFacts:
        return RequestFacts(method, f"/v1{self.kind.path}/{self.change.id}")


def _same_secret(left: Secret | None, right: Secret | None) -> bool:
    if left is None or right is None:
        return left is right
    return left.equals(right)
