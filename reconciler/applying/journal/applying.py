"""The course of an apply <-> events of its journal.

start    what run it is, for which environment, from which plan
plan     every change that is to be written, with the bodies of before and after, less secrets
intent   a write that is about to be sent
answer   what came of it
outcome  how a change ended; a later one for the same address counts
end      the run came to its own end
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

from reconciler.applying.journal.read import SUFFIX, Run, all_files, first, read, require_belief, run_files
from reconciler.applying.journal.recorded import APPLY, ROLLBACK, recorded
from reconciler.applying.journal.write import Journal
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.json import Json
from reconciler.model.outcome import ApplyResult, Ending, Outcome, Status, Write
from reconciler.model.plan import Action, Change, Plan

Facts: TypeAlias = dict[str, Json]
"""What one line says."""


def facts_of(plan: Plan, digest: str, *, follows_up: tuple[str, ...] = (), rolls_back: str | None = None) -> Facts:
    """What the first line says of a run that applies this plan; for the rest see `RecordedRun`."""
    binding = plan.binding
    return {
        "kind": ROLLBACK if rolls_back else APPLY,
        "environment": binding.environment,
        "base_url": binding.base_url,
        "marketplace": binding.marketplace,
        "plan_digest": digest,
        "manifest_digest": binding.manifest_digest,
        "git_commit": binding.git_commit,
        "git_dirty": binding.git_dirty,
        "follows_up": follows_up,
        "rolls_back": rolls_back,
    }


def newest(folder: Path, environment: str) -> str:
    """The id of the newest run that was to write to an environment; empty where there is none, or it cannot be read."""
    with suppress(ReconcilerError):
        run = last_run(run_files(folder), environment)
        return run.id if run else ""
    return ""


def last_run(files: Sequence[Path], environment: str) -> Run | None:
    """Find the newest run that was to write to an environment, in journals of which the oldest comes first.

    Raises:
        ReconcilerError: one that may be it cannot be read.
    """
    for path in reversed(files):
        run = read(path)
        if run.kind in {APPLY, ROLLBACK} and run.facts.get("environment") == environment:
            return run
    return None


def may_have_written(path: Path, environment: str | None = None) -> bool:
    """Whether a run may have changed an environment, or any, by a plan; one that cannot be read may have."""
    try:
        run = recorded(read(path))
    except ReconcilerError:
        return True
    is_meant = run is not None and environment in {None, run.environment}
    return is_meant and run is not None and any(change.may_be_written for change in run.changes)


def last_written(folder: Path, environment: str | None) -> Path:
    """The newest journal of a run that may have written to an environment, of any if none is given.

    One that cannot be read may be that run: it is given, for whoever opens it to refuse.

    Raises:
        UsageError: there is none.
        Disbelieved: there is none that is believed.
    """
    for path in reversed(run_files(folder)):
        if may_have_written(path, environment):
            return path
    require_belief(all_files(folder))
    where = f" to {environment}" if environment else ""
    raise UsageError(f"no run in {folder} has written{where}", hint="reconciler history lists the runs")


def applied(folder: Path, plan_digest: str) -> str:
    """The id of the run that was to apply this plan; empty where there is none."""
    started = ((path.name.removesuffix(SUFFIX), first(path)) for path in run_files(folder))
    return next((run for run, one in started if one and one.facts.get("plan_digest") == plan_digest), "")


class ApplyRecorder:
    """Writes the journal of an apply, begun with its first write: a run that writes nothing leaves none. Thread-safe.

    See `model.outcome.Recorder`.
    """

    def __init__(self, plan: Plan, facts: Callable[[], Facts], start: Callable[[Facts], Journal]) -> None:
        """Take what it is the record of.

        Args:
            plan: what is applied.
            facts: works out what the first line says, see `facts_of`.
            start: begins the journal, given these.
        """
        self._plan = plan
        self._facts = facts
        self._start = start
        self._lock = threading.Lock()
        self._ready: tuple[Facts, Facts] | None = None
        self._journal: Journal | None = None
        self._numbers = 0
        self._early: list[Outcome] = []
        self.fault: ReconcilerError | None = None
        """Why the journal is not whole."""

    @property
    def run_id(self) -> str:
        """What the run is called; empty: it has not begun."""
        return self._journal.run_id if self._journal else ""

    def begin(self) -> None:
        """Begin the journal, even if nothing should come to be written."""
        with suppress(ReconcilerError), self._faults():
            self._open()

    def make_ready(self) -> None:
        """Work out what the first two lines say, once."""
        with self._lock:
            self._first_lines()

    def _first_lines(self) -> tuple[Facts, Facts]:
        if self._ready is None:
            changes = [_change(change) for change in self._plan.changes if change.action.writes]
            self._ready = self._facts(), {"changes": changes, "unchanged": self._plan.summary.no_op}
        return self._ready

    def intend(self, write: Write) -> int:
        """Keep that this write is about to be sent; gives its number."""
        with self._lock:
            self._numbers += 1
            number = self._numbers
        self.note("intent", _intent(number, write))
        return number

    def settle(self, number: int, ending: Ending, message: str) -> None:
        """Keep what came of it. Nothing waits for the disk here: see `Journal.append`."""
        self._try("answer", {"number": number, "ending": ending.value, "message": message}, wait=False)

    def ended(self, outcome: Outcome) -> None:
        """Keep how a change ended. Nothing waits for the disk here either.

        Were the machine to lose its power now, the announcement of the write is there, and the next run looks. What
        ends before anything was to be written is kept if the journal ever begins.
        """
        with self._lock:
            if self._journal is None:
                self._early.append(outcome)
                return
        self._try("outcome", _outcome(outcome), wait=False)

    def note(self, event: str, facts: Mapping[str, Json]) -> None:
        """Keep a step of another sort."""
        with self._faults():
            self._open().append(event, facts)

    def end(self, result: ApplyResult) -> None:
        """Keep that the run came to its own end, and let go of the journal."""
        totals: dict[str, Json] = {status.value: result.count(status) for status in Status}
        self._try("end", {"interrupted": result.interrupted, **totals, "unchanged": result.unchanged})
        if self._journal:
            with suppress(ReconcilerError), self._faults():
                self._journal.close()

    def _open(self) -> Journal:
        with self._lock:
            if self._journal is None:
                facts, planned = self._first_lines()
                journal = self._start(facts)
                with journal.kept_or_removed():
                    journal.append("plan", planned)
                    for outcome in self._early:
                        journal.append("outcome", _outcome(outcome), wait=False)
                self._journal = journal
            return self._journal

    def _try(self, event: str, facts: Mapping[str, Json], *, wait: bool = True) -> None:
        if self._journal:
            with suppress(ReconcilerError), self._faults():
                self._journal.append(event, facts, wait=wait)

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Keep the first fault, and announce nothing after it: a run has one journal, and it is not whole."""
        if self.fault:
            raise self.fault
        try:
            yield
        except ReconcilerError as error:
            self.fault = error
            raise


def _change(change: Change) -> Json:
    return {
        "address": str(change.address),
        "action": change.action.value,
        "id": change.id,
        "before": change.before,
        "after": change.after,
        "secrets": [*(intent.field for intent in change.secrets), *(secret.name for secret in change.new_secrets)],
        "assignments": [asdict(step) for step in change.assignments],
    }


def _intent(number: int, write: Write) -> dict[str, Json]:
    return {
        "number": number,
        "address": str(write.change.address),
        "step": write.step.value,
        "method": write.method,
        "path": write.path,
        "assignment": asdict(write.assignment) if write.assignment else None,
    }


def _outcome(outcome: Outcome) -> dict[str, Json]:
    return {
        "address": str(outcome.change.address),
        "status": outcome.status.value,
        "id": outcome.id,
        "message": outcome.message,
        "uncertain": outcome.uncertain,
        "restored": outcome.restored,
        "fields": [field.pointer for field in outcome.fields],
        "body": outcome.body if outcome.change.action is Action.CREATE else None,
        "fingerprints": dict(outcome.fingerprints),
    }
