"""The steps by which secrets are made, as a journal tells them -> the secrets that a run left."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from reconciler.journal.read import Run
from reconciler.model.named_secret import UNPROVEN, LiveSecret, moment_of
from reconciler.model.rotation import StepKind


def made_secrets(run: Run) -> Mapping[str, tuple[LiveSecret, ...]]:
    """Address -> the secrets that the run made, as its last recorded step left each."""
    found: dict[str, dict[str, LiveSecret]] = defaultdict(dict)
    for entry in run.of("secret-step-done"):
        facts: Mapping[str, Any] = entry.facts
        known, one = found[facts["address"]], facts["secret_id"]
        match StepKind(facts["step"]):
            case StepKind.CREATE:
                until = moment_of(facts["until"]) if facts["until"] else None
                known[one] = LiveSecret(one, facts["secret"] + UNPROVEN, until)
            case StepKind.CONFIRM:
                known[one] = replace(known[one], name=facts["secret"])
            case StepKind.DELETE:
                known.pop(one, None)
            case _:
                pass
    return {address: tuple(secrets.values()) for address, secrets in found.items()}
