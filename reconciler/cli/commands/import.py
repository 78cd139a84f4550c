"""A seeding file of OrderCloud's own tools -> manifests, one file for each object. Nothing is contacted."""

from pathlib import Path

import click

from reconciler.cli.commands.export import select_overlay_environments
from reconciler.cli.console import settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, file_name, unknown_roles_option, valued
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.render.reports import EXPORTS


@click.command(
    "import",
    epilog="""
\b
Examples:
  reconciler import marketplace.yaml                # shows what would be written, writes nothing
  reconciler import marketplace.yaml --write
  reconciler import seed.json --out /tmp/look --write
  reconciler import production.yaml --into-overlay production --write   # what differs there, as its overlays

FILE is a seeding file (Objects: and Assignments:, YAML or JSON), a page of the API, or request bodies. Objects of every
kind that is managed are imported; business data, secrets and fields that cannot be used are left out and listed. An
object that another one refers to by its ID is named there as {ref: NAME}. Manifests that are there already are changed
as export changes them.

Exit codes: 0 done, also when there was nothing to write; 1 an error.
""",
)
@click.argument("file", type=file_name, metavar="FILE")
@valued("--out", "DIR", file_name, help="Where new files go; else the first folder of manifests.")
@valued(
    "--into-overlay",
    "ENV",
    help="Write what differs in the file into the overlays of this environment, and leave the manifests alone.",
    to="overlaid",
)
@click.option("--write", is_flag=True, help="Write the files; without it they are only shown.")
@outputs_option("import", EXPORTS)
@unknown_roles_option
@common_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    file: Path,
    *,
    out: Path | None,
    overlaid: str | None,
    write: bool,
    outputs: Outputs,
    allow_unknown_roles: bool,
) -> ExitCode:
    """Make manifests of the objects in a seeding file, offline."""
    from reconciler.project.export import ExportOptions, from_file

    select_overlay_environments(common, [overlaid] if overlaid else [])
    options = ExportOptions(out, into_overlay=bool(overlaid), allow_unknown_roles=allow_unknown_roles)
    made = from_file(settings_of(common), file, options)
    done = made.write() if write else made
    outputs.show(done.shown)
    return ExitCode.DONE
