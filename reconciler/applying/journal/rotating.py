"""The course of a rotation <-> events of its journal.

start               what run it is, for which environment, and the steps that are due for each secret
secret-step-begun   a step that is about to be taken
secret-step-done    it was taken
secret-undelivered  it failed: its name says who may have it; no name: nobody, so it was deleted
secret-postponed    it showed that the secret cannot be tried yet
secret-outcome      how the rotation of one secret ended
end                 the run came to its own end

An apply that makes secrets has the events of their steps as well.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from reconciler.applying.journal.check import require_shape
from reconciler.applying.journal.read import Run
from reconciler.model.json import Json
from reconciler.model.named_secret import LiveSecret, moment_of
from reconciler.model.rotation import Ended, Step, StepKind
from reconciler.model.run import RecordedRotation, RecordedStep, RecordedTurn

ROTATION: Final = "rotation"


def turn_facts(address: str, client_id: str, secret: str, steps: Sequence[Step]) -> Json:
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
