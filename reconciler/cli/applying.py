"""What `apply` is asked for -> changes of one service, or of several one after another, their result and exit code."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.cli import exit as codes
from reconciler.cli.approving import is_stopping, require_approval, watch
from reconciler.cli.console import requests_told, settings_of
from reconciler.cli.documents import PLANS, RESULTS, plan_document, plan_text, require_formats, warn_if_blank
from reconciler.cli.documents import key as plan_key
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_error
from reconciler.cli.metering import Metering
from reconciler.cli.options import Common
from reconciler.cli.outputs import Outputs, TextOf
from reconciler.cli.several import applied_together, digested, each, joined, tell_all_warnings, worst
from reconciler.cli.streams import tell
from reconciler.errors import GuardRefusal, PlanRefused, ReconcilerError, UsageError
from reconciler.model.dataclass import dataclass
from reconciler.planning.planfile import reading
from reconciler.project import environment_name
from reconciler.project.apply import Order, apply_new, apply_saved, look, promote
from reconciler.project.environment import keep_apart
from reconciler.project.files import is_plan
from reconciler.project.session import Session
from reconciler.project.several import promoted
from reconciler.render.escape import escape
from reconciler.render.wording import verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.inputs import Selection
    from reconciler.model.outcome import ApplyResult
    from reconciler.model.plan import Plan
    from reconciler.project import Settings


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for."""

    common: Common
    outputs: Outputs
    metering: Metering
    paths: tuple[Path, ...]
    selection: "Selection"
    receipt: Path | None
    require_tip: str | None
    ack: str | None
    dry_run: bool
    auto_approve: bool
    keep_going: bool
    prune: bool
    allow_unknown_roles: bool
    saved: "Sequence[Plan]" = ()
    """The plans among the paths, which are then no longer there."""

    def opened(self, settings: "Settings") -> Session:
        """The session of one environment; a saved plan of it is for what is here."""
        plan = self.saved_for(settings)
        session = Session.open(
            settings,
            self.paths,
            allow_unknown_roles=self.allow_unknown_roles,
            saved=plan,
            selection=self.selection,
            prunes=self.prune,
        )
        if plan and len(self.saved) > 1:  # before another one is applied
            session.check_here(plan)
        if self.require_tip:
            session.require_tip(self.require_tip)
        return session

    def saved_for(self, settings: "Settings") -> "Plan | None":
        """The saved plan of an environment; the only one is for `Session.open` to judge."""
        if len(self.saved) <= 1:
            return next(iter(self.saved), None)
        return next(plan for plan in self.saved if plan.binding.environment == settings.environment)


def apply(wish: Wish) -> ExitCode:
    """Apply, or with a dry run show what would be applied."""
    keep_apart(settings_of(wish.common), ())
    saved, paths = _parted(wish.paths)
    _check(saved, wish.selection, prune=wish.prune)
    wish = replace(wish, saved=saved, paths=paths)
    if wish.common.is_of_several or len(saved) > 1:
        return (_several_shown if wish.dry_run else _several_applied)(wish)
    return (_shown if wish.dry_run else _applied)(wish)


def _shown(wish: Wish) -> ExitCode:
    """Show what would be carried out, over a connection that cannot write.

    Raises:
        UsageError: a format that a plan does not have was asked for; nobody was contacted.
        PlanRefused: the saved plan would be refused.
        GuardRefusal: something speaks against it now that the plan does not say; the plan is shown.
    """
    require_formats(wish.outputs, PLANS)
    session = wish.opened(settings_of(wish.common))
    plan, refused = look(session, wish.saved_for(session.settings), wish.ack, wish.receipt)
    wish.outputs.write(lambda name, style: plan_document(name, plan, style))
    if refused:
        raise refused
    return codes.of_plan(plan, wish.ack, detailed=False)


def _applied(wish: Wish) -> ExitCode:
    """Apply to one environment and show the result."""
    session = wish.opened(settings_of(wish.common))
    result = _carried_out(wish, session)
    _show(wish.outputs, lambda name, style: RESULTS[name](result, style), session.environment.name)
    return codes.of_result(result)


def _carried_out(wish: Wish, session: Session) -> "ApplyResult":
    """Carry out a saved plan; or plan, show the plan, ask and carry it out."""
    saved, common = wish.saved_for(session.settings), wish.common

    def approved(plan: "Plan") -> Order:
        if not saved:
            require_approval(session, common, plan, wish.ack, ask=not wish.auto_approve)
        return Order(plan, wish.ack, wish.keep_going, watch=partial(watch, common=common, is_saved=bool(saved)))

    if saved:
        plan, result = saved, apply_saved(session, approved(saved), wish.receipt)
    else:
        plan, result = apply_new(session, approved, wish.receipt)
    wish.metering.plan(plan)
    wish.metering.result(session.environment.name, result)
    if wish.receipt or result.run:
        warn_if_blank("receipt")
    return result


