"""Saved plans, or manifests and services -> changes of the services, and what became of each."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import exit as codes
from reconciler.cli.approving import is_stopping, require_approval, watch
from reconciler.cli.console import settings_of
from reconciler.cli.documents import PLANS, RESULTS, plan_document, plan_text
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_error
from reconciler.cli.metering import metrics_option
from reconciler.cli.options import (
    Common,
    ack_option,
    environments_options,
    input_file,
    output_file,
    text,
    unknown_roles_option,
)
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.runlog import requests_told
from reconciler.cli.selecting import prune_option, selection_of, selection_options, write_secret_option
from reconciler.cli.several import digested, each, joined, tell_all_warnings, worst
from reconciler.cli.signing import key as plan_key
from reconciler.cli.signing import warn_if_blank
from reconciler.cli.streams import tell
from reconciler.errors import GuardRefusal, PlanRefused, ReconcilerError, UsageError
from reconciler.planning import planfile
from reconciler.project.apply import Order, apply_new, apply_saved, look, promote
from reconciler.project.files import is_plan
from reconciler.project.metering import Metering
from reconciler.project.overwrites import keep_apart
from reconciler.project.session import Session
from reconciler.project.several import promoted
from reconciler.render.escape import escape
from reconciler.render.titles import result_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.cli.outputs import TextOf
    from reconciler.model.inputs import Selection
    from reconciler.model.outcome import ApplyResult
    from reconciler.model.plan import Plan
    from reconciler.project.settings import Settings


@click.command(
    "apply",
    epilog="""
\b
Examples:
  reconciler plan --env staging --out plan.json && reconciler apply plan.json
  reconciler apply --env staging                   # plans, shows it, asks
  reconciler apply --env staging --auto-approve    # plans and does not ask
  reconciler apply plan.json --dry-run             # checks and shows it; nothing is written, whatever else is given
  reconciler apply --only 'ApiClient/store*'       # a part of them; or by labels: --selector team=web
  reconciler apply plan.json --receipt receipt.json    # for drift --receipt: tells later who moved
  reconciler apply plan.json --format text --into json=result.json --into junit=result.xml
  reconciler apply plan.json --ack 0123456789ab    # accepts what the guards object to in these changes
  reconciler apply --env-all                       # one after another, in the order of promote: in reconciler.yaml
  reconciler apply plans/sandbox.json plans/staging.json    # the same with what plan --env-all --out plans has saved

Ctrl-C starts no more changes, finishes those on their way, shows what is left and exits with 130.
""",
)
@click.argument("paths", nargs=-1, type=input_file, metavar="[PLANFILE]... [PATH]...")
@click.option("--auto-approve", is_flag=True, help="Do not ask. Needed where there is no terminal to ask on.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its refusal, if any. The connection cannot write.")
@ack_option
@click.option("--keep-going", is_flag=True, help="Continue with other changes of the environment after one has failed.")
@click.option(
    "--require-tip",
    type=text,
    metavar="BRANCH",
    help="Refuse manifests other than those of this branch as last fetched.",
)
@click.option(
    "--receipt", type=output_file, metavar="FILE", help="Keep hashes of what was applied, for drift --receipt."
)
@outputs_option("apply", list(RESULTS))
@metrics_option("apply")
@selection_options
@prune_option
@write_secret_option
@unknown_roles_option
@environments_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    paths: tuple[Path, ...],
    *,
    auto_approve: bool,
    dry_run: bool,
    ack: str | None,
    keep_going: bool,
    require_tip: str | None,
    receipt: Path | None,
    outputs: Outputs,
    metering: Metering,
    only: tuple[str, ...],
    selector: dict[str, str],
    prune: bool,
    write_secrets: tuple[str, ...],
    allow_unknown_roles: bool,
) -> ExitCode:
    """Change the service to what the manifests ask for.

    Carries out exactly the saved PLANFILE; PATHs must then be those that plan was given. Without a PLANFILE it plans,
    shows the plan and asks. Each path but folders and YAML files is taken for a plan.

    Several environments are applied one after another, in the order of promote: in the configuration, up to the first
    that does not end with 0. Each plan is shown before it is applied. Run it again to go on: what is in step is left
    alone.
    """
    keep_apart(settings_of(common), ())
    saved, paths = _parted(paths)
    _check(saved, selection_of(only, selector, (), write_secrets), prune=prune)

    def opened(settings: "Settings") -> Session:
        plan = _for_environment(saved, settings)
        session = Session.open(
            settings,
            paths,
            allow_unknown_roles=allow_unknown_roles,
            saved=plan,
            selection=selection_of(only, selector, paths, write_secrets),
            prunes=prune,
        )
        if plan and len(saved) > 1:  # before another one is applied
            session.check_here(plan)
        if require_tip:
            session.require_tip(require_tip)
        return session

    order = _Order(common, outputs, metering, saved, receipt, ack, keep_going, ask=not auto_approve, opened=opened)
    if common.is_of_several or len(saved) > 1:
        return (_several_shown if dry_run else _several_applied)(order)
    return (_shown if dry_run else _applied)(order)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is to be done, and where it is reported."""

    common: Common
    outputs: Outputs
    metering: Metering
    saved: "Sequence[Plan]"
    receipt: Path | None
    ack: str | None
    keep_going: bool
    ask: bool
    opened: "Callable[[Settings], Session]"


