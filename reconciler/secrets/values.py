"""References and named secrets -> values, for the length of one run: what plan and apply do with secret values.

A plan looks up what its references stand for only to compare it with what the service shows, and goes on where that is
not possible on this machine. An apply looks up everything it sets, and checks every delivery, before its first write.
What is generated is delivered before it is set: a crash between the two leaves a value that opens nothing, never a lock
whose key is lost. Where it is then not set, what was delivered is taken back.
"""

import secrets as lottery
import string
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from reconciler.errors import PlanRefused, ReconcilerError, SecretMissing
from reconciler.kinds import KINDS
from reconciler.kinds.fields import Text
from reconciler.live import read_secrets
from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import Begin, Provided
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, Change, Plan, SecretIntent
from reconciler.model.resource import Address, DesiredState, ObjectKey
from reconciler.model.secret import Secret, SecretReference
from reconciler.remote import SecretRemote
from reconciler.secrets import rotation
from reconciler.secrets.delivery import (
    Delivered,
    Deliverer,
    NewSecret,
    Order,
    deliver_again,
    deliver_all,
    recall,
    taken_back,
)
from reconciler.secrets.rotation.due import Subject, due

GENERATED_LENGTH: Final = 60
"""Letters and digits of a generated secret: what Sitecore's own tools make; the service documents no least length."""
_ALPHABET: Final = string.ascii_letters + string.digits

Resolve: TypeAlias = Callable[[SecretReference], Secret]
"""Gives the value that a reference stands for, or raises a `ReconcilerError` that names the reference."""
Values: TypeAlias = Mapping[tuple[Address, str], Secret]
"""(address, secret field) -> the value."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the references of some manifests stand for."""

    values: Values = field(default_factory=dict)
    unread: tuple[tuple[Address, str], ...] = ()
    """Whose secret gives nothing on this machine, and why; each once."""

    def require(self) -> None:
        """Refuse to go on without any of them.

        Raises:
            SecretMissing: with all that are missing.
        """
        if self.unread:
            raise SecretMissing("; ".join(f"{address}: {why}" for address, why in self.unread))

    def warnings(self, changes: Iterable[Change]) -> Iterator[str]:
        """What a plan says of those that it could not compare, or that an apply needs to create an object."""
        created = {change.address for change in changes if change.action is Action.CREATE}
        for address, why in self.unread:
            result = "apply needs it" if address in created else "the live secret was not compared with it"
            yield f"{address}: {why}; {result}"


def look_up(desired: DesiredState, resolve: Resolve) -> Known:
    """Look up every reference that stands for a value now; a generated one does not."""
    wanted = [
        (resource.address, name, reference)
        for resource in desired.resources
        for name, reference in resource.secrets.items()
        if reference and not reference.is_generated
    ]
    return _looked_up(wanted, resolve)


def _looked_up(wanted: Iterable[tuple[Address, str, SecretReference]], resolve: Resolve) -> Known:
    """Look all of them up.

    Raises:
        ReconcilerError: with all that give something which cannot be sent.
    """
    values, unread = {}, []
    faults: list[ReconcilerError] = []
    for address, name, reference in wanted:
        try:
            values[address, name] = value = resolve(reference)
            faults += _too_long(address, name, reference, value)
        except SecretMissing as missing:
            unread.append((address, str(missing)))
        except ReconcilerError as error:
            faults.append(error)
    if faults:
        hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
        raise ReconcilerError("; ".join(dict.fromkeys(map(str, faults))), hint="; ".join(hints))
    return Known(values, tuple(dict.fromkeys(unread)))


def _too_long(address: Address, name: str, reference: SecretReference, value: Secret) -> Iterator[ReconcilerError]:
    row = KINDS[address.kind].secret_rows[name]
    most = row.type.max_length if isinstance(row.type, Text) else None
    if most and len(value.reveal()) > most:
        message = f"{address}: {reference} has more than {most} characters, the most that {name} may have"
        yield ReconcilerError(message, hint="set a shorter secret")


