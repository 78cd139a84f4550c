"""The parties that a manifest assigns x those that are assigned -> who is to be assigned, and who no longer."""

from reconciler.model.json import Json, pointer
from reconciler.model.plan import AssignmentChange, Direction, FieldChange
from reconciler.model.resource import DesiredResource, LiveResource


def assignment_changes(
    resource: DesiredResource, found: LiveResource | None
) -> tuple[tuple[AssignmentChange, ...], tuple[FieldChange, ...]]:
    """What is to be done, and how it is shown: each party as a field whose members come and go."""
    steps: list[AssignmentChange] = []
    fields: list[FieldChange] = []
    for party, wanted in resource.assignments.items():
        held = found.assignments.get(party, ()) if found else ()
        added, removed = _missing(wanted, held), _missing(held, wanted)
        steps += [AssignmentChange(party, one, assign=True) for one in added]
        steps += [AssignmentChange(party, one, assign=False) for one in removed]
        if added or removed:
            # Whoever comes in was outside before, whoever else goes: such an exchange widens.
            direction = Direction.WIDENS if added else Direction.NARROWS
            before: Json = sorted(held)
            after: Json = sorted(wanted)
            at = pointer("assignments", party)
            fields.append(FieldChange(at, before, after, direction, added=added, removed=removed))
    return tuple(steps), tuple(fields)


def _missing(wanted: tuple[str, ...], held: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the first that are not among the second; OrderCloud compares ids without case."""
    present = {one.casefold() for one in held}
    return tuple(sorted(one for one in wanted if one.casefold() not in present))
