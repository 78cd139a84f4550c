"""Report the status of every secret, and plan rotations, which guards check like any plan. Only reads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from reconciler import live as reader
from reconciler.errors import GuardRefusal, ReconcilerError, UsageError
from reconciler.kinds import KINDS, login_key
from reconciler.manifests.schema import did_you_mean
from reconciler.model.dataclass import dataclass
from reconciler.model.inputs import Selection, Window
from reconciler.model.json import digest
from reconciler.model.named_secret import (
    RETIRED,
    UNDELIVERED,
    UNPROVEN,
    Begin,
    LiveSecret,
    NamedSecret,
    RotationStep,
    SecretState,
    Standing,
    StepKind,
    states,
)
from reconciler.model.plan import Action, Change, Finding
from reconciler.model.reports import SecretReport, SecretRow, Sort
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource, ObjectKey, Values
from reconciler.model.secret import Secret
from reconciler.planning import guards as guard
from reconciler.planning import selection
from reconciler.planning.comparison import Target
from reconciler.planning.diff.identity import match
from reconciler.planning.diff.secret_changes import UNKNOWN
from reconciler.planning.planfile import ACKNOWLEDGEMENT_DIGITS, given
from reconciler.planning.selection import meant_address
from reconciler.project import Settings, connect
from reconciler.project.session import Session
from reconciler.remote import ReadRemote
from reconciler.secrets import Resolve, look_up
from reconciler.secrets.delivery import Deliverer, lost_deliveries, read_back
from reconciler.secrets.rotation.due import RotationSubject, due


def status(settings: Settings, paths: Sequence[Path], selected: Selection) -> SecretReport:
    """Report the status of every secret of the selected resources. Only reads.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: a manifest cannot be matched with one live object.
    """
    session = Session.open(settings, paths, selection=selected, allow_unknown_roles=True)
    with connect.reader(settings, session.environment, session.root) as remote:
        return _status(session.loaded.desired, remote, session.target(), session.resolve)


def _status(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> SecretReport:
    live = reader.read(remote, target.environment, target.marketplace, target.in_use(desired)).live
    matches = match(desired, live)
    chosen = _selected(desired.resources, target.selection)
    values = look_up(DesiredState(tuple(chosen), desired.digest), resolve).values
    named = _named_secrets(chosen, matches, remote)
    rows = [
        row
        for one in sorted(chosen, key=lambda resource: resource.address)
        for row in (
            *_field_rows(one, matches[one.address], values, target),
            *_named_rows(one, matches[one.address], named.get(one.address, ()), target.now),
        )
    ]
    claimed = {found.key for found in matches.values() if found}
    left_out = sum(
        one.key not in claimed and not KINDS[one.kind].outside(desired.scope, one.id, one.body)
        for one in live.resources
    )
    return SecretReport(target.environment, live.marketplace, target.now, tuple(rows), left_out)


def _selected(resources: Sequence[DesiredResource], selected: Selection) -> list[DesiredResource]:
    return [
        one for one in resources if not one.policy.absent and selection.is_selected(selected, one.address, one.labels)
    ]


def _named_secrets(
    chosen: Sequence[DesiredResource], matches: Mapping[Address, LiveResource | None], remote: ReadRemote
) -> dict[Address, tuple[LiveSecret, ...]]:
    """The named secrets of every object. A service without named secrets is an error only if a manifest lists some."""
    found: dict[Address, tuple[LiveSecret, ...]] = {}
    for is_listed in (True, False):
        there = {
            one.address: match.key
            for one in chosen
            if (one.named_secrets is not None) is is_listed and (match := matches[one.address])
        }
        found |= _secrets(there, remote, is_optional=not is_listed)
    return found


def _secrets(
    there: Mapping[Address, ObjectKey], remote: ReadRemote, *, is_optional: bool = False
) -> Mapping[Address, tuple[LiveSecret, ...]]:
    secrets = reader.read_secrets(remote, list(there.values()), is_optional=is_optional)
    return {address: secrets[key] for address, key in there.items()}


def _field_rows(
    wanted: DesiredResource, found: LiveResource | None, values: Values, target: Target
) -> Iterator[SecretRow]:
    """One row for each secret field that the manifest names or for which the object has a value."""
    kind = KINDS[wanted.address.kind]
    for name in sorted(kind.secret_fields):
        old = found.secrets.get(name) if found else None
        if name not in wanted.secrets and old is None:
            continue
        reference, key = wanted.secrets.get(name), (wanted.address, name)
        sort = Sort.WRITE_ONLY if name in kind.write_only_fields else Sort.READABLE
        status, note = _field_status(wanted, name, old, values.get(key))
        if sort is Sort.WRITE_ONLY and status is Standing.UNVERIFIABLE:
            status, note = _LAST_WRITTEN[target.unseen.is_another(key, values.get(key))]
        policy = str(reference) if reference else "none" if name in wanted.secrets else ""
        state = SecretState(name, status, note=note)
        yield SecretRow(wanted.address, found.id if found else None, sort, state, policy)


_LAST_WRITTEN: Final = {
    None: (Standing.UNVERIFIABLE, UNKNOWN),
    True: (Standing.DIFFERS, "the last apply wrote another value"),
    False: (Standing.UNVERIFIABLE, "the last apply wrote this value"),
}
"""Whether the last apply wrote another value; None if unknown -> the status of a write-only secret."""


def _field_status(wanted: DesiredResource, name: str, old: Secret | None, new: Secret | None) -> tuple[Standing, str]:
    if name not in wanted.secrets:
        return Standing.UNMANAGED, ""
    reference = wanted.secrets[name]
    if reference is None:
        return (Standing.DIFFERS, "has a value, but the manifest sets none") if old else (Standing.IN_STEP, "")
    if old is None:
        return Standing.MISSING, "has no value"
    if old.is_mask:
        return Standing.UNVERIFIABLE, "the service does not return it"
    if new is None:
        why = "was generated" if reference.is_generated else "is unknown here"
        return Standing.IN_STEP, f"not compared: the value {why}"
    return (Standing.IN_STEP, "") if old.equals(new) else (Standing.DIFFERS, "has another value")


def _named_rows(
    wanted: DesiredResource, found: LiveResource | None, live: Sequence[LiveSecret], now: datetime
) -> Iterator[SecretRow]:
    is_active = bool(found and found.body.get(KINDS[wanted.address.kind].active_field))
    for state in states(wanted.named_secrets, live, now, is_active=is_active):
        policy = state.wanted.policy if state.wanted else ""
        yield SecretRow(wanted.address, found.id if found else None, Sort.NAMED, state, policy)


# ------------------------------------------------------------------------------------------------------------ rotation


@dataclass(frozen=True, slots=True)
class SecretChoice:
    """Which secrets to rotate."""

    address: str | None = None
    """The address of a manifest, in any case; None: all that are selected."""
    name: str | None = None
    """The name of a secret; None: the only one, or all that are due."""
    only_due: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """The rotation of one secret."""

    subject: RotationSubject
    steps: tuple[RotationStep, ...] = ()
    error: ReconcilerError | None = None
    """Why the rotation is not possible; there are no steps then."""

    @property
    def about(self) -> tuple[str, str, str]:
        """The address and id of the client, and the name of the secret."""
        return str(self.subject.address), self.subject.client_id, self.subject.wanted.name


@dataclass(frozen=True, slots=True)
class RotationPlan:
    """The planned rotation of secrets, and the findings of the guards."""

    marketplace: str
    turns: tuple[Turn, ...]
    changes: tuple[Change, ...] = ()
    """For the guards: an update for each client whose secrets change, a no-op for all others."""
    findings: tuple[Finding, ...] = ()

    @property
    def has_work(self) -> bool:
        """Whether there is a step other than waiting."""
        return any(step.kind is not StepKind.WAIT for turn in self.turns for step in turn.steps)

    @property
    def acknowledgement(self) -> str:
        """The value of ``--ack`` that accepts the findings of exactly these steps, at any time."""
        turns = [
            [*turn.about, [[step.kind.value, step.secret.id if step.secret else ""] for step in turn.steps]]
            for turn in self.turns
        ]
        findings = [[one.rule, one.message] for one in self.findings]
        return digest({"turns": turns, "findings": findings})[:ACKNOWLEDGEMENT_DIGITS]

    def require(self, acknowledged: str | None, freeze: Sequence[Window], now: datetime) -> None:
        """Raise if the guards refuse the rotation; freeze windows are evaluated at `now`.

        Raises:
            GuardRefusal: there are findings, and they are not acknowledged.
        """
        permanent = [one for one in self.findings if one.rule not in guard.TIMED]
        findings = [*permanent, *guard.freeze(self.changes, freeze, now)]
        final = [one for one in findings if not one.can_be_acknowledged]
        if final:
            raise GuardRefusal(final, hint="an acknowledgement does not override these")
        if findings and self.acknowledgement not in given(acknowledged):
            raise GuardRefusal(findings, hint=f"to accept this rotation as it is, add --ack {self.acknowledgement}")


def plan(
    desired: DesiredState, remote: ReadRemote, target: Target, choice: SecretChoice, deliverer: Deliverer
) -> RotationPlan:
    """Plan the due steps: those that complete a rotation, or those of a new one.

    Args:
        desired: the manifests of an environment.
        remote: the service.
        target: the expected marketplace, and the selection.
        choice: which secrets to rotate.
        deliverer: reads back values that were delivered but not proven.

    Raises:
        UsageError: there is no such manifest or secret; no request was sent.
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        ReconcilerError: a requested rotation is not possible.
    """
    chosen = wanted(desired, target.selection, choice)
    live = reader.read(remote, target.environment, target.marketplace, target.in_use(desired)).live
    matches = match(desired, live)
    there = {one.address: found.key for one, _ in chosen if (found := matches[one.address])}
    secrets = _secrets(there, remote)
    turns: list[Turn] = []
    for resource, secret in chosen:
        found = matches[resource.address]
        if found is None and not choice.only_due:
            hint = "run apply first: it creates the client and its secrets"
            raise ReconcilerError(f"{resource.address} does not exist yet, so there is no secret to rotate", hint=hint)
        if found is not None:
            subject = _subject(resource, found, secret, secrets[resource.address], deliverer)
            turns += _turn(subject, remote, target, choice)
    changes = target.protection.mark(_changes(desired, matches, turns))
    context = target.context(desired, remote.access(), live)
    frozen = guard.freeze(changes, target.freeze, target.now)
    findings = (*guard.check(changes, context), *frozen, *_protected(changes, turns, target.now))
    return RotationPlan(live.marketplace, tuple(turns), changes, findings)


# ------------------------------------------------------------------------------------------------------------ choosing


def wanted(
    desired: DesiredState, selected: Selection, choice: SecretChoice
) -> Sequence[tuple[DesiredResource, NamedSecret]]:
    """The chosen secrets. Sends no request.

    Raises:
        UsageError: there is no such manifest or secret.
        ReconcilerError: the manifest lists no secrets.
    """
    if not choice.only_due and choice.address:
        resource = _resource(desired, choice.address)
        return [(resource, _secret(resource, choice.name))]
    resources = [_resource(desired, choice.address)] if choice.address else desired.resources
    return [
        (one, secret)
        for one in _selected(resources, selected)
        for secret in ([_secret(one, choice.name)] if choice.name else one.named_secrets or ())
    ]


def _resource(desired: DesiredState, address: str) -> DesiredResource:
    known = {str(one.address).casefold(): one for one in desired.resources}
    if address.casefold() not in known:
        raise UsageError(f"there is no manifest {address}", hint=meant_address(address, desired))
    return known[address.casefold()]


def _secret(resource: DesiredResource, name: str | None) -> NamedSecret:
    listed = {one.name: one for one in resource.named_secrets or ()}
    if not listed:
        raise _nothing_listed(resource)
    if name is None and len(listed) == 1:
        return next(iter(listed.values()))
    known = ", ".join(listed)
    if name is None:
        raise UsageError(f"{resource.address} has several secrets", hint=f"choose one with --secret: {known}")
    if name not in listed:
        raise UsageError(
            f"{resource.address} lists no secret {name}", hint=did_you_mean(name, listed) or f"choose one of: {known}"
        )
    return listed[name]


def _nothing_listed(resource: DesiredResource) -> ReconcilerError:
    kind = KINDS[resource.address.kind]
    if not kind.named_secrets:
        fields = " or ".join(resource.secrets or kind.secret_rows)
        hint = f"to replace {fields}, change the value behind its reference and run reconciler apply"
        what = f"{resource.address} has no named secrets, and rotate only replaces those"
        return ReconcilerError(what, hint=hint if fields else "")
    hint = "list it in the manifest: secrets: [{name: primary, deliver: [{file: PATH}]}]"
    if any(resource.secrets.values()):
        field = next(iter(resource.secrets))
        hint = f"{field} has a single value, so the old one cannot stay valid; use a named secret: {hint}"
    return ReconcilerError(f"{resource.address} lists no secrets to rotate", hint=hint)


# ---------------------------------------------------------------------------------------------------------------- steps


def _subject(
    resource: DesiredResource,
    found: LiveResource,
    secret: NamedSecret,
    live: tuple[LiveSecret, ...],
    deliverer: Deliverer,
) -> RotationSubject:
    kind = KINDS[resource.address.kind]
    return RotationSubject(
        resource.address,
        found.id,
        secret,
        live,
        kind,
        is_active=bool(found.body.get(kind.active_field)),
        at_hand=read_back(secret, live, deliverer),
        lost_deliveries=lost_deliveries(secret, deliverer),
    )


def _turn(subject: RotationSubject, remote: ReadRemote, target: Target, choice: SecretChoice) -> Iterator[Turn]:
    """The rotation of one secret; nothing if only due ones are requested and it is not due."""
    current = states((subject.wanted,), subject.live, target.now, is_active=subject.is_active)
    if choice.only_due and not any(one.is_due for one in current):
        return
    try:
        _protect_own_client(subject, remote)
        yield Turn(subject, due(subject, target.now, Begin.IF_DUE if choice.only_due else Begin.ANYWAY))
    except ReconcilerError as error:
        if not choice.only_due:
            raise
        yield Turn(subject, error=error)


def _protect_own_client(subject: RotationSubject, remote: ReadRemote) -> None:
    """Refuse to replace the secret of this run's client without an overlap: the next login would fail."""
    if not subject.wanted.overlap and ObjectKey(subject.address.kind, subject.client_id) == login_key(remote.client_id):
        message = "this run uses this client to log in, and without an overlap its secret would expire at once"
        raise ReconcilerError(message, hint="give the secret an overlap, or log in with another client")


