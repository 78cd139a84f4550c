"""A journal -> whether its lines say what this version writes; anybody may have written it."""

from typing import Final

from reconciler.applying.journal.lines import Entry
from reconciler.applying.journal.read import Run
from reconciler.errors import ReconcilerError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import part_validator, read_schema
from reconciler.model.run import RecordedChange

SCHEMA: Final = "run.v2.schema.json"


def unusable(run: Run) -> ReconcilerError:
    """The error for a journal that says what this version does not write."""
    message = f"the journal {run.path} is not such as this version writes"
    return ReconcilerError(message, hint="history verify says whether it was altered")


def demand_shape(run: Run) -> None:
    """Refuse a journal with facts that are missing or of another type.

    Raises:
        ReconcilerError: it is one.
    """
    known = read_schema(SCHEMA)["$defs"]
    for entry in run.entries:
        name = _definition(entry)
        if name in known and part_validator(SCHEMA, name).faults({name: dict(entry.facts)}):
            raise unusable(run)


def _definition(entry: Entry) -> str:
    """The part of the schema for a line; the first one of a rotation has members of its own."""
    return "rotation" if entry.event == "start" and entry.facts.get("kind") == "rotation" else entry.event


def is_possible(change: RecordedChange) -> bool:
    """Whether there is its kind, with such bodies and assignments."""
    kind = KINDS.get(change.address.kind)
    if kind is None:
        return False
    steps = [*change.assignments, *(write.assignment for write in change.writes if write.assignment)]
    bodies = [{kind.id_field: "any"} | dict(body) for body in (change.before, change.after, change.left) if body]
    if steps and kind.assignments is None:
        return False
    return all(kind.assignments.has(step.party, step.id) for step in steps if kind.assignments) and not any(
        kind.faults(body) for body in bodies
    )
