"""Manifests and a service -> the status of every secret, or rotated secrets."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import click

from reconciler.cli import options
from reconciler.cli.approving import require_yes, stoppable, target
from reconciler.cli.console import settings_of
from reconciler.cli.documents import each, show_parts
from reconciler.cli.exit import ExitCode, of_rotation
from reconciler.cli.failures import style_of_stderr
from reconciler.cli.options import Common, completed_from, output_file, text, value_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.streams import write_stderr
from reconciler.errors import UsageError
from reconciler.model.inputs import Selection
from reconciler.model.reports import SecretReport
from reconciler.project.api import Project
from reconciler.project.files import write_file
from reconciler.render.secrets import ROTATIONS, STATUSES, Rotated, metrics, rotated_text


@click.group(
    "secrets",
    invoke_without_command=True,
    epilog="""
\b
Examples:
  reconciler secrets status --env production
  reconciler secrets rotate --due --env production
""",
)
@options.environments_options
@click.pass_context
def command(ctx: click.Context) -> None:
    """Show the status of secrets, and rotate those that are due."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"Missing command: one of {', '.join(sorted(command.commands))}.", ctx)


@command.command(
    "status",
    epilog="""
\b
Examples:
  reconciler secrets status --env production    # or several: --env-all
  reconciler secrets status --format json | jq '.secrets[] | select(.in_step | not)'
  reconciler secrets status --metrics /var/lib/node_exporter/secrets.prom

Exit codes: 0 nothing is due for rotation; 1 error, including a refused login; 2 secrets are due (secrets rotate --due).
Other secrets that need attention are listed and do not change the code.
""",
)
@options.paths_argument
@outputs_option("secrets", STATUSES)
@value_option("--metrics", "FILE", output_file, help="Also write Prometheus metrics.", to="metrics_file")
@options.selection_options
@options.reading_options
@click.pass_obj
def status(
    common: Common, paths: tuple[Path, ...], *, outputs: Outputs, metrics_file: Path | None, selection: Selection
) -> ExitCode:
    """Show the age, expiry and status of every secret. Nothing is written to the service."""
    from reconciler.project import secret_status

    def find(project: Project) -> SecretReport:
        return secret_status.status(project.settings, paths, selection)

    parts = each(common, find, outputs.noun, _code)
    code = show_parts(parts, outputs)
    reports = [one.found for one in parts if one.found]
    if metrics_file and reports:
        write_file(metrics_file, metrics(reports))
    return code


def _code(report: SecretReport) -> ExitCode:
    return ExitCode.CHANGES if report.due else ExitCode.DONE


@command.command(
    "rotate",
    epilog="""
\b
Examples:
  reconciler secrets rotate --due --env production --dry-run
  reconciler secrets rotate --due --env production --auto-approve    # every night
  reconciler secrets rotate ApiClient/storefront                     # shows the steps, asks
  reconciler secrets rotate ApiClient/storefront --secret primary

After an interruption, run it again: it continues where it stopped.

Exit codes: 0 done, or postponed until a login through the client is possible; 1 error, nothing was written; 3 a guard
refused; 5 stopped after some steps, or some secrets failed; 130 interrupted.
""",
)
@click.argument("address", type=text, metavar="[ADDRESS]", required=False, shell_complete=completed_from("addresses"))
@value_option("--secret", "NAME", help="Name of the secret, if the manifest lists several.", to="name")
@click.option("--due", is_flag=True, help="Only secrets that are due, of ADDRESS or of all selected manifests.")
@click.option("--dry-run", is_flag=True, help="Show the steps, over a read-only connection.")
@click.option("--auto-approve", is_flag=True, help="Do not ask for approval. Required without a terminal.")
@options.ack_option
@options.selection_options
@outputs_option("rotation", ROTATIONS)
@options.common_options
@click.pass_obj
def rotate(  # noqa: PLR0913  # one for each option
    common: Common,
    address: str | None,
    *,
    name: str | None,
    due: bool,
    dry_run: bool,
    auto_approve: bool,
    ack: str | None,
    selection: Selection,
    outputs: Outputs,
) -> ExitCode:
    """Replace a secret with a new one: show the steps, ask, and run them.

    Creates a secret, verifies it with a login, delivers it as the manifest specifies, and lets the old one expire after
    the overlap. A later run deletes the old one. ADDRESS is the address of a manifest, e.g. ApiClient/storefront.
    """
    from reconciler.project.rotate import RotateOptions
    from reconciler.project.rotate import rotate as rotated
    from reconciler.project.secret_status import SecretChoice

    _check(address, name, selection, due=due)
    approve = partial(_approve, common, ask=not auto_approve)
    options = RotateOptions(SecretChoice(address, name, only_due=due), ack, approve, _begin)
    done = rotated(settings_of(common), selection, options, dry_run=dry_run)
    outputs.show(done.rotated)
    return of_rotation(done)


def _begin() -> Callable[[], bool]:
    """Handle signals until the command ends, so that what was written is recorded and shown."""
    return click.get_current_context().with_resource(stoppable())


def _approve(common: Common, rotated: Rotated, is_acceptable: bool, *, ask: bool) -> bool:  # noqa: FBT001  # see RotateOptions.approve
    """Show the steps, and ask for approval unless they are approved already or refused by a guard.

    Raises:
        ReconcilerError: the answer was no, or there is no terminal.
    """
    ask = ask and is_acceptable
    if ask:
        where = target(rotated.environment, rotated.marketplace, rotated.base_url)
        require_yes(f"Rotate in {where}?", partial(rotated_text, rotated))
    elif not common.quiet:
        write_stderr(rotated_text(rotated, style_of_stderr()))
    return ask


def _check(address: str | None, name: str | None, selection: Selection, *, due: bool) -> None:
    """Reject options that cannot be combined.

    Raises:
        UsageError: the options do not select what to rotate, or contradict each other.
    """
    if address is None and not due:
        raise UsageError("give an ADDRESS to rotate, or --due")
    if name and address is None:
        raise UsageError("--secret requires an ADDRESS")
    if not selection.is_everything and (address or not due):
        raise UsageError("--only and --selector restrict --due without an ADDRESS", hint="remove them")
