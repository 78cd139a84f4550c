"""The parties that a manifest assigns x those that are assigned -> who is to be assigned, and who no longer."""

from collections.abc import Iterator

from reconciler.model.json import Json, pointer
from reconciler.model.plan import AssignmentChange, Direction, FieldChange
from reconciler.model.resource import AssignmentsPolicy, DesiredResource, LiveResource


def assignment_changes(
    resource: DesiredResource, found: LiveResource | None
) -> tuple[tuple[AssignmentChange, ...], tuple[FieldChange, ...]]:
    """What is to be done, and how it is shown: each party as a field whose members come and go.

    What a manifest only watches is never taken away; see `watched_assignments`.
    """
    steps: list[AssignmentChange] = []
    fields: list[FieldChange] = []
    for party, wanted in resource.assignments.items():
        held = found.assignments.get(party, ()) if found else ()
        kept = _missing(held, wanted) if _is_watched(resource) else ()
        field = _difference(party, held, (*wanted, *kept))
        if field:
            fields.append(field)
            steps += [AssignmentChange(party, str(one), assign=True) for one in field.added]
            steps += [AssignmentChange(party, str(one), assign=False) for one in field.removed]
    return tuple(steps), tuple(fields)


def watched_assignments(resource: DesiredResource, found: LiveResource) -> Iterator[FieldChange]:
    """The parties with assignments that the manifest does not name and apply does not delete; each as drift sees it."""
    for party, wanted in resource.assignments.items() if _is_watched(resource) else ():
        field = _difference(party, found.assignments.get(party, ()), wanted)
        if field and field.removed:
            yield field


def _is_watched(resource: DesiredResource) -> bool:
    return resource.policy.assignments is AssignmentsPolicy.WATCH


def _difference(party: str, held: tuple[str, ...], wanted: tuple[str, ...]) -> FieldChange | None:
    added, removed = _missing(wanted, held), _missing(held, wanted)
    if not added and not removed:
        return None
    # Whoever is added was outside before, whoever else is removed: such an exchange widens.
    direction = Direction.WIDENS if added else Direction.NARROWS
    before: Json = sorted(held)
    after: Json = sorted(wanted)
    return FieldChange(pointer("assignments", party), before, after, direction, added=added, removed=removed)


def _missing(wanted: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the first that are not among the second; OrderCloud compares ids without case."""
    present = {one.casefold() for one in held}
    return tuple(sorted(one for one in wanted if one.casefold() not in present))
