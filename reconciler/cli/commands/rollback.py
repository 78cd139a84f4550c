"""A run of the journal -> an ordinary plan back to what was before it, and what became of each change."""

from typing import TYPE_CHECKING

import click

from reconciler.cli import exit as codes
from reconciler.cli.ask import somebody_is_there
from reconciler.cli.documents import RESULTS
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import style_of_stderr
from reconciler.cli.options import Common, common_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.streams import tell
from reconciler.errors import PlanRefused, ReconcilerError
from reconciler.render.failure import failure

if TYPE_CHECKING:
    from reconciler.model.outcome import ApplyResult
    from reconciler.model.run import RecordedRun


@click.command(
    "rollback",
    epilog="""
\b
Examples:
  reconciler rollback last --env staging                    # shows the plan, asks
  reconciler rollback 20261124T170306.104233Z-9f3c --auto-approve
  reconciler rollback last --only 'ApiClient/store*'        # a part of it

Exit codes: 0 done, 1 error and nothing was written, 3 a guard refused or somebody has changed it since, 4 the journal
was altered or is of another marketplace, 5 partly applied, 6 not converged, 64 there is no such run, 130 interrupted.
""",
)
@click.argument("run", type=text, metavar="RUN")
@click.option("--only", multiple=True, type=text, metavar="GLOB", help="Take back these only, by address.")
@click.option("--auto-approve", is_flag=True, help="Do not ask. Needed where there is no terminal to ask on.")
@click.option("--ack", type=text, metavar="DIGITS", help="Accept the guards' findings: the plan's first 12 digits.")
@click.option("--keep-going", is_flag=True, help="Go on with other changes after one has failed.")
@outputs_option("result", list(RESULTS))
@common_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    run: str,
    *,
    only: tuple[str, ...],
    auto_approve: bool,
    ack: str | None,
    keep_going: bool,
    outputs: Outputs,
) -> ExitCode:
    """Take back what a run has written, through the same guards. RUN is its id, a part of it, or last.

    Fields that the run touched go back to what they were, unless somebody has changed them since; all others stay. What
    it created is deleted, what it deleted is created anew, and secrets stay as they are.
    """
    from reconciler.cli.carrying import Order, carry_out, demand_approval  # noqa: PLC0415  # see main
    from reconciler.cli.journaling import look_back  # noqa: PLC0415
    from reconciler.cli.session import Session  # noqa: PLC0415

    if not (auto_approve or somebody_is_there()):
        message = "nobody can be asked to approve the changes: this is no terminal"
        raise ReconcilerError(message, hint="add --auto-approve")
    recorded = _recorded(common, run)
    if not common.envs:
        common.envs = (recorded.environment,)
    session = Session.open(common, (), allow_unknown_roles=True)
    with session.exclusively(), session.writer() as remote:
        plan = session.plan_back(recorded, only, remote)
        follows_up = look_back(session, remote, plan)
        demand_approval(session, plan, ack, ask=not auto_approve)
        order = Order(plan, ack, keep_going, follows_up, rolls_back=recorded.id)
        result = carry_out(session, remote, order, session.frozen(plan))
    _show(result, outputs, session.environment.name)
    return codes.of_result(result)


def _recorded(common: Common, name: str) -> "RecordedRun":
    """Read the run, if its journal is as it was written.

    Raises:
        PlanRefused: it was altered, or is of a run that applied nothing.
    """
    from reconciler.cli.environment import configuration  # noqa: PLC0415  # see main
    from reconciler.journal import check, find, read, recorded  # noqa: PLC0415

    path = find(configuration(common).journal, name)
    faults = check(path)
    if faults:
        raise PlanRefused("journal", f"{faults[0]}", hint="reconciler history verify lists all that was altered")
    run = recorded(read(path))
    if run is None:
        raise PlanRefused("journal", f"{path.stem} is no run of apply", hint="reconciler history lists the runs")
    return run


def _show(result: "ApplyResult", outputs: Outputs, environment: str) -> None:
    """Write the result. Where that fails, the exit code is still that of what was done to the service."""
    try:
        outputs.write(lambda name, style: RESULTS[name](result, style), environment=environment)
    except ReconcilerError as error:
        tell(failure(error, style_of_stderr()))
