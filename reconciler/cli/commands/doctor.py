"""Global options -> the checks of one or several environments, with results and fixes. Writes nothing."""

import click

from reconciler.cli.documents import each, show_parts
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, reading_options
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.model.reports import Diagnosis
from reconciler.render.reports import DIAGNOSES


@click.command(
    "doctor",
    epilog="""
\b
Examples:
  reconciler doctor --env staging
  reconciler doctor --env-all
  reconciler doctor --env production --format json | jq '.checks[] | select(.status == "failed")'

Exit codes: 0 no check failed, warnings are allowed; 1 a check failed, or the configuration is invalid.
""",
)
@outputs_option("doctor", DIAGNOSES)
@reading_options
@click.pass_obj
def command(common: Common, *, outputs: Outputs) -> ExitCode:
    """Check everything that plan and apply need: configuration, credentials, network, clock, roles, marketplace.

    No manifests are needed, and nothing is written. A check that depends on a failed one is skipped.
    """
    from reconciler.project.doctor import diagnose

    return show_parts(each(common, lambda project: diagnose(project.settings), outputs.noun, _code), outputs)


def _code(diagnosis: Diagnosis) -> ExitCode:
    return ExitCode.DONE if diagnosis.is_healthy else ExitCode.ERROR
