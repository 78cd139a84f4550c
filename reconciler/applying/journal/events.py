"""A run <-> the events of its journal, if they are in the format of this version.

start    the kind of run, its environment and its plan
plan     every planned change, with the bodies before and after, without secrets
intent   a write that is about to be sent
answer   its result
outcome  how a change ended; the last one for an address counts
end      the run has ended

Events of named secrets (`secret-...`) are written by `secrets.rotation` and `project.rotate`.
"""

import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any, Final, TypeAlias

from reconciler.applying.journal import APPLY, ROLLBACK, ROTATION, Run, all_files, read, require_trusted, run_files
from reconciler.applying.journal.write import Journal
from reconciler.errors import ReconcilerError, UsageError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import part_validator, read_schema
from reconciler.model.json import Json
from reconciler.model.named_secret import Ended, LiveSecret, RotationStep, StepKind, moment_of
from reconciler.model.outcome import (
    ApplyResult,
    Ending,
    Outcome,
    RecordedChange,
    RecordedRotation,
    RecordedRun,
    RecordedStep,
    RecordedTurn,
    RecordedWrite,
    Status,
    Write,
    WriteStep,
)
from reconciler.model.plan import Action, AssignmentChange, Binding, Change, Plan
from reconciler.model.resource import Address

SCHEMA: Final = "run.v2.schema.json"
_OF_MACHINE: Final = ("base_url", "marketplace", "host", "pid", "tool_version")
_SAME_NAMES: Final = (*_OF_MACHINE, "environment", "plan_digest", "git_commit", "user", "rolls_back")
"""Facts of the first line with the names of `RecordedRun`."""


def _unusable(run: Run) -> ReconcilerError:
    """Error for an unsupported journal format."""
    message = f"the journal {run.path} is not in the format of this version"
    return ReconcilerError(message, hint="check it with: reconciler history verify")


def _require_shape(run: Run) -> None:
    """Refuse a journal with facts that are missing or of the wrong type.

    Raises:
        ReconcilerError: facts are missing or of the wrong type.
    """
    known = read_schema(SCHEMA)["$defs"]
    for entry in run.entries:
        is_rotation = entry.event == "start" and entry.facts.get("kind") == ROTATION
        name = "rotation" if is_rotation else entry.event  # the first line of a rotation has other members
        if name in known and part_validator(SCHEMA, name).faults({name: dict(entry.facts)}):
            raise _unusable(run)


def _is_possible(change: RecordedChange) -> bool:
    """Whether this version accepts its kind, bodies and assignments."""
    kind = KINDS.get(change.address.kind)
    steps = [*change.assignments, *(write.assignment for write in change.writes if write.assignment)]
    if kind is None or (steps and kind.assignments is None):
        return False
    bodies = [{kind.id_field: "any"} | dict(body) for body in (change.before, change.after, change.left) if body]
    are_known = all(kind.assignments.has(step.party, step.id) for step in steps if kind.assignments)
    return are_known and not any(map(kind.faults, bodies))


def recorded(run: Run) -> RecordedRun | None:
    """Read an apply or rollback from its journal; None for a run of another kind.

    Raises:
        ReconcilerError: the journal is not in the format of this version.
    """
    if run.kind not in {APPLY, ROLLBACK}:
        return None
    _require_shape(run)
    try:
        found = _run(run)
    except (ValueError, OverflowError) as error:  # an invalid date
        raise _unusable(run) from error
    if not all(map(_is_possible, found.changes)):
        raise _unusable(run)
    return found


def _facts_of_events(run: Run, event: str) -> list[Mapping[str, Any]]:
    """Facts of events of one type."""
    return [entry.facts for entry in run.of(event)]


def _was_interrupted(run: Run) -> bool:
    return run.is_finished and bool(run.entries[-1].facts.get("interrupted"))


def _run(run: Run) -> RecordedRun:
    facts: Mapping[str, Any] = run.facts
    planned: Mapping[str, Any] = next(iter(_facts_of_events(run, "plan")), {"changes": (), "unchanged": 0})
    return RecordedRun(
        id=run.id,
        kind=run.kind,
        started_at=run.started_at,
        changes=_changes(run, planned["changes"]),
        unchanged=planned["unchanged"],
        is_finished=run.is_finished,
        interrupted=_was_interrupted(run),
        torn=run.torn,
        follows_up=tuple(facts["follows_up"]),
        **{name: facts[name] for name in _SAME_NAMES},
    )


