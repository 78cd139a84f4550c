"""A service -> manifests of all that is live, one file for each. The service is only read."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, file_name, unknown_roles_option

if TYPE_CHECKING:
    from reconciler.config import Config, Environment


@click.command(
    "export",
    epilog="""
\b
Examples:
  reconciler export --env staging                   # shows what would be written, writes nothing
  reconciler export --env staging --write
  reconciler export --env staging --out /tmp/look --write

One file for each API client, named after its AppName. Left out are what equals the API's default, what the service
makes itself, and secrets. An export over manifests that are there already changes only what is live otherwise, and
keeps comments, anchors and ${values.KEY}; it never removes a file.

Exit codes: 0 done, also when there was nothing to write; 1 an error.
""",
)
@click.option("--out", type=file_name, metavar="DIR", help="Where new files go; else the first folder of manifests.")
@click.option("--write", is_flag=True, help="Write the files; else it is only shown what would be written.")
@unknown_roles_option
@common_options
@click.pass_obj
def command(common: Common, *, out: Path | None, write: bool, allow_unknown_roles: bool) -> ExitCode:
    """Make manifests of the API clients that are live. Right after it, plan finds no changes.

    The service is only read.
    """
    from reconciler.cli.environment import configuration, environment_name  # noqa: PLC0415  # see main
    from reconciler.config import select_environment  # noqa: PLC0415

    config = configuration(common)
    environment = select_environment(config, environment_name(common))
    export_environment(config, environment, out, write=write, allow_unknown_roles=allow_unknown_roles)
    return ExitCode.DONE


def export_environment(
    config: "Config",
    environment: "Environment",
    out: Path | None,
    *,
    write: bool,
    allow_unknown_roles: bool = False,
) -> None:
    """Make manifests of one environment's objects, and show what they are."""
    from reconciler import pipeline  # noqa: PLC0415  # see main
    from reconciler.cli import connect  # noqa: PLC0415
    from reconciler.cli.making import Found, Workplace  # noqa: PLC0415

    workplace = Workplace.open(config, environment, out, allow_unknown_roles=allow_unknown_roles)
    target = pipeline.Target(environment.name, environment.marketplace, environment.limits)
    with connect.reader(environment, config.path.parent) as remote:
        live = pipeline.live(remote, target)
        found = Found(live, pipeline.secrets_beside(remote, live))
    source = f"marketplace {live.marketplace}"
    workplace.make(found, source, f"Environment {environment.name}: {source} at {environment.base_url}", write=write)
