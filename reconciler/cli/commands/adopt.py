"""Manifests and a service -> the live object of each manifest, and its id in reconciler.yaml if that is asked for."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler import pipeline
from reconciler.cli.documents import show
from reconciler.cli.exit import ExitCode, of_writing
from reconciler.cli.options import Common, reading_options, text, unknown_roles_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.errors import InputError, ReconcilerError, UsageError
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.edit import write_ids
from reconciler.manifests.schema import did_you_mean
from reconciler.manifests.yaml import shown
from reconciler.project import connect
from reconciler.project.api import Project
from reconciler.project.session import Session
from reconciler.render.reports import ADOPTIONS, Adopted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconciler.model.resource import Address


@click.command(
    "adopt",
    epilog="""
\b
Examples:
  reconciler adopt --env staging            # shows what would be bound, writes nothing
  reconciler adopt --env staging --write    # adds the ids to reconciler.yaml; of all environments: --env-all
  reconciler adopt ApiClient/kiosk=E5A05785-CAFF-4F7D-9CC3-758F13865FC3 --write   # this manifest is that client
  reconciler adopt --format json | jq '.proposals[] | select(.state == "ambiguous")'

Exit codes: 0 done, also when there was nothing to bind; 1 an error, or a manifest that could be several live objects:
then nothing is written.
""",
)
@click.argument("arguments", nargs=-1, type=text, metavar="[ADDRESS=ID | PATH]...")
@click.option("--write", is_flag=True, help="Write the ids; without it they are only shown.")
@outputs_option("adopt", list(ADOPTIONS))
@unknown_roles_option
@reading_options
@click.pass_obj
def command(
    common: Common, arguments: tuple[str, ...], *, write: bool, outputs: Outputs, allow_unknown_roles: bool
) -> ExitCode:
    """Bind manifests to the live objects of exactly their AppName, so that a later rename is an update.

    The ids go under ids: of the environment in reconciler.yaml, or into the file that it names; comments and layout
    stay, and an id that is there already is never replaced. ADDRESS=ID says which live object a manifest is, whatever
    its AppName; then only the manifests that are named are bound. The service is only read.
    """
    given, paths = _parted(arguments)
    written: list[str] = []

    def find(project: Project) -> Adopted:
        session = Session.open(project.settings, paths, allow_unknown_roles=allow_unknown_roles)
        adopted = _adopted(session, _addresses(given, session), write=write)
        written.extend([session.environment.name] if adopted.written else [])
        return adopted

    code = show(common, outputs, find, ADOPTIONS, _code, in_turn=write)
    return of_writing(code, is_written=bool(written))


def _code(adopted: Adopted) -> ExitCode:
    """What is in doubt is reported after the proposals."""
    if adopted.adoption.faults:
        raise InputError(adopted.adoption.faults)
    if adopted.failure:
        raise adopted.failure
    return ExitCode.DONE


def _adopted(session: Session, given: "Mapping[Address, str]", *, write: bool) -> Adopted:
    """Find the live objects; write what is beyond doubt, unless something is in doubt."""
    environment = session.environment
    file, at = environment.ids_file or session.file, ".".join(environment.ids_at)
    with connect.reader(session.settings, environment, session.root) as remote:
        found = pipeline.adopt(session.loaded.desired, remote, session.target(), environment.ids, given)
    adopted = Adopted(found, shown(file), at=at, written=False, asked=write)
    if not write or not adopted.adoption.ids or adopted.adoption.faults:
        return adopted
    try:
        write_ids(file, environment.ids_at, adopted.adoption.ids)
    except ReconcilerError as error:
        return replace(adopted, failure=error)
    return replace(adopted, written=True)


def _parted(arguments: tuple[str, ...]) -> tuple[dict[str, str], list[Path]]:
    """Ids by what names a manifest, and paths."""
    given: dict[str, str] = {}
    paths: list[Path] = []
    for argument in arguments:
        name, equals, known = argument.partition("=")
        if not equals or Path(argument).exists():
            paths.append(Path(argument))
        elif given.setdefault(name, known) != known:
            raise UsageError(f"{name} is given two IDs: {given[name]} and {known}")
        elif not known:
            raise UsageError(f"{argument} names no ID", hint=f"write ADDRESS=ID, as {DEFAULT_KIND}/storefront=ID")
    return given, paths


def _addresses(given: "Mapping[str, str]", session: Session) -> "dict[Address, str]":
    """The same by address; a bare name is enough where it is one manifest's.

    Raises:
        UsageError: no manifest has this name.
    """
    known = [one.address for one in session.loaded.desired.resources]
    found: dict[Address, str] = {}
    for name, object_id in given.items():
        meant = [address for address in known if name in {str(address), address.name}]
        if len(meant) != 1:
            names = [str(address) if "/" in name else address.name for address in meant or known]
            hint = did_you_mean(name, names) or f"there are: {', '.join(names)}"
            raise UsageError(f"there is {'no' if not meant else 'more than one'} manifest {name}", hint=hint)
        found[meant[0]] = object_id
    return found
