"""The journal of one run -> what it says of an apply or a rotation, if it says what this version writes."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from reconciler.applying.journal.read import Entry, Run
from reconciler.errors import ReconcilerError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import part_validator, read_schema
from reconciler.model import rotation
from reconciler.model.json import Json
from reconciler.model.named_secret import LiveSecret, moment_of
from reconciler.model.outcome import (
    Ending,
    RecordedChange,
    RecordedRotation,
    RecordedRun,
    RecordedStep,
    RecordedTurn,
    RecordedWrite,
    Status,
    Step,
)
from reconciler.model.plan import Action, AssignmentChange, Binding
from reconciler.model.resource import Address
from reconciler.model.rotation import Ended, StepKind

APPLY: Final = "apply"
ROLLBACK: Final = "rollback"
ROTATION: Final = "rotation"

SCHEMA: Final = "run.v2.schema.json"


def unusable(run: Run) -> ReconcilerError:
    """The error for a journal that says what this version does not write."""
    message = f"the journal {run.path} is not in the format of this version"
    return ReconcilerError(message, hint="history verify says whether it was altered")


def require_shape(run: Run) -> None:
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


def recorded(run: Run) -> RecordedRun | None:
    """What the journal says of an apply or a rollback; None for a run of another kind.

    Raises:
        ReconcilerError: the journal is not in the format of this version.
    """
    if run.kind not in {APPLY, ROLLBACK}:
        return None
    require_shape(run)
    try:
        found = _run(run)
    except ValueError as error:  # a date that is none
        raise unusable(run) from error
    if not all(map(is_possible, found.changes)):
        raise unusable(run)
    return found


def _run(run: Run) -> RecordedRun:
    facts: Mapping[str, Any] = run.facts
    plan: Mapping[str, Any] = run.of("plan")[0].facts if run.of("plan") else {"changes": (), "unchanged": 0}
    end: Mapping[str, Any] = run.entries[-1].facts if run.is_finished else {}
    return RecordedRun(
        id=run.id,
        kind=run.kind,
        started_at=run.started_at,
        environment=facts["environment"],
        base_url=facts["base_url"],
        marketplace=facts["marketplace"],
        plan_digest=facts["plan_digest"],
        git_commit=facts["git_commit"],
        user=facts["user"],
        host=facts["host"],
        pid=facts["pid"],
        tool_version=facts["tool_version"],
        changes=_changes(run, plan),
        is_finished=run.is_finished,
        interrupted=bool(end.get("interrupted")),
        unchanged=plan["unchanged"],
        torn=run.torn,
        follows_up=tuple(facts["follows_up"]),
        rolls_back=facts["rolls_back"],
    )


def _changes(run: Run, plan: Mapping[str, Any]) -> tuple[RecordedChange, ...]:
    endings: dict[int, Ending] = {}
    for entry in run.of("answer"):
        answer: Mapping[str, Any] = entry.facts
        endings[answer["number"]] = Ending(answer["ending"])
    writes: dict[str, list[RecordedWrite]] = {}
    for entry in run.of("intent"):
        intent: Mapping[str, Any] = entry.facts
        writes.setdefault(intent["address"], []).append(_write(intent, endings.get(intent["number"])))
    outcomes: dict[str, Mapping[str, Any]] = {str(one.facts["address"]): one.facts for one in run.of("outcome")}
    made = made_secrets(run)
    return tuple(
        replace(
            _recorded(change, tuple(writes.get(change["address"], ())), outcomes.get(change["address"], {})),
            made=made.get(change["address"], ()),
        )
        for change in plan["changes"]
    )


def _write(intent: Mapping[str, Any], ending: Ending | None) -> RecordedWrite:
    assignment = AssignmentChange(**intent["assignment"]) if intent["assignment"] else None
    return RecordedWrite(intent["number"], Step(intent["step"]), intent["method"], intent["path"], ending, assignment)


def _recorded(
    change: Mapping[str, Any], writes: tuple[RecordedWrite, ...], outcome: Mapping[str, Any]
) -> RecordedChange:
    kind, _, name = change["address"].partition("/")
    return RecordedChange(
        Address(kind, name),
        Action(change["action"]),
        outcome.get("id") or change["id"],
        change["before"],
        change["after"],
        secrets=tuple(change["secrets"]),
        assignments=tuple(AssignmentChange(**step) for step in change["assignments"]),
        writes=writes,
        status=Status(outcome["status"]) if outcome else None,
        message=outcome.get("message", ""),
        uncertain=bool(outcome.get("uncertain")),
        restored=bool(outcome.get("restored")),
        left=outcome.get("body"),
        fingerprints=outcome.get("fingerprints", {}),
        not_held=tuple(outcome.get("fields", ())),
    )


def unfinished(runs: list[RecordedRun], target: Binding) -> list[RecordedRun]:
    """The runs against one marketplace that were cut off, and that no later run has looked at."""
    seen = {name for run in runs for name in run.follows_up}
    here = (target.environment, target.base_url, target.marketplace)
    return [
        run
        for run in runs
        if not run.is_finished and run.id not in seen and (run.environment, run.base_url, run.marketplace) == here
    ]


def turn_facts(address: str, client_id: str, secret: str, steps: Sequence[rotation.Step]) -> Json:
    """What the first line says of one secret that is to be rotated."""
    due = [{"kind": step.kind.value, "text": step.text} for step in steps]
    return {"address": address, "client": client_id, "secret": secret, "steps": due}


def outcome_facts(address: str, secret: str, ended: Ended, message: str) -> Mapping[str, Json]:
    """What is kept of how the rotation of one secret ended."""
    return {"address": address, "secret": secret, "status": ended.value, "message": message}


def recorded_rotation(run: Run) -> RecordedRotation | None:
    """What the journal says of a rotation; None for a run of another kind.

    Raises:
        ReconcilerError: the journal is not in the format of this version.
    """
    if run.kind != ROTATION:
        return None
    require_shape(run)
    return _rotation(run)


def _rotation(run: Run) -> RecordedRotation:
    facts: Mapping[str, Any] = run.facts
    outcomes: dict[tuple[str, str], Mapping[str, Any]] = {
        (str(one.facts["address"]), str(one.facts["secret"])): one.facts for one in run.of("secret-outcome")
    }
    end: Mapping[str, Any] = run.entries[-1].facts if run.is_finished else {}
    return RecordedRotation(
        marketplace=facts["marketplace"],
        base_url=facts["base_url"],
        turns=tuple(_turn(run, turn, outcomes.get((turn["address"], turn["secret"]), {})) for turn in facts["turns"]),
        host=facts["host"],
        pid=facts["pid"],
        tool_version=facts["tool_version"],
        interrupted=bool(end.get("interrupted")),
    )


def _turn(run: Run, turn: Mapping[str, Any], outcome: Mapping[str, Any]) -> RecordedTurn:
    key = (turn["address"], turn["secret"])
    counts = {
        event: sum((one.facts["address"], one.facts["secret"]) == key for one in run.of(event))
        for event in ("secret-step-begun", "secret-step-done")
    }
    begun, done = counts["secret-step-begun"], counts["secret-step-done"]
    steps = [
        RecordedStep(step["kind"], step["text"], "done" if at < done else "begun" if at < begun else "left")
        for at, step in enumerate(turn["steps"])
    ]
    ended = Ended(outcome["status"]) if outcome else None
    message = outcome.get("message", "")
    return RecordedTurn(turn["address"], turn["client"], turn["secret"], tuple(steps), ended, message)


def made_secrets(run: Run) -> Mapping[str, tuple[LiveSecret, ...]]:
    """Address -> the secrets that the run made, as its last recorded step left each."""
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
