"""A plan -> the command lines that carry it out and that show it, as they are to be typed."""

import shlex
from dataclasses import dataclass
from typing import Final

from reconciler.model.drift import Drift, DriftKind
from reconciler.model.plan import Plan
from reconciler.render.escape import escape
from reconciler.render.style import Style

TO_EXPORT: Final = "To make manifests of what is drift because it is in none (to delete it, use plan --prune)"
TO_WRITE_BACK: Final = "To see the manifests with the live values in them (to write them, add --write)"


def apply_command(plan: Plan, digest: str, style: Style) -> str:
    """What to type: of a saved plan its file, else what plans the same again; with an acknowledgement if one helps.

    It is escaped, and never shortened.
    """
    words = [*style.verb]
    if style.plan_file:
        words += [style.plan_file, *plan.selection.paths, *(word for word in style.options if word != "--prune")]
    else:
        words += [*plan.selection.paths, "--env", plan.binding.environment, *_selection(plan), *style.options]
    if plan.guards and all(finding.can_be_acknowledged for finding in plan.guards):
        words += ["--ack", digest[:12]]
    return command(*words)


def export_command(drift: Drift) -> str:
    """What to type for manifests of the objects in no manifest that are drift; empty where there is none."""
    if not drift.uncontrolled or drift.plan.snapshot:
        return ""
    only = [word for one in drift.uncontrolled for word in ("--only", str(one.address))]
    return command("export", "--env", drift.plan.binding.environment, *only, "--write")


def write_back_command(drift: Drift, style: Style) -> str:
    """What to type to see the manifests with the live values; empty where no field differs."""
    plan = drift.plan
    if not drift.count(DriftKind.CHANGED) or plan.snapshot:
        return ""
    options = (word for word in style.options if word != "--prune")
    words = [*plan.selection.paths, "--env", plan.binding.environment, *_selection(plan), *options]
    return command("drift", *words, "--write-back")


def command(*words: str) -> str:
    """One command line of this program."""
    return escape(shlex.join(["reconciler", *words]))


@dataclass(frozen=True, slots=True)
class Offer:
    """How a plan comes to be applied: words, and what to copy."""

    words: str
    copied: str = ""


def offer(plan: Plan, digest: str, style: Style, purpose: str) -> Offer:
    """The command that applies a plan; in a CI job, whose files nobody else has, the next step of its pipeline."""
    if not (style.is_job and style.plan_file):
        return Offer(f"{purpose}:", apply_command(plan, digest, style))
    if plan.guards:
        return Offer("To accept what the guards object to, run the pipeline again and acknowledge:", digest[:12])
    return Offer(f"{purpose}, let this pipeline go on: its next job applies exactly this plan, or waits for approval.")


def _selection(plan: Plan) -> list[str]:
    only = [word for glob in plan.selection.only for word in ("--only", glob)]
    labels = [word for label, value in plan.selection.selector.items() for word in ("--selector", f"{label}={value}")]
    secrets = [word for one in plan.selection.write_secrets for word in ("--write-secret", one)]
    return [*only, *labels, *secrets]


def may_be_applied(plan: Plan) -> bool:
    """Whether a command carries it out: it changes something, is of now, and no guard forbids it for good."""
    return plan.has_changes and plan.snapshot is None and all(finding.can_be_acknowledged for finding in plan.guards)
