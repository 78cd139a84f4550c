"""Two bodies of one kind -> the fields in which they differ. The home of deepdiff.

Equal bodies cost a comparison; DeepDiff is imported and asked only for objects (``xp``) that do differ.
"""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from reconciler.kinds import Field, Kind
from reconciler.model.json import (
    ABSENT,
    Absent,
    Body,
    Json,
    canonical_text,
    is_array,
    pointer,
    same,
    with_whole_numbers,
)
from reconciler.model.plan import Direction, FieldChange

Part: TypeAlias = tuple[tuple[str, ...], Json | Absent, Json | Absent]
"""Path, before, after."""


def changed_fields(kind: Kind, before: Body, after: Body) -> tuple[FieldChange, ...]:
    """The fields whose canonical values differ, in the kind's order; an object field once per differing member."""
    return tuple(change for field in kind.fields.values() for change in _field_changes(field, before, after))


def created_fields(kind: Kind, after: Body) -> tuple[FieldChange, ...]:
    """All fields of a body that is new."""
    return tuple(
        FieldChange(
            pointer(name),
            ABSENT,
            after[name],
            direction=field.judge(field.canonical_value(None), field.canonical_value(after[name])),
            added=_members(after[name]) if field.is_set else (),
        )
        for name, field in {**kind.fields, **kind.initial_fields}.items()
        if name in after
    )


def _field_changes(field: Field, before: Body, after: Body) -> Iterator[FieldChange]:
    old, new = field.canonical_value(before.get(field.name)), field.canonical_value(after.get(field.name))
    if same(old, new):
        return
    direction = field.judge(old, new)
    if field.is_set:
        added = tuple(member for member in _members(new) if member not in _members(old))
        removed = tuple(member for member in _members(old) if member not in _members(new))
        yield FieldChange(pointer(field.name), old, new, direction, added=added, removed=removed)
    elif isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _leaves(field, before, after, direction)
    else:
        yield FieldChange(pointer(field.name), _shown(field, before), _shown(field, after), direction)


def _leaves(field: Field, before: Body, after: Body, direction: Direction) -> Iterator[FieldChange]:
    """The members that differ, as each side writes them; what is only another notation is no difference."""
    old, new = _shown(field, before), _shown(field, after)
    known, members = (field.canonical(old), field.canonical(new)), field.members
    for path, was, becomes in explain(old, new) if isinstance(old, Mapping) and isinstance(new, Mapping) else ():
        if not same(*(_at(side, path) for side in known)):
            member = members.get(path[0])
            way = member.judge(*(_member(side, member) for side in known)) if member else direction
            yield FieldChange(pointer(field.name, *path), was, becomes, way)


def _member(record: Json, member: Field) -> Json:
    return member.canonical_value(record.get(member.name) if isinstance(record, Mapping) else None)


def _shown(field: Field, body: Body) -> Json:
    """The value as its side writes it (an id keeps its case); where it is missing, what the API assumes."""
    value = body.get(field.name)
    return field.default if value is None else value


def _members(value: Json) -> tuple[Json, ...]:
    return tuple(value) if is_array(value) else ()


def explain(before: Mapping[str, Json], after: Mapping[str, Json]) -> list[Part]:
    """The smallest paths at which two objects differ, sorted. An array counts as one value.

    Putting each `after` at its path turns `before` into `after`: nothing that differs is left out.
    """
    from deepdiff import DeepDiff  # noqa: PLC0415  # 0.1 s to import, and most runs find no difference

    found = DeepDiff(
        _comparable(before),
        _comparable(after),
        view="tree",
        threshold_to_diff_deeper=0,  # else two quite different objects count as one change of the root
        ignore_private_variables=False,  # else keys that begin with "__" are never looked at
    )
    paths = {tuple(level.path(output_format="list")) for levels in found.values() for level in levels}
    return [(path, _at(before, path), _at(after, path)) for path in sorted(paths)]


def _comparable(value: Json) -> object:
    """Objects, and the canonical text of anything else: deepdiff takes ``true`` in a list for ``1``."""
    if isinstance(value, Mapping):
        return {key: _comparable(child) for key, child in value.items()}
    return canonical_text(with_whole_numbers(value))


def _at(value: Json | Absent, path: tuple[str, ...]) -> Json | Absent:
    for part in path:
        value = value.get(part, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value
