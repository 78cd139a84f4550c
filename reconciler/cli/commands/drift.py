"""Manifests and a service -> where the service differs, as a document and an exit code."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import exit as codes
from reconciler.cli import options
from reconciler.cli.console import settings_of
from reconciler.cli.documents import DRIFTS, each, key, names_of, show_planned
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import report_error, report_warning, style_of_stderr
from reconciler.cli.options import Common, input_file, text, value_option
from reconciler.cli.outputs import Metrics, Outputs, metrics_option, outputs_option
from reconciler.cli.streams import write_stderr
from reconciler.errors import InputError, UsageError
from reconciler.model.secret import Secret
from reconciler.project import NOTIFY_VARIABLE
from reconciler.project.api import Project
from reconciler.render.monitoring import NOTIFICATIONS
from reconciler.render.text import edits
from reconciler.render.wording import number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.model.drift import Drift
    from reconciler.model.inputs import Selection
    from reconciler.project.drift import Notifier, WriteBack
    from reconciler.render.several import Part


@click.command(
    "drift",
    epilog="""
\b
Examples:
  reconciler drift --env production
  reconciler drift --env staging --format json > drift.json
  reconciler drift --into html=drift.html --into junit=drift.xml --into sarif=drift.sarif
  reconciler drift --baseline drift.json           # only what is new since that document
  reconciler drift --receipt receipt.json          # the source: git, the service, or both
  reconciler drift --metrics drift.prom --notify "$CHAT_WEBHOOK"
  reconciler drift --write-back                    # shows the manifests with the live values
  reconciler drift --write-back --write            # and writes them
  reconciler drift --selector team=web             # or by address: --only 'ApiClient/store*'
  reconciler drift --env-all                       # or several: --env staging --env production

Exit codes: 0 no drift, 1 error, 2 drift. Unmanaged resources are listed but are not drift. Drift in the
baseline, or left out by --since-receipt, does not count.
""",
)
@options.paths_argument
@value_option("--baseline", "FILE", input_file, help="Ignore drift in this earlier JSON document.")
@value_option(
    "--receipt", "FILE", input_file, help="Receipt that shows the source of drift; default: that of the newest run."
)
@click.option("--since-receipt", is_flag=True, help="Ignore drift that existed right after that apply.")
@click.option(
    "--strict",
    is_flag=True,
    help="Also count fields that no manifest sets if they are wider than the API default.",
)
@click.option("--write-back", is_flag=True, help="Show the manifests and overlays with the live values.")
@click.option("--write", is_flag=True, help="With --write-back: write the files.")
@outputs_option("drift", DRIFTS)
@metrics_option
@value_option(
    "--notify",
    "URL",
    lambda value: Secret(text(value)),
    help=f"Webhook to notify of new drift. It is a secret: prefer {NOTIFY_VARIABLE}.",
    to="notify_url",
    envvar=NOTIFY_VARIABLE,
)
@click.option(
    "--notify-format",
    type=click.Choice(list(NOTIFICATIONS)),
    help="Format of the message; default: by the host of the URL, plain JSON if unknown.",
)
@options.selection_options
@options.unknown_roles_option
@options.reading_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    paths: tuple[Path, ...],
    *,
    baseline: Path | None,
    receipt: Path | None,
    since_receipt: bool,
    strict: bool,
    write_back: bool,
    write: bool,
    outputs: Outputs,
    metrics: Metrics,
    notify_url: Secret | None,
    notify_format: str | None,
    selection: "Selection",
    allow_unknown_roles: bool,
) -> ExitCode:
    """Show where the service differs from the manifests.

    Nothing is written to the service. In JSON, each deviation has a fingerprint that stays the same until the deviation
    changes. --write-back --write changes the manifests; what cannot be written back is listed and is still drift.
    """
    from reconciler.project.drift import DriftView, Notifier, written_back
    from reconciler.project.records import moments

    _check_options(common, write_back=write_back, receipt=receipt, write=write)
    notifier = Notifier.of(notify_url, notify_format)
    names = names_of(common)  # errors of the configuration are reported before those of other files
    view = DriftView.of_files(baseline, receipt, key(), since_receipt=since_receipt, strict=strict)
    if write_back:
        back = partial(written_back, allow_unknown_roles=allow_unknown_roles)
        found = each(common, lambda one: back(one.settings, paths, selection, view), outputs.noun, names=names)
        parts = _edited_parts(common, found, write=write)
    else:
        find = partial(
            Project.drift, paths=paths, selection=selection, view=view, allow_unknown_roles=allow_unknown_roles
        )
        parts = each(common, find, outputs.noun, codes.of_drift, names=names)
    metrics.count_all(parts)
    _notify(common, notifier, [one.found for one in parts if one.found])
    return show_planned(parts, outputs, history=lambda: moments(settings_of(common), names))


def _check_options(common: Common, *, write_back: bool, receipt: Path | None, write: bool) -> None:
    if write and not write_back:
        raise UsageError("--write requires --write-back", hint="drift --write-back --write")
    if common.is_of_several and (write_back or receipt):
        raise UsageError("--write-back and --receipt take one environment", hint="give one --env")


def _notify(common: Common, notifier: "Notifier", drifts: "Sequence[Drift]") -> None:
    """Send notifications; a failure does not change the exit code."""
    for problem in notifier.notify(drifts, settings_of(common)):
        report_warning(problem)


def _edited_parts(common: Common, found: "Sequence[Part[WriteBack]]", *, write: bool) -> "tuple[Part[Drift], ...]":
    """Show, and with --write make, the edits of each environment; the result is the drift that is left."""
    from reconciler.render.several import Part

    lefts = [(one, _left(common, one.found, write=write) if one.found else None) for one in found]
    return tuple(
        Part(one.environment, left, one.error, one.noun, codes.of_drift(left) if left else one.code)
        for one, left in lefts
    )


def _left(common: Common, found: "WriteBack", *, write: bool) -> "Drift":
    """Show the manifests with the live values, even with --quiet, and write them with --write."""
    if found.refused:
        report_error(InputError(found.refused))
    if not found.contents:
        return found.left
    style = style_of_stderr()
    for file, before, after in found.edits():
        write_stderr(edits(file, before, after, style))
    files = number(len(found.contents), "file")
    if not write:
        write_stderr(f"Nothing was written. To write {files}, add --write.\n")
        return found.drift
    if not common.quiet:
        write_stderr(f"Writing {files}.\n")
    return found.write()
