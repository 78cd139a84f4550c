"""A service -> manifests of all that is live, one file for each. The service is only read."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, file_name, text, unknown_roles_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.errors import UsageError
from reconciler.render.export import EXPORTS

if TYPE_CHECKING:
    from reconciler.config import Config, Environment


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be exported, and where to."""

    out: Path | None = None
    only: tuple[str, ...] = ()
    into_overlay: bool = False
    with_own_client: bool = False


_EVERYTHING: Final = Wish()


@click.command(
    "export",
    epilog="""
\b
Examples:
  reconciler export --env staging                   # shows what would be written, writes nothing
  reconciler export --env staging --write
  reconciler export --env staging --out /tmp/look --write
  reconciler export --only 'ApiClient/store*' --write
  reconciler export --into-overlay production --write   # what differs there, as its overlays

One file for each API client, named after its AppName. Left out are what equals the API's default, what the service
makes itself, and secrets. An export over manifests that are there already changes only what is live otherwise, and
keeps comments, anchors and ${values.KEY}; it never removes a file. IDs go under ids: of the environment in
reconciler.yaml, so that a rename is an update; not where --out names a folder that is not of the configuration. The
client that the run is logged in with gets no manifest of its own without --own-client.

Exit codes: 0 done, also when there was nothing to write; 1 an error.
""",
)
@click.option("--out", type=file_name, metavar="DIR", help="Where new files go; else the first folder of manifests.")
@click.option(
    "--only", multiple=True, type=text, metavar="ADDRESS-GLOB", help="Leave out all other addresses; several times."
)
@click.option(
    "--into-overlay",
    "overlaid",
    type=text,
    metavar="ENV",
    help="Write what differs in this environment into its overlays, and leave the manifests alone.",
)
@click.option("--own-client", is_flag=True, help="Make a manifest of the client that the run is logged in with, too.")
@click.option("--write", is_flag=True, help="Write the files; else it is only shown what would be written.")
@outputs_option("export", list(EXPORTS))
@unknown_roles_option
@common_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    *,
    out: Path | None,
    only: tuple[str, ...],
    overlaid: str | None,
    own_client: bool,
    write: bool,
    outputs: Outputs,
    allow_unknown_roles: bool,
) -> ExitCode:
    """Make manifests of the API clients that are live. Right after it, plan finds no changes.

    The service is only read.
    """
    from reconciler.cli.environment import configuration, environment_name  # noqa: PLC0415  # see main
    from reconciler.config import select_environment  # noqa: PLC0415

    config = configuration(common)
    environment = select_environment(config, overlaid_environment(common, overlaid) or environment_name(common))
    wish = Wish(out, only, into_overlay=overlaid is not None, with_own_client=own_client)
    export_environment(config, environment, outputs, wish, write=write, allow_unknown_roles=allow_unknown_roles)
    return ExitCode.DONE


def overlaid_environment(common: Common, name: str | None) -> str | None:
    """The environment that --into-overlay names.

    Raises:
        UsageError: --env names another one.
    """
    if name and common.env and common.env != name:
        raise UsageError(f"--into-overlay {name} reads {name}, and --env names {common.env}", hint="leave out --env")
    return name


def export_environment(
    config: "Config",
    environment: "Environment",
    outputs: Outputs,
    wish: Wish = _EVERYTHING,
    *,
    write: bool,
    allow_unknown_roles: bool = False,
) -> None:
    """Make manifests of one environment's objects, and show what they are."""
    from reconciler import pipeline  # noqa: PLC0415  # see main
    from reconciler.cli import connect  # noqa: PLC0415
    from reconciler.cli.making import Found, Workplace  # noqa: PLC0415
    from reconciler.export import Choice  # noqa: PLC0415

    workplace = Workplace.open(config, environment, wish.out, allow_unknown_roles=allow_unknown_roles)
    if wish.into_overlay:
        workplace = workplace.into_overlay(config, environment)
    target = pipeline.Target(environment.name, environment.marketplace, environment.limits)
    with connect.reader(environment, config.path.parent) as remote:
        live = pipeline.live(remote, target)
        found = Found(live, pipeline.secrets_beside(remote, live))
        own = "" if wish.with_own_client else remote.client_id
    source = f"marketplace {live.marketplace}"
    title = f"Environment {environment.name}: {source} at {environment.base_url}"
    workplace.choosing(Choice(wish.only, own)).make(found, source, title, outputs, write=write)
