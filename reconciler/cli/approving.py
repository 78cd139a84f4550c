"""A plan that is about to be carried out -> shown and approved on the terminal; its outcomes shown as they come."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from typing import TYPE_CHECKING

import click

from reconciler.cli.ask import require_yes, target
from reconciler.cli.documents import PLANS, plan_text
from reconciler.cli.failures import style_of_stderr, tell_problem
from reconciler.cli.options import Common
from reconciler.cli.progress import progress
from reconciler.cli.repeating import carried_out_by, shared_options
from reconciler.cli.stopping import stoppable
from reconciler.cli.streams import in_job, tell
from reconciler.errors import ReconcilerError
from reconciler.model.delivery import InFile
from reconciler.model.plan import Plan
from reconciler.planning.refusal import refusal
from reconciler.project.apply import Watch
from reconciler.render.escape import joined
from reconciler.render.jsonl import plan_events
from reconciler.render.style import Style

if TYPE_CHECKING:
    from reconciler.project.session import Session


def require_approval(session: "Session", common: Common, plan: Plan, ack: str | None, *, ask: bool) -> None:
    """Show the plan; ask unless it is approved already. What a guard refuses anyway is not asked about.

    Raises:
        ReconcilerError: the answer was no, or there is nobody to ask.
    """
    ask = ask and plan.has_changes and not refusal(plan, ack, session.frozen(plan))
    if not ask and (common.quiet or not _says_more_than_the_result(plan)):
        return

    def shown(style: Style) -> str:
        return plan_text(PLANS["text"], plan, replace(style, options=shared_options(), verb=carried_out_by()))

    if ask:
        require_yes(f"Apply these changes to {_target(plan)}?", shown, plan_events(plan))
    else:
        tell(shown(style_of_stderr()), plan_events(plan))


def _says_more_than_the_result(plan: Plan) -> bool:
    """Whether there is something to read: that there is nothing to do, the result says."""
    return bool(plan.has_changes or plan.guards or plan.warnings)


def _target(plan: Plan) -> str:
    binding = plan.binding
    return target(binding.environment, binding.marketplace, binding.base_url)


@contextmanager
def watch(plan: Plan, common: Common, *, is_saved: bool = False) -> Iterator[Watch]:
    """Say where a saved plan is about to be carried out; then show progress on stderr, and stop at a signal."""
    if is_saved and not common.quiet:
        tell(joined([f"Applying the saved plan to {_target(plan)}"]))
    for problem in _short_lived(plan):
        tell_problem(problem)
    # Until the command ends: what was written is recorded and shown even if a signal comes after the last write.
    should_stop = click.get_current_context().with_resource(stoppable())
    with progress(plan.summary.writes, quiet=common.quiet) as on_outcome:
        yield Watch(on_outcome, should_stop)


def _short_lived(plan: Plan) -> Iterator[ReconcilerError]:
    """In a CI job, the new secrets that are delivered to files: most runners are thrown away after the job."""
    for change in plan.changes if in_job() else ():
        generated = [intent.reference.deliver for intent in change.secrets if intent.reference]
        for delivery in chain(*generated, *(secret.deliver for secret in change.new_secrets)):
            if isinstance(delivery, InFile):
                message = f"{change.address}: a new secret is delivered to {delivery}, on the machine of this CI job"
                hint = "if that is thrown away after the job, the secret is lost: use a command to a secret store"
                yield ReconcilerError(message, hint=hint)
