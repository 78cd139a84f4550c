"""A body that is written -> what belongs to it: the assigned parties, then the secrets that the object lacks."""

from contextlib import suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final

from reconciler.applying.settle import repeated
from reconciler.applying.task import ALREADY, Task
from reconciler.errors import NotFound, ReconcilerError, Rejected
from reconciler.model.outcome import Outcome, Status, Step, Write
from reconciler.model.plan import AssignmentChange

_WRITTEN: Final = frozenset({Status.APPLIED, Status.NOT_CONVERGED})


def assign(task: Task, outcome: Outcome) -> Outcome:
    """Assign and unassign parties, also where the service holds something else than the body that was sent.

    Each step may be repeated: a repeated assignment may answer 204 or 409, and deleting a missing one 204 or 404;
    either means done.
    """
    if outcome.status not in _WRITTEN or not outcome.id:
        return outcome
    for step in task.change.assignments:
        try:
            repeated(partial(_assign_one, task, step, outcome.id))
        except ReconcilerError as error:
            message = f"the body was written, but not all assignments: {error.message}"
            return replace(outcome, status=Status.FAILED, message=message, uncertain=task.has_sent)
    return _changed(outcome) if task.change.assignments else outcome


def _changed(outcome: Outcome) -> Outcome:
    """The same, but for a message that says that nothing had to be done."""
    return replace(outcome, message="") if outcome.message == ALREADY else outcome


def provide(task: Task, outcome: Outcome) -> Outcome:
    """Make and deliver the secrets that the object lacks, once all else is there."""
    if outcome.status is not Status.APPLIED or not outcome.id or not task.change.new_secrets:
        return outcome
    try:
        note = task.writer.provide(task.change, outcome.id)
    except ReconcilerError as error:
        hint = f"; {error.hint}" if error.hint else ""
        message = f"the body was written, but not all secrets were made: {error.message}{hint}"
        return replace(outcome, status=Status.FAILED, message=message, uncertain=True)
    return replace(outcome, message="; ".join(filter(None, [_changed(outcome).message, note])))


def _assign_one(task: Task, step: AssignmentChange, object_id: str, attempt: int) -> None:
    remote, assignments = task.writer.remote, task.kind.assignments
    if assignments is None:
        raise ValueError(f"{task.kind.name} has no assignments")
    level = assignments.level(step.party)
    if step.assign:
        body = level.body(object_id, step.id)
        intent = Write(task.change, Step.ASSIGNMENT, "POST", level.path, step)
        try:
            task.announced(intent, lambda: remote.post(level.path, body, attempt=attempt))
        except Rejected as error:
            if error.request.status != HTTPStatus.CONFLICT:
                raise
    else:
        path, query = level.deleted_by(object_id, step.id)
        intent = Write(task.change, Step.ASSIGNMENT, "DELETE", path, step)
        with suppress(NotFound):
            task.announced(intent, lambda: remote.delete(path, query=query, attempt=attempt))
