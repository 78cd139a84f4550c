"""Changes x manifests x live objects -> assignments to change, notices and hints for the reader. Pure.

Unmanaged values are not changed: assignments that a manifest only watches, which are drift, and fields that a
manifest does not own and whose live value is wider than the API's default, which get a notice.
"""

import difflib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from reconciler.kinds import KINDS, Field, Kind, short
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, Json, canonical_text, pointer, pointer_parts
from reconciler.model.plan import Action, AssignmentChange, Change, Direction, FieldChange, Notice
from reconciler.model.resource import (
    Address,
    AssignmentsPolicy,
    DesiredResource,
    DesiredState,
    FieldsPolicy,
    LiveResource,
    LiveState,
    same_id,
)
from reconciler.planning.diff.identity import known_ids, with_ids

_MIN_SIMILARITY: Final = 0.6
_COMMON: Final = 64
"""The most objects that may share a feature: beyond that, the feature does not identify any."""
_COMPARED: Final = 8
"""The most names that are compared letter by letter."""
_LETTERS: Final = 100
"""Characters of a name that are compared, from its start."""


def likely_renames(changes: Sequence[Change]) -> Iterator[tuple[Change, Change]]:
    """Each creation with the unmanaged object that it most likely renames."""
    created = [change for change in changes if change.action is Action.CREATE]
    for name in dict.fromkeys(change.address.kind for change in created):
        kind = KINDS[name]
        unclaimed = [
            one for one in changes if one.address.kind == name and (one.action is Action.UNMANAGED or one.is_pruned)
        ]
        objects = _Objects(kind, unclaimed)
        for change in created:
            if change.address.kind == name and (found := objects.like(change)):
                yield change, found


class _Objects:
    """Objects of one kind by their names and values."""

    def __init__(self, kind: Kind, objects: Sequence[Change]) -> None:
        self._kind = kind
        self._objects = objects
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        self._by_value: dict[str, defaultdict[str, list[int]]] = {}
        for index, one in enumerate(objects):
            for part in _parts(self._name(one.before)):
                self._by_name[part].append(index)

    def like(self, created: Change) -> Change | None:
        """The object with the most similar name, otherwise one that equals the manifest in all other fields."""
        wanted = created.after or {}
        name = self._name(wanted)
        ratios = {index: self._ratio(name, index) for index in self._of_similar_name(name)}
        best = max(ratios, key=lambda index: (ratios[index], -index), default=None)
        if best is None or ratios[best] < _MIN_SIMILARITY:
            best = next(self._equal(wanted), None)
        return None if best is None else self._objects[best]

    def _of_similar_name(self, name: str) -> list[int]:
        found = sorted((self._by_name[part] for part in _parts(name) if part in self._by_name), key=len)
        rare = [one for one in found if len(one) <= _COMMON] or found[:1]
        shared = Counter(index for one in rare for index in one[:_COMMON])
        return [index for index, _ in shared.most_common(_COMPARED)]

    def _ratio(self, name: str, index: int) -> float:
        return difflib.SequenceMatcher(None, name, self._name(self._objects[index].before)).ratio()

    def _equal(self, wanted: Mapping[str, Json]) -> Iterator[int]:
        """Whether the objects are equal in enough fields to compare."""
        kind = self._kind
        named = [kind.fields[name] for name in wanted if name in kind.fields and name != kind.name_field]
        if len(named) < len(kind.required):
            return
        found = [self._with_value(field.name, wanted[field.name]) for field in named]
        for index in min(found, key=len)[:_COMMON]:
            held = self._objects[index].before or {}
            if all(field.equal(wanted[field.name], held.get(field.name)) for field in named):
                yield index

    def _with_value(self, name: str, value: Json) -> Sequence[int]:
        field = self._kind.fields[name]
        if name not in self._by_value:
            known = self._by_value[name] = defaultdict(list)
            for index, one in enumerate(self._objects):
                known[canonical_text(field.canonical_value((one.before or {}).get(name)))].append(index)
        return self._by_value[name].get(canonical_text(field.canonical_value(value)), ())

    def _name(self, body: Mapping[str, Json] | None) -> str:
        return str((body or {}).get(self._kind.name_field)).casefold()[:_LETTERS]


def _parts(name: str) -> set[str]:
    """All sequences of three letters, including the ends."""
    padded = f" {name} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}


def hints(changes: Sequence[Change], desired: DesiredState) -> tuple[str, ...]:
    """All warnings, each kind of warning in the order of the changes."""
    known = {resource.address: resource.id for resource in desired.resources if resource.id}
    second = {resource.address: resource.second_id for resource in desired.resources}
    others = [_other_id(one, known[one.address], second) for one in changes if _is_another(one, known)]
    renames = [_renaming(*pair, KINDS[pair[0].address.kind]) for pair in likely_renames(changes)]
    pointless = (warning for one in changes for warning in _pointless_assignments(one, KINDS[one.address.kind]))
    wanted = {resource.address: resource for resource in desired.resources}
    open_ones = [_without_secret(one) for one in changes if _is_open(one, wanted.get(one.address))]
    starts = (warning for one in changes for warning in _starting(one, KINDS[one.address.kind]))
    return (*others, *renames, *pointless, *open_ones, *starts)


def _starting(change: Change, kind: Kind) -> Iterator[str]:
    """Warn that a counter restarts when an object is created again."""
    for name in kind.initial_fields if change.action is Action.CREATE else ():
        yield (
            f"{change.address} is created with {name}: {_written((change.after or {}).get(name))}; if it existed "
            f"before, later numbers may be assigned twice: set {name} to the last number in use"
        )


