"""Manifests and a service -> the live object of each manifest, and with --write its id in reconciler.yaml."""

from pathlib import Path

import click

from reconciler.cli.documents import each, show_parts
from reconciler.cli.exit import ExitCode, of_writing
from reconciler.cli.options import Common, reading_options, text, unknown_roles_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.errors import InputError, UsageError
from reconciler.kinds import DEFAULT_KIND
from reconciler.project.api import Project
from reconciler.render.reports import ADOPTIONS, Adopted


@click.command(
    "adopt",
    epilog="""
\b
Examples:
  reconciler adopt --env staging            # shows what would be bound, writes nothing
  reconciler adopt --env staging --write    # adds the ids to reconciler.yaml; for all environments: --env-all
  reconciler adopt ApiClient/kiosk=E5A05785-CAFF-4F7D-9CC3-758F13865FC3 --write   # binds it to that client
  reconciler adopt --format json | jq '.proposals[] | select(.state == "ambiguous")'

Exit codes: 0 done, or nothing to bind; 1 error, or a manifest matches several live objects, and nothing is written.
""",
)
@click.argument("arguments", nargs=-1, type=text, metavar="[ADDRESS=ID | PATH]...")
@click.option("--write", is_flag=True, help="Write the ids; without it, only show them.")
@outputs_option("adopt", ADOPTIONS)
@unknown_roles_option
@reading_options
@click.pass_obj
def command(
    common: Common, arguments: tuple[str, ...], *, write: bool, outputs: Outputs, allow_unknown_roles: bool
) -> ExitCode:
    """Bind manifests to live objects with exactly the same AppName, so that a later rename is an update.

    Ids are written under ids: of the environment in reconciler.yaml, or to the file that it names. Comments and layout
    are kept, and an existing id is never replaced. ADDRESS=ID binds a manifest to that object, whatever its AppName;
    then only the given manifests are bound. Nothing is written to the service.
    """
    from reconciler.project.adopt import adopt

    given, paths = _split(arguments)

    def find(project: Project) -> Adopted:
        return adopt(project.settings, paths, given, write=write, allow_unknown_roles=allow_unknown_roles)

    parts = each(common, find, outputs.noun, _code, sequential=write)
    code = show_parts(parts, outputs)
    return of_writing(code, is_written=any(one.found and one.found.written for one in parts))


def _code(adopted: Adopted) -> ExitCode:
    """The exit code; errors are reported after the proposals."""
    if adopted.adoption.faults:
        raise InputError(adopted.adoption.faults)
    if adopted.failure:
        raise adopted.failure
    return ExitCode.DONE


def _split(arguments: tuple[str, ...]) -> tuple[dict[str, str], list[Path]]:
    """Split the arguments into ids by manifest, and paths."""
    given: dict[str, str] = {}
    paths: list[Path] = []
    for argument in arguments:
        name, equals, known = argument.partition("=")
        if not equals or Path(argument).exists():
            paths.append(Path(argument))
        elif given.setdefault(name, known) != known:
            raise UsageError(f"two IDs for {name}: {given[name]} and {known}")
        elif not known:
            raise UsageError(
                f"the ID is missing in {argument}", hint=f"write ADDRESS=ID, as {DEFAULT_KIND}/storefront=ID"
            )
    return given, paths
