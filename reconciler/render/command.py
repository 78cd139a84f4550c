"""A plan -> the command line that carries it out."""

import shlex

from reconciler.model.plan import Plan
from reconciler.render.style import Style


def apply_command(plan: Plan, digest: str, style: Style) -> str:
    """What to type: of a saved plan its file, else what plans the same anew; with an acknowledgement if one helps."""
    words = ["reconciler", "apply"]
    if style.plan_file:
        words.append(style.plan_file)
    else:
        words += ["--env", plan.binding.environment, *_selection(plan)]
    if plan.guards and all(finding.can_be_acknowledged for finding in plan.guards):
        words += ["--ack", digest[:12]]
    return shlex.join(words)


def _selection(plan: Plan) -> list[str]:
    only = [word for glob in plan.selection.only for word in ("--only", glob)]
    labels = [word for label, value in plan.selection.selector.items() for word in ("--selector", f"{label}={value}")]
    return [*only, *labels]


def may_be_applied(plan: Plan) -> bool:
    """Whether a command carries it out: it changes something, is of now, and no guard forbids it for good."""
    return plan.has_changes and plan.snapshot is None and all(finding.can_be_acknowledged for finding in plan.guards)
