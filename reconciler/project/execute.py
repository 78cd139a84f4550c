"""A plan that was made or checked a moment ago -> the result of carrying it out, on the record."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconciler import pipeline
from reconciler.applying.run import Controls
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Finding
from reconciler.project.apply import Order
from reconciler.project.journals import finished, recorder_of
from reconciler.remote.protocol import SecretRemote

if TYPE_CHECKING:
    from reconciler.project.session import Session


def execute(
    session: "Session",
    remote: SecretRemote,
    order: Order,
    objections: Sequence[Finding],
    follows_up: tuple[str, ...] = (),
) -> ApplyResult:
    """Apply the plan on the record.

    Args:
        session: of the environment.
        remote: the service.
        order: what to do.
        objections: as `pipeline.apply` takes them.
        follows_up: the runs that were cut off and have been looked at.
    """
    environment = session.environment
    recorder = recorder_of(session, order.plan, follows_up, order.rolls_back)
    with order.watch(order.plan) as watch:
        result = pipeline.apply(
            order.plan,
            remote,
            session.resolve,
            Controls(
                environment.concurrency,
                order.keep_going,
                watch.on_outcome,
                watch.should_stop,
                recorder,
                environment.create,
            ),
            objections=objections,
            acknowledged=order.ack,
            plan_key=session.plan_key,
            courier=session.courier,
        )
    return finished(session, recorder, result, follows_up)
