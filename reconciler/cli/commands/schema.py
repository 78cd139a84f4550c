"""The name of a kind of file -> its JSON Schema."""

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import output_options
from reconciler.cli.streams import write_stdout
from reconciler.kinds import DEFAULT_KIND
from reconciler.manifests.explain import schema_text


@click.command(
    "schema",
    epilog="""
\b
KIND is ApiClient (default), manifest (any kind), config, plan, receipt, snapshot or run (a journal).

\b
Examples:
  reconciler schema ApiClient > api-client.v1.schema.json
  reconciler schema config
""",
)
@click.argument("kind", default=DEFAULT_KIND, metavar="[KIND]")
@output_options
def command(kind: str) -> ExitCode:
    """Print the JSON Schema of a kind of manifest, the configuration, saved plans, receipts, snapshots or journals."""
    write_stdout(schema_text(kind))
    return ExitCode.DONE
