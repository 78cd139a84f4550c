"""The name of a shell -> its completion script; an incomplete word -> matching values.

Values are completed offline; invalid input gives no values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import click
from click.shell_completion import BashComplete, CompletionItem, FishComplete, ShellComplete, ZshComplete

from reconciler.cli.exit import ExitCode
from reconciler.cli.options import output_options
from reconciler.cli.streams import write_stdout
from reconciler.errors import ReconcilerError

_SHELLS: Final[Mapping[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    "completion",
    epilog="""
\b
Examples:
  reconciler completion bash > ~/.local/share/bash-completion/completions/reconciler
  reconciler completion zsh > ~/.zfunc/_reconciler              # a folder in fpath
  reconciler completion fish > ~/.config/fish/completions/reconciler.fish
""",
)
@click.argument("shell", type=click.Choice(list(_SHELLS)), metavar="SHELL")
@output_options
def command(shell: str) -> ExitCode:
    """Print the shell completion script for bash, zsh or fish."""
    program = click.get_current_context().find_root().command
    write_stdout(_SHELLS[shell](program, {}, "reconciler", "_RECONCILER_COMPLETE").source())
    return ExitCode.DONE


def offered(what: str | Sequence[str], ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """The values, or those with this name, that start with the incomplete word."""
    try:
        values = sorted(set(_VALUES[what](ctx, incomplete) if isinstance(what, str) else what))
    except (ReconcilerError, OSError):
        return []
    return [CompletionItem(value) for value in values if value.startswith(incomplete)]


# Each imports only what it needs, so that completion is fast.


def _environments(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from reconciler.cli.console import project_of

    return project_of(ctx.find_root().obj).environments


def _addresses(ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from reconciler.cli.console import settings_of
    from reconciler.project.validate import addresses

    return addresses(settings_of(ctx.find_root().obj))


def _runs(ctx: click.Context, incomplete: str, *, written: bool = False) -> Iterable[str]:
    from reconciler.cli.console import settings_of
    from reconciler.project.records import run_ids

    return ["last", *run_ids(settings_of(ctx.find_root().obj), incomplete, written=written)]


def _keys(_ctx: click.Context, _incomplete: str) -> Iterable[str]:
    from reconciler.manifests.explain import SCHEMAS, everything, manual

    return (entry.path for name in SCHEMAS for entry in everything(manual(name)))


_VALUES: Final[Mapping[str, Callable[[click.Context, str], Iterable[str]]]] = {
    "environments": _environments,
    "addresses": _addresses,
    "runs": _runs,
    "written-runs": partial(_runs, written=True),
    "keys": _keys,
}