def _is_open(change: Change, resource: DesiredResource | None) -> bool:
    """Whether an object that allows logins is created without a secret, unless its manifest states that."""
    kind = KINDS[change.address.kind]
    if change.action is not Action.CREATE or resource is None or kind.named_secrets is None:
        return False
    if (
        resource.named_secrets is not None
        or resource.secrets
        or (change.after or {}).get(kind.named_secrets.open_field)
    ):
        return False
    return bool(change.assignments) or any((change.after or {}).get(flag) for flag in kind.named_secrets.login_flags)


def _without_secret(change: Change) -> str:
    return (
        f"{change.address} is created without a secret, which widens access: anyone who knows its id can log in "
        "through it; declare one (secrets: [{name: primary, deliver: [{file: PATH}]}]), or write secrets: [] if it "
        "needs none"
    )


def _is_another(change: Change, known: Mapping[Address, str]) -> bool:
    """Whether a manifest matches another live object than its known id, which is not live."""
    expected = known.get(change.address)
    return bool(expected and change.before and change.id and not same_id(change.id, expected))


def _other_id(change: Change, known: str, second: Mapping[Address, str | None]) -> str:
    is_second = same_id(change.id, second.get(change.address))
    found_by = "metadata.id" if is_second else f"its {KINDS[change.address.kind].name_field}"
    return (
        f"{change.address}: its known id {known} is not live here; {found_by} matches {change.id}: to confirm, "
        f"write {short(change.address)}: {change.id} under ids: of the environment"
    )


def _renaming(created: Change, other: Change, kind: Kind) -> str:
    name = (other.before or {}).get(kind.name_field)
    return (
        f"{created.address} would be created; if this renames {name} (ID {other.id}), write "
        f"{short(created.address)}: {other.id} under ids: of the environment, or metadata.id: {other.id} in the "
        "manifest to rename it instead"
    )


def _pointless_assignments(change: Change, kind: Kind) -> Iterator[str]:
    """Warn of assignments without effect, because all such parties are allowed."""
    if not kind.assignments or not change.after:
        return
    for party in kind.assignments.levels:
        if any(step.party == party.name and step.assign for step in change.assignments) and change.after.get(
            party.everyone_field
        ):
            yield f"{change.address}: assigning {party.name} changes nothing while {party.everyone_field} is true"


def placed(fields: Iterable[FieldChange], resource: DesiredResource, kind: Kind) -> tuple[FieldChange, ...]:
    """The fields, with the places of those that the manifest names."""
    return tuple(replace(field, place=_place(field.pointer, resource, kind)) for field in fields)


def _place(at: str, resource: DesiredResource, kind: Kind) -> Place | None:
    """The place of the value or of its nearest parent; None for a field that is not named."""
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
    """The assignments to change, and how they are shown: each level as a field with added and removed members.

    Assignments that a manifest only watches, or that the API cannot delete, are kept; see `watched_assignments`.
    If the assignments of an object were not read, none of them changes.
    """
    steps: list[AssignmentChange] = []
    fields: list[FieldChange] = []
    for party, wanted in resource.assignments.items():
        held = found.assignments.get(party) if found else ()
        if held is None:
            continue
        kept = _missing(held, wanted) if _is_kept(kind, resource, party) else ()
        field = _difference(kind, party, held, (*wanted, *kept))
        if field:
            fields.append(field)
            steps += [AssignmentChange(party, str(one), assign=True) for one in field.added]
            steps += [AssignmentChange(party, str(one), assign=False) for one in field.removed]
    return tuple(steps), tuple(fields)


def watched_assignments(kind: Kind, resource: DesiredResource, found: LiveResource) -> Iterator[FieldChange]:
    """The levels with assignments that the manifest does not name and apply does not delete, as drift shows them."""
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
    # An added party had no access before, even if others are removed: such an exchange widens.
    direction = Direction.WIDENS if added else Direction.NARROWS
    if kind.assignments is None or not kind.assignments.grants:
        direction = Direction.NEUTRAL
    before: Json = sorted(held)
    after: Json = sorted(wanted)
    return FieldChange(pointer("assignments", party), before, after, direction, added=added, removed=removed)


def _missing(wanted: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
    """The members of the first that are not in the second; OrderCloud ignores the case of ids."""
    present = {one.casefold() for one in held}
    return tuple(sorted(one for one in wanted if one.casefold() not in present))


def notices(
    changes: Sequence[Change], desired: DesiredState, live: LiveState, whole: Sequence[Change]
) -> tuple[Notice, ...]:
    """All notices for the objects of these changes, in their order; at most one of each type per object.

    `whole` are the changes of all objects: references may be to any of them.
    """
    ids = known_ids({one.address: one.id for one in whole})
    resources = {
        one.address: replace(one, assignments=with_ids(one.assignments, ids)) if one.assignments else one
        for one in desired.resources
        if not one.policy.absent
    }
    objects = {one.key: one for one in live.resources}
    found: list[Notice] = []
    for change in changes:
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
    for field in kind.directed:
        at, value = f"/{field.name}", live.get(field.name)
        if field.name in resource.spec or field.required or at in resource.policy.ignore:
            continue
        if value not in (None, field.default) and _widens(field, value):
            # Reverting it narrows access.
            yield FieldChange(at, value, field.default, Direction.NARROWS)


def _widens(field: Field, value: Json) -> bool:
    return field.direction_of(field.canonical_value(None), field.canonical_value(value)) is Direction.WIDENS


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
    return field.path[-1]


def _written(value: object) -> str:
    """As YAML, of which JSON is a subset; a manifest doubles the dollar sign of a literal ``${``."""
    return json.dumps(value, ensure_ascii=False).replace("${", "$${")
