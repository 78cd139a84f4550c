"""Manifests and a service -> a plan on stdout, and in a file for apply."""

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler.cli import documents, options
from reconciler.cli import exit as codes
from reconciler.cli.console import project_of, settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, input_file, output_file, value_option
from reconciler.cli.outputs import Metering, Outputs, metrics_option, outputs_option
from reconciler.cli.streams import write_stderr
from reconciler.errors import UsageError
from reconciler.model.plan import Plan
from reconciler.project.api import Project
from reconciler.project.files import make_folder, remove_file, write_file
from reconciler.render.escape import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconciler.render.several import Part


_UNITS: Final = ("days", "hours", "minutes", "seconds")
_PARTS: Final = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)


def duration(value: str) -> timedelta:
    """Read a positive duration: whole days, hours, minutes and seconds, in this order."""
    found = _PARTS.fullmatch(value.strip().lower())
    parts = {unit: int(part or 0) for unit, part in zip(_UNITS, found.groups(), strict=True)} if found else {}
    length = timedelta(**parts)
    if not length:
        raise click.BadParameter(f"'{value}' is not a duration; write it like 45m, 1h30m or 7d.")
    return length


@click.command(
    "plan",
    epilog="""
\b
Examples:
  reconciler plan --env staging
  reconciler plan --env staging --out plan.json    # then: reconciler apply plan.json
  reconciler plan --out plan.json --expires 2h     # apply refuses it after that
  reconciler plan manifests/storefront.yaml --format json | jq '.summary'
  reconciler plan --only 'ApiClient/store*'        # or by labels: --selector team=web,tier=1
  reconciler plan --out plan.json --into markdown=comment.md --into github=annotations.txt
  reconciler plan --from-snapshot snapshot.json    # without credentials: see reconciler snapshot --help
  reconciler plan --prune                          # also plans to delete objects in no manifest
  reconciler plan --detailed-exitcode              # 0 no changes, 1 error, 2 changes, 3 refused
  reconciler plan --env staging --env production   # both; all: --env-all
  reconciler plan --env-all --out plans            # a folder: plans/staging.json, plans/production.json
""",
)
@options.paths_argument
@value_option(
    "--out",
    "FILE",
    output_file,
    help="Save the plan for apply; for several environments, a folder with NAME.json for each.",
)
@value_option("--expires", "DURATION", duration, help="How long the saved plan is valid, e.g. 1h.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 2 if there are changes.")
@value_option(
    "--from-snapshot",
    "FILE",
    input_file,
    help="Plan offline from a file saved by snapshot, or a folder with NAME.json for each environment.",
)
@outputs_option("plan", documents.PLANS)
@metrics_option
@options.planning_options
@options.ack_option
@options.unknown_roles_option
@options.reading_options
@click.pass_obj
def command(  # noqa: PLR0913  # one for each option
    common: Common,
    /,
    *,
    out: Path | None,
    expires: "timedelta | None",
    detailed_exitcode: bool,
    from_snapshot: Path | None,
    outputs: Outputs,
    metering: Metering,
    ack: str | None,
    **choices: Any,  # noqa: ANN401  # the other arguments of `Project.plan`
) -> ExitCode:
    """Show what apply would change. PATHs are manifests or folders; default: those of the configuration.

    Nothing is written to the service. The plan lists every field that would change, and the guard findings; if a guard
    refuses it, the exit code is 3.
    """
    if expires and not (out or "json" in outputs.names):
        raise UsageError("--expires requires --out", hint="add --out FILE")

    def plan_of(project: Project) -> Plan:
        return project.plan(expires=expires, snapshot=from_snapshot, **choices)

    code_of = partial(codes.of_plan, acknowledged=ack, detailed=detailed_exitcode)
    if common.is_of_several:
        files = documents.files_of_each(common, out) if out else {}
        common.writes += files.values()
        plans = documents.each(common, plan_of, outputs.noun, code_of)
        metering.count_all(plans)
        _save(plans, files)
        return documents.show_planned(plans, outputs, together=documents.applied_together(common, plans, files))
    out = _file_in(common, out) if out and out.is_dir() else out
    plan = plan_of(project_of(common))
    metering.count(plan.binding.environment, plan)
    if out:
        write_file(out, documents.plan_file(plan))
    outputs.write(lambda name, style: documents.plan_document(name, plan, style), plan_file=str(out or ""))
    if out and not common.quiet:
        write_stderr(f"Saved the plan to {escape(str(out))}.\n")
    return code_of(plan)


def _file_in(common: Common, folder: Path) -> Path:
    """The file for the plan of the selected environment."""
    from reconciler.project.environment import chosen_environment, configuration

    settings = settings_of(common)
    file = folder / f"{chosen_environment(configuration(settings), settings).name}.json"
    common.writes.append(file)
    return file


def _save(plans: "Sequence[Part[Plan]]", files: "Mapping[str, Path]") -> None:
    """Write each plan to the file of its environment; remove the old file of an environment without a plan.

    Raises:
        ReconcilerError: a file cannot be written.
    """
    for one in plans if files else ():
        file = files[one.environment]
        make_folder(file.parent)
        if one.found:
            write_file(file, documents.plan_file(one.found))
        else:
            remove_file(file)
