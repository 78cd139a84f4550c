"""A saved plan, or manifests and a service -> changes of the service, and what became of each."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import exit as codes
from reconciler.cli.approving import require_approval, watch
from reconciler.cli.console import settings_of
from reconciler.cli.documents import PLANS, RESULTS, plan_text
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import tell_error
from reconciler.cli.metering import metrics_option
from reconciler.cli.options import (
    Common,
    ack_option,
    common_options,
    input_file,
    output_file,
    text,
    unknown_roles_option,
)
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.selecting import prune_option, selection_of, selection_options, write_secret_option
from reconciler.cli.signing import key as plan_key
from reconciler.cli.signing import warn_if_blank
from reconciler.errors import PlanRefused, ReconcilerError, UsageError
from reconciler.planning import planfile
from reconciler.planning.refusal import refusal
from reconciler.project.apply import Order, apply_new, apply_saved
from reconciler.project.files import is_plan
from reconciler.project.metering import Metering
from reconciler.project.overwrites import keep_apart
from reconciler.project.receipts import check_first, require_newest
from reconciler.project.session import Session

if TYPE_CHECKING:
    from reconciler.model.inputs import Selection
    from reconciler.model.outcome import ApplyResult
    from reconciler.model.plan import Plan


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

Ctrl-C starts no more changes, finishes those on their way, shows what is left and exits with 130.
""",
)
@click.argument("paths", nargs=-1, type=input_file, metavar="[PLANFILE] [PATH]...")
@click.option("--auto-approve", is_flag=True, help="Do not ask. Needed where there is no terminal to ask on.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its refusal, if any. The connection cannot write.")
@ack_option
@click.option("--keep-going", is_flag=True, help="Continue with other changes after one has failed.")
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
@common_options
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
    """
    keep_apart(settings_of(common), ())
    selection, (saved, paths) = selection_of(only, selector, (), write_secrets), _parted(paths)
    _check(saved, selection, prune=prune)
    session = Session.open(
        settings_of(common),
        paths,
        allow_unknown_roles=allow_unknown_roles,
        saved=saved,
        selection=selection_of(only, selector, paths, write_secrets),
        prunes=prune,
    )
    if require_tip:
        session.require_tip(require_tip)
    if dry_run:
        require_newest(session, receipt)
        return _shown(session, saved, ack, outputs)
    plan, result = _applied(session, common, saved, receipt, Said(ack, keep_going, ask=not auto_approve))
    metering.plan(plan)
    metering.result(session.environment.name, result)
    if receipt or result.run:
        warn_if_blank("receipt")
    _show(result, outputs, session.environment.name)
    return codes.of_result(result)


@dataclass(frozen=True, slots=True)
class Said:
    """What the user said about a plan."""

    ack: str | None
    keep_going: bool
    ask: bool


def _shown(session: Session, saved: "Plan | None", ack: str | None, outputs: Outputs) -> ExitCode:
    """Show what would be carried out, over a connection that cannot write.

    Raises:
        UsageError: a format that a plan does not have was asked for; nobody was contacted.
        PlanRefused: the saved plan would be refused.
        GuardRefusal: something speaks against it now that the plan does not say; the plan is shown.
    """
    if missing := set(outputs.names) - PLANS.keys():
        raise UsageError(f"a plan has no format {missing.pop()}", hint=f"use one of {', '.join(PLANS)}")
    if saved:
        session.check_here(saved)
        check_first(saved, session.journal, None, session.plan_key)
    with session.reader() as remote:
        plan = saved or session.plan_with(remote, demands_secrets=True)
        objections = session.check(saved, remote) if saved else session.frozen(plan)
    outputs.write(lambda name, style: plan_text(PLANS[name], plan, style))
    refused = refusal(plan, ack, objections)
    if refused and objections:
        raise refused
    return codes.of_plan(plan, ack, detailed=False)


def _applied(
    session: Session, common: Common, saved: "Plan | None", receipt: Path | None, said: Said
) -> tuple["Plan", "ApplyResult"]:
    """Carry out a saved plan; or plan, show the plan, ask and carry it out."""

    def order_of(plan: "Plan") -> Order:
        if not saved:
            require_approval(session, common, plan, said.ack, ask=said.ask)
        return Order(plan, said.ack, said.keep_going, watch=partial(watch, common=common, is_saved=bool(saved)))

    if saved:
        return saved, apply_saved(session, order_of(saved), receipt)
    return apply_new(session, order_of, receipt)


def _check(saved: "Plan | None", selection: "Selection", *, prune: bool) -> None:
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


def _show(result: "ApplyResult", outputs: Outputs, environment: str) -> None:
    """Write the result. Where that fails, the exit code is still that of what was done to the service."""
    try:
        outputs.write(lambda name, style: RESULTS[name](result, style), environment=environment)
    except ReconcilerError as error:
        tell_error(error)


def _parted(paths: tuple[Path, ...]) -> tuple["Plan | None", tuple[Path, ...]]:
    """A saved plan, where the first path is one, and the other paths.

    Raises:
        PlanRefused: the plan is refused, or there is a key and a path is none.
        UsageError: there are several plans.
    """
    plans, key = [path for path in paths if is_plan(path)], plan_key()
    others = [path for path in paths if path not in plans]
    if key and others:
        message = f"RECONCILER_PLAN_KEY is set, so apply takes plans signed with it, and {others[0]} is none"
        raise PlanRefused("no-plan", message, hint="save a plan with plan --out and apply that")
    if not plans:
        return None, paths
    if plans != [paths[0]]:
        raise UsageError("apply takes one PLANFILE, and takes it first", hint="see reconciler apply --help")

    return planfile.read(paths[0], key), paths[1:]
