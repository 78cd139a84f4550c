"""A plan -> the command lines that carry it out and that show it, as they are to be typed."""

import shlex

from reconciler.model.plan import Plan
from reconciler.render.escape import escape
from reconciler.render.style import Style


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


def command(*words: str) -> str:
    """One command line of this program."""
    return escape(shlex.join(["reconciler", *words]))


def _selection(plan: Plan) -> list[str]:
    only = [word for glob in plan.selection.only for word in ("--only", glob)]
    labels = [word for label, value in plan.selection.selector.items() for word in ("--selector", f"{label}={value}")]
    return [*only, *labels]


def may_be_applied(plan: Plan) -> bool:
    """Whether a command carries it out: it changes something, is of now, and no guard forbids it for good."""
    return plan.has_changes and plan.snapshot is None and all(finding.can_be_acknowledged for finding in plan.guards)
