"""Manifests and a service -> the live object of each manifest, and its id in reconciler.yaml if that is asked for."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli.documents import style_of_stdout
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, format_option, paths_argument, unknown_roles_option
from reconciler.cli.streams import emit
from reconciler.errors import InputError, ReconcilerError
from reconciler.render.adoption import ADOPTIONS, Adopted

if TYPE_CHECKING:
    from reconciler.cli.session import Session
    from reconciler.model.adoption import Adoption


@click.command(
    "adopt",
    epilog="""
\b
Examples:
  reconciler adopt --env staging            # shows what would be bound, writes nothing
  reconciler adopt --env staging --write    # adds the ids to reconciler.yaml
  reconciler adopt --format json | jq '.proposals[] | select(.state == "ambiguous")'

Exit codes: 0 done, also when there was nothing to bind; 1 an error, or a manifest that could be several live objects:
then nothing is written.
""",
)
@paths_argument
@click.option("--write", is_flag=True, help="Write the ids into reconciler.yaml; else they are only shown.")
@format_option(list(ADOPTIONS))
@unknown_roles_option
@common_options
@click.pass_obj
def command(
    common: Common, paths: tuple[Path, ...], *, write: bool, format_name: str, allow_unknown_roles: bool
) -> ExitCode:
    """Bind manifests to the live objects of exactly their AppName, so that a later rename is an update.

    The ids go under ids: of the environment in reconciler.yaml; comments and layout stay, and an id that is there
    already is never replaced. The service is only read.
    """
    from reconciler.cli.session import Session  # noqa: PLC0415  # see main
    from reconciler.document import shown  # noqa: PLC0415

    session = Session.open(common, paths, allow_unknown_roles=allow_unknown_roles)
    adoption = _adoption(session)
    failure = _written(session.file, adoption) if write else None
    written = write and bool(adoption.ids) and not adoption.faults and failure is None
    emit(ADOPTIONS[format_name](Adopted(adoption, shown(session.file), written, write), style_of_stdout()))
    if adoption.faults:
        raise InputError(adoption.faults)
    if failure:
        raise failure
    return ExitCode.DONE


def _adoption(session: "Session") -> "Adoption":
    from reconciler import pipeline  # noqa: PLC0415  # see main
    from reconciler.cli import connect  # noqa: PLC0415

    with connect.reader(session.environment, session.root) as remote:
        return pipeline.adopt(session.loaded.desired, remote, session.target(), session.environment.ids)


def _written(file: Path, adoption: "Adoption") -> ReconcilerError | None:
    """Write what is beyond doubt, unless something is in doubt; what went wrong is told after the proposals."""
    from reconciler.writeback import write_ids  # noqa: PLC0415  # see main

    if adoption.ids and not adoption.faults:
        try:
            write_ids(file, adoption.environment, adoption.ids)
        except ReconcilerError as error:
            return error
    return None
