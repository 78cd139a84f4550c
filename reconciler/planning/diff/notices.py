"""Changes x manifests x live objects -> what is live and no manifest names. Pure.

Apply leaves it as it is: assignments that a manifest only watches, which are drift, and fields that a manifest does not
own and whose live value is wider than the API's default, which are worth a notice.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace

from reconciler.kinds import KINDS, Field, Kind
from reconciler.model.json import Body, Json, pointer, pointer_parts, same
from reconciler.model.plan import Change, Direction, FieldChange, Notice
from reconciler.model.resource import Address, DesiredResource, DesiredState, FieldsPolicy, LiveState
from reconciler.planning.diff.assignments import can_be_deleted, watched_assignments
from reconciler.planning.diff.places import placed
from reconciler.planning.diff.references import with_ids


def notices(
    changes: Sequence[Change], desired: DesiredState, live: LiveState, whole: Sequence[Change]
) -> tuple[Notice, ...]:
    """All of it for the objects of these changes, sorted by address; at most one of each sort for an object.

    `whole` are the changes of all objects: references may be to any of them.
    """
    ids = {one.address: one.id for one in whole}
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
