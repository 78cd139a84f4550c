"""A service -> manifests of all that is live, one file for each. The service is only read."""

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli.documents import style_of_stdout
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, file_name, unknown_roles_option
from reconciler.cli.streams import emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.cli.session import Session
    from reconciler.config import Config, Environment
    from reconciler.exporter import Export

_FOLDER: Final = "manifests"
_NEXT: Final = (
    "A field that a manifest does not name is neither watched nor changed; policy: {fields: exclusive} in a manifest",
    "holds such fields at the API's default.",
)


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
keeps comments, anchors and ${values.KEY}; the first lines of a file and its name are yours to change.

Exit codes: 0 done, also when there was nothing to write; 1 an error, and no file was changed.
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
    export_environment(common, config, environment, out, write=write, allow_unknown_roles=allow_unknown_roles)
    return ExitCode.DONE


def export_environment(  # what the command is told
    common: Common,
    config: "Config",
    environment: "Environment",
    out: Path | None,
    *,
    write: bool,
    allow_unknown_roles: bool = False,
) -> None:
    """Work out the files, write them if that is asked for, and show what they are."""
    from reconciler.render.export import Exporting, text  # noqa: PLC0415  # see main

    folder = Path(os.path.abspath(out or default_folder(config)))  # noqa: PTH100  # in words, not through links
    session = _session(common, config, environment, folder, allow_unknown_roles=allow_unknown_roles)
    marketplace, made = _made(session, config, folder, allow_unknown_roles=allow_unknown_roles)
    changed = dict(made.files.changed)
    if write:
        made.write()
    source = f"Environment {environment.name}: marketplace {marketplace} at {environment.base_url}"
    end = _NEXT if made.new else ()
    emit(text(Exporting(source, made.objects, changed, written=write, end=end), style_of_stdout()))


def _session(
    common: Common, config: "Config", environment: "Environment", folder: Path, *, allow_unknown_roles: bool
) -> "Session":
    """Load the manifests that the new ones are to stand beside."""
    from reconciler.cli.environment import load_context  # noqa: PLC0415  # see main
    from reconciler.cli.failures import tell_warnings  # noqa: PLC0415
    from reconciler.cli.session import Session  # noqa: PLC0415
    from reconciler.loader import load  # noqa: PLC0415

    paths = existing(config, folder)
    partial = paths != tuple(config.manifests)
    context = load_context(config, environment, allow_unknown_roles=allow_unknown_roles, partial=partial)
    loaded = load(paths, context)
    if not common.quiet:
        tell_warnings(loaded.warnings)
    return Session(common, config.path, environment, loaded)


def _made(session: "Session", config: "Config", folder: Path, *, allow_unknown_roles: bool) -> "tuple[str, Export]":
    from reconciler import pipeline  # noqa: PLC0415  # see main
    from reconciler.cli import connect  # noqa: PLC0415
    from reconciler.cli.environment import load_context  # noqa: PLC0415
    from reconciler.exporter import Origin, export  # noqa: PLC0415

    with connect.reader(session.environment, session.root) as remote:
        live = pipeline.live(remote, session.target())
    context = load_context(config, session.environment, allow_unknown_roles=allow_unknown_roles)
    origin = Origin(f"marketplace {live.marketplace}", schema_for(session.root, folder))
    return live.marketplace, export(live, session.loaded.manifests, replace(context, partial=True), folder, origin)


def default_folder(config: "Config") -> Path:
    """Where new manifests go unless somebody says otherwise."""
    return next((path for path in config.manifests if not path.is_file()), config.path.parent / _FOLDER)


def existing(config: "Config", folder: Path) -> "Sequence[Path]":
    """What is loaded before: all manifests where the folder is among them, else what the folder holds."""
    among = any(folder.is_relative_to(path) for path in config.manifests)
    return tuple(path for path in (config.manifests if among else (folder,)) if path.exists())


def schema_for(root: Path, folder: Path) -> str:
    """The way from a folder of manifests to the schema that `init` has put beside the configuration."""
    from reconciler.kinds import KINDS  # noqa: PLC0415  # see main

    schema = root / "schemas" / next(iter(KINDS.values())).schema
    return Path(os.path.relpath(schema, folder)).as_posix() if schema.is_file() else ""
