"""A seeding file of the OrderCloud tools -> manifests, one file per object, offline."""

from pathlib import Path

import click

from reconciler.cli.console import settings_of
from reconciler.cli.documents import select_overlay_environments
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, file_name, input_file, unknown_roles_option, value_option
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
  reconciler import production.yaml --into-overlay production --write   # writes the differences as overlays

FILE is a seeding file (Objects: and Assignments:, YAML or JSON), a page of the API, or request bodies. Objects of all
supported kinds are imported; business data, secrets and unusable fields are left out and listed. References by ID
become {ref: NAME}. Existing manifests are changed as export changes them.

Exit codes: 0 done, or nothing to write; 1 error.
""",
)
@click.argument("file", type=input_file, metavar="FILE")
@value_option("--out", "DIR", file_name, help="Folder for new files; default: the first folder of manifests.")
@value_option(
    "--into-overlay",
    "ENV",
    help="Write the differences to the overlays of this environment, not to the manifests.",
    to="overlaid",
)
@click.option("--write", is_flag=True, help="Write the files; without it, only show them.")
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
    """Write manifests from the objects in a seeding file, offline."""
    from reconciler.project.export import ExportOptions, from_file

    select_overlay_environments(common, [overlaid] if overlaid else [])
    options = ExportOptions(out, into_overlay=bool(overlaid), allow_unknown_roles=allow_unknown_roles)
    made = from_file(settings_of(common), file, options)
    done = made.write() if write else made
    outputs.show(done.shown)
    return ExitCode.DONE
