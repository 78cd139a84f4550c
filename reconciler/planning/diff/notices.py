"""Changes x manifests x live objects -> assignments to change, and what is live and no manifest names. Pure.

What no manifest names stays as it is: assignments that a manifest only watches, which are drift, and fields that a
manifest does not own and whose live value is wider than the API's default, which are worth a notice.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from reconciler.kinds import KINDS, Field, Kind
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, Json, pointer, pointer_parts, same
from reconciler.model.plan import AssignmentChange, Change, Direction, FieldChange, Notice
from reconciler.model.resource import (
    Address,
    AssignmentsPolicy,
    DesiredResource,
    DesiredState,
    FieldsPolicy,
    LiveResource,
    LiveState,
)
from reconciler.planning.diff.identity import known_ids, with_ids


def placed(fields: Iterable[FieldChange], resource: DesiredResource, kind: Kind) -> tuple[FieldChange, ...]:
    """Give each field its place, as far as the manifest names it."""
    return tuple(replace(field, place=_place(field.pointer, resource, kind)) for field in fields)


def _place(at: str, resource: DesiredResource, kind: Kind) -> Place | None:
    """The place of the value, or of the nearest one that it is a part of; a field that is left out has none."""
    parts = pointer_parts(at)
    if parts[0] in kind.fields or parts[0] in kind.secret_fields:
        at = f"/spec{at}"
    found = resource.places.get(at)
    while found is None and len(parts) > 1:
        parts, at = parts[:-1], at.rpartition("/")[0]
        found = resource.places.get(at)
    return found


def assignment_changes(
    kind: Kind, resource: DesiredResource, found: LiveResource | None
) -> tuple[tuple[AssignmentChange, ...], tuple[FieldChange, ...]]:
    """What is to be done, and how it is shown: each level as a field whose members come and go.

    What a manifest only watches is never taken away, nor is what the API cannot delete; see `watched_assignments`.
    """
    steps: list[AssignmentChange] = []
    fields: list[FieldChange] = []
    for party, wanted in resource.assignments.items():
        held = found.assignments.get(party, ()) if found else ()
        kept = _missing(held, wanted) if _is_kept(kind, resource, party) else ()
        field = _difference(kind, party, held, (*wanted, *kept))
        if field:
            fields.append(field)
            steps += [AssignmentChange(party, str(one), assign=True) for one in field.added]
            steps += [AssignmentChange(party, str(one), assign=False) for one in field.removed]
    return tuple(steps), tuple(fields)


def watched_assignments(kind: Kind, resource: DesiredResource, found: LiveResource) -> Iterator[FieldChange]:
    """The levels with assignments that the manifest does not name and apply does not delete; each as drift sees it."""
    for party, wanted in resource.assignments.items():
        field = _difference(kind, party, found.assignments.get(party, ()), wanted)
        if field and field.removed and _is_kept(kind, resource, party):
            yield field


def can_be_deleted(kind: Kind, party: str) -> bool:
    """Whether the API deletes rows of a level at all."""
    return kind.assignments is not None and bool(kind.assignments.level(party).deletion)


def _is_kept(kind: Kind, resource: DesiredResource, party: str) -> bool:
    return resource.policy.assignments is AssignmentsPolicy.WATCH or not can_be_deleted(kind, party)


def _difference(kind: Kind, party: str, held: tuple[str, ...], wanted: tuple[str, ...]) -> FieldChange | None:
    added, removed = _missing(wanted, held), _missing(held, wanted)
    if not added and not removed:
        return None
    # Whoever is added was outside before, whoever else is removed: such an exchange widens.
    direction = Direction.WIDENS if added else Direction.NARROWS
    if kind.assignments is None or not kind.assignments.grants:
        direction = Direction.NEUTRAL
    before: Json = sorted(held)
    after: Json = sorted(wanted)
    return FieldChange(pointer("assignments", party), before, after, direction, added=added, removed=removed)


def _missing(wanted: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the first that are not among the second; OrderCloud compares ids without case."""
    present = {one.casefold() for one in held}
    return tuple(sorted(one for one in wanted if one.casefold() not in present))


def notices(
    changes: Sequence[Change], desired: DesiredState, live: LiveState, whole: Sequence[Change]
) -> tuple[Notice, ...]:
    """All of it for the objects of these changes, sorted by address; at most one of each sort for an object.

    `whole` are the changes of all objects: references may be to any of them.
    """
    ids = known_ids({one.address: one.id for one in whole})
    resources = {
        one.address: replace(one, assignments=with_ids(one.assignments, ids))
        for one in desired.resources
        if not one.policy.absent
    }
    objects = {one.key: one for one in live.resources}
    found: list[Notice] = []
    for change in sorted(changes, key=lambda one: one.address):
        resource, there = resources.get(change.address), objects.get(change.key) if change.key else None
        if resource and there:
            kind = KINDS[change.address.kind]
            if watched := placed(watched_assignments(kind, resource, there), resource, kind):
                found.append(Notice(change.address, watched, _kept(kind, change.address, watched), is_watched=True))
            if unowned := tuple(_unowned(kind, resource, there.body)):
                found.append(Notice(change.address, unowned, _unseen(change.address, unowned)))
    return tuple(found)


def _unowned(kind: Kind, resource: DesiredResource, live: Body) -> Iterator[FieldChange]:
    """Fields that the manifest does not own and that are wider than the API's default."""
    if resource.policy.fields is FieldsPolicy.EXCLUSIVE:
        return
    ignored = {path[0] for text in resource.policy.ignore if len(path := pointer_parts(text)) == 1}
    for name, field in kind.fields.items():
        if name not in resource.spec and name not in kind.required and name not in ignored:
            value = live.get(name)
            if value is not None and not same(value, field.default) and _widens(field, value):
                # Taking it back narrows.
                yield FieldChange(pointer(name), value, field.default, Direction.NARROWS)


def _widens(field: Field, value: Json) -> bool:
    return field.judge(field.canonical_value(None), field.canonical_value(value)) is Direction.WIDENS


def _kept(kind: Kind, address: Address, fields: Sequence[FieldChange]) -> str:
    rows = "; ".join(
        f"{_name(field)}: {', '.join(map(str, field.removed))}"
        + ("" if can_be_deleted(kind, _name(field)) else ", which the API cannot delete")
        for field in fields
    )
    return f"{address} has assignments that its manifest does not name, and apply keeps them ({rows})"


def _unseen(address: Address, fields: Sequence[FieldChange]) -> str:
    lines = ", ".join(f"{_name(field)}: {_written(field.before)}" for field in fields)
    return (
        f"{address}: wider than the API's default and not in the manifest, so not watched; to watch it, "
        f"add to spec: {lines}"
    )


def _name(field: FieldChange) -> str:
    return pointer_parts(field.pointer)[-1]


def _written(value: object) -> str:
    """As YAML: JSON is, and a manifest doubles the dollar sign of a literal ``${``."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${")
