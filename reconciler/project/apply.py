"""A session and a plan, saved or new -> whether it was reviewed, and what carrying it out came to, with its receipt."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.applying import receipt as receiptfile
from reconciler.errors import GuardRefusal, ReconcilerError, Skipped
from reconciler.model.dataclass import dataclass
from reconciler.model.outcome import ApplyResult, Outcome
from reconciler.model.plan import Finding, Plan, Review
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from reconciler.project import Settings
from reconciler.project.files import read_file
from reconciler.project.records import check_first, keep, require_newest
from reconciler.project.several import Search, each, in_order
from reconciler.remote import SecretRemote
from reconciler.render.several import Part

if TYPE_CHECKING:
    from reconciler.project.session import Session


_NOUN: Final = "apply"


@dataclass(frozen=True, slots=True)
class Watch:
    """How a run is watched and stopped; see `Controls`."""

    on_outcome: Callable[[Outcome], None] = lambda _outcome: None
    should_stop: Callable[[], bool] = lambda: False


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be carried out, what the user said about it, and how it is watched."""

    plan: Plan
    ack: str | None = None
    keep_going: bool = False
    rolls_back: str | None = None
    """The run that it takes back."""
    watch: Callable[[Plan], AbstractContextManager[Watch]] = lambda _plan: nullcontext(Watch())
    """Entered just before the first write, left after the last."""


def look(
    session: "Session", saved: Plan | None, ack: str | None, receipt: Path | None = None
) -> tuple[Plan, GuardRefusal | None]:
    """What would be carried out, over a connection that cannot write, and how it is refused by what it does not say.

    Raises:
        PlanRefused: the saved plan would be refused.
    """
    from reconciler.planning.planfile import refusal  # noqa: PLC0415  # while the login is on its way

    require_newest(session, receipt)
    if saved:
        session.check_here(saved)
        check_first(saved, session.journal, None, session.plan_key)
    with session.reader() as remote:
        plan = saved or session.plan_with(remote, demands_secrets=True)
        objections = session.check(saved, remote) if saved else session.frozen(plan)
    return plan, refusal(plan, ack, objections) if objections else None


def apply_saved(session: "Session", order: Order, receipt: Path | None = None) -> ApplyResult:
    """Check the plan and carry it out. What is known here to speak against it is reported before anybody is contacted.

    Raises:
        PlanRefused: it was made for something else, or was applied before; nothing was written.
        GuardRefusal: a guard refuses it; nothing was written.
    """
    with session.exclusively():
        require_newest(session, receipt)
        session.check_here(order.plan)
        check_first(order.plan, session.journal, receipt, session.plan_key)
        with session.writer() as remote:
            from reconciler.project.records import look_back  # noqa: PLC0415  # while the login is on its way

            objections = session.check(order.plan, remote)
            follows_up = look_back(session, remote, order.plan)
            result = execute(session, remote, order, objections, follows_up)
    keep(receipt, session, order.plan, result)
    return result


def apply_new(
    session: "Session", order_of: Callable[[Plan], Order], receipt: Path | None = None
) -> tuple[Plan, ApplyResult]:
    """Plan and carry it out; `order_of` approves the plan, or raises."""
    with session.exclusively():
        require_newest(session, receipt)
        with session.writer() as remote:
            from reconciler.project.records import look_back  # noqa: PLC0415  # while the login is on its way

            plan = session.plan_with(remote, demands_secrets=True)
            follows_up = look_back(session, remote, plan)
            order = order_of(plan)
            result = execute(session, remote, order, session.frozen(plan), follows_up)
    keep(receipt, session, plan, result)
    return plan, result


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
    from reconciler import pipeline  # noqa: PLC0415  # while the login is on its way
    from reconciler.applying.run import Controls  # noqa: PLC0415
    from reconciler.project.records import finished, recorder_of  # noqa: PLC0415

    recorder, environment = recorder_of(session, order.plan, follows_up, order.rolls_back), session.environment
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
            deliverer=session.deliverer,
        )
    return finished(session, recorder, result, follows_up)


