"""Secrets that no answer has -> which of them are written, and how. Pure.

They are never compared with the service. One is written with the object that is created, with a body that is PUT, where
a field that goes with it changes, where the service has lost its URL (a staging restore clears it), where the value is
another one than was last written, and where the user asks for it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from reconciler.kinds import KINDS, Kind
from reconciler.kinds.fields import Field
from reconciler.kinds.secrecy import field_of, may_have, record_of
from reconciler.model.json import Body, pointer_parts
from reconciler.model.plan import Action, Change, Direction, FieldChange
from reconciler.model.resource import Address, DesiredResource, LiveResource
from reconciler.model.secret import Secret

Fields: TypeAlias = Collection[tuple[Address, str]]
"""Resources and their secret fields."""
UNKNOWN: Final = "unknown: no receipt"


@dataclass(frozen=True, slots=True)
class WriteOnly:
    """What is known of write-only secrets besides what the service shows, which is nothing."""

    fingerprints: Mapping[tuple[Address, str], str] = field(default_factory=dict)
    """Of the values that were last written, as the receipt of the last apply has them."""
    requested_secrets: frozenset[tuple[Address, str]] = frozenset()
    """Those that the user wants written."""

    def is_another(self, key: tuple[Address, str], value: Secret | None, plan_key: bytes | None) -> bool | None:
        """Whether a value is another one than was last written; None: nobody knows."""
        last = self.fingerprints.get(key)
        if not last or not plan_key or value is None:
            return None
        return value.fingerprint(plan_key, f"{key[0]} {key[1]}") != last


def named(resources: Iterable[DesiredResource]) -> frozenset[tuple[Address, str]]:
    """The secrets that no answer has and that a manifest names."""
    return frozenset(
        (one.address, name)
        for one in resources
        for name, reference in one.secrets.items()
        if reference and name in KINDS[one.address.kind].write_only_fields
    )


NOTHING_KNOWN: Final = WriteOnly()


def is_patch(kind: Kind, resource: DesiredResource, found: LiveResource, after: Body) -> bool:
    """Whether a PUT would erase a secret that stays, or set data back: the manifest does not say what they are."""
    if kind.initial_fields:
        return True
    hidden = [name for name in kind.write_only_fields if found.secrets.get(name) and record_of(name, after) is not None]
    return not resource.is_disarmed and any(name not in resource.secrets for name in hidden)


def goes_with(kind: Kind, name: str, fields: Iterable[FieldChange]) -> bool:
    """Whether a change is of what a secret is sent with: its header, the URL that it is sent to, or its record."""
    row = kind.secret_rows[name]
    beside = {row.together, row.sent_to} if field_of(name) == name else {field_of(name)}
    return any(pointer_parts(change.pointer)[0] in beside for change in fields)


def is_sent_elsewhere(row: Field, fields: Iterable[FieldChange]) -> bool:
    """Whether a change has another host get a secret that the old one got, at once or with the next URL.

    A URL that the service has lost has no host: what a manifest says is put back.
    """
    return any(
        row.sent_to and each.pointer == f"/{row.sent_to}" and each.before and each.direction is not Direction.NEUTRAL
        for each in fields
    )


def unknown(
    resources: Iterable[DesiredResource],
    changes: Iterable[Change],
    values: Mapping[tuple[Address, str], Secret],
    known: WriteOnly,
    plan_key: bytes | None,
) -> tuple[str, ...]:
    """Warn of the secrets of which nobody knows whether the service has them as the manifests say."""
    planned = {change.address: change for change in changes}
    names = [
        f"{resource.address}#{name}"
        for resource in resources
        for name, reference in resource.secrets.items()
        if reference and name in KINDS[resource.address.kind].write_only_fields
        if _is_left(planned.get(resource.address), name)
        if known.is_another((resource.address, name), values.get((resource.address, name)), plan_key) is None
    ]
    hint = "write one again with --write-secret ADDRESS#FIELD"
    return (f"write-only secrets were not compared ({UNKNOWN}): {', '.join(sorted(names))}; {hint}",) if names else ()


def _is_left(change: Change | None, name: str) -> bool:
    """Whether the object stays and this secret is not written."""
    stays = change is not None and change.action in {Action.UPDATE, Action.NO_OP} and change.before is not None
    return stays and change is not None and all(intent.field != name for intent in change.secrets)


def patched(changes: Iterable[Change]) -> Iterator[str]:
    """Say which objects are not replaced, and why."""
    for change in changes:
        rows, there = KINDS[change.address.kind].secret_rows, change.before or {}
        fields = [name for name in KINDS[change.address.kind].write_only_fields if may_have(name, rows[name], there)]
        if change.is_patch and change.action is Action.UPDATE and fields:
            names = ", ".join(sorted(fields))
            message = "is write-only and not in its manifest, so only the changed fields are sent (PATCH)"
            yield f"{change.address}: {names} {message}"
