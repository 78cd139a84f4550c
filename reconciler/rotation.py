"""A named secret x the live ones -> the steps that are due, and their execution, one after the other.

    create -> deliver -> prove by a login -> confirm -> expire the old one after the overlap -> (a later run) delete it

What has been done stands in the service (see `model.named_secret`), so whoever runs it again goes on where it was left,
from any machine. At each instant a delivered secret is valid: nothing old is touched before the new one is confirmed,
and a secret that was made and perhaps delivered is deleted only after another one was delivered to the same places.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

from reconciler.delivery import Courier, Parcel
from reconciler.errors import AnswerLost, NotFound, ReconcilerError
from reconciler.kinds import Kind, NamedSecrets
from reconciler.model.json import Json
from reconciler.model.named_secret import (
    RETIRED,
    UNPROVEN,
    Family,
    LiveSecret,
    NamedSecret,
    duration_text,
    family,
    moment_text,
    new_id,
)
from reconciler.model.resource import Address
from reconciler.model.rotation import Step, StepKind
from reconciler.model.secret import Secret
from reconciler.remote.protocol import SecretRemote

_TRIES: Final = 3
_RESUME: Final = "run it again: it goes on where it was left"

Record: TypeAlias = Callable[[str, Mapping[str, Json]], None]
"""Keeps what is about to happen, or has happened, before anything else happens. Is told no value of a secret."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose secret it is, and everything that decides what is due."""

    address: Address
    client_id: str
    wanted: NamedSecret
    live: tuple[LiveSecret, ...]
    """All secrets of the object, of whatever name."""
    kind: Kind

    @property
    def named(self) -> NamedSecrets:
        """Where they are kept."""
        assert self.kind.named_secrets  # noqa: S101  # the schemas of other kinds have no such block
        return self.kind.named_secrets


def due(subject: Subject, now: datetime, *, only_if_missing: bool = False) -> tuple[Step, ...]:
    """Give the steps that bring a rotation to its end; where none has begun, those of a new one.

    Args:
        subject: whose secret.
        now: the present time.
        only_if_missing: do nothing where there is a current secret.

    Raises:
        ReconcilerError: it cannot be done; says why and what to do.
    """
    relatives = family(subject.wanted.name, subject.live)
    clearing = list(_clearing(relatives, now))
    if only_if_missing and relatives.current is not None:
        return ()
    if not _needs_new(subject.wanted, relatives, now):
        old = [*relatives.superseded, *relatives.retired]
        steps = [*clearing, *_ending(subject.wanted, old, clearing, now)]
        return tuple(steps)
    _demand_possible(subject, relatives, clearing, now)
    old = [one for one in (relatives.current, *relatives.superseded, *relatives.retired) if one]
    leftovers = [_delete(one, "was made by a rotation that did not end") for one in relatives.pending]
    return (*clearing, *_making(subject, now), *leftovers, *_ending(subject.wanted, old, clearing, now))


def _needs_new(wanted: NamedSecret, relatives: Family, now: datetime) -> bool:
    """Whether a new secret is to be made. An unfinished rotation is brought to its end before another one begins."""
    current = relatives.current
    if current is None or current.is_over(now):
        return True
    if relatives.superseded:
        return False
    if relatives.pending:
        return True
    is_expiring = current.expires is not None and current.expires <= now + wanted.overlap
    return is_expiring or not (relatives.retired or relatives.stale)


def _clearing(relatives: Family, now: datetime) -> Iterator[Step]:
    """What opens nothing or is of no use to anybody goes first: it makes room."""
    yield from (_delete(one, "has expired") for one in relatives.retired if one.is_over(now))
    yield from (_delete(one, "was made by a rotation that did not end") for one in relatives.stale)


def _delete(one: LiveSecret, why: str) -> Step:
    return Step(StepKind.DELETE, f"delete secret {one.id}, which {why}", one)


def _making(subject: Subject, now: datetime) -> Iterator[Step]:
    expiry = subject.wanted.expiry(now)
    until = f", valid until {moment_text(expiry)}" if expiry else ", without an expiry"
    yield Step(StepKind.CREATE, f"create a new secret {subject.wanted.name}{until}", until=expiry)
    for delivery in subject.wanted.deliver:
        yield Step(StepKind.DELIVER, f"deliver it to {delivery}")
    yield Step(StepKind.PROVE, f"prove it by a login through {subject.address}")
    yield Step(StepKind.CONFIRM, f"confirm it as {subject.wanted.name}")


