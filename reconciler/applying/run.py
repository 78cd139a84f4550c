"""Plan x remote -> outcomes. Computes nothing: what the plan shows is what is sent.

1. Each object is read again just before its write. If it differs from the plan, that change is a conflict and is not
   written (`task`).
2. Waves are written one after another, the changes of a wave concurrently; what depends on a failed change is
   skipped. Deletions come after all other changes, last wave first. Then everything that was written is read once
   more: each field that the service did not store as sent is reported (`verify`).
3. The login client is written last.

Each write is recorded before it is sent, and its result after it.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from typing import TypeAlias

from reconciler.applying import verify
from reconciler.applying.task import Conflict, Provide, Task, Writer
from reconciler.applying.write import NewObjects, write
from reconciler.errors import AnswerLost, ReconcilerError, RemoteError
from reconciler.kinds import login_key
from reconciler.model.dataclass import dataclass
from reconciler.model.outcome import ApplyResult, NoRecord, Outcome, Recorder, Status
from reconciler.model.plan import Action, Change, Creation, Plan, known_after
from reconciler.model.resource import Address, Values
from reconciler.remote import WriteRemote
from reconciler.remote.threads import Threads


def _write_login_client(task: Task) -> Outcome:
    """Write one change and verify that the login still works; otherwise restore the previous body. Never raises."""
    remote = task.writer.remote
    try:
        remote.prove_login()
    except RemoteError as error:
        message = f"not written: the login already failed before this change ({error.message})"
        return Outcome(task.change, Status.FAILED, message, task.change.id)
    outcome = write(task)
    if not outcome.may_be_written or task.change.action is Action.DELETE:
        return outcome
    try:
        remote.prove_login()
    except RemoteError as error:
        return _taken_back(task, replace(outcome, status=Status.FAILED), error)
    return replace(outcome, message="; ".join(filter(None, [outcome.message, "a new login works"])))


def _taken_back(task: Task, outcome: Outcome, refusal: RemoteError) -> Outcome:
    trouble = f"the login failed after this change ({refusal.message})"
    try:
        task.restore()
    except Conflict as conflict:
        return replace(
            outcome, message=f"{trouble}, and the change was not reverted: {conflict}", partly=task.has_written
        )
    except ReconcilerError as error:
        message = f"{trouble}, and the change could not be reverted: {error.message}"
        uncertain = outcome.uncertain or isinstance(error, AnswerLost)
        return replace(outcome, message=message, uncertain=uncertain, partly=task.has_written)
    restored = replace(outcome, uncertain=False, partly=False, restored=True, fields=())
    try:
        task.writer.remote.prove_login()
    except RemoteError:
        return replace(restored, message=f"{trouble}; the previous body was restored, but the login still fails")
    return replace(restored, message=f"{trouble}; the previous body was restored, and the login works again")


@dataclass(frozen=True, slots=True)
class Controls:
    """Settings and callbacks of a run."""

    concurrency: int = 8
    keep_going: bool = False
    """Continue with other changes after one has failed."""
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None
    """Called once per change as it ends, from one thread at a time."""
    should_stop: Callable[[], bool] = lambda: False
    """Called before each change; True starts no further change."""
    recorder: Recorder = field(default_factory=NoRecord)
    """Records each write before it is sent."""
    creation: Creation = "auto"
    conclude: Callable[[Outcome], Outcome] = lambda outcome: outcome
    """Completes each outcome before it is recorded. Called once per change, from one thread at a time."""


def apply(plan: Plan, remote: WriteRemote, secrets: Values, controls: Controls, provide: Provide) -> ApplyResult:
    """Write every change of the plan. Errors become outcomes; none is raised."""
    known = frozenset(change.key for change in plan.changes if change.key and change.before is not None)
    new_objects = NewObjects(remote, known)
    todo = [change for change in plan.changes if change.action.writes]
    mine, others = _split(todo, lambda change: change.key == login_key(remote.client_id))
    deletes, rest = _split(others, lambda change: change.action is Action.DELETE)
    with Threads(controls.concurrency) as pool:
        writer = Writer(remote, secrets, new_objects, controls.recorder, provide, controls.creation, pool)
        run = _Run(writer, controls)
        for wave in _waves(rest):
            run.carry_out(wave, write)
        for wave in reversed(_waves(deletes)):
            run.carry_out(wave, write)
        run.look_again(others, live=len(plan.changes))
        run.carry_out(mine, _write_login_client)
        run.look_again(mine, live=len(plan.changes))
    outcomes = tuple(run.outcomes[change.address] for change in todo)
    left_out = any(outcome.status is Status.SKIPPED for outcome in outcomes)
    return ApplyResult(outcomes, plan.summary.no_op, interrupted=left_out and controls.should_stop())


def _waves(changes: Sequence[Change]) -> list[list[Change]]:
    """The waves of changes that can be written concurrently, in order."""
    return [[one for one in changes if one.wave == wave] for wave in sorted({one.wave for one in changes})]


def _split(changes: Sequence[Change], question: Callable[[Change], bool]) -> tuple[list[Change], list[Change]]:
    """Split by a predicate: those for which it is true, and the others."""
    return [one for one in changes if question(one)], [one for one in changes if not question(one)]


_Process: TypeAlias = Callable[[Task], Outcome]


class _Run:
    """The outcomes so far, and the scheduling of further changes."""

    def __init__(self, writer: Writer, controls: Controls) -> None:
        self.outcomes: dict[Address, Outcome] = {}
        self._writer = writer
        self._controls = controls
        self._tasks: dict[Address, Task] = {}
        self._lock = threading.Lock()
        self._failed = False
        self._is_broken = False

    def carry_out(self, changes: Sequence[Change], process: _Process) -> None:
        """Return when every change has an outcome."""
        if changes:
            # More threads than concurrent requests: while one compares, another sends.
            with Threads(self._controls.concurrency + self._controls.concurrency // 4) as pool:
                futures = [pool.submit(self._one, change, process) for change in changes]
                with self._or_broken():
                    self._controls.recorder.make_ready()
                    for future in futures:
                        future.result()

    def _one(self, change: Change, process: _Process) -> None:
        if self._is_broken:
            return
        with self._or_broken():
            task = self._tasks[change.address] = Task(change, self._writer)
            ended = self._skipped(change) or process(task)
            with self._lock:
                outcome = self._controls.conclude(ended)
                self._failed |= outcome.status is not Status.APPLIED
                self._keep(outcome)
                self._controls.on_outcome(outcome)

    @contextmanager
    def _or_broken(self) -> Iterator[None]:
        """Start nothing after an internal or callback error, even if other writes are still running."""
        try:
            yield
        except BaseException:
            self._is_broken = True
            raise

    def _skipped(self, change: Change) -> Outcome | None:
        if self._controls.should_stop():
            return Outcome(change, Status.SKIPPED, "the run was interrupted before this change")
        if self._failed and not self._controls.keep_going:
            return Outcome(change, Status.SKIPPED, "an earlier change did not succeed")
        for address in change.depends_on:
            awaited = self.outcomes.get(address)
            if awaited and awaited.status is not Status.APPLIED:
                return Outcome(change, Status.SKIPPED, f"depends on {address}")
        return None

    def look_again(self, changes: Sequence[Change], *, live: int) -> None:
        """Verify everything that was written, and update the outcomes."""
        ended = [(self._tasks[change.address], self.outcomes[change.address]) for change in changes]
        written = [one for one in ended if one[1].status in {Status.APPLIED, Status.NOT_CONVERGED}]
        for outcome in verify.look_again(written, self._writer, live=live, at_a_time=self._controls.concurrency):
            if outcome != self.outcomes[outcome.change.address]:
                self._failed = True
                self._keep(outcome)

    def _keep(self, outcome: Outcome) -> None:
        if outcome.id:
            self._writer.made[known_after(outcome.change.address)] = outcome.id
        self.outcomes[outcome.change.address] = outcome
        self._controls.recorder.ended(outcome)
