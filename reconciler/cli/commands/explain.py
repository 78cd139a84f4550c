"""The path of a key -> its description, from the schema, offline."""

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import completed_from, output_options, text
from reconciler.cli.outputs import Outputs, outputs_option
from reconciler.manifests.explain import EXPLANATIONS, contents, explain


@click.command(
    "explain",
    epilog="""
\b
Examples:
  reconciler explain                                      # the kinds
  reconciler explain ApiClient                            # the keys of a manifest
  reconciler explain ApiClient.spec.AccessTokenDuration
  reconciler explain config.environments.NAME.limits
  reconciler explain ApiClient --format json | jq '.keys[].path'

Exit codes: 0 done; 64 unknown key: the closest one is suggested.
""",
)
@click.argument("path", type=text, metavar="[PATH]", required=False, shell_complete=completed_from("keys"))
@outputs_option("explain", EXPLANATIONS)
@output_options
def command(path: str | None, *, outputs: Outputs) -> ExitCode:
    """Explain a key of manifests or of the configuration: type, range, unit, default, meaning and source.

    Without PATH, list the kinds.
    """
    entry = explain(path) if path else contents()
    outputs.show(entry)
    return ExitCode.DONE
