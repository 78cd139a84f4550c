"""Resolve secret references for one run; generate and deliver new secrets.

A reference is resolved at the last moment, and only if the environment allows it. A plan resolves references to compare
them with what the service returns, and continues without those that are missing here. An apply resolves everything that
it sets, and checks every delivery, before its first write. A generated secret is delivered before it is set: a crash
between the two leaves a value that does not work, never a client whose secret is lost. If it is then not set, the
delivery is undone.
"""

import os
import string
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from secrets import choice
from typing import Final, TypeAlias

from reconciler.errors import PlanRefused, ReconcilerError, SecretMissing
from reconciler.kinds import KINDS
from reconciler.kinds.fields import Text
from reconciler.manifests.files import AllowedPaths
from reconciler.manifests.replacing import NotRegular, open_regular
from reconciler.model.dataclass import dataclass
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, Change, Plan, SecretIntent
from reconciler.model.resource import Address, DesiredState, SecretKey, Values
from reconciler.model.secret import Secret, SecretReference, SecretSource, is_own_variable, unsendable
from reconciler.secrets import delivery
from reconciler.secrets.delivery import Delivered, Deliverer, NewSecret

_MAX_BYTES: Final = 65_536
"""The maximum size of a secret file, in bytes."""


@dataclass(frozen=True, slots=True)
class Resolver:
    """Resolves references. A call returns the value, or raises a `ReconcilerError` that contains no value."""

    allowed_paths: AllowedPaths
    """Where files may be read."""
    allowed: Collection[str]
    """The names of the environment variables that may be read."""
    own: Collection[SecretReference] = ()
    """The reconciler's own credentials, which are never returned, even if the environment allows them."""
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def __call__(self, reference: SecretReference) -> Secret:
        """Return the value. Repeats the checks of the loader, since a saved plan could name any reference."""
        if self._is_own(reference):
            raise ReconcilerError(f"{reference} contains the reconciler's own credentials, which no manifest may use")
        if reference.source is SecretSource.ENVIRONMENT and reference.name not in self.allowed:
            hint = f"add {reference.name} to secrets.allow of the environment"
            raise ReconcilerError(f"the environment does not allow the secret {reference.name}", hint=hint)
        return value_of(reference, self.allowed_paths, self.variables)

    def _is_own(self, reference: SecretReference) -> bool:
        if reference.source is SecretSource.FILE:
            return self.allowed_paths.is_named(reference.name, self.own)
        return reference in self.own or is_own_variable(reference.name)


def value_of(reference: SecretReference, allowed_paths: AllowedPaths, variables: Mapping[str, str]) -> Secret:
    """Read the value of a reference, without a byte order mark and the final line end.

    Raises:
        SecretMissing: there is no value.
        ReconcilerError: the value may not be read, or is not a valid secret.
    """
    if reference.source is SecretSource.ENVIRONMENT:
        secret = _of_variable(reference.name, variables)
    else:
        secret = _of_file(allowed_paths, reference.name)
    if secret.is_placeholder:
        message = f"{reference} has the placeholder of a hidden secret; sending it would overwrite the real secret"
        raise ReconcilerError(message, hint="set the real secret")
    return secret


def _of_variable(name: str, variables: Mapping[str, str]) -> Secret:
    if name not in variables:
        raise SecretMissing(f"the environment variable {name} is not set")
    return _secret(variables[name], f"the environment variable {name}")


