"""Changes -> those that put back what OrderCloud's restore of staging took away. Pure.

Every Sunday production is copied over staging, and some fields and objects are lost on the way; the tables of the kinds
say which. The restore takes them from all objects at once. So a change is its work only if no object of its kind has
kept such a value, and if there are several: one reference that somebody removed by hand is no restore.
"""

from collections.abc import Sequence
from typing import Final

from reconciler.kinds import KINDS, Kind
from reconciler.kinds.fields import Restore
from reconciler.model.json import Absent, Body, Json, pointer_parts
from reconciler.model.plan import Action, Change, FieldChange
from reconciler.model.resource import Address

_SEVERAL: Final = 2
_ASSIGNMENTS: Final = "assignments"


def restored(changes: Sequence[Change]) -> frozenset[Address]:
    """The changes of a plan that only put back what the restore took."""
    kept = {one.address.kind for one in changes if one.before and _has_kept(KINDS[one.address.kind], one.before)}
    found = [one.address for one in changes if one.address.kind not in kept and _puts_back(one)]
    return frozenset(found) if len(found) >= _SEVERAL else frozenset()


def _has_kept(kind: Kind, live: Body) -> bool:
    """Whether it has a value that no restore leaves."""
    return any(one.restore is Restore.CLEARS and not _is_empty(live.get(one.name)) for one in kind.fields.values())


def _puts_back(change: Change) -> bool:
    kind = KINDS[change.address.kind]
    if change.action is Action.CREATE:
        return kind.restore_removes
    return change.action is Action.UPDATE and all(_is_symptom(kind, one) for one in change.fields)


def _is_symptom(kind: Kind, changed: FieldChange) -> bool:
    """Whether the restore may have emptied it. A secret that no answer has goes along with what it belongs to."""
    name = pointer_parts(changed.pointer)[0]
    if name == _ASSIGNMENTS:
        return kind.restore_unassigns and not changed.removed
    known = kind.fields.get(name)
    is_emptied = bool(known and known.restore) and _is_empty(changed.before) and not _is_empty(changed.after)
    return is_emptied or name in kind.write_only_fields


def _is_empty(value: Json | Absent) -> bool:
    return isinstance(value, Absent) or not value
