"""Manifests and a service -> how every secret stands (`status`), and what a rotation would do (`rotating.plan`)."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from reconciler import live as reader
from reconciler.kinds import KINDS, Kind, outside
from reconciler.model.named_secret import LiveSecret, SecretState, Standing, states
from reconciler.model.reports import SecretReport, SecretRow, Sort
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource
from reconciler.model.secret import Secret
from reconciler.planning import selection
from reconciler.planning.comparison import Target
from reconciler.planning.diff.identity import match
from reconciler.planning.diff.secret_changes import UNKNOWN
from reconciler.remote import ReadRemote
from reconciler.secrets import Resolve, Values, look_up


def status(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> SecretReport:
    """Say how every secret stands: of each resource that has a manifest and is selected. Reads only.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: a manifest cannot be matched with one live object.
    """
    live = reader.read(remote, target.environment, target.marketplace, target.in_use(desired))
    matches = match(desired, live)
    chosen = [
        one
        for one in desired.resources
        if not one.policy.absent and selection.is_selected(target.selection, one.address, one.labels)
    ]
    values = look_up(DesiredState(tuple(chosen), desired.digest), resolve).values
    named = _named_secrets(chosen, matches, remote)
    rows = [
        row
        for one in sorted(chosen, key=lambda resource: resource.address)
        for row in (
            *_field_rows(one, matches[one.address], KINDS[one.address.kind], values, target),
            *_named_rows(one, matches[one.address], named.get(one.address, ()), target.now),
        )
    ]
    claimed = {found.key for found in matches.values() if found}
    left_out = sum(
        one.key not in claimed and not outside(desired.scope, one.kind, one.id, one.body) for one in live.resources
    )
    return SecretReport(target.environment, live.marketplace, target.now, tuple(rows), left_out)


def _named_secrets(
    chosen: Sequence[DesiredResource], matches: Mapping[Address, LiveResource | None], remote: ReadRemote
) -> dict[Address, tuple[LiveSecret, ...]]:
    """The named secrets of every object. A service that has none is an error only where a manifest lists some."""
    found: dict[Address, tuple[LiveSecret, ...]] = {}
    for is_listed in (True, False):
        there = {
            one.address: match.key
            for one in chosen
            if (one.named_secrets is not None) is is_listed and (match := matches[one.address])
        }
        secrets = reader.read_secrets(remote, list(there.values()), is_optional=not is_listed)
        found |= {address: secrets[key] for address, key in there.items()}
    return found


def _field_rows(
    wanted: DesiredResource,
    found: LiveResource | None,
    kind: Kind,
    values: Values,
    target: Target,
) -> Iterator[SecretRow]:
    """One row for each secret field that the manifest names or the object has a value in."""
    for name in sorted(kind.secret_fields):
        old = found.secrets.get(name) if found else None
        if name not in wanted.secrets and old is None:
            continue
        reference, key = wanted.secrets.get(name), (wanted.address, name)
        sort = Sort.WRITE_ONLY if name in kind.write_only_fields else Sort.READABLE
        status, note = _field_status(wanted, name, old, values.get(key))
        if sort is Sort.WRITE_ONLY and status is Standing.UNVERIFIABLE:
            status, note = _last_written(is_another=target.unseen.is_another(key, values.get(key)))
        policy = str(reference) if reference else "none" if name in wanted.secrets else ""
        state = SecretState(name, status, note=note)
        yield SecretRow(wanted.address, found.id if found else None, sort, state, policy)


def _last_written(*, is_another: bool | None) -> tuple[Standing, str]:
    """What is known of a write-only secret: what the last apply wrote, if anybody knows."""
    if is_another is None:
        return Standing.UNVERIFIABLE, UNKNOWN
    if is_another:
        return Standing.DIFFERS, "the last apply wrote another value"
    return Standing.UNVERIFIABLE, "the last apply wrote this value"


def _field_status(wanted: DesiredResource, name: str, old: Secret | None, new: Secret | None) -> tuple[Standing, str]:
    if name not in wanted.secrets:
        return Standing.UNMANAGED, ""
    reference = wanted.secrets[name]
    if reference is None:
        return (Standing.DIFFERS, "it has a value where none is wanted") if old else (Standing.IN_STEP, "")
    if old is None:
        return Standing.MISSING, "it has none"
    if old.is_mask:
        return Standing.UNVERIFIABLE, "the service does not show it"
    if new is None:
        note = "not compared: it was generated" if reference.is_generated else "not compared: its value is not at hand"
        return Standing.IN_STEP, note
    return (Standing.IN_STEP, "") if old.equals(new) else (Standing.DIFFERS, "it has another value")


def _named_rows(
    wanted: DesiredResource, found: LiveResource | None, live: Sequence[LiveSecret], now: datetime
) -> Iterator[SecretRow]:
    is_active = bool(found and found.body.get(KINDS[wanted.address.kind].active_field))
    for state in states(wanted.named_secrets, live, now, is_active=is_active):
        policy = state.wanted.policy if state.wanted else ""
        yield SecretRow(wanted.address, found.id if found else None, Sort.NAMED, state, policy)
