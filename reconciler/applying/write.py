"""One change -> its outcome, whatever happens on the way."""

from reconciler.applying.assign import assign, provide
from reconciler.applying.create import create
from reconciler.applying.settle import Conflict
from reconciler.applying.task import Task
from reconciler.errors import AnswerLost, ReconcilerError
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action


def write(task: Task) -> Outcome:
    """Write one change and say how it ended. Never raises: what went wrong is in the outcome."""
    change = task.change
    try:
        return provide(task, assign(task, _body(task)))
    except Conflict as conflict:
        return Outcome(change, Status.CONFLICT, str(conflict), change.id, uncertain=conflict.after_a_write)
    except ReconcilerError as error:
        hint = f"; {error.hint}" if error.hint else ""
        uncertain = isinstance(error, AnswerLost)
        return Outcome(change, Status.FAILED, f"{error.message}{hint}", change.id, uncertain=uncertain)
    except Exception as error:  # noqa: BLE001  # a fault of ours in one change must not lose the record of the rest
        message = f"internal error ({type(error).__name__}); please report it"
        return Outcome(change, Status.FAILED, message, change.id, uncertain=True)


def _body(task: Task) -> Outcome:
    if task.change.action is Action.CREATE:
        return create(task)
    return task.delete() if task.change.action is Action.DELETE else task.update()