# -- several environments, in the order of the configuration ---------------------------------------------------------


def _names(wish: Wish) -> list[str]:
    """The environments that are meant, in the order in which they are applied.

    Raises:
        UsageError: there is no such order; or saved plans, which name their environments, do not fit the command line.
    """
    common, planned = wish.common, [plan.binding.environment for plan in wish.saved]
    if wish.receipt:
        raise UsageError("--receipt is for one environment", hint="leave it out: the journal keeps a receipt of each")
    named = {*common.envs, *filter(None, [environment_name(settings_of(common))])}
    if planned and (common.env_all or (named and named != set(planned))):
        hint = "leave out --env, --env-all and RECONCILER_ENV; to apply some of the plans, name their files alone"
        raise UsageError("saved plans name their environments", hint=hint)
    if len(set(planned)) < len(planned):
        raise UsageError("two of the saved plans are for the same environment", hint="give one for each")
    return promoted(settings_of(common), planned or common.envs)


def _several_shown(wish: Wish) -> ExitCode:
    """Show what would be carried out in each."""
    require_formats(wish.outputs, PLANS)
    refusals: dict[str, GuardRefusal | None] = {}

    def find(settings: "Settings") -> "Plan":
        session = wish.opened(settings)
        plan, refusals[session.environment.name] = look(session, wish.saved_for(settings), wish.ack)
        return plan

    def end(plan: "Plan") -> ExitCode:
        if refused := refusals[plan.binding.environment]:
            raise refused
        return codes.of_plan(plan, wish.ack, detailed=False)

    plans = digested(each(wish.common, find, "plan", end, names=_names(wish)))
    how = "" if wish.saved else applied_together(wish.common, plans, {})
    wish.outputs.write(
        lambda name, style: joined(plans, name, partial(plan_text, PLANS[name]), replace(style, together=how))
    )
    return worst(plans)


def _several_applied(wish: Wish) -> ExitCode:
    """Apply to one after another, up to the first that does not exit with 0, and show all results."""
    common, names = wish.common, _names(wish)
    with requests_told(wanted=common.verbose and not common.quiet, sign_of_life=False, named=True):
        parts = promote(
            settings_of(common), names, wish.opened, partial(_step, wish), codes.of_result, is_stopping=is_stopping
        )
    tell_all_warnings(common, names)
    wish.metering.planned(parts)
    _show(wish.outputs, lambda name, style: joined(parts, name, RESULTS[name], style))
    return codes.of_promotion(parts)


def _step(wish: Wish, session: Session) -> "ApplyResult":
    result = _carried_out(wish, session)
    if not wish.common.quiet:
        tell(f"{escape(session.environment.name)}: {verdict(result)}\n\n")
    return result


# -- what is common to both -------------------------------------------------------------------------------------------


def _check(saved: "Sequence[Plan]", selection: "Selection", *, prune: bool) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: a saved plan is to be restricted or to prune.
    """
    if saved and not selection.is_everything:
        hint = "leave them out, or plan again with them"
        raise UsageError("--only and --selector restrict a plan while it is made; a saved plan has its own", hint=hint)
    if saved and selection.write_secrets:
        message = "--write-secret is for a plan while it is made; a saved plan writes what it shows"
        raise UsageError(message, hint="leave it out, or plan again with it")
    if saved and prune:
        raise UsageError("a saved plan prunes if it was made with --prune", hint="leave it out, or plan again with it")


def _show(outputs: Outputs, text_of: TextOf, environment: str = "") -> None:
    """Write the result. Where that fails, the exit code is still that of what was done to the service."""
    try:
        outputs.write(text_of, environment=environment)
    except ReconcilerError as error:
        tell_error(error)


def _parted(paths: tuple[Path, ...]) -> tuple["Sequence[Plan]", tuple[Path, ...]]:
    """The saved plans, where the first paths are some, and the other paths.

    Raises:
        PlanRefused: a plan is refused, or there is a key and a path is none.
        UsageError: a plan stands behind another path.
    """
    plans, key = [path for path in paths if is_plan(path)], plan_key()
    others = tuple(path for path in paths if path not in plans)
    if key and others:
        message = f"RECONCILER_PLAN_KEY is set, so apply takes only plans signed with it; {others[0]} is not one"
        raise PlanRefused("no-plan", message, hint="save a plan with plan --out and apply that")
    if (*plans, *others) != paths:
        raise UsageError("each PLANFILE comes before the PATHs", hint="see reconciler apply --help")
    return [reading.read(path, key) for path in plans], others
