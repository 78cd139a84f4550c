"""The folder of the journals -> the runs that have written, one of them, or whether a journal was altered. Offline."""

import click

from reconciler.cli import completing
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.render.history import LISTS, RUNS, VERIFICATIONS, Verified


@click.group(
    "history",
    invoke_without_command=True,
    epilog="""
\b
Examples:
  reconciler history
  reconciler history --env production --format json
  reconciler history show last
  reconciler history verify

Exit codes: 0 done, 1 a journal was altered or cannot be read, 64 there is no such run.
""",
)
@outputs_option("history", list(LISTS))
@common_options
@click.pass_context
def command(ctx: click.Context, *, outputs: Outputs) -> ExitCode | None:
    """List the runs that have written, as their journals tell; show one, or verify the journals."""
    if ctx.invoked_subcommand is not None:
        return None
    from reconciler.applying.journal.read import run_files, runs  # noqa: PLC0415
    from reconciler.cli.environment import configuration, environment_name  # noqa: PLC0415  # see main
    from reconciler.cli.journaling import listed  # noqa: PLC0415

    common = ctx.ensure_object(Common)
    folder, environment = configuration(common).journal, environment_name(common)
    found = [listed(run, path) for run, path in zip(runs(folder), run_files(folder), strict=True)]
    chosen = [run for run in found if environment in {None, run.environment}]
    outputs.write(lambda name, style: LISTS[name](chosen, style))
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
@click.argument("run", type=text, metavar="RUN", shell_complete=completing.runs)
@outputs_option("history", list(RUNS))
@common_options
@click.pass_obj
def show(common: Common, run: str, *, outputs: Outputs) -> ExitCode:
    """Show how far each change of a run had come. RUN is its id, a part of it, or last."""
    from reconciler.applying.journal import find, read  # noqa: PLC0415
    from reconciler.cli.environment import configuration  # noqa: PLC0415  # see main
    from reconciler.cli.journaling import listed  # noqa: PLC0415

    path = find(configuration(common).journal, run)
    found = listed(read(path), path)
    outputs.write(lambda name, style: RUNS[name](found, style))
    return ExitCode.DONE


@command.command(
    "verify",
    epilog="""
\b
Examples:
  reconciler history verify         # all journals, and their succession
  reconciler history verify last

Exit codes: 0 all lines are as they were written, 1 some are not.
""",
)
@click.argument("run", type=text, metavar="[RUN]", required=False, shell_complete=completing.runs)
@outputs_option("history", list(VERIFICATIONS))
@common_options
@click.pass_obj
def verify(common: Common, run: str | None, *, outputs: Outputs) -> ExitCode:
    """Find lines of journals that were removed, altered or moved, and name each."""
    from reconciler.applying.journal import check, check_all, find  # noqa: PLC0415
    from reconciler.applying.journal.read import run_files  # noqa: PLC0415
    from reconciler.cli.environment import configuration  # noqa: PLC0415  # see main

    folder = configuration(common).journal
    faults = check(find(folder, run)) if run else check_all(folder)
    verified = Verified(1 if run else len(run_files(folder)), tuple(map(str, faults)))
    outputs.write(lambda name, style: VERIFICATIONS[name](verified, style))
    return ExitCode.ERROR if faults else ExitCode.DONE
