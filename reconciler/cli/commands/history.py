"""The journals -> a list of runs, one run, or whether a journal was altered; offline."""

import click

from reconciler.cli.console import settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, completed_from, environments_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.render.history import LISTS, RUNS, VERIFICATIONS


@click.group(
    "history",
    invoke_without_command=True,
    epilog="""
\b
Examples:
  reconciler history
  reconciler history --env production --format json    # or several: --env staging --env production
  reconciler history show last
  reconciler history verify

Exit codes: 0 done, 1 a journal was altered or cannot be read, 64 unknown run or environment.
""",
)
@outputs_option("history", LISTS)
@environments_options
@click.pass_context
def command(ctx: click.Context, *, outputs: Outputs) -> ExitCode | None:
    """List runs that wrote changes; show one, or verify the journals.

    Runs of several environments are in one list, the newest last.
    """
    if ctx.invoked_subcommand is not None:
        return None
    common = ctx.ensure_object(Common)
    from reconciler.project.records import history

    found = history(settings_of(common), common.envs, every=common.env_all)
    outputs.show(found)
    return ExitCode.DONE


@command.command(
    "show",
    epilog="""
\b
Examples:
  reconciler history show last
  reconciler history show 20261124T170306.104233Z-9f3c --format json
""",
)
@click.argument("run", type=text, metavar="RUN", shell_complete=completed_from("runs"))
@outputs_option("history", RUNS)
@common_options
@click.pass_obj
def show(common: Common, run: str, *, outputs: Outputs) -> ExitCode:
    """Show the outcome of each change of a run. RUN is its id, its start or end, or last (of --env)."""
    from reconciler.project.records import run_of

    found = run_of(settings_of(common), run)
    outputs.show(found)
    return ExitCode.DONE


@command.command(
    "verify",
    epilog="""
\b
Examples:
  reconciler history verify         # all journals, and their order
  reconciler history verify last

Exit codes: 0 intact, 1 altered.
""",
)
@click.argument("run", type=text, metavar="[RUN]", required=False, shell_complete=completed_from("runs"))
@outputs_option("history", VERIFICATIONS)
@common_options
@click.pass_obj
def verify(common: Common, run: str | None, *, outputs: Outputs) -> ExitCode:
    """Detect journal lines that were removed, altered or moved."""
    from reconciler.project.records import verified

    found = verified(settings_of(common), run)
    outputs.show(found)
    return ExitCode.ERROR if found.faults else ExitCode.DONE
