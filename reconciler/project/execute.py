"""A plan that was made or checked a moment ago -> the result of carrying it out, on the record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconciler import pipeline
from reconciler.applying.run import Controls
from reconciler.model.outcome import ApplyResult, Outcome
from reconciler.model.plan import Finding, Plan
from reconciler.project.journals import finished, recorder_of
from reconciler.remote.protocol import SecretRemote

if TYPE_CHECKING:
    from reconciler.project.session import Session


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be carried out, what the user said about it, and how it is watched."""

    plan: Plan
    ack: str | None = None
    keep_going: bool = False
    follows_up: tuple[str, ...] = ()
    """The runs that were cut off and have been looked at."""
    rolls_back: str | None = None
    """The run that it takes back."""
    on_outcome: Callable[[Outcome], None] = lambda _outcome: None
    should_stop: Callable[[], bool] = lambda: False
    """See `Controls`."""


def execute(session: "Session", remote: SecretRemote, order: Order, objections: Sequence[Finding]) -> ApplyResult:
    """Apply the plan on the record; `objections` as `pipeline.apply` takes them."""
    environment = session.environment
    recorder = recorder_of(session, order.plan, order.follows_up, order.rolls_back)
    controls = Controls(
        environment.concurrency, order.keep_going, order.on_outcome, order.should_stop, recorder, environment.create
    )
    result = pipeline.apply(
        order.plan,
        remote,
        session.resolve,
        controls,
        objections=objections,
        acknowledged=order.ack,
        plan_key=session.plan_key,
        courier=session.courier,
    )
    return finished(session, recorder, result, order.follows_up)
