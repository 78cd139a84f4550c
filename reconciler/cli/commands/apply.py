"""Saved plans, or manifests and services -> changes of the services, and what became of each."""

from typing import Any

import click

from reconciler.cli.documents import RESULTS
from reconciler.cli.exit import ExitCode
from reconciler.cli.metering import metrics_option
from reconciler.cli.options import (
    Common,
    ack_option,
    environments_options,
    input_file,
    output_file,
    text,
    unknown_roles_option,
)
from reconciler.cli.outputs import outputs_option
from reconciler.cli.selecting import prune_option, selection_options, write_secret_option


@click.command(
    "apply",
    epilog="""
\b
Examples:
  reconciler plan --env staging --out plan.json && reconciler apply plan.json
  reconciler apply --env staging                   # plans, shows it, asks
  reconciler apply --env staging --auto-approve    # plans and does not ask
  reconciler apply plan.json --dry-run             # checks and shows it; nothing is written, whatever else is given
  reconciler apply --only 'ApiClient/store*'       # a part of them; or by labels: --selector team=web
  reconciler apply plan.json --receipt receipt.json    # for drift --receipt: tells later who moved
  reconciler apply plan.json --format text --into json=result.json --into junit=result.xml
  reconciler apply plan.json --ack 0123456789ab    # accepts what the guards object to in these changes
  reconciler apply --env-all                       # one after another, in the order of promote: in reconciler.yaml
  reconciler apply plans/sandbox.json plans/staging.json    # the same with what plan --env-all --out plans has saved

Ctrl-C starts no more changes, finishes those on their way, shows what is left and exits with 130.
""",
)
@click.argument("paths", nargs=-1, type=input_file, metavar="[PLANFILE]... [PATH]...")
@click.option("--auto-approve", is_flag=True, help="Do not ask. Needed where there is no terminal to ask on.")
@click.option("--dry-run", is_flag=True, help="Show the plan and its refusal, if any. The connection cannot write.")
@ack_option
@click.option("--keep-going", is_flag=True, help="Continue with other changes of the environment after one has failed.")
@click.option(
    "--require-tip",
    type=text,
    metavar="BRANCH",
    help="Refuse manifests other than those of this branch as last fetched.",
)
@click.option(
    "--receipt", type=output_file, metavar="FILE", help="Keep hashes of what was applied, for drift --receipt."
)
@outputs_option("apply", list(RESULTS))
@metrics_option("apply")
@selection_options
@prune_option
@write_secret_option
@unknown_roles_option
@environments_options
@click.pass_obj
def command(common: Common, /, **options: Any) -> ExitCode:  # noqa: ANN401  # the fields of `Wish`
    """Change the service to what the manifests ask for.

    Carries out exactly the saved PLANFILE; PATHs must then be those that plan was given. Without a PLANFILE it plans,
    shows the plan and asks. Each path but folders and YAML files is taken for a plan.

    Several environments are applied one after another, in the order of promote: in the configuration, up to the first
    that does not exit with 0. Each plan is shown before it is applied. Run it again to go on: what is in step is left
    alone.
    """
    from reconciler.cli.applying import Wish, apply  # noqa: PLC0415  # --help needs nothing of it

    return apply(Wish(common, **options))