# --------------------------------------------------------------------------------------------------------------- guards


def _changes(
    desired: DesiredState, matches: Mapping[Address, LiveResource | None], turns: Sequence[Turn]
) -> Iterator[Change]:
    """The change of every managed object: an update if its secrets change, else a no-op."""
    new: dict[Address, list[NamedSecret]] = {}
    for turn in turns:
        if any(step.writes for step in turn.steps):
            is_created = any(step.kind is StepKind.CREATE for step in turn.steps)
            new.setdefault(turn.subject.address, []).extend([turn.subject.wanted] if is_created else [])
    for resource in desired.resources:
        found = matches[resource.address]
        if found:
            action = Action.UPDATE if resource.address in new else Action.NO_OP
            change = Change(resource.address, action, found.id, found.body, found.body)
            secrets = tuple(new.get(resource.address, ()))
            yield replace(change, protected=resource.policy.protected, new_secrets=secrets)


def _protected(changes: Sequence[Change], turns: Sequence[Turn], now: datetime) -> Iterator[Finding]:
    """Findings for secrets of protected clients that may be in use and would expire at once."""
    protected = {change.address for change in changes if change.protected}
    for turn in turns:
        used = [one.id for one in _ended_at_once(turn.steps) if not one.is_over(now)]
        if used and turn.subject.address in protected:
            yield Finding(
                "protected",
                f"{turn.subject.address} is protected, and secret {', '.join(used)} would expire without an overlap",
                "give the secret an overlap in its manifest",
                (turn.subject.address,),
            )


def _ended_at_once(steps: Sequence[RotationStep]) -> Iterator[LiveSecret]:
    """Deleted secrets that may be in use; unproven ones, until another one is delivered everywhere."""
    unused = {UNDELIVERED, RETIRED}
    for step in steps:
        if step.kind is StepKind.DELIVER:
            unused.add(UNPROVEN)
        if step.kind is StepKind.DELETE and step.secret and step.secret.ending not in unused:
            yield step.secret