def _ending(wanted: NamedSecret, old: Sequence[LiveSecret], cleared: Sequence[Step], now: datetime) -> Iterator[Step]:
    """How each old secret is brought to its end: after the overlap, or at the moment at which it ends anyway."""
    gone = {step.secret.id for step in cleared if step.secret}
    last = now + wanted.overlap
    for one in old:
        is_retired = one.name.endswith(RETIRED)
        if one.id in gone:
            continue
        if not wanted.overlap or one.is_over(now):
            yield _delete(one, "is replaced")
        elif one.expires is None or one.expires > last:
            text = f"let the old secret {one.id} expire at {moment_text(last)}, after {duration_text(wanted.overlap)}"
            yield Step(StepKind.EXPIRE, text, one, last)
        elif not is_retired:
            text = f"let the old secret {one.id} expire at {moment_text(one.expires)}, as it does already"
            yield Step(StepKind.EXPIRE, text, one, one.expires)
        else:
            text = f"the old secret {one.id} is valid until {moment_text(one.expires)}"
            yield Step(StepKind.WAIT, text, one, one.expires)


def _demand_possible(subject: Subject, relatives: Family, clearing: Sequence[Step], now: datetime) -> None:
    """Refuse what would lose a value, or end before it is of use.

    Raises:
        ReconcilerError: says what to do.
    """
    wanted, expiry = subject.wanted, subject.wanted.expiry(now)
    about = f"secret {wanted.name} of {subject.address}"
    if not wanted.deliver:
        hint = "declare a delivery in the manifest: deliver: [{file: PATH}]"
        raise ReconcilerError(f"{about} is delivered nowhere, so that a new value would be lost", hint=hint)
    if expiry is not None and expiry <= now + wanted.overlap:
        message = f"{about} expires at {moment_text(expiry)}, within its overlap of {duration_text(wanted.overlap)}"
        raise ReconcilerError(f"{message}: a new one would be due at once", hint="set a later expires in the manifest")
    limit = subject.named.limit
    if len(subject.live) - len(clearing) >= limit:
        candidates = ", ".join(_candidates(subject, relatives, now))
        message = f"{subject.address} has {limit} secrets, which is the most that the service keeps"
        raise ReconcilerError(message, hint=f"delete one that nobody uses, in the portal; it could be {candidates}")


def _candidates(subject: Subject, relatives: Family, now: datetime) -> Iterator[str]:
    """Which secrets could go, the most useless first."""
    own = {one.id for one in relatives.members}
    over = [one for one in subject.live if one.is_over(now) and one.id not in own]
    others = [one for one in subject.live if not one.is_over(now) and one.id not in own]
    yield from (f"{one.name} (id {one.id}, expired)" for one in over)
    yield from (f"{one.name} (id {one.id}, if no server has it)" for one in relatives.pending)
    yield from (f"{one.name} (id {one.id}, if it is not in use)" for one in others)


# ----------------------------------------------------------------------------------------------------------- execution


@dataclass(frozen=True, slots=True)
class Tools:
    """What steps are carried out with."""

    remote: SecretRemote
    courier: Courier
    clock: Callable[[], datetime]
    record: Record = lambda _event, _facts: None
    should_stop: Callable[[], bool] = lambda: False
    """Asked before a new secret is made, and before each step that ends an old one."""
    on_step: Callable[[Step], None] = lambda _step: None
    """Told of each step that was carried out."""


@dataclass(slots=True)
class Done:
    """What was carried out, complete or not."""

    steps: list[Step] = field(default_factory=list)
    interrupted: bool = False
    error: ReconcilerError | None = None

    @property
    def has_written(self) -> bool:
        """Whether anything was changed."""
        return any(step.writes for step in self.steps)


def carry_out(subject: Subject, steps: Sequence[Step], tools: Tools) -> Done:
    """Carry out steps in their order. A failure ends it: what has been done is in the answer, with the error."""
    done, run = Done(), _Run(subject, tools)
    try:
        if any(step.kind is StepKind.CREATE for step in steps):
            tools.courier.check(subject.wanted.deliver)
        for step in steps:
            if run.may_stop_before(step) and tools.should_stop():
                done.interrupted = True
                return done
            run.take(step)
            done.steps.append(step)
            tools.on_step(step)
    except ReconcilerError as error:
        done.error = error
    return done


