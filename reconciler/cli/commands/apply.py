"""Saved plans, or manifests and services -> changes of the services, and the outcome of each."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from reconciler.cli import documents, options
from reconciler.cli import exit as codes
from reconciler.cli.approving import with_terminal
from reconciler.cli.console import requests_reported, settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, input_file, output_file, value_option
from reconciler.cli.outputs import Metrics, Outputs, metrics_option, outputs_option
from reconciler.cli.streams import write_stderr
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Plan
from reconciler.project.api import Project, promote
from reconciler.render.escape import escape
from reconciler.render.wording import verdict

if TYPE_CHECKING:
    from reconciler.errors import GuardRefusal
    from reconciler.project.apply import ApplyOptions


@click.command(
    "apply",
    epilog="""
\b
Examples:
  reconciler plan --env staging --out plan.json && reconciler apply plan.json
  reconciler apply --env staging                   # plans, shows the plan, asks
  reconciler apply --env staging --auto-approve    # plans and applies without asking
  reconciler apply plan.json --dry-run             # checks and shows the plan; never writes
  reconciler apply --only 'ApiClient/store*'       # some resources; or by label: --selector team=web
  reconciler apply plan.json --receipt receipt.json    # for drift --receipt
  reconciler apply plan.json --format text --into json=result.json --into junit=result.xml
  reconciler apply plan.json --ack 0123456789ab    # acknowledges guard findings for these changes
  reconciler apply --env-all                       # one by one, in the order of promote: in reconciler.yaml
  reconciler apply plans/sandbox.json plans/staging.json    # the same with plans saved by plan --env-all --out plans

Ctrl-C finishes changes in flight, starts no more, shows what is left and exits with 130.
""",
)
@click.argument("paths", nargs=-1, type=input_file, metavar="[PLANFILE]... [PATH]...")
@click.option("--auto-approve", is_flag=True, help="Do not ask for approval. Required without a terminal.")
@click.option("--dry-run", is_flag=True, help="Show the plan and any refusal, over a read-only connection.")
@options.ack_option
@click.option("--keep-going", is_flag=True, help="Continue with other changes of the environment after a failure.")
@value_option("--require-tip", "BRANCH", help="Refuse manifests that differ from the last fetched tip of this branch.")
@value_option("--receipt", "FILE", output_file, help="Save hashes of what was applied, for drift --receipt.")
@outputs_option("apply", documents.RESULTS)
@metrics_option
@options.planning_options
@options.unknown_roles_option
@options.environments_options
@click.pass_obj
def command(  # the parameters that are not in `ApplyOptions`
    common: Common,
    /,
    *,
    paths: tuple[Path, ...],
    dry_run: bool,
    auto_approve: bool,
    outputs: Outputs,
    metrics: Metrics,
    **choices: Any,  # noqa: ANN401  # the fields of `ApplyOptions`
) -> ExitCode:
    """Change the service to match the manifests.

    Applies exactly the saved PLANFILE; PATHs must then be those given to plan. Without a PLANFILE it plans, shows the
    plan and asks. Every argument except folders and YAML files is read as a plan.

    Several environments are applied one by one, in the order of promote: in the configuration; the first that does not
    exit with 0 stops the run. Each plan is shown before it is applied. To continue, run it again: resources in step are
    left alone.
    """
    from reconciler.project.apply import read_options

    requested = read_options(settings_of(common), paths, common.envs, every=common.env_all, **choices)
    common.plans = len(requested.saved)
    if dry_run:
        documents.require_formats(outputs, documents.PLANS)
        return _previewed(common, requested, outputs)

    def ended(plan: Plan, result: ApplyResult) -> None:
        metrics.count(plan.binding.environment, plan)
        metrics.count(plan.binding.environment, result)
        _report_end(plan, result, has_receipt=bool(requested.receipt or result.run))

    loaded = partial(documents.report_shared_warnings, common, requested.names)
    requested = with_terminal(replace(requested, loaded=loaded, ended=ended), common, ask=not auto_approve)
    with requests_reported(common, show_progress=False):
        parts = promote(settings_of(common), requested, codes.of_result)
    metrics.count_all(parts)
    documents.write_result(outputs, documents.joined(parts))
    return documents.ended(parts, codes.of_promotion)


def _report_end(plan: Plan, result: ApplyResult, *, has_receipt: bool) -> None:
    common = options.common_of_this_run()
    if has_receipt:
        documents.warn_if_blank("receipt")
    if common.is_of_several and not common.quiet:
        write_stderr(f"{escape(plan.binding.environment)}: {verdict(result)}\n\n")


def _previewed(common: Common, requested: "ApplyOptions", outputs: Outputs) -> ExitCode:
    """Show the plan of each environment, and whether it would be refused."""
    from reconciler.project.apply import preview

    refusals: dict[str, GuardRefusal | None] = {}

    def find(project: Project) -> Plan:
        plan, refusals[str(project.settings.environment)] = preview(project.settings, requested)
        return plan

    def end(plan: Plan) -> ExitCode:
        if refused := refusals[plan.binding.environment]:
            raise refused
        return codes.of_plan(plan, requested.ack, detailed=False)

    plans = documents.each(common, find, "plan", end, names=requested.names)
    together = "" if requested.saved else documents.applied_together(common, plans, {})
    return documents.show_planned(plans, outputs, together=together)
