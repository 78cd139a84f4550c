"""A wrong command line -> what is wrong, and what to write instead.

A suggestion is never an option that writes, deletes or allows more than what was typed: whoever slips over `--dry-run`
must not be offered `--prune`.
"""

from collections.abc import Collection, Mapping
from typing import Final

import click

from reconciler.errors import UsageError
from reconciler.manifests.schema import closest

_NEVER_SUGGESTED: Final = frozenset(
    {"--ack", "--allow-host", "--allow-unknown-roles", "--auto-approve", "--keep-going", "--prune", "--write"}
)
_ELSEWHERE: Final[Mapping[str, tuple[str, ...]]] = {
    "-o": ("--out", "--format"),
    "--output": ("--out", "--format"),
    "-t": ("--only",),
    "--target": ("--only",),
    "-e": ("--env",),
    "-c": ("--config",),
    "-q": ("--quiet",),
    "-v": ("--verbose",),
    "--dry": ("--dry-run",),
    "--check": ("--dry-run",),
    "--noop": ("--dry-run",),
    "--exit-code": ("--detailed-exitcode",),
    "--non-zero-exit-code": ("--detailed-exitcode",),
}
"""What other tools of this field call an option -> ours; the first that the command has is suggested."""


def wrong_usage(error: click.ClickException) -> UsageError:
    """Make ours of click's error."""
    context = getattr(error, "ctx", None)
    see = f"see {context.command_path if context else 'reconciler'} --help"
    if not isinstance(error, click.NoSuchOption):
        return UsageError(error.format_message(), hint=see)
    suggestion = _instead(error.option_name, context)
    return UsageError(f"No such option: {error.option_name}", hint=suggestion or see)


def no_such_command(name: str, commands: Collection[str]) -> UsageError:
    """The error for a command that there is not."""
    close = closest(name, commands)
    return UsageError(f"No such command: {name}", hint=f"did you mean {close}?" if close else "see reconciler --help")


def _instead(option: str, context: click.Context | None) -> str:
    known = _options(context) if context else ()
    if option.replace("-", "") == "dryrun" and "--dry-run" not in known:
        return next((hint for name, hint in _WITHOUT_DRY_RUN.items() if name in known), _READS_ONLY)
    named = next((one for one in _ELSEWHERE.get(option, ()) if one in known), None)
    close = named or closest(option, set(known) - _NEVER_SUGGESTED)
    return f"did you mean {close}?" if close else ""


_READS_ONLY: Final = "leave it out: this command does not write to the service"
_WITHOUT_DRY_RUN: Final = {
    "--write": "leave it out: without --write nothing is written",
    "--auto-approve": "leave out --auto-approve: what would be done is shown, and nothing is written unless you agree",
}
"""An option that a command has -> how to see what it would do, where it has no --dry-run."""


def _options(context: click.Context) -> Collection[str]:
    """The options of the command that are not hidden."""
    parameters = context.command.get_params(context)
    return [name for one in parameters if isinstance(one, click.Option) and not one.hidden for name in one.opts]
