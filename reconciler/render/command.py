"""A plan -> the command lines that apply it and show it."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Drift, DriftKind
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Plan
from reconciler.render.escape import escape
from reconciler.render.style import Style

_PATCH: Final = "git apply write-back.patch"
"""The CI recipes keep this file as an artifact."""


def apply_command(plan: Plan, digest: str, style: Style) -> str:
    """The command that applies the saved plan, or plans and applies the same; with `--ack` if needed.

    It is escaped, and never shortened.
    """
    words = [*style.verb]
    if style.plan_file:
        words += [style.plan_file, *plan.selection.paths, *_shared(style.options, _UNKNOWN_ROLES)]
    else:
        words += [*plan.selection.paths, "--env", plan.binding.environment, *_selection(plan), *style.options]
    if plan.guards and _can_be_acknowledged(plan):
        words += ["--ack", digest[:12]]
    return command(*words)


def command(*words: str) -> str:
    """A command line of this program."""
    return escape(shlex.join(["reconciler", *words]))


@dataclass(frozen=True, slots=True)
class Offer:
    """How to apply a plan: an explanation, and text to copy."""

    words: str
    copied: str = ""
    is_command: bool = True
    """Whether the text to copy is a shell command."""


def applying(plan: Plan, digest: str, style: Style, purpose: str = "To apply it") -> list[Offer]:
    """How to apply a plan: a command, or in a CI job, whose files are not available elsewhere, the next pipeline step.

    For a plan that cannot be applied: how to acknowledge it, or nothing.
    """
    if not may_be_applied(plan):
        return _acknowledgement(plan, digest)
    if style.is_job and plan.guards:
        return [Offer(_AGAIN, digest[:12], is_command=False)]
    if style.is_job and style.plan_file:
        how = "let this pipeline continue: its next job applies exactly this plan, or waits for approval."
        return [Offer(f"{purpose}, {how}")]
    return [Offer(f"{purpose}:", apply_command(plan, digest, style))]


_AGAIN: Final = (
    "To accept the guard findings, run the pipeline again with these digits as input acknowledge (GitHub, Azure) or "
    "variable RECONCILER_ACK (GitLab, others):"
)


def _acknowledgement(plan: Plan, digest: str) -> list[Offer]:
    """The line of a commit message that accepts the findings of a plan from a snapshot, if there are any."""
    if not (plan.snapshot and plan.guards and _can_be_acknowledged(plan)):
        return []
    words = "To accept the guard findings, add this line to the end of the last commit message:"
    return [Offer(words, f"Reconciler-Ack: {digest[:12]}", is_command=False)]


def how_to_apply(found: Plan | Drift, digest: str, style: Style) -> list[Offer]:
    """How to apply or acknowledge a plan, or restore the service; empty if that is not possible."""
    if isinstance(found, Plan):
        return [] if style.together else applying(found, digest, style)
    if not (found.has_drift and may_be_applied(found.plan)):
        return []
    if style.is_job and not found.plan.guards:
        how = "run the apply pipeline: it plans again and waits for approval."
        return [Offer(f"To restore the state in git, {how}")]
    return applying(found.plan, digest, style, "To restore the state in git")


def together(plans: Mapping[str, Plan], files: Mapping[str, str], options: Sequence[str]) -> str:
    """The command that applies several plans, by environment, in this order; from files if they are saved."""
    any_of_them = next(iter(plans.values()))
    if files:
        words = [*(files[name] for name, plan in plans.items() if plan.has_changes), *any_of_them.selection.paths]
        return command("apply", *words, *_shared(options, _UNKNOWN_ROLES))
    environments = [word for name, plan in plans.items() if plan.has_changes for word in ("--env", name)]
    return command("apply", *any_of_them.selection.paths, *environments, *_selection(any_of_them), *options)


def how_to_apply_all(style: Style) -> list[Offer]:
    """How to apply all plans, for the end of a document."""
    words = "To apply them one by one, in the order of promote:"
    return [Offer(words, style.together)] if style.together else []


def how_to_accept(found: Plan | Drift, style: Style) -> Iterator[Offer]:
    """How to update the manifests from the live state."""
    if isinstance(found, Plan) or found.plan.snapshot:
        return
    plan = found.plan
    if found.count(DriftKind.CHANGED):
        yield _write_back(plan, style)
    if found.uncontrolled:
        purpose = "To write manifests for the unmanaged objects that are drift (to delete them, use plan --prune):"
        only = [word for one in found.uncontrolled for word in ("--only", str(one.address))]
        options = _shared(style.options, _UNKNOWN_ROLES)
        yield Offer(purpose, command("export", "--env", plan.binding.environment, *only, *options, "--write"))


def _write_back(plan: Plan, style: Style) -> Offer:
    if style.is_job:
        return Offer("To write the live values into the manifests, apply the patch artifact of this job:", _PATCH)
    options = _shared(style.options, _UNKNOWN_ROLES)
    words = [*plan.selection.paths, "--env", plan.binding.environment, *_selection(plan), *options]
    purpose = "To show the manifests with the live values (to write them, add --write):"
    return Offer(purpose, command("drift", *words, "--write-back"))


_UNKNOWN_ROLES: Final = "--allow-unknown-roles"
_NOT_FOR_ALL: Final = frozenset({"--prune", _UNKNOWN_ROLES})
"""The shared options that some commands do not have."""


def _shared(options: Sequence[str], *also: str) -> list[str]:
    """The shared options without those of `_NOT_FOR_ALL` that the command does not have."""
    return [word for word in options if word in also or word not in _NOT_FOR_ALL]


def details(result: ApplyResult, style: Style) -> str:
    """The command that shows a run; empty if it has no journal."""
    return command("history", "show", result.run, *_shared(style.options)) if result.run else ""


def _selection(plan: Plan) -> list[str]:
    only = [word for glob in plan.selection.only for word in ("--only", glob)]
    labels = [word for label, value in plan.selection.selector.items() for word in ("--selector", f"{label}={value}")]
    secrets = [word for one in plan.selection.write_secrets for word in ("--write-secret", one)]
    return [*only, *labels, *secrets]


def may_be_applied(plan: Plan) -> bool:
    """Whether a command can apply it: it has changes, is not from a snapshot, and all findings can be acknowledged."""
    return plan.has_changes and plan.snapshot is None and _can_be_acknowledged(plan)


def _can_be_acknowledged(plan: Plan) -> bool:
    return all(finding.can_be_acknowledged for finding in plan.guards)
