"""The configuration -> its environments, offline: for people, for programs, for the matrix of a CI workflow."""

from typing import TYPE_CHECKING

import click

from reconciler.cli.console import settings_of
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import Common, environments_options
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.project import Settings, environment_name
from reconciler.render.reports import ENVIRONMENTS, Listed

if TYPE_CHECKING:
    from reconciler.config.settings import Config


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
    """List the environments of the configuration, or those that are named, offline. No secret is read."""
    from reconciler.project.environment import configuration

    found = _listed(configuration(settings_of(common)), common)
    outputs.show(found)
    return ExitCode.DONE


def _listed(config: "Config", common: Common) -> list[Listed]:
    from reconciler.config import select_environment

    chosen = [select_environment(config, name) for name in common.envs] or list(config.environments.values())
    default = environment_name(Settings()) or (
        next(iter(config.environments)) if len(config.environments) == 1 else None
    )
    return [
        Listed(one.name, None if one.emulator else one.base_url, one.marketplace, one.name == default) for one in chosen
    ]
