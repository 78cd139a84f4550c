"""Options -> a local OrderCloud emulator that runs until it is stopped."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from reconciler import emulator
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import common_of_this_run, file_name, output_options, text, value_option
from reconciler.cli.streams import write_stderr, write_stdout
from reconciler.emulator import READINGS
from reconciler.errors import ReconcilerError, UsageError
from reconciler.render.command import command as command_line

_HOST: Final = "127.0.0.1"
_PORT: Final = click.IntRange(0, 65_535)
_LATENCY: Final = click.IntRange(0, 600_000)
_PAGE_SIZE: Final = click.IntRange(1, 100)


@click.command(
    "emulator",
    epilog="""
\b
Examples:
  reconciler emulator --port 8080 --sample
  reconciler emulator --port 8080 --seed marketplace.yaml --state emulator.db
  reconciler emulator --profile legacy --no-put-creates
  reconciler emulator --fault 'PUT /v1/apiclients/* status=503 count=2'

The first line on stdout is `listening on http://127.0.0.1:PORT`. An administration client always exists:
00000000-0000-0000-0000-00000000AD01 with the secret emulator-admin-secret. stderr has the commands that export both
and start a repository. Ctrl-C stops it with exit code 0.
""",
)
@value_option("--port", "PORT", _PORT, help="Port to listen on; 0 (default): a free port.", default=0)
@value_option("--seed", "FILE", file_name, help="Start with this seeding file (YAML or JSON).")
@click.option("--sample", is_flag=True, help="Start with the built-in sample marketplace.")
@value_option("--state", "FILE", file_name, help="Keep the data in this file between runs.")
@click.option(
    "--profile",
    type=click.Choice(["current", "legacy"]),
    default="current",
    show_default=True,
    help="API generation; legacy has a readable ClientSecret.",
)
@value_option(
    "--latency", "MS", _LATENCY, help="Delay before each response, in milliseconds.", default=0, to="latency_ms"
)
@value_option("--fault", "SPEC", help="Inject a fault, as in the examples; repeatable.", to="faults", multiple=True)
@value_option("--max-page-size", "N", _PAGE_SIZE, help="Maximum page size of lists.")
@click.option("--marketplace", type=text, default="emulator", show_default=True, help="Marketplace ID (Seller.ID).")
@click.option("--no-put-creates", is_flag=True, help="Return 404 for a PUT of an unknown API client.")
@click.option(
    "--put-create-status",
    type=click.Choice(["200", "201"]),
    default="200",
    show_default=True,
    help="Status of a PUT that creates an object.",
)
@click.option(
    "--reading",
    "readings",
    multiple=True,
    type=click.Choice(READINGS),
    help="Select the other behaviour for an ambiguity in OrderCloud's documentation; repeatable.",
)
@click.option("--revisions", is_flag=True, help="Add a read-only field to API clients that increases with every write.")
@output_options
def command(port: int, **options: Any) -> ExitCode:  # noqa: ANN401  # one for each option above
    """Run a local OrderCloud emulator, for trials and tests."""
    from reconciler.project.connect import emulator_errors

    with emulator_errors():
        stand_in = emulator.Emulator(_settings(port, **options))
        try:
            emulator.serve(stand_in, _HOST, port, partial(_announce, options["marketplace"]))
        except OSError as error:
            raise ReconcilerError(f"cannot listen on port {port}: {error.strerror or error}") from error
    return ExitCode.DONE


def _settings(  # a parameter for each option that is not passed on unchanged
    port: int,
    *,
    sample: bool,
    seed: Path | None,
    no_put_creates: bool,
    put_create_status: str,
    **options: Any,  # noqa: ANN401  # the rest of the options
) -> emulator.Settings:
    if sample and seed:
        raise UsageError("--sample and --seed cannot be combined", hint="choose one of them")
    return emulator.Settings(
        seed=emulator.SAMPLE if sample else seed,
        put_creates=not no_put_creates,
        put_create_status=int(put_create_status),
        base_url=f"http://{_HOST}:{port}" if port else f"http://{_HOST}",
        **options,
    )


def _announce(marketplace: str, base_url: str) -> None:
    write_stdout(f"listening on {base_url}\n")
    if not common_of_this_run().quiet:
        write_stderr(
            f"export OC_CLIENT_ID={emulator.ADMIN_CLIENT_ID}\nexport OC_CLIENT_SECRET={emulator.ADMIN_CLIENT_SECRET}\n"
            f"{command_line('init', '--url', base_url, '--marketplace', marketplace)}\n"
        )
