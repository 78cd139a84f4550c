"""Changes -> those that undo the effects of OrderCloud's staging restore. Pure.

Every Sunday production is copied over staging, and some fields and objects are lost; the tables of the kinds list
them. The restore affects all objects at once. So a change undoes a restore only if no object of its kind has kept such
a value, and if there are several: a single removed reference is a manual change. After an interrupted apply, some
objects are already repaired: unchanged objects do not count as long as another kind has lost all its values.

Everything else is then a copy of production: changes of values that send data or users to production's hosts also undo
the restore, and so do changes of secrets, which have other values in production.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from reconciler.kinds import KINDS, Kind
from reconciler.kinds.fields import Restore
from reconciler.model.json import Absent, Body, Json
from reconciler.model.plan import Action, Change, FieldChange
from reconciler.model.resource import Address, DesiredResource, LiveResource

_SEVERAL: Final = 2
_ASSIGNMENTS: Final = "assignments"


def restored(changes: Sequence[Change]) -> frozenset[Address]:
    """The changes of a plan that only undo the restore."""
    kept = [one for one in changes if one.before and _has_kept(KINDS[one.address.kind], one.before)]
    kinds = {one.address.kind for one in kept}
    found = [one for one in changes if one.address.kind not in kinds and _undoes_restore(one)]
    if any(map(_is_cleared, found)):
        others = {one.address.kind for one in kept if one.action is not Action.NO_OP}
        found += [one for one in changes if one.address.kind in kinds - others and _undoes_restore(one)]
    if len(found) < _SEVERAL:
        return frozenset()
    return frozenset(
        [*(one.address for one in found), *(one.address for one in changes if _is_copied(one) or _is_unseen(one))]
    )


def may_be_restored(resource: DesiredResource, live: LiveResource) -> bool:
    """Whether an object may lack what the restore removes, based on its body."""
    kind = KINDS[resource.address.kind]
    lost = [one.name for one in kind.fields.values() if one.restore and _is_empty(live.body.get(one.name))]
    return kind.restore_unassigns or any(not _is_empty(resource.spec.get(name)) for name in lost)


def copied(changes: Sequence[Change]) -> Iterator[str]:
    """Warn of hosts that a restore may have copied from production."""
    for change in changes:
        for was, becomes in _other_hosts(change):
            yield (
                f"{change.address} uses host {was}, but its manifest has {becomes}: a staging restore may have copied "
                "the live value from another environment"
            )


def _has_kept(kind: Kind, live: Body) -> bool:
    """Whether it has a value that a restore would have cleared."""
    return any(not _is_empty(live.get(one.name)) for one in kind.cleared)


def _undoes_restore(change: Change) -> bool:
    kind = KINDS[change.address.kind]
    if change.action is Action.CREATE:
        return kind.restore_removes
    symptoms = [one for one in change.fields if _is_symptom(kind, one)]
    others = [one for one in change.fields if one not in symptoms]
    is_like_production = all(one.sensitive or _may_be_kept(kind, one) for one in others)
    return change.action is Action.UPDATE and bool(symptoms) and is_like_production


def _may_be_kept(kind: Kind, changed: FieldChange) -> bool:
    """Whether the restore clears it according to one document; according to the other, it has production's value."""
    known = kind.fields.get(changed.name)
    return bool(known and known.restore is Restore.MAY_CLEAR)


def _is_cleared(change: Change) -> bool:
    """Whether it sets a field that the restore clears according to both documents."""
    cleared = {f"/{one.name}" for one in KINDS[change.address.kind].cleared}
    return any(one.pointer in cleared for one in change.fields)


def _is_copied(change: Change) -> bool:
    """Whether it only changes values that point at hosts of another environment."""
    kind = KINDS[change.address.kind]
    return bool(_other_hosts(change)) and all(_is_copied_with_host(kind, one) for one in change.fields)


def _is_copied_with_host(kind: Kind, changed: FieldChange) -> bool:
    row = next((one for one in kind.table if one.name == changed.name), None)
    return bool(row and row.restore is Restore.COPIES) or changed.sensitive or _is_symptom(kind, changed)


def _is_unseen(change: Change) -> bool:
    """Whether it only writes write-only secrets."""
    unseen = KINDS[change.address.kind].write_only_fields
    is_update = change.action is Action.UPDATE
    return is_update and bool(change.fields) and all(one.pointer[1:] in unseen for one in change.fields)


def _other_hosts(change: Change) -> list[tuple[str, str]]:
    """The live hosts of a field, possibly production's, and the manifest's."""
    if change.action is not Action.UPDATE:
        return []
    names = {one.name for one in KINDS[change.address.kind].table if one.restore is Restore.COPIES}
    hosts = [one.hosts for one in change.fields if one.name in names]
    return [(_bare(was), _bare(becomes)) for was, becomes in hosts if was and becomes and was != becomes]


def _bare(host: str) -> str:
    """The host without the scheme and without credentials."""
    return host.partition("://")[2].rpartition("@")[2]


def _is_symptom(kind: Kind, changed: FieldChange) -> bool:
    """Whether the restore may have cleared it."""
    name = changed.name
    if name == _ASSIGNMENTS:
        return kind.restore_unassigns and not changed.removed
    known = kind.fields.get(name)
    return bool(known and known.restore) and _is_empty(changed.before) and not _is_empty(changed.after)


def _is_empty(value: Json | Absent) -> bool:
    return isinstance(value, Absent) or not value