def _of_file(allowed_paths: AllowedPaths, name: str) -> Secret:
    path, about = allowed_paths.at(name), f"the secret file {name}"
    try:
        with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except NotRegular:
        raise ReconcilerError(f"{about} is not a regular file") from None
    except OSError as error:
        raise SecretMissing(f"{about} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise ReconcilerError(f"{about} has more than {_MAX_BYTES:,} bytes, the maximum for a secret")
    return _secret(content.decode("utf-8", "surrogateescape"), about)


def _secret(text: str, about: str) -> Secret:
    value = text.removeprefix("\ufeff").rstrip("\r\n")
    if not value.strip():
        raise SecretMissing(f"{about} is empty")
    if fault := unsendable(value):
        message = f"{about} {fault}, so it cannot be sent as a secret"
        raise ReconcilerError(message, hint="a secret is one line of UTF-8 text")
    return Secret(value)


GENERATED_LENGTH: Final = 60
"""The length of a generated secret, the same as in Sitecore's own tools; the service documents no minimum."""
_ALPHABET: Final = string.ascii_letters + string.digits

Resolve: TypeAlias = Callable[[SecretReference], Secret]
"""Returns the value of a reference, or raises a `ReconcilerError` that names the reference."""


def hint_on_missing(count: int) -> str:
    """How to provide so many values."""
    them = "it" if count == 1 else "them"
    return f"set {them} where this runs; in CI, pass {them} to the step"


@dataclass(frozen=True, slots=True)
class ResolvedSecrets:
    """The values of secret references."""

    values: Values = field(default_factory=dict)
    unresolved: tuple[SecretKey, ...] = ()
    """Addresses with a secret that has no value on this machine, and the reason; without duplicates."""

    def require(self) -> None:
        """Raise if any value is missing.

        Raises:
            SecretMissing: lists all that are missing.
        """
        if self.unresolved:
            message = "; ".join(f"{address}: {why}" for address, why in self.unresolved)
            raise SecretMissing(message, hint=hint_on_missing(len(self.unresolved)))

    def warnings(self, changes: Iterable[Change]) -> Iterator[str]:
        """The warnings of a plan about missing values."""
        created = {change.address for change in changes if change.action is Action.CREATE}
        for address, why in self.unresolved:
            result = "apply requires it" if address in created else "the live secret was not compared with it"
            yield f"{address}: {why}; {result}"


def look_up(desired: DesiredState, resolve: Resolve) -> ResolvedSecrets:
    """Resolve every reference except generated ones."""
    named = [(resource.address, *one) for resource in desired.resources for one in resource.secrets.items()]
    wanted = [(address, name, one) for address, name, one in named if one and not one.is_generated]
    return _resolve_all(wanted, resolve)


def _resolve_all(wanted: Iterable[tuple[Address, str, SecretReference]], resolve: Resolve) -> ResolvedSecrets:
    """Resolve all references.

    Raises:
        ReconcilerError: values cannot be sent as secrets; lists all of them.
    """
    values, unresolved = {}, []
    faults: list[ReconcilerError] = []
    for address, name, reference in wanted:
        try:
            values[address, name] = value = resolve(reference)
            faults += _length_faults(address, name, reference, value)
        except SecretMissing as missing:
            unresolved.append((address, str(missing)))
        except ReconcilerError as error:
            faults.append(error)
    if faults:
        hints = dict.fromkeys(fault.hint for fault in faults if fault.hint)
        raise ReconcilerError("; ".join(dict.fromkeys(map(str, faults))), hint="; ".join(hints))
    return ResolvedSecrets(values, tuple(dict.fromkeys(unresolved)))


def _length_faults(address: Address, name: str, reference: SecretReference, value: Secret) -> Iterator[ReconcilerError]:
    row = KINDS[address.kind].secret_rows[name]
    limit = row.type.max_length if isinstance(row.type, Text) else None
    if limit and len(value.reveal()) > limit:
        message = f"{address}: {reference} has more than {limit} characters, the maximum of {name}"
        yield ReconcilerError(message, hint="set a shorter secret")


@dataclass(frozen=True, slots=True)
class Prepared:
    """Resolved values and completed deliveries."""

    values: Values
    delivered: Mapping[Address, Sequence[Delivered]]
    plan_key: bytes | None = field(repr=False)
    deliverer: Deliverer | None

    def conclude(self, outcome: Outcome) -> Outcome:
        """Add the fingerprints of the values; undo the deliveries of a change that was not written."""
        address = outcome.change.address
        names = [one.field for one in outcome.change.secrets if (address, one.field) in self.values]
        key = self.plan_key
        values = {name: self.values[address, name] for name in names}
        fingerprints = {name: value.fingerprint(key, f"{address} {name}") for name, value in values.items() if key}
        return replace(self._with_deliveries(outcome), fingerprints=fingerprints)

    def _with_deliveries(self, outcome: Outcome) -> Outcome:
        deliveries = self.delivered.get(outcome.change.address, ())
        is_set = outcome.uncertain or outcome.partly or outcome.status in {Status.APPLIED, Status.NOT_CONVERGED}
        if not deliveries:
            return outcome
        if is_set and not outcome.restored:
            return self._with_service_id(outcome, deliveries)
        remaining = delivery.undo_all(deliveries)
        note = "the delivery of its new secret was undone"
        if remaining:
            note = f"{'; '.join(remaining)}; apply again to deliver another one"
        return replace(outcome, message="; ".join(filter(None, [outcome.message, note])), delivered=bool(remaining))

    def _with_service_id(self, outcome: Outcome, deliveries: Sequence[Delivered]) -> Outcome:
        """Run delivery commands again with the id in the service, if it differs from the planned one."""
        notes: list[str] = []
        try:
            if outcome.id:
                notes = delivery.rerun_commands(deliveries, outcome.id, delivery.required(self.deliverer))
        except ReconcilerError as error:
            notes = [f"it was written, but its new secret was not delivered with its id: {error.message}"]
            outcome = replace(outcome, status=Status.FAILED, partly=True)
        return replace(outcome, message="; ".join(filter(None, [outcome.message, *notes])))


def prepare(plan: Plan, resolve: Resolve, plan_key: bytes | None, deliverer: Deliverer | None) -> Prepared:
    """Resolve the secrets that a plan sets; generate and deliver new ones. Called before the first write.

    Raises:
        SecretMissing: values are missing on this machine; lists all of them.
        PlanRefused: a secret has changed since the plan was made, or the plan was made with another key.
        ReconcilerError: a delivery failed, and those before it are undone.
        PartlyDelivered: a delivery failed, and one before it cannot be undone.
    """
    intents = [
        (change, intent, intent.reference) for change in plan.changes for intent in change.secrets if intent.reference
    ]
    wanted = [(change.address, intent.field, one) for change, intent, one in intents if not one.is_generated]
    known = _resolve_all(wanted, resolve)
    known.require()
    values, orders = dict(known.values), list[delivery.Order]()
    for change, intent, reference in intents:
        if reference.is_generated:
            new = NewSecret(change.address, change.id or "", intent.field, _random_secret())
            values[change.address, intent.field] = new.value
            orders += [(new, one) for one in reference.deliver]
        else:
            _require_planned(change.address, intent, values[change.address, intent.field], plan_key)
    deliveries = [one for change in plan.changes for secret in change.new_secrets for one in secret.deliver]
    deliveries += [one for _, one in orders]
    if deliveries or len(values) > len(known.values):
        delivery.required(deliverer).check(deliveries)
    delivered: dict[Address, list[Delivered]] = defaultdict(list)
    for one in delivery.deliver_all(orders, delivery.required(deliverer)) if orders else ():
        delivered[one.new.address].append(one)
    return Prepared(values, delivered, plan_key, deliverer)


def _random_secret() -> Secret:
    return Secret("".join(choice(_ALPHABET) for _ in range(GENERATED_LENGTH)))


def _require_planned(address: Address, intent: SecretIntent, secret: Secret, plan_key: bytes | None) -> None:
    about = f"{address} {intent.field}"
    if intent.fingerprint and plan_key and secret.fingerprint(plan_key, about) != intent.fingerprint:
        message = f"{intent.reference} of {address} has changed since the plan was made, or the plan used another key"
        hint = "plan again with this value and this RECONCILER_PLAN_KEY, and review the new plan"
        raise PlanRefused("secret", message, hint=hint)
