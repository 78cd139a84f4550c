"""A run in the journal -> a plan that restores the previous state, and the outcome of each change."""

import click

from reconciler.cli import exit as codes
from reconciler.cli.approving import with_terminal
from reconciler.cli.console import settings_of
from reconciler.cli.documents import PLANS, RESULTS, require_formats, write_result
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, ack_option, common_options, completed_from, text, value_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.streams import write_stderr
from reconciler.model.outcome import RecordedRun
from reconciler.project.api import text_of
from reconciler.render.escape import escape, joined


@click.command(
    "rollback",
    epilog="""
\b
Examples:
  reconciler rollback last --env staging                    # shows the plan, asks
  reconciler rollback 20261124T170306.104233Z-9f3c --auto-approve
  reconciler rollback last --only 'ApiClient/store*'        # some resources
  reconciler rollback last --dry-run                        # shows the plan; never writes

Exit codes: 0 done; 1 error, nothing was written; 3 a guard refused, or something was changed since; 4 the journal was
altered, or the run is of another environment or marketplace; 5 partly applied; 6 not converged; 64 unknown run;
130 interrupted.
""",
)
@click.argument("run", type=text, metavar="RUN", shell_complete=completed_from("written-runs"))
@value_option("--only", "GLOB", help="Only addresses that match, e.g. 'ApiClient/store*'; repeatable.", multiple=True)
@click.option("--auto-approve", is_flag=True, help="Do not ask for approval. Required without a terminal.")
@click.option("--dry-run", is_flag=True, help="Show the plan and any refusal, over a read-only connection.")
@ack_option
@click.option("--keep-going", is_flag=True, help="Continue with other changes after a failure.")
@outputs_option("result", RESULTS)
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
    """Undo the changes of a run, subject to the same guards.

    RUN is its id, its start or end, or last: the newest run of apply or rollback that wrote to the environment. Fields
    that the run changed get their previous values, objects that it created are deleted, and objects that it deleted are
    created again; secrets are kept. Refuses what has changed since the run.
    """
    from reconciler.project.apply import ApplyOptions, preview_rollback, roll_back, run_to_roll_back

    settings = settings_of(common)
    recorded = run_to_roll_back(settings, run)
    click.get_current_context().params["run"] = recorded.id  # in printed commands: `last` may be another run by then
    if not common.quiet:
        write_stderr(joined([f"Rollback of {_about(recorded)}"]))
    options = ApplyOptions(ack=ack, keep_going=keep_going)
    if dry_run:
        require_formats(outputs, {*PLANS} - {"json"})  # the JSON of a plan is a file for apply
        plan, refused = preview_rollback(settings, recorded, only, ack)
        outputs.write(lambda name, style: text_of(plan, name, style))
        if refused:
            raise refused
        return codes.of_plan(plan, ack, detailed=False)
    options = with_terminal(options, common, ask=not auto_approve)
    result = roll_back(settings, recorded, only, options)
    write_result(outputs, lambda name, style: text_of(result, name, style))
    return codes.of_result(result)


def _about(run: RecordedRun) -> str:
    about = f"run {run.id}: {run.kind} to {run.environment} by {run.user}, started {run.started_at[:19]}Z"
    if not run.rolls_back:
        return escape(about)
    again = f"It rolled back run {run.rolls_back}, so this makes the changes of that run again"
    return escape(f"{about}. {again}; for an earlier run see reconciler history")