def promote(
    settings: Settings,
    names: Sequence[str],
    opened: Callable[[Settings], "Session"],
    carried_out: Callable[["Session"], ApplyResult],
    end: Callable[[ApplyResult], int],
    *,
    is_stopping: Callable[[], bool],
) -> tuple[Part[ApplyResult], ...]:
    """Apply environments one after another, up to the first that does not exit with 0.

    All are loaded before: where one of them cannot be, none is begun, and all get the same manifests.

    Args:
        settings: of the run.
        names: of the environments, in their order.
        opened: gives the session of one.
        carried_out: applies in one, and gives the result.
        end: the exit code of a result.
        is_stopping: see `in_order`.
    """
    sessions = each(Search(opened, _NOUN, lambda _session: 0), settings, names)
    faulty = ", ".join(one.environment for one in sessions if one.error)
    if faulty:
        skipped = Skipped(f"skipped: not started, because of {faulty}")
        return tuple(
            Part(one.environment, None, error := one.error or skipped, _NOUN, error.exit_code) for one in sessions
        )
    found = {one.environment: one.found for one in sessions if one.found}
    search = Search(lambda one: carried_out(found[str(one.environment)]), _NOUN, end)
    return in_order(search, settings, names, is_stopping=is_stopping)


def review(plan: Plan, file: Path, key: bytes | None) -> Review:
    """Compare a plan with an earlier one, or with the receipt of the last apply.

    What cannot be read was not reviewed: whoever waits for approval is asked once too often, never once too rarely.

    Args:
        plan: what would be applied.
        file: the plan of a pull request, which nobody has signed, or a receipt.
        key: what a receipt must be signed with.
    """
    if not plan.has_changes:
        return Review(is_reviewed=True, reason="there is nothing to do", unseen=plan)
    try:
        text = read_file(file)
        if '"resource_changes"' in text:
            return _of_plan(plan, reading.loads(text, str(file)))
        return _of_receipt(plan, text, file, key)
    except ReconcilerError as error:
        return Review(is_reviewed=False, reason=error.message, unseen=plan)


def _of_plan(plan: Plan, reviewed: Plan) -> Review:
    digest = planfile.changes_digest(plan)
    if digest == planfile.changes_digest(reviewed):
        return Review(is_reviewed=True, reason=f"the changes are those of the plan, {digest[:12]}", unseen=plan)
    unseen = replace(plan, changes=planfile.changes_besides(plan, reviewed))
    gone = [f"{change.action} {change.address}" for change in planfile.changes_besides(reviewed, plan)]
    return Review(is_reviewed=False, reason=_difference(plan, reviewed), unseen=unseen, gone=tuple(gone))


def _difference(plan: Plan, reviewed: Plan) -> str:
    here, there = plan.binding, reviewed.binding
    if (here.environment, here.marketplace.casefold()) != (there.environment, there.marketplace.casefold()):
        return f"the plan that was reviewed is of environment {there.environment}, marketplace {there.marketplace}"
    if planfile.changes_besides(plan, reviewed) or planfile.changes_besides(reviewed, plan):
        return "the changes are not those of the plan that was reviewed"
    return "the guards object to other things than in the plan that was reviewed"


def _of_receipt(plan: Plan, text: str, file: Path, key: bytes | None) -> Review:
    receipt = receiptfile.loads(text, str(file), key)
    receiptfile.check(receipt, plan.binding)
    if receipt.manifest_digest == plan.binding.manifest_digest:
        reason = f"the manifests are those of the apply at {receipt.created_at}; only the service has changed"
        return Review(is_reviewed=True, reason=reason, unseen=plan)
    reason = f"the manifests are not those of the last apply, at {receipt.created_at}"
    return Review(is_reviewed=False, reason=reason, unseen=plan)
