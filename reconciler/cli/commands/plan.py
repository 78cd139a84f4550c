"""Manifests and a service -> a plan on stdout, and in a file for apply."""

import re
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from reconciler.cli import documents, options
from reconciler.cli import exit as codes
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, input_file, output_file, value_option
from reconciler.cli.outputs import Metrics, Outputs, metrics_option, outputs_option
from reconciler.errors import UsageError
from reconciler.model.plan import Plan
from reconciler.project.api import Project

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
    help="Save the plan for apply: a file, or a folder with NAME.json for each environment.",
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
    metrics: Metrics,
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
    files = documents.files_of_each(common, out) if out else {}
    plans = documents.each(common, plan_of, outputs.noun, code_of)
    metrics.count_all(plans)
    documents.save_plans(plans, files)
    together = documents.applied_together(common, plans, files)
    return documents.show_planned(plans, outputs, together=together, files=files)
