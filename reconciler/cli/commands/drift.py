"""Manifests and a service -> in what the service differs, as a document and an exit code. Writes nothing to it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reconciler.cli import exit as codes
from reconciler.cli.console import settings_of
from reconciler.cli.documents import DRIFTS, drift_text, key
from reconciler.cli.exit import ExitCode
from reconciler.cli.failures import style_of_stderr, tell_problem
from reconciler.cli.metering import Metering, metrics_option
from reconciler.cli.options import (
    Common,
    input_file,
    paths_argument,
    reading_options,
    text,
    unknown_roles_option,
)
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.cli.selecting import selection_options
from reconciler.cli.several import digested, each, joined, worst
from reconciler.cli.streams import tell
from reconciler.errors import InputError, UsageError
from reconciler.manifests.edit import write_contents
from reconciler.model.dataclass import dataclass
from reconciler.model.secret import Secret
from reconciler.project.drift import DriftView, write_back
from reconciler.project.environment import configuration
from reconciler.project.notify import NOTIFY_VARIABLE, Notifier
from reconciler.project.records import moments
from reconciler.project.session import Session
from reconciler.render.monitoring import NOTIFICATIONS
from reconciler.render.text import edits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from reconciler.model.drift import Drift
    from reconciler.model.inputs import Selection
    from reconciler.project import Settings
    from reconciler.render.style import Moment


@dataclass(frozen=True, slots=True)
class Reporting:
    """Who else is notified of drift."""

    metering: Metering
    notifier: Notifier


@click.command(
    "drift",
    epilog="""
\b
Examples:
  reconciler drift --env production
  reconciler drift --env staging --format json > drift.json
  reconciler drift --into html=drift.html --into junit=drift.xml --into sarif=drift.sarif
  reconciler drift --baseline drift.json           # only what is new since that document
  reconciler drift --receipt receipt.json          # who moved: git, the service, or both
  reconciler drift --metrics drift.prom --notify "$CHAT_WEBHOOK"
  reconciler drift --write-back                    # the service is right: shows the manifests with its values
  reconciler drift --write-back --write            # and writes them
  reconciler drift --selector team=web             # or by address: --only 'ApiClient/store*'
  reconciler drift --env-all                       # or several: --env staging --env production

