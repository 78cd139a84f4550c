"""The name of a format -> what writes each document in it.

Formats come from `render`. The JSON of a plan is the plan file itself, which `planfile` writes and the plan key signs.
"""

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.failures import tell_problem
from reconciler.cli.streams import wants_colour, width
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.secret import PLAN_KEY_VARIABLE
from reconciler.project import plan_key
from reconciler.render import FORMATS, DriftWriter, PlanWriter, ResultWriter, ValidationWriter
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.cli.outputs import Outputs
    from reconciler.model.drift import Drift
    from reconciler.model.plan import Plan


def key() -> bytes | None:
    """The key; see `project.plan_key`."""
    return plan_key(os.environ)


def warn_if_blank(noun: str) -> None:
    """Say, once in a run, that what is about to be written is not signed, although the variable is set.

    An empty variable is what CI systems give for a secret that is missing or out of reach, as in a pull request from a
    fork: so it is no error.
    """
    known = click.get_current_context().meta
    if key() is None and PLAN_KEY_VARIABLE in os.environ and not known.get(__name__):
        known[__name__] = True
        message = f"{PLAN_KEY_VARIABLE} is set and empty, so the {noun} is not signed"
        tell_problem(ReconcilerError(message, hint="give the job the key, or do not set the variable"))


def plan_file(plan: "Plan") -> Iterator[str]:
    """The text of a plan's file in pieces, as they are made."""
    from reconciler.planning.planfile import pieces  # noqa: PLC0415  # what makes no plan does without it

    warn_if_blank("plan")
    return pieces(plan, key())


def _plan_file(plan: "Plan", _digest: str, _style: Style) -> str:
    from reconciler.planning.planfile import dumps  # noqa: PLC0415  # what makes no plan does without it

    return dumps(plan, key())


_FILE: Final[dict[str, PlanWriter]] = {"json": _plan_file}
PLANS: Final = {name: known.plan for name, known in FORMATS.items() if known.plan} | _FILE
DRIFTS: Final[Mapping[str, DriftWriter]] = {name: known.drift for name, known in FORMATS.items() if known.drift}
RESULTS: Final[Mapping[str, ResultWriter]] = {name: known.result for name, known in FORMATS.items() if known.result}
VALIDATIONS: Final[Mapping[str, ValidationWriter]] = {
    name: known.validation for name, known in FORMATS.items() if known.validation
}


def require_formats(outputs: "Outputs", known: Collection[str]) -> None:
    """Refuse formats that a plan does not have.

    Raises:
        UsageError: there is one among them.
    """
    if missing := sorted(set(outputs.names) - set(known)):
        hint = f"use one of {', '.join(name for name in PLANS if name in known)}"
        raise UsageError(f"a plan has no format {missing[0]}", hint=hint)


def style_of_stdout() -> Style:
    """How the document is to look."""
    return Style(colour=wants_colour(sys.stdout), width=width(sys.stdout))


def plan_text(write: PlanWriter, plan: "Plan", style: Style) -> str:
    """A plan; the digest of its changes is worked out only where there is something to apply."""
    return write(plan, digest_of(plan), style)


def plan_document(name: str, plan: "Plan", style: Style) -> str | Iterator[str]:
    """The same by the name of the format; the file of a plan in pieces."""
    return plan_file(plan) if name == "json" else plan_text(PLANS[name], plan, style)


def drift_text(write: DriftWriter, drift: "Drift", style: Style) -> str:
    """Drift, with the digest of its plan's changes as above."""
    return write(drift, digest_of(drift.plan), style)


def digest_of(plan: "Plan") -> str:
    """The digest of its changes; empty where there is nothing to apply."""
    from reconciler.planning.planfile import changes_digest  # noqa: PLC0415  # what makes no plan does without it

    return changes_digest(plan) if plan.guards or plan.has_changes else ""
