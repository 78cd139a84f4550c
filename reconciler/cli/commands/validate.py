"""Manifests and configuration -> every error with its location, offline."""

from pathlib import Path

import click

from reconciler.cli.console import settings_of
from reconciler.cli.documents import VALIDATIONS
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, common_options, paths_argument, unknown_roles_option
from reconciler.cli.outputs import Outputs, outputs_option


@click.command(
    "validate",
    epilog="""
\b
Examples:
  reconciler validate                          # all environments of the configuration
  reconciler validate --env staging
  reconciler validate manifests/ --format json
  reconciler validate --format github --into sarif=errors.sarif

Without a configuration, only PATHs are checked, and values of environments are unknown.
""",
)
@paths_argument
@outputs_option("validate", VALIDATIONS)
@unknown_roles_option
@common_options
@click.pass_obj
def command(common: Common, paths: tuple[Path, ...], *, outputs: Outputs, allow_unknown_roles: bool) -> ExitCode:
    """Check manifests and configuration, offline, for one environment or, without --env, for all.

    Every error of every file is shown, with its line and column.
    """
    from reconciler.project.validate import check

    report = check(settings_of(common), paths, allow_unknown_roles=allow_unknown_roles)
    outputs.show(report)
    return ExitCode.DONE if report.valid else ExitCode.ERROR