@dataclass(slots=True)
class _Run:
    """One execution: the only place where the value of the new secret is, until it is delivered and proven."""

    subject: Subject
    tools: Tools
    new_id: str = ""
    value: Secret | None = None
    delivered: int = 0

    def may_stop_before(self, step: Step) -> bool:
        """Between making a secret and confirming it, a stop would make it useless."""
        return step.kind in {StepKind.CREATE, StepKind.EXPIRE, StepKind.DELETE} and self.value is None

    def take(self, step: Step) -> None:
        """Carry out one step."""
        facts = self._facts(step)
        self.tools.record("secret-step-begun", facts)
        match step.kind:
            case StepKind.CREATE:
                self._create(step)
            case StepKind.DELIVER:
                self._deliver()
            case StepKind.PROVE:
                self._prove()
            case StepKind.CONFIRM:
                self._confirm()
            case StepKind.EXPIRE:
                self._expire(step)
            case StepKind.DELETE:
                self._delete(step)
            case StepKind.WAIT:
                pass
        self.tools.record("secret-step-done", self._facts(step))

    def _facts(self, step: Step) -> Mapping[str, Json]:
        subject = self.subject
        return {
            "address": str(subject.address),
            "client": subject.client_id,
            "secret": subject.wanted.name,
            "secret_id": step.secret.id if step.secret else self.new_id,
            "step": step.kind.value,
            "text": step.text,
            "until": moment_text(step.until) if step.until else None,
        }

    @property
    def _path(self) -> str:
        return self.subject.named.of(self.subject.kind.path, self.subject.client_id)

    def _create(self, step: Step) -> None:
        subject, named = self.subject, self.subject.named
        self.new_id = new_id(subject.wanted.name, subject.live, self.tools.clock(), secrets.token_hex(3))
        body: dict[str, Json] = {"ID": self.new_id, named.name_field: subject.wanted.name + UNPROVEN}
        if step.until:
            body[named.expiry_field] = moment_text(step.until)
        try:
            shown, self.value = self.tools.remote.post_for_secret(self._path, body, named.value_field)
        except AnswerLost as error:
            message = f"{error.message}; if it was made, nobody knows its value, and it will be deleted"
            raise ReconcilerError(message, hint=_RESUME) from error
        self.new_id = str(shown.get("ID") or self.new_id)

    def _deliver(self) -> None:
        delivery = self.subject.wanted.deliver[self.delivered]
        parcel = Parcel(self.subject.address, self.subject.client_id, self.subject.wanted.name, self._value)
        try:
            self.tools.courier.deliver(parcel, delivery)
        except ReconcilerError as error:
            message = f"{error.message}; the old secret stays as it is, and the new one is of no use"
            raise ReconcilerError(message, hint=f"mend the delivery and {_RESUME}") from error
        self.delivered += 1

    @property
    def _value(self) -> Secret:
        assert self.value is not None  # noqa: S101  # see due: nothing is delivered before it is created
        return self.value

    def _prove(self) -> None:
        proof = self.tools.remote.proves(self.subject.client_id, self._value)
        if not proof.accepted:
            message = f"the new secret opens no login through {self.subject.address}: {proof.reason}"
            hint = f"the old secret stays as it is; mend what the message names and {_RESUME}"
            raise ReconcilerError(message, hint=hint)

    def _confirm(self) -> None:
        self._patch(self.new_id, {self.subject.named.name_field: self.subject.wanted.name})
        self.value = None

    def _expire(self, step: Step) -> None:
        assert step.secret and step.until  # noqa: S101, PT018  # see _ending
        named = self.subject.named
        retired = {named.name_field: self.subject.wanted.name + RETIRED, named.expiry_field: moment_text(step.until)}
        self._patch(step.secret.id, retired)

    def _patch(self, secret_id: str, fields: Mapping[str, Json]) -> None:
        """Change fields of a secret, and see that the service holds them. Done twice it is done once."""
        shown = _repeated(lambda: self.tools.remote.patch(self._path, secret_id, fields))
        name_field = self.subject.named.name_field
        if shown.get(name_field) != fields[name_field]:
            message = f"the service did not take the new {name_field} of secret {secret_id} of {self.subject.address}"
            raise ReconcilerError(message, hint="look at the client's secrets with reconciler secrets status")

    def _delete(self, step: Step) -> None:
        assert step.secret  # noqa: S101  # see _delete
        secret_id = step.secret.id

        def send() -> dict[str, Json]:
            with suppress(NotFound):  # somebody else, or a request of ours whose answer was lost, did it
                self.tools.remote.delete(self._path, secret_id)
            return {}

        _repeated(send)


def _repeated(send: Callable[[], dict[str, Json]]) -> dict[str, Json]:
    """Send a write that may be repeated until there is an answer to it, or no more tries."""
    for _ in range(_TRIES - 1):
        with suppress(AnswerLost):
            return send()
    return send()
