"""Services -> manifests of the live objects, one file each, or overlays."""

import shlex
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from reconciler.cli import options
from reconciler.cli.documents import each, select_overlay_environments, show_parts
from reconciler.cli.exit import ExitCode, of_writing
from reconciler.cli.options import Common, completed_from, file_name, value_option
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.errors import ReconcilerError
from reconciler.kinds import KINDS
from reconciler.manifests.schema import did_you_mean
from reconciler.project.api import Project
from reconciler.render.escape import escape
from reconciler.render.reports import EXPORTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from reconciler.project.export import ExportResult
    from reconciler.render.reports import Exporting
    from reconciler.render.several import Part
    from reconciler.render.style import Style


class Kinds(click.ParamType):  # type: ignore[type-arg]  # it takes a type only since click 8.4
    """Names of kinds, separated by commas; the empty set means all kinds."""

    name = "kinds"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        """Convert the names, and reject unknown kinds."""
        names = frozenset(one.strip() for one in value.split(","))
        for name in sorted(names - {*KINDS, "all"}):
            hint = did_you_mean(name, KINDS) or f"kinds are: all, {', '.join(KINDS)}"
            self.fail(f"unknown kind {escape(name)}; {hint}", param, ctx)
        return frozenset() if "all" in names else names


def _written(write: "Callable[[Exporting, Style], str]", made: "ExportResult", style: "Style") -> str:
    return write(made.shown, style)


_WRITERS: Final = {name: partial(_written, write) for name, write in EXPORTS.items()}


@click.command(
    "export",
    epilog="""
\b
Examples:
  reconciler export --env staging                   # shows what would be written, writes nothing
  reconciler export --env staging --write
  reconciler export --env staging --out /tmp/look --write
  reconciler export --kinds all --write             # every kind that this service has
  reconciler export --kinds Webhook,SecurityProfile --write
  reconciler export --only 'ApiClient/store*' --write
  reconciler export --into-overlay production --write   # writes the differences as overlays; repeatable

Each object gets a file named after it. References by ID become {ref: NAME}. API defaults, fields that the service
generates, and secrets are left out. Existing manifests change only where the live object differs; comments, anchors and
${values.KEY} are kept, and no file is removed. User-chosen IDs are in the manifests; IDs of API clients go under ids:
of the environment in reconciler.yaml, so that a rename is an update, unless --out is outside the configured folders.
The login client is exported only with --own-client. All environments share the manifests: --write for several
environments is refused if they differ.

Exit codes: 0 done, or nothing to write; 1 error, nothing was written; 5 the overlays of some environments were written,
and another environment failed.
""",
)
@value_option("--out", "DIR", file_name, help="Folder for new files; default: the first folder of manifests.")
@value_option("--only", "ADDRESS-GLOB", help="Only addresses that match; repeatable.", multiple=True)
@value_option(
    "--into-overlay",
    "ENV",
    help="Write the differences of this environment to its overlays, not to the manifests; repeatable.",
    to="overlaid",
    multiple=True,
    shell_complete=completed_from("environments"),
)
@value_option(
    "--kinds",
    "KIND,...|all",
    Kinds(),
    help="Kinds to export; default: those in manifests or under manage:, else API clients.",
)
@click.option("--own-client", is_flag=True, help="Also export the login client.")
@click.option(
    "--named-secrets", is_flag=True, help="Add the names of client secrets as comments; one request for each client."
)
@click.option("--write", is_flag=True, help="Write the files; without it, only show them.")
@outputs_option("export", _WRITERS)
@options.unknown_roles_option
@options.reading_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    *,
    out: Path | None,
    only: tuple[str, ...],
    overlaid: tuple[str, ...],
    kinds: frozenset[str] | None,
    own_client: bool,
    named_secrets: bool,
    write: bool,
    outputs: Outputs,
    allow_unknown_roles: bool,
) -> ExitCode:
    """Write manifests for live objects. A plan right after it has no changes.

    Nothing is written to the service.
    """
    from reconciler.project.export import ExportOptions, from_live

    select_overlay_environments(common, overlaid)
    every = kinds is not None and not kinds
    of_kinds = frozenset(KINDS) if every else kinds or frozenset()
    chosen = ExportOptions(out, only, bool(overlaid), own_client, named_secrets, of_kinds, every, allow_unknown_roles)

    def find(project: Project) -> "ExportResult":
        made = from_live(project.settings, chosen)
        return made.write() if write and overlaid else made

    parts = each(common, find, outputs.noun, sequential=write and bool(overlaid))
    if write and not overlaid:
        return _write_shared(parts, outputs)
    code = show_parts(parts, outputs)
    is_written = any(one.found and one.found.shown.written and one.found.export.has_changes for one in parts)
    return of_writing(code, is_written=is_written)


def _write_shared(parts: "Sequence[Part[ExportResult]]", outputs: Outputs) -> ExitCode:
    """Write the manifests that all environments share, if they agree.

    Raises:
        ReconcilerError: they differ, or one could not be read; all results are shown and nothing is written.
    """
    from reconciler.project.export import write_shared

    found, refusal = write_shared({one.environment: one.found for one in parts})
    code = show_parts([replace(one, found=found.get(one.environment)) for one in parts], outputs)
    if refusal:
        raise ReconcilerError(f"nothing was written: {refusal}", hint=_one_by_one(list(found)))
    return code


def _one_by_one(names: "Sequence[str]") -> str:
    """The commands that export the environments one by one."""
    first, *others = names or ["NAME"]
    overlays = [word for name in others for word in ("--into-overlay", name)]
    then = f", then the others as overlays: {_like_this(*overlays)}" if others else ""
    return f"export one environment: {_like_this('--env', first)}{then}"


def _like_this(*words: str) -> str:
    return shlex.join(options.like_this_command(*words, "--write"))