Exit codes: 0 no drift, 1 error, 2 drift. Unmanaged resources are named, and are no drift. What the baseline knows, and
what --since-receipt leaves out, does not count.
""",
)
@paths_argument
@click.option("--baseline", type=input_file, metavar="FILE", help="Leave out what this earlier JSON document contains.")
@click.option(
    "--receipt",
    type=input_file,
    metavar="FILE",
    help="Tells the source of drift; default: that of the newest run in the journal.",
)
@click.option("--since-receipt", is_flag=True, help="Leave out what the service had right after that apply.")
@click.option(
    "--strict",
    is_flag=True,
    help="Count fields that no manifest names, where they are wider than the API's default.",
)
@click.option("--write-back", is_flag=True, help="Show the manifests and overlays with the live values in them.")
@click.option("--write", is_flag=True, help="With --write-back: write these files.")
@outputs_option("drift", list(DRIFTS))
@metrics_option("drift")
@click.option(
    "--notify",
    "notify_url",
    type=lambda value: Secret(text(value)),
    envvar=NOTIFY_VARIABLE,
    metavar="URL",
    help=f"Post a message when something new has drifted; better kept in {NOTIFY_VARIABLE}: it is a secret.",
)
@click.option(
    "--notify-format",
    type=click.Choice(list(NOTIFICATIONS)),
    help="The format that the URL takes; by default its host decides, and an unknown host gets plain JSON.",
)
@selection_options
@unknown_roles_option
@reading_options
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
    metering: Metering,
    notify_url: Secret | None,
    notify_format: str | None,
    selection: "Selection",
    allow_unknown_roles: bool,
) -> ExitCode:
    """Say in what the service differs from the manifests: the plan, seen from the other side.

    The service is only read. Each deviation has a fingerprint, in JSON, that stays the same until the deviation itself
    changes. With --write-back --write the manifests change; what cannot be brought in is named, and is still drift.
    """
    if write and not write_back:
        raise UsageError("--write is for --write-back", hint="drift --write-back --write")
    if common.is_of_several and (write_back or receipt):
        raise UsageError("--write-back and --receipt are for one environment", hint="give one --env")
    reporting = Reporting(metering, Notifier(notify_url, notify_format))
    reporting.notifier.check()
    view = _view(common, baseline, receipt, since_receipt=since_receipt, strict=strict, is_whole=not paths)

    def find(each: "Settings") -> "Drift":
        if write_back:
            session = Session.open(each, paths, allow_unknown_roles=allow_unknown_roles, selection=selection)
            return _left(common, session, view, write=write)
        from reconciler.project.api import Project  # noqa: PLC0415  # --help needs nothing of it

        project = Project(each)
        return project.drift(paths=paths, selection=selection, view=view, allow_unknown_roles=allow_unknown_roles)

    return (_of_several if common.is_of_several else _of_one)(common, find, outputs, reporting)


def _view(
    common: Common, baseline: Path | None, receipt: Path | None, *, since_receipt: bool, strict: bool, is_whole: bool
) -> DriftView:
    """Where only some manifests are read, nobody can say what is in none."""
    config = configuration(settings_of(common))
    view = DriftView.of_files(baseline, receipt, key(), config.journal, since_receipt=since_receipt)
    return replace(view, strict=strict, failing=config.failing_on_unmanaged if is_whole else frozenset())


def _left(common: Common, session: Session, view: DriftView, *, write: bool) -> "Drift":
    """Show the manifests with the live values, however quiet the run is, and write them if that is asked for."""
    found = write_back(session, view)
    if found.refused:
        session.settings.listener.failed(InputError(found.refused))
    if not found.contents:
        return found.left
    style = style_of_stderr()
    for file, content in found.contents.items():
        tell(edits(file, Path(file).read_bytes().decode(), content.decode(), style))
    files = f"{len(found.contents)} file{'' if len(found.contents) == 1 else 's'}"
    if not write:
        tell(f"Nothing was written. To write {files}, add --write.\n")
        return found.drift
    if not common.quiet:
        tell(f"Writing {files}.\n")
    write_contents(found.contents)
    return found.left


def _of_one(common: Common, find: "Callable[[Settings], Drift]", outputs: Outputs, reporting: Reporting) -> ExitCode:
    drift = find(settings_of(common))
    reporting.metering.drift(drift)
    _notify(reporting.notifier, [drift], common)
    outputs.write(
        lambda name, style: drift_text(DRIFTS[name], drift, style),
        history=lambda: _history(common, drift.plan.binding.environment),
    )
    return codes.of_drift(drift)


def _of_several(
    common: Common, find: "Callable[[Settings], Drift]", outputs: Outputs, reporting: Reporting
) -> ExitCode:

    drifts = digested(each(common, find, outputs.noun, codes.of_drift))
    reporting.metering.planned(drifts)
    _notify(reporting.notifier, [one.found for one in drifts if one.found], common)

    outputs.write(
        lambda name, style: joined(drifts, name, partial(drift_text, DRIFTS[name]), style),
        history=lambda: _history(common, *(one.environment for one in drifts)),
    )
    return worst(drifts)


def _notify(notifier: Notifier, drifts: "Iterable[Drift]", common: Common) -> None:
    """Tell of what is new; what has kept a message from being sent changes no exit code."""
    for problem in notifier.tell(drifts, settings_of(common)):
        tell_problem(problem)


def _history(common: Common, *environments: str) -> "tuple[Moment, ...]":
    return moments(settings_of(common), environments)
