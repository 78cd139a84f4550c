"""The change of the client that the run is logged in with: made last, and taken back if it ends the access.

1. Log in anew: the token that the run has from now on is good for a while, whatever becomes of the client.
2. Write.
3. Log in anew at once. If that fails, put the body of before back, with the token that there still is.
"""

from dataclasses import replace

from reconciler.applying import write as writing
from reconciler.applying.settle import Conflict
from reconciler.applying.task import Task
from reconciler.errors import ReconcilerError, RemoteError
from reconciler.kinds import login_key
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, Change
from reconciler.remote.protocol import ReadRemote


def is_own(change: Change, remote: ReadRemote) -> bool:
    """Whether the run is logged in with the object of this change."""
    return change.key == login_key(remote.client_id)


def write(task: Task) -> Outcome:
    """Write one change, prove that the login still works, or else take the change back. Never raises."""
    remote = task.writer.remote
    try:
        remote.prove_login()
    except RemoteError as error:
        message = f"not written: even before it the login did not work ({error.message})"
        return Outcome(task.change, Status.FAILED, message, task.change.id)
    outcome = writing.write(task)
    if not outcome.may_be_written or task.change.action is Action.DELETE:
        return outcome
    try:
        remote.prove_login()
    except RemoteError as error:
        return _taken_back(task, replace(outcome, status=Status.FAILED), error)
    return replace(outcome, message="; ".join(filter(None, [outcome.message, "a new login works"])))


def _taken_back(task: Task, outcome: Outcome, refusal: RemoteError) -> Outcome:
    trouble = f"after it the login did not work ({refusal.message})"
    try:
        task.restore()
    except Conflict as conflict:
        return replace(outcome, message=f"{trouble}, and it was not reverted: {conflict}")
    except ReconcilerError as error:
        return replace(outcome, message=f"{trouble}, and it could not be reverted: {error.message}", uncertain=True)
    restored = replace(outcome, uncertain=False, restored=True, fields=())
    try:
        task.writer.remote.prove_login()
    except RemoteError:
        return replace(restored, message=f"{trouble}; the previous body was restored, and it still does not work")
    return replace(restored, message=f"{trouble}; the previous body was restored, and it works again")
