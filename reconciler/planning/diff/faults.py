"""Manifests x live objects -> the fields of a manifest that its service does not have, each with its place. Pure."""

from collections.abc import Iterator, Mapping, Sequence

from reconciler.kinds import KINDS, Kind
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.json import pointer
from reconciler.model.resource import DesiredResource, LiveResource, LiveState


def faults_of(resources: Sequence[DesiredResource], live: LiveState) -> list[Diagnostic]:
    """Find all of them."""
    shown = _shown_secret_fields(live)
    unknown = _unknown_fields(live)
    return [
        fault
        for resource in resources
        if not resource.policy.absent
        for fault in (
            *_foreign_fields(resource, unknown.get(resource.address.kind, frozenset())),
            *_foreign_secret_fields(resource, shown),
        )
    ]


def _unknown_fields(live: LiveState) -> Mapping[str, frozenset[str]]:
    """Kind -> the fields of a part of the API versions that this service does not have.

    A service tells by its answers, where they show every older field, with or without a value; others tell nothing.
    """
    bodies: dict[str, list[LiveResource]] = {}
    for one in live.resources:
        bodies.setdefault(one.kind, []).append(one)
    return {name: frozenset(_never_shown(KINDS[name], ones)) for name, ones in bodies.items()}


def _never_shown(kind: Kind, objects: Sequence[LiveResource]) -> Iterator[str]:
    newer = {one.name for one in kind.fields.values() if one.until or one.since not in {"", kind.since}}
    shown = {name for one in objects for name in one.body}
    shows_all = kind.fields.keys() - newer <= shown
    if shows_all and any(value is None for one in objects for value in one.body.values()):
        yield from newer - shown


def _foreign_fields(resource: DesiredResource, unknown: frozenset[str]) -> Iterator[Diagnostic]:
    """Fields that a manifest gives a value and this service does not have."""
    kind = KINDS[resource.address.kind]
    for name in sorted(unknown):
        if not kind.fields[name].equal(resource.spec.get(name), None):
            field, at = kind.fields[name], pointer("spec", name)
            until = f"it is not in the API after {field.until}" if field.until else f"it came with API {field.since}"
            yield Diagnostic(
                resource.places.get(at, resource.place),
                f"this service has no {name} of {kind.noun}s: {until}",
                rule="no-such-field",
                pointer=at,
                hint="leave it out for this environment",
            )


def _shown_secret_fields(live: LiveState) -> Mapping[str, frozenset[str]]:
    """Kind -> the secret fields that this service shows, which tells its generation; only kinds that have objects."""
    shown: dict[str, frozenset[str]] = {}
    for one in live.resources:
        shown[one.kind] = shown.get(one.kind, frozenset()) | one.secrets.keys()
    return shown


def _foreign_secret_fields(resource: DesiredResource, shown: Mapping[str, frozenset[str]]) -> list[Diagnostic]:
    """Secret fields that a manifest names and this service does not have: what has to be written instead."""
    if resource.address.kind not in shown or not KINDS[resource.address.kind].named_secrets:
        return []
    return [
        Diagnostic(
            resource.places.get(pointer("spec", name), resource.place),
            f"this service has no {name}: it is of the current generation, which keeps named secrets beside the client",
            rule="no-such-secret-field",
            pointer=pointer("spec", name),
            hint=f"remove {name} from the spec and declare a named secret: secrets: [{{name: primary, deliver: "
            "[{file: PATH}]}]; apply makes and delivers it, the secrets that the client has stay as they are "
            "(docs/secrets.md has the whole migration)",
        )
        for name in resource.secrets
        if name not in shown[resource.address.kind]
    ]
