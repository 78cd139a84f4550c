"""A plan that was made or checked a moment ago -> the user's consent, and the result of carrying it out."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING

import click

from reconciler import pipeline
from reconciler.applying.run import Controls
from reconciler.cli.ask import is_confirmed, target
from reconciler.cli.documents import PLANS, plan_text
from reconciler.cli.failures import style_of_stderr, tell_problem
from reconciler.cli.progress import progress
from reconciler.cli.repeating import carried_out_by, shared_options
from reconciler.cli.stopping import stoppable
from reconciler.cli.streams import in_job, tell
from reconciler.errors import ReconcilerError
from reconciler.model.delivery import InFile
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Finding, Plan
from reconciler.project.journals import finished, recorder_of
from reconciler.remote.protocol import SecretRemote
from reconciler.render.escape import joined
from reconciler.render.jsonl import plan_events

if TYPE_CHECKING:
    from reconciler.project.session import Session


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be carried out, and what the user said about it."""

    plan: Plan
    ack: str | None
    keep_going: bool
    follows_up: tuple[str, ...] = ()
    """The runs that were cut off and have been looked at."""
    rolls_back: str | None = None
    """The run that it takes back."""


def demand_approval(session: "Session", plan: Plan, ack: str | None, *, ask: bool) -> None:
    """Show the plan; ask unless it is approved already. What a guard refuses anyway is not asked about.

    Raises:
        ReconcilerError: the answer was no.
    """
    ask = ask and plan.has_changes and not pipeline.refusal(plan, ack, session.frozen(plan))
    if ask or not session.common.quiet:
        style = replace(style_of_stderr(), options=shared_options(), verb=carried_out_by())
        tell(plan_text(PLANS["text"], plan, style), plan_events(plan))
    if ask and not is_confirmed(f"Apply these changes to {_target(plan)}?"):
        raise ReconcilerError("not approved; nothing was written")


def announce(session: "Session", plan: Plan) -> None:
    """Say where a saved plan is about to be carried out."""
    if not session.common.quiet:
        tell(joined([f"Applying the saved plan to {_target(plan)}"]))


def _target(plan: Plan) -> str:
    binding = plan.binding
    return target(binding.environment, binding.marketplace, binding.base_url)


def carry_out(session: "Session", remote: SecretRemote, order: Order, objections: Sequence[Finding]) -> ApplyResult:
    """Apply the plan, stoppable and on the record; `objections` as `pipeline.apply` takes them."""
    plan, quiet = order.plan, session.common.quiet
    for problem in _short_lived(plan):
        tell_problem(problem)
    recorder = recorder_of(session, plan, order.follows_up, order.rolls_back)
    # Until the command ends: what was written is recorded and shown even if a signal comes after the last write.
    should_stop = click.get_current_context().with_resource(stoppable())
    with progress(plan.summary.writes, quiet=quiet) as on_outcome:
        environment = session.environment
        controls = Controls(
            environment.concurrency, order.keep_going, on_outcome, should_stop, recorder, environment.create
        )
        result = pipeline.apply(
            plan,
            remote,
            session.resolve,
            controls,
            objections=objections,
            acknowledged=order.ack,
            plan_key=session.plan_key,
            courier=session.courier,
        )
    return finished(recorder, result, order.follows_up)


def _short_lived(plan: Plan) -> Iterator[ReconcilerError]:
    """In a CI job, the new secrets that are delivered to files: most runners are thrown away after the job."""
    for change in plan.changes if in_job() else ():
        generated = [intent.reference.deliver for intent in change.secrets if intent.reference]
        for delivery in chain(*generated, *(secret.deliver for secret in change.new_secrets)):
            if isinstance(delivery, InFile):
                message = f"{change.address}: a new secret is delivered to {delivery}, on the machine of this CI job"
                hint = "if that is thrown away after the job, the secret is lost: use a command to a secret store"
                yield ReconcilerError(message, hint=hint)