def _changes(run: Run, planned: Sequence[Mapping[str, Any]]) -> tuple[RecordedChange, ...]:
    endings = {answer["number"]: Ending(answer["ending"]) for answer in _facts_of_events(run, "answer")}
    writes: dict[str, list[RecordedWrite]] = defaultdict(list)
    for intent in _facts_of_events(run, "intent"):
        writes[intent["address"]].append(_write(intent, endings.get(intent["number"])))
    outcomes = {outcome["address"]: outcome for outcome in _facts_of_events(run, "outcome")}
    made, begun, done = _created_secrets(run), _secret_steps(run, "begun"), _secret_steps(run, "done")
    return tuple(
        replace(
            _change(one, outcome),
            writes=tuple(writes[address]),
            made=made.get(address, ()),
            has_written_secrets=bool(done[address]) or StepKind.DELIVER in begun[address],
            has_open_secrets=len(begun[address]) > len(done[address])
            and not (outcome and not outcome.get("uncertain")),
        )
        for one in planned
        for address in [one["address"]]
        for outcome in [outcomes.get(address, {})]
    )


def _secret_steps(run: Run, ending: str) -> Mapping[str, list[StepKind]]:
    """Address -> the writing steps for named secrets that were begun, or done."""
    found: dict[str, list[StepKind]] = defaultdict(list)
    for facts in _facts_of_events(run, f"secret-step-{ending}"):
        step = RotationStep(StepKind(facts["step"]), "")
        found[facts["address"]] += [step.kind] * step.writes
    return found


def _write(intent: Mapping[str, Any], ending: Ending | None) -> RecordedWrite:
    assignment = AssignmentChange(**intent["assignment"]) if intent["assignment"] else None
    return RecordedWrite(
        intent["number"], WriteStep(intent["step"]), intent["method"], intent["path"], ending, assignment
    )


def _change(change: Mapping[str, Any], outcome: Mapping[str, Any]) -> RecordedChange:
    kind, _, name = change["address"].partition("/")
    return RecordedChange(
        Address(kind, name),
        Action(change["action"]),
        outcome.get("id") or change["id"],
        change["before"],
        change["after"],
        secrets=tuple(change["secrets"]),
        assignments=tuple(AssignmentChange(**step) for step in change["assignments"]),
        status=Status(outcome["status"]) if outcome else None,
        message=outcome.get("message", ""),
        uncertain=bool(outcome.get("uncertain")),
        restored=bool(outcome.get("restored")),
        left=outcome.get("body"),
        fingerprints=outcome.get("fingerprints", {}),
        not_held=tuple(outcome.get("fields", ())),
    )


def unfinished(runs: list[RecordedRun], target: Binding) -> list[RecordedRun]:
    """The runs against one marketplace that were interrupted and not yet examined."""
    seen = {name for run in runs for name in run.follows_up}
    here = (target.environment, target.base_url, target.marketplace)
    left = [run for run in runs if not run.is_finished and run.id not in seen]
    return [run for run in left if (run.environment, run.base_url, run.marketplace) == here]


def turn_facts(address: str, client_id: str, secret: str, steps: Sequence[RotationStep]) -> Json:
    """Facts for the first line about one secret to rotate."""
    due = [{"kind": step.kind.value, "text": step.text} for step in steps]
    return {"address": address, "client": client_id, "secret": secret, "steps": due}


def outcome_facts(address: str, secret: str, ended: Ended, message: str) -> Mapping[str, Json]:
    """The facts of the outcome of one rotation."""
    return {"address": address, "secret": secret, "status": ended.value, "message": message}


def recorded_rotation(run: Run) -> RecordedRotation | None:
    """Read a rotation from its journal; None for a run of another kind.

    Raises:
        ReconcilerError: the journal is not in the format of this version.
    """
    if run.kind != ROTATION:
        return None
    _require_shape(run)
    facts: Mapping[str, Any] = run.facts
    outcomes = {(one["address"], one["secret"]): one for one in _facts_of_events(run, "secret-outcome")}
    turns = tuple(_turn(run, turn, outcomes.get((turn["address"], turn["secret"]), {})) for turn in facts["turns"])
    known = {name: facts[name] for name in _OF_MACHINE}
    return RecordedRotation(turns=turns, interrupted=_was_interrupted(run), **known)


def _turn(run: Run, turn: Mapping[str, Any], outcome: Mapping[str, Any]) -> RecordedTurn:
    key = (turn["address"], turn["secret"])
    counts = Counter(one.event for one in run.entries if (one.facts.get("address"), one.facts.get("secret")) == key)
    begun, done = counts["secret-step-begun"], counts["secret-step-done"]
    steps = tuple(
        RecordedStep(step["kind"], step["text"], "done" if at < done else "begun" if at < begun else "left")
        for at, step in enumerate(turn["steps"])
    )
    ended = Ended(outcome["status"]) if outcome else None
    return RecordedTurn(turn["address"], turn["client"], turn["secret"], steps, ended, outcome.get("message", ""))


