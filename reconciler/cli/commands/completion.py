"""The name of a shell -> the script that completes commands and options in it."""

from collections.abc import Mapping
from typing import Final

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

from reconciler.cli.exit import ExitCode
from reconciler.cli.main import cli
from reconciler.cli.options import output_options
from reconciler.cli.streams import emit

_SHELLS: Final[Mapping[str, type[ShellComplete]]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command(
    "completion",
    epilog="""
\b
Examples:
  reconciler completion bash > ~/.local/share/bash-completion/completions/reconciler
  reconciler completion zsh > ~/.zfunc/_reconciler              # a folder of fpath
  reconciler completion fish > ~/.config/fish/completions/reconciler.fish
""",
)
@click.argument("shell", type=click.Choice(list(_SHELLS)), metavar="SHELL")
@output_options
def command(shell: str) -> ExitCode:
    """Print the script that completes commands and options in bash, zsh or fish."""
    emit(_SHELLS[shell](cli, {}, "reconciler", "_RECONCILER_COMPLETE").source())
    return ExitCode.DONE
