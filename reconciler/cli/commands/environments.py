"""The configuration -> its environments, offline: as text, JSON, or the matrix of a CI workflow."""

import click

from reconciler.cli.console import settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, environments_options
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.render.reports import ENVIRONMENTS


@click.command(
    "environments",
    epilog="""
\b
Examples:
  reconciler environments
  reconciler environments --format json | jq -r '.environments[].name'
  echo "matrix=$(reconciler environments --format github-matrix)" >> "$GITHUB_OUTPUT"
  reconciler environments --env staging --env production --format github-matrix
""",
)
@outputs_option("environments", ENVIRONMENTS)
@environments_options
@click.pass_obj
def command(common: Common, *, outputs: Outputs) -> ExitCode:
    """List the environments of the configuration, or those given with --env, offline. No secret is read."""
    from reconciler.project.environment import listed

    found = listed(settings_of(common), common.envs)
    outputs.show(found)
    return ExitCode.DONE
