"""Manifests and a service -> both sides of a comparison. All that a plan is made from is read here, and read once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.errors import InputError, NoSuchKind, ReconcilerError
from reconciler.kinds import KINDS, Kind
from reconciler.live import read as reader
from reconciler.live.identify import check_marketplace
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.named_secret import LiveSecret
from reconciler.model.resource import Address, DesiredState, LiveState
from reconciler.planning import selection
from reconciler.planning.diff import match
from reconciler.planning.target import Target
from reconciler.remote.protocol import ReadRemote
from reconciler.secrets.values import Known, Resolve, look_up


@dataclass(frozen=True, slots=True)
class Sides:
    """What is wanted, and what is there."""

    desired: DesiredState
    """The manifests, with the secrets that are selected."""
    live: LiveState
    secrets: Known = field(default_factory=Known)
    """What the references of the manifests stand for."""
    named: Mapping[Address, tuple[LiveSecret, ...]] = field(default_factory=dict)
    """The named secrets of every object that is there and whose manifest lists secrets."""
    login: str = ""
    """The id of the client that the run is logged in with; empty: nobody is."""


def read(desired: DesiredState, remote: ReadRemote, target: Target, resolve: Resolve) -> Sides:
    """Read the kinds in use, and the secrets of what is selected.

    Raises:
        WrongMarketplace: the service is not the one that the configuration names; nothing else was read.
        RemoteError: a read failed.
        InputError: the service lacks the kind of a manifest, or a manifest cannot be matched with one live object.
        SecretMissing: a secret cannot be read here, and the target demands it.
    """
    kinds = target.in_use(desired)
    considered = selection.without_other_secrets(desired, target.selection)
    marketplace = check_marketplace(remote, target.environment, target.marketplace, kinds)
    secrets = look_up(considered, resolve)
    if target.demands_secrets:
        secrets.require()
    assigned = {resource.address.kind for resource in desired.resources if resource.assignments}
    named = {resource.address.kind for resource in desired.resources if not resource.policy.absent}
    live = _located(desired, target, lambda: reader.read(remote, kinds, marketplace, assigned, expected=named))
    return Sides(considered, live, secrets, _named_secrets(considered, live, remote), remote.client_id)


def _located(desired: DesiredState, target: Target, read: Callable[[], LiveState]) -> LiveState:
    """Read, and name the manifests of a kind that the service does not have, or the entries of ``manage``."""
    try:
        return read()
    except NoSuchKind as error:
        places = {
            one.address.kind: one.places.get("/kind", one.place)
            for one in reversed(desired.resources)
            if one.address.kind in error.kinds
        }
        if not places and target.manages.issuperset(error.kinds):
            missing = "; ".join(_no_such(KINDS[kind]) for kind in error.kinds)
            hint = f"take {', '.join(error.kinds)} out of manage: in reconciler.yaml, or check the API version"
            raise ReconcilerError(missing, hint=hint) from error
        if not places:
            raise
        hint = "leave its manifests out of this environment, or check the API version of the service"
        faults = [
            Diagnostic(place, _no_such(KINDS[kind]), "no-such-kind", "/kind", hint)
            for kind, place in sorted(places.items())
        ]
        raise InputError(faults) from error


def _no_such(kind: Kind) -> str:
    return f"this service has no {kind.noun}s (GET /v1{kind.path} answered 404)"


def _named_secrets(desired: DesiredState, live: LiveState, remote: ReadRemote) -> dict[Address, tuple[LiveSecret, ...]]:
    listed = [one.address for one in desired.resources if one.named_secrets is not None]
    matches = match(desired, live) if listed else {}
    there = {address: found.key for address in listed if (found := matches[address])}
    secrets = reader.read_secrets(remote, list(there.values()))
    return {address: secrets[key] for address, key in there.items()}
