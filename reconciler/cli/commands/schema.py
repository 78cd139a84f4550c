"""The name of a kind of file -> its JSON Schema."""

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import output_options
from reconciler.cli.streams import write_stdout
from reconciler.errors import UsageError
from reconciler.kinds import DEFAULT_KIND, KINDS
from reconciler.manifests.schema import did_you_mean, schema_path


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
    write_stdout(schema_path(_file_of(kind)).read_text(encoding="utf-8"))
    return ExitCode.DONE


def _file_of(kind: str) -> str:
    from reconciler.applying import receipt
    from reconciler.applying.journal import events
    from reconciler.planning import snapshot
    from reconciler.planning.planfile import reading

    whole = {"manifest": "manifest.v1.schema.json", "config": "config.v1.schema.json"}
    others = whole | {
        "plan": reading.SCHEMA,
        "receipt": receipt.SCHEMA,
        "snapshot": snapshot.SCHEMA,
        "run": events.SCHEMA,
    }
    files = {name: known.schema for name, known in KINDS.items()} | others
    if kind not in files:
        hint = did_you_mean(kind, files) or f"one of {', '.join(files)}"
        raise UsageError(f"unknown schema '{kind}'", hint=hint)
    return files[kind]