def _for_environment(saved: "Sequence[Plan]", settings: "Settings") -> "Plan | None":
    """The saved plan of an environment; the only one is for `Session.open` to judge."""
    if len(saved) <= 1:
        return next(iter(saved), None)
    return next(plan for plan in saved if plan.binding.environment == settings.environment)


def _shown(order: _Order) -> ExitCode:
    """Show what would be carried out, over a connection that cannot write.

    Raises:
        UsageError: a format that a plan does not have was asked for; nobody was contacted.
        PlanRefused: the saved plan would be refused.
        GuardRefusal: something speaks against it now that the plan does not say; the plan is shown.
    """
    _require_plan_formats(order.outputs)
    session = order.opened(settings_of(order.common))
    plan, refused = look(session, _for_environment(order.saved, session.settings), order.ack, order.receipt)
    order.outputs.write(lambda name, style: plan_document(name, plan, style))
    if refused:
        raise refused
    return codes.of_plan(plan, order.ack, detailed=False)


def _require_plan_formats(outputs: Outputs) -> None:
    if missing := set(outputs.names) - PLANS.keys():
        raise UsageError(f"a plan has no format {missing.pop()}", hint=f"use one of {', '.join(PLANS)}")


def _applied(order: _Order) -> ExitCode:
    """Apply to one environment and show the result."""
    session = order.opened(settings_of(order.common))
    result = _carried_out(order, session)
    _show(order.outputs, lambda name, style: RESULTS[name](result, style), session.environment.name)
    return codes.of_result(result)


def _carried_out(order: _Order, session: Session) -> "ApplyResult":
    """Carry out a saved plan; or plan, show the plan, ask and carry it out."""
    saved, common = _for_environment(order.saved, session.settings), order.common

    def approved(plan: "Plan") -> Order:
        if not saved:
            require_approval(session, common, plan, order.ack, ask=order.ask)
        return Order(plan, order.ack, order.keep_going, watch=partial(watch, common=common, is_saved=bool(saved)))

    if saved:
        plan, result = saved, apply_saved(session, approved(saved), order.receipt)
    else:
        plan, result = apply_new(session, approved, order.receipt)
    order.metering.plan(plan)
    order.metering.result(session.environment.name, result)
    if order.receipt or result.run:
        warn_if_blank("receipt")
    return result


# -- several environments, in the order of the configuration ---------------------------------------------------------


def _names(order: _Order) -> list[str]:
    """The environments that are meant, in the order in which they are applied.

    Raises:
        UsageError: there is no such order; or saved plans, which name their environments, do not fit the command line.
    """
    common, planned = order.common, [plan.binding.environment for plan in order.saved]
    if order.receipt:
        raise UsageError("--receipt is for one environment", hint="leave it out: the journal keeps a receipt of each")
    if planned and (common.env_all or set(common.envs) - set(planned)):
        raise UsageError("saved plans name their environments", hint="leave out --env and --env-all")
    if len(set(planned)) < len(planned):
        raise UsageError("two of the saved plans are for the same environment", hint="give one for each")
    return promoted(settings_of(common), planned or common.envs)


def _several_shown(order: _Order) -> ExitCode:
    """Show what would be carried out in each."""
    _require_plan_formats(order.outputs)
    refusals: dict[str, GuardRefusal | None] = {}

    def find(settings: "Settings") -> "Plan":
        session = order.opened(settings)
        plan, refusals[session.environment.name] = look(session, _for_environment(order.saved, settings), order.ack)
        return plan

    def end(plan: "Plan") -> ExitCode:
        if refused := refusals[plan.binding.environment]:
            raise refused
        return codes.of_plan(plan, order.ack, detailed=False)

    plans = digested(each(order.common, find, "plan", end, names=_names(order)))

    order.outputs.write(lambda name, style: joined(plans, name, partial(plan_text, PLANS[name]), style))
    return worst(plans)


def _several_applied(order: _Order) -> ExitCode:
    """Apply to one after another, up to the first that does not end with 0, and show all results."""
    common, names = order.common, _names(order)
    with requests_told(wanted=common.verbose and not common.quiet, sign_of_life=False, named=True):
        parts = promote(
            settings_of(common), names, order.opened, partial(_step, order), codes.of_result, is_stopping=is_stopping
        )
    tell_all_warnings(common, names)
    order.metering.planned(parts)
    _show(order.outputs, lambda name, style: joined(parts, name, RESULTS[name], style))
    return codes.of_promotion(parts)


def _step(order: _Order, session: Session) -> "ApplyResult":
    result = _carried_out(order, session)
    if not order.common.quiet:
        tell(f"{escape(session.environment.name)}: {result_verdict(result)}\n\n")
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
        raise UsageError("a saved plan prunes where plan was given --prune", hint="leave it out, or plan again with it")


def _show(outputs: Outputs, text_of: "TextOf", environment: str = "") -> None:
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
        message = f"RECONCILER_PLAN_KEY is set, so apply takes plans signed with it, and {others[0]} is none"
        raise PlanRefused("no-plan", message, hint="save a plan with plan --out and apply that")
    if (*plans, *others) != paths:
        raise UsageError("apply takes each PLANFILE ahead of PATHs", hint="see reconciler apply --help")
    return [planfile.read(path, key) for path in plans], others