@dataclass(frozen=True, slots=True)
class Prepared:
    """What an apply sets, and what was delivered for it."""

    values: Values
    delivered: Mapping[Address, Sequence[Delivered]] = field(default_factory=dict)
    plan_key: bytes | None = None
    deliverer: Deliverer | None = None

    def conclude(self, outcome: Outcome) -> Outcome:
        """Add the fingerprints of what was set; take back what was delivered for a change that was not written."""
        address = outcome.change.address
        names = [one.field for one in outcome.change.secrets if (address, one.field) in self.values]
        prints = {
            name: self.values[address, name].fingerprint(self.plan_key, f"{address} {name}")
            for name in names
            if self.plan_key
        }
        return replace(self._settled(outcome), fingerprints=prints)

    def _settled(self, outcome: Outcome) -> Outcome:
        mine = self.delivered.get(outcome.change.address, ())
        is_set = outcome.uncertain or outcome.partly or outcome.status in {Status.APPLIED, Status.NOT_CONVERGED}
        if not mine:
            return outcome
        if is_set and not outcome.restored:
            return self._identified(outcome, mine)
        left = taken_back(mine)
        said = f"{'; '.join(left)}; apply again to deliver another one" if left else "its new secret was taken back"
        return replace(outcome, message="; ".join(filter(None, [outcome.message, said])), delivered=bool(left))

    def _identified(self, outcome: Outcome, mine: Sequence[Delivered]) -> Outcome:
        """Tell commands the id, where the service has made another one than was planned, or the only one."""
        try:
            said = deliver_again(mine, outcome.id, _needed(self.deliverer)) if outcome.id else []
        except ReconcilerError as error:
            said = [f"it was written, but its new secret was not delivered under its id: {error.message}"]
            outcome = replace(outcome, status=Status.FAILED, partly=True)
        return replace(outcome, message="; ".join(filter(None, [outcome.message, *said])))


def prepare(plan: Plan, resolve: Resolve, plan_key: bytes | None, deliverer: Deliverer | None) -> Prepared:
    """Look up what a plan sets, make and deliver what it generates. Called before the first write.

    Raises:
        SecretMissing: with all that cannot be read on this machine.
        PlanRefused: a secret has another value than when the plan was made.
        ReconcilerError: a delivery cannot be made; what was delivered before it is taken back.
        PartlyDelivered: the same, and a command has got a value, which cannot be taken back.
    """
    intents = [
        (change, intent, intent.reference) for change in plan.changes for intent in change.secrets if intent.reference
    ]
    known = _looked_up(
        [(change.address, intent.field, one) for change, intent, one in intents if not one.is_generated], resolve
    )
    known.require()
    generated = []
    for change, intent, reference in intents:
        if reference.is_generated:
            new = NewSecret(change.address, change.id or "", intent.field, _lottery())
            generated.append(Order(new, reference.deliver))
        else:
            _require_planned(change.address, intent, known.values[change.address, intent.field], plan_key)
    named = [one for change in plan.changes for secret in change.new_secrets for one in secret.deliver]
    deliveries = [*named, *(one for each in generated for one in each.deliveries)]
    if deliveries:
        _needed(deliverer).check(deliveries)
    made = {(one.new.address, one.new.name): one.new.value for one in generated}
    delivered = deliver_all(generated, _needed(deliverer)) if generated else ()
    of_each: dict[Address, list[Delivered]] = defaultdict(list)
    for one in delivered:
        of_each[one.new.address].append(one)
    return Prepared({**known.values, **made}, of_each, plan_key, deliverer)


def _lottery() -> Secret:
    return Secret("".join(lottery.choice(_ALPHABET) for _ in range(GENERATED_LENGTH)))


def _require_planned(address: Address, intent: SecretIntent, secret: Secret, plan_key: bytes | None) -> None:
    about = f"{address} {intent.field}"
    if intent.fingerprint and plan_key and secret.fingerprint(plan_key, about) != intent.fingerprint:
        message = f"{intent.reference} of {address} has another value than when the plan was made"
        raise PlanRefused("secret", message)


def _needed(deliverer: Deliverer | None) -> Deliverer:
    if deliverer is None:
        raise ReconcilerError("the plan makes new secrets, and this run can deliver none")
    return deliverer


@dataclass(frozen=True, slots=True)
class Provider:
    """Makes the secrets that an object lacks, once the object is there."""

    remote: SecretRemote
    deliverer: Deliverer | None
    record: rotation.Record = field(default=lambda _event, _facts: None)

    def __call__(self, change: Change, object_id: str) -> Provided:
        """Make and deliver all that the change names; one that has appeared since it was planned stays.

        Raises:
            ReconcilerError: the secrets that the object has could not be read.
        """
        kind, deliverer = KINDS[change.address.kind], _needed(self.deliverer)
        key = ObjectKey(kind.name, object_id)
        tools = rotation.Tools(self.remote, deliverer, _utc_now, self.record)
        notes: list[str] = []
        has_written = False
        live = read_secrets(self.remote, [key])[key]  # of one name each: making one changes no other
        for wanted in change.new_secrets:
            at_hand = recall(wanted, live, deliverer)
            subject = Subject(change.address, object_id, wanted, live, kind, at_hand=at_hand)
            done = rotation.carry_out(subject, due(subject, _utc_now(), Begin.IF_MISSING), tools)
            has_written |= done.has_written
            if done.error:
                return Provided("; ".join(notes), done.error, has_written)
            if done.postponed:
                notes.append(f"secret {wanted.name} was delivered, and cannot be tried yet: {done.postponed}")
        return Provided("; ".join(notes), has_written=has_written)


def _utc_now() -> datetime:
    return datetime.now(UTC)
