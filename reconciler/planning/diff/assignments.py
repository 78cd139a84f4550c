"""The parties that a manifest assigns x those that are assigned -> who is to be assigned, and who no longer."""

from collections.abc import Iterator

from reconciler.kinds import Kind
from reconciler.model.json import Json, pointer
from reconciler.model.plan import AssignmentChange, Direction, FieldChange
from reconciler.model.resource import AssignmentsPolicy, DesiredResource, LiveResource


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
