"""A run of the journal -> an ordinary plan back to what was before it, and what became of each change."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from reconciler.applying.journal import check, find, read
from reconciler.applying.journal.events import last_written, recorded
from reconciler.applying.rollback import RULE
from reconciler.cli import completing
from reconciler.cli import exit as codes
from reconciler.cli.approving import require_approval, watch
from reconciler.cli.console import settings_of
from reconciler.cli.documents import PLANS, RESULTS, plan_document, require_formats
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import style_of_stderr
from reconciler.cli.options import Common, ack_option, common_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.streams import tell
from reconciler.errors import GuardRefusal, PlanRefused, ReconcilerError
from reconciler.planning.planfile import refusal
from reconciler.project import environment_name
from reconciler.project.apply import Order, execute
from reconciler.project.environment import chosen_environment, configuration
from reconciler.project.records import look_back
from reconciler.project.session import Session
from reconciler.render.escape import escape, joined
from reconciler.render.text import error_text

if TYPE_CHECKING:
    from reconciler.model.outcome import ApplyResult, RecordedRun
    from reconciler.model.plan import Plan
    from reconciler.project import Settings


@click.command(
    "rollback",
    epilog="""
\b
Examples:
  reconciler rollback last --env staging                    # shows the plan, asks
  reconciler rollback 20261124T170306.104233Z-9f3c --auto-approve
  reconciler rollback last --only 'ApiClient/store*'        # a part of it
  reconciler rollback last --dry-run                        # shows the plan; nothing is written, whatever else is given

Exit codes: 0 done; 1 error, nothing was written; 3 a guard refused, or something was changed since; 4 the journal was
altered, or the run is of another environment or marketplace; 5 partly applied; 6 not converged; 64 there is no such
run; 130 interrupted.
""",
)
@click.argument("run", type=text, metavar="RUN", shell_complete=completing.written_runs)
@click.option("--only", multiple=True, type=text, metavar="GLOB", help="Undo only these, by address.")
@click.option("--auto-approve", is_flag=True, help="Do not ask. Needed where there is no terminal to ask on.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its refusal, if any. The connection cannot write.")
@ack_option
@click.option("--keep-going", is_flag=True, help="Continue with other changes after one has failed.")
@outputs_option("result", list(RESULTS))
@common_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    run: str,
    *,
    only: tuple[str, ...],
    auto_approve: bool,
    dry_run: bool,
    ack: str | None,
    keep_going: bool,
    outputs: Outputs,
) -> ExitCode:
    """Undo what a run has written, through the same guards.

    RUN is its id, its start or end, or last: the newest run of apply or rollback that has written to the environment.
    Fields that the run touched go back to what they were, unless somebody has changed them since; all others stay. What
    it created is deleted if all of it is as the run left it; what it deleted is created again; secrets stay.
    """
    settings = settings_of(common)
    recorded = _recorded(settings, run)
    session = Session.open(replace(settings, environment=recorded.environment), (), allow_unknown_roles=True)
    if dry_run:
        return _shown(session, recorded, only, ack, outputs)
    with session.exclusively(), session.writer() as remote:
        plan = session.plan_back(recorded, only, remote)
        follows_up = look_back(session, remote, plan)
        if not common.quiet:
            tell(joined([f"Rollback of {_about(recorded)}"]))
        require_approval(session, common, plan, ack, ask=not auto_approve)
        if not auto_approve:
            _require_unchanged(plan, session.plan_back(recorded, only, remote))
        order = Order(plan, ack, keep_going, recorded.id, partial(watch, common=common))
        result = execute(session, remote, order, session.frozen(plan), follows_up)
    _show(result, outputs, session.environment.name)
    return codes.of_result(result)


def _shown(session: Session, run: "RecordedRun", only: tuple[str, ...], ack: str | None, outputs: Outputs) -> ExitCode:
    """Show what would be carried out, over a connection that cannot write.

    Raises:
        UsageError: a format that it does not have was asked for; nobody was contacted.
        GuardRefusal: something speaks against it now that the plan does not say; the plan is shown.
    """
    require_formats(outputs, PLANS.keys() - {"json"})  # that of a plan is a file that apply takes
    with session.reader() as remote:
        plan = session.plan_back(run, only, remote)
    outputs.write(lambda name, style: plan_document(name, plan, style))
    objections = session.frozen(plan)
    if objections and (refused := refusal(plan, ack, objections)):
        raise refused
    return codes.of_plan(plan, ack, detailed=False)


def _recorded(settings: "Settings", name: str) -> "RecordedRun":
    """Read the run, if its journal is as it was written.

    Raises:
        UsageError: there is no such run.
        PlanRefused: its journal was altered, it applied nothing, or it is of another environment.
    """
    config, environment = configuration(settings), environment_name(settings)
    if environment:
        chosen_environment(config, settings)
    path = last_written(config.journal, environment) if name == "last" else find(config.journal, name)
    faults = check(path)
    if faults:
        raise PlanRefused("journal", f"{faults[0]}", hint="reconciler history verify lists all that was altered")
    run = recorded(read(path))
    if run is None:
        hint = "a rotation cannot be rolled back; reconciler history lists the runs"
        raise PlanRefused("journal", f"{path.stem} is not a run of apply or rollback", hint=hint)
    if environment and environment != run.environment:
        message = f"run {run.id} was of environment {run.environment}, not of {environment}"
        raise PlanRefused("environment", message, hint=f"choose --env {run.environment}")
    if run.environment not in config.environments:
        message = f"run {run.id} was of environment {run.environment}, which is not in {config.path}"
        raise PlanRefused("environment", message, hint="add the environment again, or change the service by manifests")
    return run


def _about(run: "RecordedRun") -> str:
    about = f"run {run.id}: {run.kind} to {run.environment} by {run.user}, started {run.started_at[:19]}Z"
    if not run.rolls_back:
        return escape(about)
    again = f"It took back run {run.rolls_back}, whose changes are made again"
    return escape(f"{about}. {again}; for an earlier run see reconciler history")


def _require_unchanged(shown: "Plan", now: "Plan") -> None:
    """Refuse where the service has changed while the plan was read: assignments and secrets are not looked at again.

    Raises:
        GuardRefusal: something that would be taken back was changed.
        ReconcilerError: the plan is another one by now.
    """
    moved = [finding for finding in now.guards if finding.rule == RULE]
    if moved:
        raise GuardRefusal(moved)
    if now.changes != shown.changes:
        message = "the service has changed since the plan was shown; nothing was written"
        raise ReconcilerError(message, hint="run it again to see the plan as it is now")


def _show(result: "ApplyResult", outputs: Outputs, environment: str) -> None:
    """Write the result. Where that fails, the exit code is still that of what was done to the service."""
    try:
        outputs.write(lambda name, style: RESULTS[name](result, style), environment=environment)
    except ReconcilerError as error:
        tell(error_text(error, style_of_stderr()))
