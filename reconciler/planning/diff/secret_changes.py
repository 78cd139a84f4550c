"""Write-only and named secrets x manifests -> what is created, written and reported. Pure.

A missing named secret is created if its manifest declares a delivery. Everything else (a near expiry, a
secret that no manifest lists) is reported: rotation is a separate command, and unlisted secrets are never deleted.

Write-only fields are never compared. One is written when its object is created, when the body is PUT, when a field
that belongs to it changes, when the service has lost its URL (a staging restore clears it), when the value differs
from the last written one, and when the user requests it.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Final

from reconciler.kinds import KINDS, Kind
from reconciler.kinds.fields import Field
from reconciler.kinds.secrecy import field_of
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Body, pointer
from reconciler.model.named_secret import (
    UNDELIVERED,
    UNPROVEN,
    LiveSecret,
    NamedSecret,
    SecretState,
    Standing,
    duration_text,
    moment_text,
    states,
)
from reconciler.model.plan import Action, Change, Direction, FieldChange, Finding
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource, ObjectKey, SecretKey, Values
from reconciler.model.secret import Secret

UNKNOWN: Final = "unknown: no receipt"


@dataclass(frozen=True, slots=True)
class WriteOnly:
    """What is known of write-only secrets, which the service does not show."""

    fingerprints: Mapping[SecretKey, str] = field(default_factory=dict)
    """Fingerprints of the last written values, from the receipt of the last apply."""
    requested_secrets: frozenset[SecretKey] = frozenset()
    """The secrets that the user requests to write."""

    plan_key: bytes | None = field(default=None, repr=False)
    """The key of fingerprints; None: there are none."""

    def fingerprint(self, key: SecretKey, value: Secret | None) -> str:
        """The fingerprint of a value for the plan; empty without a key or a value."""
        return value.fingerprint(self.plan_key, f"{key[0]} {key[1]}") if value and self.plan_key else ""

    def is_another(self, key: SecretKey, value: Secret | None) -> bool | None:
        """Whether a value differs from the last written one; None: unknown."""
        last, now = self.fingerprints.get(key), self.fingerprint(key, value)
        return now != last if now and last else None


def named(resources: Iterable[DesiredResource]) -> frozenset[SecretKey]:
    """The write-only secrets that a manifest names."""
    return frozenset(
        (one.address, name)
        for one in resources
        for name, reference in one.secrets.items()
        if reference and name in KINDS[one.address.kind].write_only_fields
    )


NOTHING_KNOWN: Final = WriteOnly()


def is_patch(kind: Kind, resource: DesiredResource, found: LiveResource, after: Body) -> bool:
    """Whether a PUT would erase a secret or reset data that the manifest does not name."""
    if kind.initial_fields:
        return True
    hidden = [name for name in kind.write_only_fields if found.secrets.get(name) and kind.has_place_for(name, after)]
    return not resource.has_no_secrets_loaded and any(name not in resource.secrets for name in hidden)


def goes_with(kind: Kind, name: str, fields: Iterable[FieldChange]) -> bool:
    """Whether a change affects what a secret is sent with: its header, its URL or its record."""
    row = kind.secret_rows[name]
    companions = {row.together, row.sent_to} if field_of(name) == name else {field_of(name)}
    return any(change.name in companions for change in fields)


def is_sent_elsewhere(row: Field, fields: Iterable[FieldChange]) -> bool:
    """Whether a change sends a secret to another host, immediately or with the next URL.

    A URL that the service has lost has no host: the manifest's URL is restored.
    """
    return any(
        row.sent_to and each.pointer == f"/{row.sent_to}" and each.before and each.direction is not Direction.NEUTRAL
        for each in fields
    )


def unknown(
    resources: Iterable[DesiredResource],
    changes: Iterable[Change],
    values: Values,
    known: WriteOnly,
) -> tuple[str, ...]:
    """Warn of secrets that cannot be compared with the manifests."""
    planned = {change.address: change for change in changes}
    names = [
        f"{resource.address}#{name}"
        for resource in resources
        for name, reference in resource.secrets.items()
        if reference and name in KINDS[resource.address.kind].write_only_fields
        if _is_left(planned.get(resource.address), name)
        if known.is_another((resource.address, name), values.get((resource.address, name))) is None
    ]
    hint = "write one again with --write-secret ADDRESS#FIELD"
    return (f"write-only secrets were not compared ({UNKNOWN}): {', '.join(sorted(names))}; {hint}",) if names else ()


def _is_left(change: Change | None, name: str) -> bool:
    """Whether the object is kept and this secret is not written."""
    if change is None or change.before is None or change.action not in {Action.UPDATE, Action.NO_OP}:
        return False
    return all(intent.field != name for intent in change.secrets)


def patched(changes: Iterable[Change]) -> Iterator[str]:
    """Report which objects are patched instead of replaced, and why."""
    for change in changes:
        kind, there = KINDS[change.address.kind], change.before or {}
        fields = [name for name in kind.write_only_fields if kind.may_have(name, there)]
        if change.is_patch and change.action is Action.UPDATE and fields:
            names = ", ".join(sorted(fields))
            message = "is write-only and not in its manifest, so only the changed fields are sent (PATCH)"
            yield f"{change.address}: {names} {message}"


_ROTATE: Final = "run reconciler secrets rotate --due"


def with_named_secrets(
    changes: Sequence[Change],
    desired: DesiredState,
    live: Mapping[ObjectKey, Sequence[LiveSecret]],
    now: datetime,
) -> tuple[tuple[Change, ...], tuple[Finding, ...], tuple[str, ...]]:
    """Add the missing secrets of its object to each change, and report the state of the others.

    Args:
        changes: of these manifests and this service.
        desired: the manifests.
        live: the secrets of every live object whose manifest lists secrets.
        now: the current time.

    Returns:
        The changes, findings that forbid one of them, and warnings.
    """
    wanted = {one.address: one.named_secrets for one in desired.resources if one.named_secrets is not None}
    found, findings, warnings = [], [], []
    for change in changes:
        secrets = wanted.get(change.address)
        if secrets is None or change.after is None:
            found.append(change)
            continue
        there = live.get(change.key, ()) if change.key else ()
        is_active = bool(change.after.get(KINDS[change.address.kind].active_field))
        compared = states(secrets, there, now, is_active=is_active)
        missing = [one.wanted for one in compared if one.standing is Standing.MISSING and one.wanted]
        new = [secret for secret in missing if secret.deliver]
        due = [(secret, why) for secret in new if (why := secret.due_at_once(now))]
        findings += [_due(change.address, secret, why) for secret, why in due]
        found.append(_with(change, new, is_first=not there) if new else change)
        warnings += [f"{change.address}: {text}" for one in compared for text in _warnings_of(one)]
        warnings += list(_over_limit(change, compared, new))
    return tuple(found), tuple(findings), tuple(warnings)


def _with(change: Change, new: Sequence[NamedSecret], *, is_first: bool) -> Change:
    """The first secret narrows access: from then on, every login requires one."""
    direction = Direction.NARROWS if is_first else Direction.NEUTRAL
    fields = tuple(FieldChange(pointer("secrets", one.name), ABSENT, ABSENT, direction, sensitive=True) for one in new)
    action = Action.UPDATE if change.action is Action.NO_OP else change.action
    return replace(change, action=action, fields=change.fields + fields, new_secrets=tuple(new))


def due_at_once(changes: Iterable[Change], now: datetime) -> Iterator[Finding]:
    """Refuse to create secrets that would be due for rotation immediately."""
    for change in changes:
        yield from (_due(change.address, one, why) for one in change.new_secrets if (why := one.due_at_once(now)))


def _due(address: Address, secret: NamedSecret, why: str) -> Finding:
    message, fix = f"secret {secret.name} of {address} {why}", "set a later expires in the manifest"
    return Finding("secret-expiry", message, fix, (address,), can_be_acknowledged=False)


def _warnings_of(state: SecretState) -> Iterator[str]:
    """Warnings about a secret. They name a moment, not the remaining days, so that equal states have equal plans."""
    secret, live, wanted = f"secret {state.name}", state.live, state.wanted
    expiry = moment_text(live.expires) if live and live.expires else "never"
    match state.standing:
        case Standing.MISSING if wanted and not wanted.deliver:
            lost = "its manifest declares no delivery, so its value would be lost"
            yield f"{secret} is missing and is not created: {lost}"
        case Standing.EXPIRING if wanted:
            overlap = duration_text(wanted.overlap)
            yield f"{secret} expires at {expiry}, which is within its overlap of {overlap}: {_ROTATE}"
        case Standing.EXPIRED:
            yield f"{secret} expired at {expiry}: {_ROTATE}"
        case Standing.OFF_POLICY if wanted:
            yield f"{secret} expires {expiry}, but its manifest requires {wanted.policy}: {_ROTATE}"
        case Standing.UNPROVEN:
            unfinished = "was created by an unfinished rotation and not delivered everywhere"
            yield f"{secret} {unfinished}; it is deleted once a new one replaces it everywhere: {_ROTATE}"
        case Standing.UNTRIED:
            once = "" if state.is_active else "once the client is active, "
            yield f"{secret} was delivered but never verified by a login: {once}{_ROTATE}"
        case Standing.SUPERSEDED:
            yield f"{secret} exists twice after an unfinished rotation: {_ROTATE}"
        case Standing.OVER:
            yield f"{secret}: a retired one expired at {expiry} and can be deleted: {_ROTATE}"
        case Standing.UNKNOWN if live:
            yield f"secret {live.name} (id {live.id}) is in no manifest"
        case _:
            return


def _over_limit(change: Change, compared: Sequence[SecretState], new: Sequence[NamedSecret]) -> Iterator[str]:
    """Warn of secrets above the limit, or of one that is deleted to make room: see `secrets.rotation.due`."""
    named, names = KINDS[change.address.kind].named_secrets, {secret.name for secret in new}
    there = [one.live for one in compared if one.live]
    count = len(there) + len(new)
    if not named or count <= named.limit:
        return
    unproven = [one for one in there if one.ending == UNPROVEN and one.base in names]
    if unproven:
        oldest = unproven[-1].id
        yield f"{change.address}: to make room, secret {oldest} is deleted, which a failed run may have delivered"
    elif not any(one.ending == UNDELIVERED and one.base in names for one in there):
        yield f"{change.address}: there would be {count} secrets, but the service allows at most {named.limit}"
