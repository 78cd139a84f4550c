"""Carry out the steps of a rotation in order, up to the first failure.

    create -> verify by a login -> deliver, deleting unproven ones that are replaced -> confirm -> expire the old one
    after the overlap -> (a later run) delete it

The progress is stored in the service (see `model.named_secret`), so the next run continues from there, on any machine.
Only values that work are delivered, and the secret in use is not changed before the new one is confirmed. If no user
can log in through the client yet, verification is postponed: the secret is delivered and marked as untried.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import field
from datetime import UTC, datetime
from typing import Final, TypeAlias, TypeVar

from reconciler.errors import AnswerLost, NotFound, PartlyDelivered, ReconcilerError
from reconciler.kinds import KINDS, naming_roles
from reconciler.live import read_secrets
from reconciler.model import named_secret
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.named_secret import (
    RETIRED,
    UNPROVEN,
    Ended,
    Provided,
    RotationStep,
    StepKind,
    moment_of,
    moment_text,
)
from reconciler.model.plan import Change
from reconciler.model.resource import ObjectKey
from reconciler.model.secret import Delivery, Secret
from reconciler.remote import SecretRemote
from reconciler.secrets.delivery import Deliverer, NewSecret, read_back, required
from reconciler.secrets.rotation.due import RotationSubject, due

_T = TypeVar("_T")
_TRIES: Final = 3
_RESUME: Final = "run it again: it continues where it stopped"

Record: TypeAlias = Callable[[str, Mapping[str, Json]], None]
"""Records an event before or after a step. Gets no secret values."""


@dataclass(frozen=True, slots=True)
class RotationTools:
    """The connection, the deliverer and the callbacks that steps use."""

    remote: SecretRemote
    deliverer: Deliverer
    clock: Callable[[], datetime]
    record: Record = lambda _event, _facts: None
    should_stop: Callable[[], bool] = lambda: False
    """Called before a new secret is created, and before each step that ends an old one."""
    on_step: Callable[[RotationStep], None] = lambda _step: None


@dataclass(slots=True)
class Done:
    """The result of carrying out steps."""

    steps: list[RotationStep] = field(default_factory=list)
    interrupted: bool = False
    error: ReconcilerError | None = None
    postponed: str = ""
    """Why the new secret could not be verified; empty if it was, or if there is none."""
    has_written: bool = False
    """Whether anything was or may have been changed or delivered."""

    @property
    def ended(self) -> Ended:
        """The outcome."""
        if self.error:
            return Ended.FAILED
        if self.interrupted:
            return Ended.INTERRUPTED
        return Ended.POSTPONED if self.postponed else Ended.COMPLETED


def carry_out(subject: RotationSubject, steps: Sequence[RotationStep], tools: RotationTools) -> Done:
    """Carry out steps in order, up to the first failure, which is in the result."""
    execution = _Execution(subject, tools)
    done = execution.done
    try:
        if any(step.kind in {StepKind.CREATE, StepKind.DELIVER} for step in steps):
            tools.deliverer.check(subject.wanted.deliver)
        for step in steps:
            if execution.may_stop_before(step) and tools.should_stop():
                done.interrupted = True
                break
            execution.carry_out_step(step)
            if execution.is_postponed:
                break
            done.steps.append(step)
            tools.on_step(step)
    except ReconcilerError as error:
        done.error = error
    return done


@dataclass(frozen=True, slots=True)
class Provider:
    """Creates the missing secrets of an existing object."""

    remote: SecretRemote
    deliverer: Deliverer | None
    record: Record

    def __call__(self, change: Change, object_id: str) -> Provided:
        """Create and deliver the secrets that the change names, except those that exist.

        Raises:
            ReconcilerError: the secrets of the object cannot be read.
        """
        kind, deliverer = KINDS[change.address.kind], required(self.deliverer)
        key = ObjectKey(kind.name, object_id)
        tools = RotationTools(self.remote, deliverer, _utc_now, self.record)
        notes: list[str] = []
        has_written = False
        live = read_secrets(self.remote, [key])[key]  # each has its own name, so none affects another
        for wanted in change.new_secrets:
            at_hand = read_back(wanted, live, deliverer)
            subject = RotationSubject(change.address, object_id, wanted, live, kind, at_hand=at_hand)
            done = carry_out(subject, due(subject, _utc_now(), named_secret.Begin.IF_MISSING), tools)
            has_written |= done.has_written
            if done.error:
                return Provided("; ".join(notes), done.error, has_written)
            if done.postponed:
                notes.append(f"secret {wanted.name} was delivered, but cannot be verified yet: {done.postponed}")
        return Provided("; ".join(notes), has_written=has_written)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Execution:
    """The state of one rotation, with the value of the new secret until that is confirmed."""

    subject: RotationSubject
    tools: RotationTools
    done: Done = field(default_factory=Done)
    new_id: str = ""
    name: str = ""
    """The name of the new secret in the service."""
    value: Secret | None = None
    holders: set[Delivery] = field(default_factory=set)
    """The deliveries that may have the value."""
    is_postponed: bool = False

    def may_stop_before(self, step: RotationStep) -> bool:
        """Whether the run may stop before a step, which is not between creating a secret and confirming it."""
        return step.kind in {StepKind.CREATE, StepKind.EXPIRE, StepKind.DELETE} and self.value is None

    def carry_out_step(self, step: RotationStep) -> None:
        """Carry out one step."""
        if step.kind in {StepKind.DELIVER, StepKind.PROVE} and step.secret and self.value is None:
            self.new_id, self.value = step.secret.id, self.subject.at_hand[step.secret.id]
            self.holders = {*self.subject.wanted.holders(step.secret)}
        self.tools.record("secret-step-begun", self._facts(step))
        try:
            self._action(step)()
        except ReconcilerError as error:
            self.done.has_written |= step.kind is StepKind.DELIVER or AnswerLost in {type(error), type(error.__cause__)}
            self._mark_undelivered(step)
            raise
        self.done.has_written |= step.writes
        self.is_postponed = bool(self.done.postponed) and step.kind in {StepKind.TRY, StepKind.CONFIRM}
        event = "secret-postponed" if self.is_postponed else "secret-step-done"
        self.tools.record(event, self._facts(step))

    def _mark_undelivered(self, failed: RotationStep) -> None:
        """Delete a new secret that was not delivered; mark a partly delivered one, so that a later run deletes it."""
        if self.value is None or self._is_everywhere:
            return
        with suppress(ReconcilerError):  # it is then kept until another one is delivered everywhere
            if self.holders:
                self._rename(named_secret.held_by(self.holders))
            else:
                self._delete(self.new_id)
                self.name = ""
            self.tools.record("secret-undelivered", {**self._facts(failed), "secret_id": self.new_id})

    def _action(self, step: RotationStep) -> Callable[[], None]:
        return {
            StepKind.TRY: self._try,
            StepKind.CREATE: lambda: self._create(step),
            StepKind.DELIVER: lambda: self._deliver(step),
            StepKind.PROVE: self._prove,
            StepKind.CONFIRM: self._confirm,
            StepKind.EXPIRE: lambda: self._expire(step),
            StepKind.DELETE: lambda: self._delete(step.secret.id if step.secret else ""),
            StepKind.WAIT: lambda: None,
        }[step.kind]

    def _facts(self, step: RotationStep) -> Mapping[str, Json]:
        subject = self.subject
        return {
            "address": str(subject.address),
            "client": subject.client_id,
            "secret": subject.wanted.name,
            "secret_id": step.secret.id if step.secret else self.new_id,
            "name": self.name,
            "step": step.kind.value,
            "text": step.text,
            "until": moment_text(step.until) if step.until else None,
            "postponed": self.done.postponed,
        }

    @property
    def _path(self) -> str:
        return self.subject.named.of(self.subject.kind.path, self.subject.client_id)

    def _try(self) -> None:
        """Check that the service rejects a wrong secret; otherwise a login verifies nothing."""
        proof = self.tools.remote.proves(self.subject.client_id, Secret(secrets.token_urlsafe(32)))
        self.done.postponed = "" if proof.is_tried else proof.reason

    def _create(self, step: RotationStep) -> None:
        subject, named = self.subject, self.subject.named
        self.new_id = named_secret.new_id(subject.wanted.name, subject.live, self.tools.clock(), secrets.token_hex(3))
        self.name = subject.wanted.name + named_secret.UNDELIVERED
        body: dict[str, Json] = {"ID": self.new_id, named.name_field: self.name}
        if step.until:
            body[named.expiry_field] = moment_text(step.until)
        try:
            with self._role_hints():
                shown, self.value = self.tools.remote.post_for_secret(self._path, body, named.value_field)
        except AnswerLost as error:
            message = f"{error.message}; if it was created, its value is lost, and the next run deletes it"
            raise ReconcilerError(message, hint=_RESUME) from error
        self.new_id, self.done.has_written = str(shown.get("ID") or self.new_id), True
        self._require_expiry(step, shown)

    def _require_expiry(self, step: RotationStep, shown: Mapping[str, Json]) -> None:
        """Refuse a secret with another expiry, which every run would replace again."""
        held = shown.get(self.subject.named.expiry_field)
        if self.subject.named.expiry_field in shown and _moment(held) != (step.until and moment_text(step.until)):
            message = f"the service created secret {self.new_id} of {self.subject.address} with another expiry: {held}"
            raise ReconcilerError(message, hint="it is not delivered; check whether the service supports an expiry")

    def _rename(self, ending: str) -> None:
        """Store the progress in the name of the secret, as an ending and the mark of the value."""
        mark = self._value.mark(self.new_id) if ending else ""
        name = f"{self.subject.wanted.name}{ending}{f'-{mark}' if mark else ''}"
        try:
            self._patch(self.new_id, {self.subject.named.name_field: name})
        except NotFound as error:
            raise self._deleted_error() from error
        self.name = name

    def _deleted_error(self) -> ReconcilerError:
        """The error if another run has deleted the new secret."""
        subject, holders = self.subject, ", ".join(sorted(map(str, self.holders)))
        message = f"secret {self.new_id} of {subject.address} was deleted by another run or in the portal"
        if not holders:
            return ReconcilerError(message, hint="run one rotation at a time, then repeat this one")
        hint = f"delete secret {subject.wanted.name} in the portal, if it exists, and run apply"
        message = f"{message}, and its value is in {holders}"
        return ReconcilerError(message, hint=f"run one rotation at a time; {hint}")

    def _deliver(self, step: RotationStep) -> None:
        assert step.delivery  # noqa: S101  # see due
        if not self._is_everywhere:
            self._rename(UNPROVEN)  # before each delivery: another run may have deleted it during the previous one
        new = NewSecret(self.subject.address, self.subject.client_id, self.subject.wanted.name, self._value)
        try:
            self.tools.deliverer.deliver(new, step.delivery)
        except ReconcilerError as error:
            self.holders |= {step.delivery} if isinstance(error, PartlyDelivered) else set()
            message = f"{error.message}; the old secret is unchanged, and the new one is not confirmed"
            raise ReconcilerError(message, hint=f"correct the delivery and {_RESUME}") from error
        self.holders.add(step.delivery)

    @property
    def _is_everywhere(self) -> bool:
        return self.holders >= {*self.subject.wanted.deliver}

    @property
    def _value(self) -> Secret:
        assert self.value is not None  # noqa: S101  # see due: nothing is delivered before it is created
        return self.value

    def _prove(self) -> None:
        proof = self.tools.remote.proves(self.subject.client_id, self._value, _TRIES)
        if not proof.is_tried:
            self.done.postponed = proof.reason
        elif not proof.accepted:
            message = f"the new secret does not work for a login through {self.subject.address}: {proof.reason}"
            raise ReconcilerError(message, hint=f"the old secret is unchanged; {_RESUME}")

    def _confirm(self) -> None:
        self._rename(named_secret.UNTRIED if self.done.postponed else "")
        self.value = None

    def _expire(self, step: RotationStep) -> None:
        assert step.secret and step.until  # noqa: S101, PT018  # see due
        named = self.subject.named
        retired = {named.name_field: self.subject.wanted.name + RETIRED, named.expiry_field: moment_text(step.until)}
        self._patch(step.secret.id, retired)

    def _patch(self, secret_id: str, fields: Mapping[str, Json]) -> None:
        """Change fields of a secret, and check that the service has stored the name. Idempotent."""
        with self._role_hints():
            shown = _with_retries(lambda: self.tools.remote.patch(self._path, secret_id, fields))
        name_field = self.subject.named.name_field
        if shown.get(name_field) != fields[name_field]:
            message = f"the service did not store the new {name_field} of secret {secret_id} of {self.subject.address}"
            raise ReconcilerError(message, hint="check the client's secrets with reconciler secrets status")

    def _delete(self, secret_id: str) -> None:
        with self._role_hints(), suppress(NotFound):  # already deleted, perhaps by a request whose response was lost
            _with_retries(lambda: self.tools.remote.delete(self._path, secret_id))

    def _role_hints(self) -> AbstractContextManager[None]:
        kind = self.subject.kind
        return naming_roles(f"writing secrets of {kind.noun}s", kind.writing_roles)


def _moment(value: Json) -> str | None:
    try:
        return moment_text(moment_of(str(value))) if value else None
    except (ValueError, OverflowError):
        return str(value)


def _with_retries(send: Callable[[], _T]) -> _T:
    """Send an idempotent write, up to `_TRIES` times while the response is lost."""
    for _ in range(_TRIES - 1):
        with suppress(AnswerLost):
            return send()
    return send()