def _created_secrets(run: Run) -> Mapping[str, tuple[LiveSecret, ...]]:
    """Address -> the secrets that the run created, each as of its last recorded step."""
    found: dict[str, dict[str, LiveSecret]] = defaultdict(dict)
    for entry in run.entries:
        if entry.event not in {"secret-step-done", "secret-undelivered", "secret-postponed"}:
            continue
        facts: Mapping[str, Any] = entry.facts
        known, one = found[facts["address"]], facts["secret_id"]
        if not facts["name"]:
            known.pop(one, None)
        elif facts["step"] == StepKind.CREATE:
            until = moment_of(facts["until"]) if facts["until"] else None
            known[one] = LiveSecret(one, facts["name"], until)
        elif one in known:
            known[one] = replace(known[one], name=facts["name"])
    return {address: tuple(secrets.values()) for address, secrets in found.items()}


def may_have_written(path: Path, environment: str | None = None) -> bool:
    """Whether an apply or rollback may have written to an environment, or to any (unreadable: yes)."""
    try:
        run = recorded(read(path))
    except ReconcilerError:
        return True
    if run is None or environment not in {None, run.environment}:
        return False
    return any(change.may_be_written for change in run.changes)


def last_written(folder: Path, environment: str | None) -> Path:
    """The newest journal of a run that may have written to an environment, or to any if none is given.

    An unreadable journal may be of that run: it is returned, and refused when it is read.

    Raises:
        UsageError: no run wrote.
        Untrusted: no trusted run wrote, and a journal is not trusted.
    """
    for path in reversed(run_files(folder)):
        if may_have_written(path, environment):
            return path
    require_trusted(all_files(folder))
    where = f"to {environment}" if environment else "anything"
    raise UsageError(f"no run in {folder} wrote {where}", hint="list runs: reconciler history")


Facts: TypeAlias = dict[str, Json]
"""Facts of one line."""


def facts_of(plan: Plan, digest: str, *, follows_up: tuple[str, ...] = (), rolls_back: str | None = None) -> Facts:
    """Facts for the first line of a run that applies this plan; for the rest see `RecordedRun`."""
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


class ApplyRecorder:
    """Writes the journal of an apply, created at the first write: a run that writes nothing has none. Thread-safe.

    See `model.outcome.Recorder`.
    """

    def __init__(self, plan: Plan, facts: Callable[[], Facts], start: Callable[[Facts], Journal]) -> None:
        """Prepare to record a plan.

        Args:
            plan: the plan to apply.
            facts: returns the facts of the first line, see `facts_of`.
            start: creates the journal with these facts.
        """
        self._plan = plan
        self._facts = facts
        self._start = start
        self._lock = threading.Lock()
        self._ready: tuple[Facts, Facts] | None = None
        self._journal: Journal | None = None
        self._numbers = count(1)
        self._early: list[Outcome] = []
        self.fault: ReconcilerError | None = None
        """Why the journal is incomplete."""

    @property
    def run_id(self) -> str:
        """Run ID; empty before the first write."""
        return self._journal.run_id if self._journal else ""

    def begin(self) -> None:
        """Create the journal, even if nothing is written."""
        with suppress(ReconcilerError), self._faults():
            self._open()

    def make_ready(self) -> None:
        """Prepare the first two lines, once."""
        with self._lock:
            self._first_lines()

    def _first_lines(self) -> tuple[Facts, Facts]:
        if self._ready is None:
            changes = [_planned(change) for change in self._plan.changes if change.action.writes]
            self._ready = self._facts(), {"changes": changes, "unchanged": self._plan.summary.no_op}
        return self._ready

    def intend(self, write: Write) -> int:
        """Record an upcoming write; return its number."""
        number = next(self._numbers)
        self.note("intent", _intent(number, write))
        return number

    def settle(self, number: int, ending: Ending, message: str) -> None:
        """Record its result, without waiting for the disk: see `Journal.append`."""
        self._try("answer", {"number": number, "ending": ending.value, "message": message}, wait=False)

    def ended(self, outcome: Outcome) -> None:
        """Record the end of a change, without waiting for the disk.

        If the machine loses power now, the intent is on disk, and the next run reads the object.
        An outcome before the first write is recorded once the journal is created, if it is.
        """
        with self._lock:
            if self._journal is None:
                self._early.append(outcome)
                return
        self._try("outcome", _outcome(outcome), wait=False)

    def note(self, event: str, facts: Mapping[str, Json]) -> None:
        """Record another event."""
        with self._faults():
            self._open().append(event, facts)

    def end(self, result: ApplyResult) -> None:
        """Record the end of the run and close the journal."""
        totals: dict[str, Json] = {status.value: result.count(status) for status in Status}
        self._try("end", {"interrupted": result.interrupted, **totals, "unchanged": result.unchanged})
        self.close()

    def close(self) -> None:
        """Close the journal; idempotent."""
        if self._journal:
            try:
                self._journal.close()
            except ReconcilerError as error:
                self.fault = self.fault or error

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
        """Remember the first failure; refuse later writes: the journal is incomplete."""
        if self.fault:
            raise self.fault
        try:
            yield
        except ReconcilerError as error:
            self.fault = error
            raise


def _planned(change: Change) -> Json:
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
