"""Two bodies of one kind -> the fields that differ, and fields that the service does not have.

The only module that uses DeepDiff, which is imported and called only for objects (``xp``) that differ.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from reconciler.kinds import KINDS, Field, Kind
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.json import (
    ABSENT,
    Absent,
    Body,
    Json,
    canonical_text,
    get_at,
    is_array,
    pointer,
    same,
    with_whole_numbers,
)
from reconciler.model.plan import Direction, FieldChange
from reconciler.model.resource import DesiredResource, LiveResource, LiveState

Part: TypeAlias = tuple[tuple[str, ...], Json | Absent, Json | Absent]
"""Path, before, after."""


def changed_fields(kind: Kind, before: Body, after: Body) -> tuple[FieldChange, ...]:
    """The fields whose canonical values differ, in the kind's order; an object field once per differing member."""
    return tuple(change for field in kind.fields.values() for change in _field_changes(field, before, after))


def created_fields(kind: Kind, after: Body) -> tuple[FieldChange, ...]:
    """All fields of a new body."""
    return tuple(
        FieldChange(
            f"/{name}",
            ABSENT,
            after[name],
            direction=field.direction_of(field.canonical_value(None), field.canonical_value(after[name])),
            added=_members(after[name]) if field.is_set else (),
        )
        for name, field in {**kind.fields, **kind.initial_fields}.items()
        if name in after
    )


def _field_changes(field: Field, before: Body, after: Body) -> Iterator[FieldChange]:
    old, new = field.canonical_value(before.get(field.name)), field.canonical_value(after.get(field.name))
    if same(old, new):
        return
    direction = field.direction_of(old, new)
    if field.is_set:
        added = tuple(member for member in _members(new) if member not in _members(old))
        removed = tuple(member for member in _members(old) if member not in _members(new))
        yield FieldChange(f"/{field.name}", old, new, direction, added=added, removed=removed)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _leaves(field, before, after, direction)
    else:
        yield FieldChange(f"/{field.name}", _whole(field, before), _whole(field, after), direction)


def _leaves(field: Field, before: Body, after: Body, direction: Direction) -> Iterator[FieldChange]:
    """The members that differ, in the notation of each side; another notation of a value is not a difference."""
    old, new = _shown(field, before), _shown(field, after)
    known, members = (field.canonical(old), field.canonical(new)), field.members
    for path, was, becomes in explain(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else ():
        if not same(*(get_at(side, path) for side in known)):
            member = members.get(path[0])
            change_direction = member.direction_of(*(_member(side, member) for side in known)) if member else direction
            yield FieldChange(pointer(field.name, *path), was, becomes, change_direction)


def _member(record: Json, member: Field) -> Json:
    return member.canonical_value(record.get(member.name) if isinstance(record, Mapping) else None)


def _shown(field: Field, body: Body) -> Json:
    """The value in the notation of its side (an id keeps its case), or the API's default if it is missing."""
    value = body.get(field.name)
    return field.default if value is None else value


def _whole(field: Field, body: Body) -> Json:
    """The same for a record that is added or removed as a whole, without null members."""
    value = _shown(field, body)
    if not field.members or not isinstance(value, Mapping):
        return value
    return {name: one for name, one in value.items() if one is not None}


def _members(value: Json) -> tuple[Json, ...]:
    return tuple(value) if is_array(value) else ()


def explain(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Part]:
    """The smallest paths at which two objects differ, sorted. An array counts as one value.

    Putting each `after` at its path turns `before` into `after`: no difference is left out.
    """
    from deepdiff import DeepDiff  # noqa: PLC0415  # 0.1 s to import, and most runs find no difference

    found = DeepDiff(
        _comparable(before),
        _comparable(after),
        view="tree",
        threshold_to_diff_deeper=0,  # else two quite different objects count as one change of the root
        ignore_private_variables=False,  # else keys that start with "__" are ignored
    )
    paths = {tuple(level.path(output_format="list")) for levels in found.values() for level in levels}
    return [(path, get_at(before, path), get_at(after, path)) for path in sorted(paths)]


def _comparable(value: Json) -> object:
    """Objects, and the canonical text of anything else: DeepDiff treats ``true`` in a list as ``1``."""
    if isinstance(value, Mapping):
        return {key: _comparable(child) for key, child in value.items()}
    return canonical_text(with_whole_numbers(value))


def faults_of(resources: Sequence[DesiredResource], live: LiveState) -> list[Diagnostic]:
    """The fields and secret fields of manifests that this service does not have."""
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

    The responses of a service reveal this if they contain every older field, with or without a value.
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
    """Fields that a manifest sets but this service does not have."""
    kind = KINDS[resource.address.kind]
    for name in sorted(unknown):
        if not kind.fields[name].equal(resource.spec.get(name), None):
            field, at = kind.fields[name], pointer("spec", name)
            version = f"{field.until} or earlier" if field.until else f"{field.since} or later"
            yield Diagnostic(
                resource.places.get(at, resource.place),
                f"{name} of {kind.noun}s requires API {version}",
                rule="no-such-field",
                pointer=at,
                hint="remove it for this environment",
            )


def _shown_secret_fields(live: LiveState) -> Mapping[str, frozenset[str]]:
    """Kind -> the secret fields that this service shows, which reveals its generation; only kinds with objects."""
    shown: dict[str, frozenset[str]] = {}
    for one in live.resources:
        shown[one.kind] = shown.get(one.kind, frozenset()) | one.secrets.keys()
    return shown


def _foreign_secret_fields(resource: DesiredResource, shown: Mapping[str, frozenset[str]]) -> list[Diagnostic]:
    """Secret fields that a manifest names but this service does not have, with the replacement."""
    if resource.address.kind not in shown or not KINDS[resource.address.kind].named_secrets:
        return []
    return [
        Diagnostic(
            resource.places.get(pointer("spec", name), resource.place),
            f"{name} is not supported: the current API generation stores named secrets separately",
            rule="no-such-secret-field",
            pointer=pointer("spec", name),
            hint=f"remove {name} from the spec and declare a named secret: secrets: [{{name: primary, deliver: "
            "[{file: PATH}]}]; apply creates and delivers it, and existing secrets of the client stay unchanged "
            "(migration: docs/secrets.md)",
        )
        for name in resource.secrets
        if name not in shown[resource.address.kind]
    ]
