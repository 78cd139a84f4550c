"""Options -> a stand-in for OrderCloud that serves on this machine until it is stopped."""

from functools import partial
from pathlib import Path
from typing import Any, Final

import click

from reconciler import emulator
from reconciler.cli.exit import ExitCode
from reconciler.cli.options import common_of_this_run, file_name, output_options, text, valued
from reconciler.cli.streams import emit, tell
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

The first line on stdout is `listening on http://127.0.0.1:PORT`. There is always a client for administration:
00000000-0000-0000-0000-00000000AD01 with the secret emulator-admin-secret. stderr has the commands that export both
and start a repository. Ctrl-C stops it, with exit code 0.
""",
)
@valued("--port", "PORT", _PORT, help="0 (default): any free one.", default=0)
@valued("--seed", "FILE", file_name, help="A seeding file (YAML or JSON) to start with.")
@click.option("--sample", is_flag=True, help="Start with the sample marketplace of the program.")
@valued("--state", "FILE", file_name, help="Keep the data in this file between runs.")
@click.option(
    "--profile",
    type=click.Choice(["current", "legacy"]),
    default="current",
    show_default=True,
    help="The generation of the API; legacy has a readable ClientSecret.",
)
@valued("--latency", "MS", _LATENCY, help="Milliseconds to wait before each answer.", default=0, to="latency_ms")
@valued("--fault", "SPEC", help="What goes wrong; repeatable.", to="faults", multiple=True)
@valued("--max-page-size", "N", _PAGE_SIZE, help="Answer lists with smaller pages than asked for.")
@click.option("--marketplace", type=text, default="emulator", show_default=True, help="Its marketplace ID (Seller.ID).")
@click.option("--no-put-creates", is_flag=True, help="Answer 404 to a PUT of an unknown API client.")
@click.option(
    "--put-create-status",
    type=click.Choice(["200", "201"]),
    default="200",
    show_default=True,
    help="The status of a PUT that creates.",
)
@click.option(
    "--reading",
    "readings",
    multiple=True,
    type=click.Choice(READINGS),
    help="Answer a question that OrderCloud's documentation leaves open in the other way; repeatable.",
)
@click.option("--revisions", is_flag=True, help="Show a read-only field of API clients that grows with every write.")
@output_options
def command(port: int, **options: Any) -> ExitCode:  # noqa: ANN401  # one for each option above
    """Serve an OrderCloud emulator on this machine, to try things out and for tests."""
    from reconciler.project.connect import emulator_errors

    with emulator_errors():
        stand_in = emulator.Emulator(_settings(port, **options))
        try:
            emulator.serve(stand_in, _HOST, port, partial(_announce, options["marketplace"]))
        except OSError as error:
            raise ReconcilerError(f"cannot listen on port {port}: {error.strerror or error}") from error
    return ExitCode.DONE


def _settings(  # one keyword for each option that is not passed on as it is
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
    emit(f"listening on {base_url}\n")
    if not common_of_this_run().quiet:
        tell(
            f"export OC_CLIENT_ID={emulator.ADMIN_CLIENT_ID}\nexport OC_CLIENT_SECRET={emulator.ADMIN_CLIENT_SECRET}\n"
            f"{command_line('init', '--url', base_url, '--marketplace', marketplace)}\n"
        )
