"""The version, as --version prints it."""

import click

from reconciler import __version__
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import output_options
from reconciler.cli.streams import write_stdout


@click.command(
    "version",
    epilog="""
\b
Examples:
  reconciler version
""",
)
@output_options
def command() -> ExitCode:
    """Print the version."""
    write_stdout(f"reconciler {__version__}\n")
    return ExitCode.DONE
