"""Arguments -> one command -> exit code. Every error ends here, as a message on stderr and a code.

Commands are imported when they are called: `--help` needs none of them.
"""

import gc
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Final

import click

from reconciler import __version__
from reconciler.cli import signals
from reconciler.cli.options import Common, Log, common_options, log_format_of

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

COMMANDS: Final[Mapping[str, str]] = {
    "init": "Set up a repository: configuration, CI, editor settings.",
    "validate": "Check manifests and configuration, offline.",
    "plan": "Show what apply would change.",
    "apply": "Change the service to match the manifests.",
    "show": "Show a saved plan, or the manifests resolved for an environment, offline.",
    "drift": "Show where the service differs from the manifests; exit 2 if it does.",
    "snapshot": "Save the state of a service, without secrets, for plan --from-snapshot.",
    "export": "Write manifests for live objects.",
    "import": "Write manifests from a seeding file, offline.",
    "adopt": "Bind manifests to live objects, by ids in reconciler.yaml.",
    "secrets": "Show the status of secrets, and rotate them.",
    "environments": "List the environments of the configuration, offline.",
    "history": "List runs that wrote changes, show one, or verify journals, offline.",
    "rollback": "Undo the changes of a run, subject to the same guards.",
    "doctor": "Check configuration, credentials, network, roles and marketplace; exit 1 if a check fails.",
    "explain": "Explain a key of a manifest or of the configuration.",
    "schema": "Print the JSON Schema of a kind of file.",
    "completion": "Print a shell completion script.",
    "version": "Print the version.",
    "emulator": "Run a local OrderCloud emulator.",
}
"""Name -> help, in the order of first use. The code is in `commands`, one module per command."""

_PROGRAM: Final = "reconciler"
_EPILOG: Final = """
\b
Examples:
  reconciler validate
  reconciler plan --env staging --out plan.json
  reconciler apply plan.json
  reconciler drift --env production

Exit codes: 0 done, 1 error, 2 changes or drift, 3 refused by a guard, 4 saved plan refused, 5 partly applied,
6 not converged, 64 wrong usage, 130 interrupted.
"""


class Commands(click.Group):
    """The commands in `COMMANDS`, each imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = _module(cmd_name).command
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Suggest a command for an unknown one."""
        if args[0] not in COMMANDS:
            from reconciler.cli.failures import no_such_command  # noqa: PLC0415  # only mistakes need it

            raise no_such_command(args[0], COMMANDS)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def complete(self, what: str | Sequence[str], ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """Complete a value; see `options.Completing`."""
        offered: list[CompletionItem] = _module("completion").offered(what, ctx, incomplete)
        return offered


def _module(command: str) -> ModuleType:
    return import_module(f"reconciler.cli.commands.{command}")


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  # click's signature
    if wanted:
        click.echo(f"{_PROGRAM} {__version__}")
        ctx.exit()


@click.group(
    cls=Commands,
    epilog=_EPILOG,
    no_args_is_help=False,
    invoke_without_command=True,
    context_settings={"help_option_names": ["--help", "-h"]},
)
@common_options
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Manage the access configuration of Sitecore OrderCloud marketplaces as YAML."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError(f"Missing command: one of {', '.join(COMMANDS)}.", ctx)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. Never raises."""
    arguments = sys.argv[1:] if argv is None else argv
    common, Log.format, Log.colour = Common(), log_format_of(arguments), "auto"
    try:
        return int(cli.main(argv, _PROGRAM, standalone_mode=False, obj=common) or 0)
    except BaseException as error:  # noqa: BLE001  # every error becomes a message and a code here
        return _failed(error, arguments, verbose=common.verbose or bool(os.environ.get("RECONCILER_DEBUG")))


def _failed(error: BaseException, arguments: Sequence[str], *, verbose: bool) -> int:
    """Report an error; of a wrong command line, also in the documents that it names."""
    from reconciler.cli.failures import report, usage_error  # noqa: PLC0415  # only failures need it

    command = next((word for word in arguments if word in COMMANDS), "")
    wrong = usage_error(error, command)
    if wrong:
        from reconciler.cli.outputs import write_misuse  # noqa: PLC0415  # only a wrong command line needs it

        write_misuse(arguments, command or "run", wrong)
    return report(wrong or error, verbose=verbose)


def tolerate_any_encoding() -> None:
    """Escape characters that a stream cannot encode (in a Latin-1 or ASCII locale), instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


_INTERRUPTED: Final = {
    "text": b"interrupted\n",
    "json": b'{"@level": "info", "@message": "interrupted", "@module": "reconciler", "type": "log"}\n',
}


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Report the interruption and end. Bypasses the stream, which may be in use."""
    try:
        os.write(2, _INTERRUPTED[Log.format])
    finally:
        signals.end(number, frame)


_OBJECTS_BETWEEN_COLLECTIONS: Final = 1_000_000
"""A run creates few reference cycles, but repeated collections would take a fifth of the time of a plan."""


def _flush() -> None:
    """Flush, so that Python does not fail on a broken stream at exit and change the exit code to 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except OSError:
            from reconciler.cli.streams import abandon  # noqa: PLC0415  # only failures need it

            abandon(stream)


def run() -> Any:  # noqa: ANN401  # never returns
    """Run the program `reconciler`. Only this function changes global state of the process."""
    # httpx imports its command line if the libraries are installed; that takes 30 ms.
    sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None blocks the import
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    signals.handle(_interrupted)
    tolerate_any_encoding()
    code = main()
    _flush()
    gc.freeze()  # skips a collection at exit: a third of the time of a small command
    sys.exit(code)
