"""Manifests and a service -> how every secret stands, and the rotation of one of them.

status    desired, live secrets   -> SecretReport     reads only
turn      desired, address, name  -> what is due      reads only
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from reconciler import differ, pipeline, provisioning, reader, rotation, selection
from reconciler.errors import ReconcilerError, UsageError
from reconciler.kinds import KINDS, Kind
from reconciler.model.named_secret import LiveSecret, NamedSecret, SecretState, Standing, states
from reconciler.model.resource import Address, DesiredResource, DesiredState, LiveResource
from reconciler.model.rotation import Step
from reconciler.model.secret import Secret
from reconciler.model.secret_report import Generation, SecretReport, SecretRow
from reconciler.provisioning import Resolve
from reconciler.remote.protocol import ReadRemote
from reconciler.validator import did_you_mean


def status(desired: DesiredState, remote: ReadRemote, target: pipeline.Target, resolve: Resolve) -> SecretReport:
    """Say how every secret stands: of each client that has a manifest and is selected. Reads only.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: a manifest cannot be matched with one live object.
    """
    marketplace = pipeline.check_marketplace(remote, target)
    live = reader.read(remote, KINDS.values(), marketplace)
    matches = differ.match(desired, live, KINDS)
    chosen = [
        one
        for one in desired.resources
        if not one.policy.absent and selection.is_selected(target.selection, one.address, one.labels)
    ]
    values = provisioning.look_up(DesiredState(tuple(chosen), desired.digest), resolve).values
    named = _named_secrets(chosen, matches, remote)
    rows = [
        row
        for one in sorted(chosen, key=lambda resource: resource.address)
        for row in (
            *_legacy_rows(one, matches[one.address], KINDS[one.address.kind], values),
            *_current_rows(one, matches[one.address], named.get(one.address, ()), target.now),
        )
    ]
    claimed = {found.id for found in matches.values() if found}
    left_out = sum(found.id not in claimed for found in live.resources)
    return SecretReport(target.environment, marketplace, target.now, tuple(rows), left_out)


def _named_secrets(
    chosen: Sequence[DesiredResource], matches: Mapping[Address, LiveResource | None], remote: ReadRemote
) -> dict[Address, tuple[LiveSecret, ...]]:
    """The named secrets of every object. A service that has none is an error only where a manifest lists some."""
    found: dict[Address, tuple[LiveSecret, ...]] = {}
    for kind in KINDS.values():
        for is_listed in (True, False):
            there = {
                one.address: match.id
                for one in chosen
                if one.address.kind == kind.name
                and (one.named_secrets is not None) is is_listed
                and (match := matches[one.address])
            }
            secrets = reader.read_secrets(remote, kind, list(there.values()), is_optional=not is_listed)
            found |= zip(there, secrets, strict=True)
    return found


def _legacy_rows(
    wanted: DesiredResource, found: LiveResource | None, kind: Kind, values: provisioning.Values
) -> Iterator[SecretRow]:
    """One row for each secret field that the manifest names or the object has a value in."""
    for name in sorted(kind.secret_fields):
        old = found.secrets.get(name) if found else None
        if name not in wanted.secrets and old is None:
            continue
        reference = wanted.secrets.get(name)
        standing, note = _legacy_standing(wanted, name, old, values.get((wanted.address, name)))
        policy = str(reference) if reference else "none" if name in wanted.secrets else ""
        state = SecretState(name, standing, note=note)
        yield SecretRow(wanted.address, found.id if found else None, Generation.LEGACY, state, policy)


def _legacy_standing(
    wanted: DesiredResource, name: str, old: Secret | None, new: Secret | None
) -> tuple[Standing, str]:
    if name not in wanted.secrets:
        return Standing.UNMANAGED, ""
    reference = wanted.secrets[name]
    if reference is None:
        return (Standing.DIFFERS, "it has a value where none is wanted") if old else (Standing.IN_STEP, "")
    if old is None:
        return Standing.MISSING, "the client has none"
    if new is None:
        note = "made by us or somebody else" if reference.is_generated else "not compared: its value is not at hand"
        return Standing.IN_STEP, note
    return (Standing.IN_STEP, "") if old.equals(new) else (Standing.DIFFERS, "it has another value")


def _current_rows(
    wanted: DesiredResource, found: LiveResource | None, live: Sequence[LiveSecret], now: datetime
) -> Iterator[SecretRow]:
    for state in states(wanted.named_secrets, live, now):
        policy = state.wanted.policy if state.wanted else ""
        yield SecretRow(wanted.address, found.id if found else None, Generation.CURRENT, state, policy)


# ------------------------------------------------------------------------------------------------------------ rotation


def turn(
    desired: DesiredState, remote: ReadRemote, target: pipeline.Target, address: str, name: str | None
) -> tuple[rotation.Subject, tuple[Step, ...]]:
    """Work out what is due for one secret: the rest of a rotation, or a new one. Reads only.

    Args:
        desired: the manifests of one environment.
        remote: the service.
        target: what it must be.
        address: of a manifest; its case does not count.
        name: of a secret that it lists; None: the only one.

    Raises:
        UsageError: there is no such manifest or secret; nothing was read.
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        ReconcilerError: a rotation is not possible; says why.
    """
    resource = _resource(desired, address)
    wanted = _secret(resource, name)
    marketplace = pipeline.check_marketplace(remote, target)
    live = reader.read(remote, KINDS.values(), marketplace)
    found = differ.match(desired, live, KINDS)[resource.address]
    if found is None:
        hint = "run apply first: it makes the client, and its secrets"
        raise ReconcilerError(f"{resource.address} is not there yet, so it has no secret to be rotated", hint=hint)
    _spare_ourselves(wanted, found, remote)
    kind = KINDS[resource.address.kind]
    (secrets,) = reader.read_secrets(remote, kind, [found.id])
    subject = rotation.Subject(resource.address, found.id, wanted, secrets, kind)
    return subject, rotation.due(subject, target.now)


def _resource(desired: DesiredState, address: str) -> DesiredResource:
    known = {str(one.address).casefold(): one for one in desired.resources}
    if address.casefold() not in known:
        names = [str(one.address) for one in desired.resources]
        whole = next((name for name in names if name.casefold().endswith(f"/{address.casefold()}")), "")
        hint = f"did you mean {whole}?" if whole else did_you_mean(address, names)
        raise UsageError(f"there is no manifest {address}", hint=hint)
    return known[address.casefold()]


def _secret(resource: DesiredResource, name: str | None) -> NamedSecret:
    listed = {one.name: one for one in resource.named_secrets or ()}
    if not listed:
        raise _nothing_listed(resource)
    if name is None and len(listed) == 1:
        return next(iter(listed.values()))
    there_are = f"there are: {', '.join(listed)}"
    if name is None:
        raise UsageError(f"{resource.address} has several secrets", hint=f"choose one with --secret; {there_are}")
    if name not in listed:
        raise UsageError(f"{resource.address} lists no secret {name}", hint=did_you_mean(name, listed) or there_are)
    return listed[name]


def _nothing_listed(resource: DesiredResource) -> ReconcilerError:
    hint = "list it in the manifest: secrets: [{name: primary, deliver: [{file: PATH}]}]"
    if any(resource.secrets.values()):
        field = next(iter(resource.secrets))
        hint = f"{field} is one value, so an old one cannot stay valid beside a new one; use a named secret: {hint}"
    return ReconcilerError(f"{resource.address} lists no secrets that could be rotated", hint=hint)


def _spare_ourselves(wanted: NamedSecret, found: LiveResource, remote: ReadRemote) -> None:
    """Without an overlap, our own next login would fail before anybody could hand the new secret to us."""
    if not wanted.overlap and found.id.casefold() == remote.client_id.casefold():
        message = "this run is logged in with this very client, and without an overlap its secret would end at once"
        raise ReconcilerError(message, hint="give the secret an overlap, or log in with another client")
