"""Any exception -> a message on stderr and an exit code. Tracebacks are shown only with --verbose, values never.

A wrong command line gets a suggestion, but never an option that writes, deletes or allows more: a typo in `--dry-run`
must not suggest `--prune`.
"""

import sys
import traceback
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

import click

from reconciler.cli.exit import ExitCode
from reconciler.cli.streams import wants_colour, width, write_stderr
from reconciler.errors import ReconcilerError, UsageError, cut_off, is_no_thread
from reconciler.manifests.schema import did_you_mean, meant
from reconciler.model.diagnostic import Checked
from reconciler.render.escape import escape
from reconciler.render.jsonl import diagnostic, error_events, fault
from reconciler.render.style import Style, laid_out
from reconciler.render.text import diagnostics, error_text, internal_error, warning

_NEVER_SUGGESTED: Final = frozenset(
    {"--ack", "--allow-host", "--allow-unknown-roles", "--auto-approve", "--keep-going", "--prune", "--write"}
)
_OPTIONS_OF_OTHER_TOOLS: Final[Mapping[str, tuple[str, ...]]] = {
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
"""Options of similar tools -> ours; the first one that the command has is suggested."""


def usage_error(error: BaseException, command: str) -> UsageError | None:
    """The error of a wrong command line, or None. A command that has started reports errors in its documents itself."""
    if isinstance(error, click.ClickException):
        return _wrong_usage(error)
    return error if isinstance(error, UsageError) and not command else None


def _wrong_usage(error: click.ClickException) -> UsageError:
    """Convert an error of click."""
    context = getattr(error, "ctx", None)
    see = f"see {context.command_path if context else 'reconciler'} --help"
    if not isinstance(error, click.NoSuchOption):
        return UsageError(error.format_message(), hint=see)
    suggestion = _instead(error.option_name, context)
    return UsageError(f"No such option: {error.option_name}", hint=suggestion or see)


def no_such_command(name: str, commands: Collection[str]) -> UsageError:
    """The error for an unknown command."""
    return UsageError(f"No such command: {name}", hint=did_you_mean(name, commands) or "see reconciler --help")


def _instead(option: str, context: click.Context | None) -> str:
    known = _options(context) if context else ()
    if option.replace("-", "") == "dryrun" and "--dry-run" not in known:
        if "--write" in known:
            return "remove it: without --write nothing is written"
        return "remove it: this command does not write to the service"
    named = next((one for one in _OPTIONS_OF_OTHER_TOOLS.get(option, ()) if one in known), None)
    return meant(named) if named else did_you_mean(option, set(known) - _NEVER_SUGGESTED)


def _options(context: click.Context) -> Collection[str]:
    """The options of the command that are not hidden."""
    parameters = context.command.get_params(context)
    return [name for one in parameters if isinstance(one, click.Option) and not one.hidden for name in one.opts]


_PACKAGE: Final = Path(__file__).parents[1]


def report(error: BaseException, *, verbose: bool) -> int:
    """Write an error, and return the exit code."""
    match error:
        case SystemExit():
            return int(error.code or 0)
        case click.Abort() | KeyboardInterrupt():
            write_stderr("interrupted\n")
            return ExitCode.INTERRUPTED
        case ReconcilerError():
            return _show(error)
        case _:
            known = _of_the_system(error)
            return _cut_off(error, _show(known) if known else _internal(error, verbose=verbose))


def report_diagnostics(warnings: Iterable[Checked]) -> None:
    """Write warnings."""
    found = list(warnings)
    style = style_of_stderr()
    write_stderr(laid_out(diagnostics(found, style), style), [fault(one.diagnostic, one.environments) for one in found])


def style_of_stderr() -> Style:
    """The style of messages."""
    return Style(colour=wants_colour(sys.stderr), width=width(sys.stderr))


def _show(error: ReconcilerError) -> int:
    report_error(error)
    return error.exit_code


def report_warning(error: ReconcilerError) -> None:
    """Write a warning about a failure that does not stop the run."""
    problem = f"{error.message}; {error.hint}" if error.hint else error.message
    write_stderr(warning(problem, style_of_stderr()), [diagnostic("warning", error.message, error.hint)])


def report_error(error: ReconcilerError) -> None:
    """Write an error."""
    write_stderr(error_text(error, style_of_stderr()), error_events(error))


def _cut_off(error: BaseException, code: int) -> int:
    """The code of an unexpected error: not 1 if something may have been written."""
    if not (note := cut_off(error)):
        return code
    write_stderr(f"  hint: {note}\n")
    return ExitCode.PARTLY_APPLIED


def _of_the_system(error: BaseException) -> ReconcilerError | None:
    """A message for an error of the operating system, which is not a bug; None for other errors."""
    if isinstance(error, MemoryError):
        return ReconcilerError("out of memory", hint="allow this process more memory")
    if isinstance(error, RuntimeError) and is_no_thread(error):
        return ReconcilerError("cannot start another thread", hint="allow more processes, or more memory")
    return _of_files(error) if isinstance(error, OSError) else None


def _of_files(error: OSError) -> ReconcilerError:
    if isinstance(error, FileNotFoundError) and not _has_folder():
        return ReconcilerError("the working directory no longer exists", hint="change to a folder that exists")
    why = error.strerror or type(error).__name__
    return ReconcilerError(f"{error.filename}: {why}" if error.filename else f"system error: {why}")


def _has_folder() -> bool:
    try:
        return bool(Path.cwd())
    except OSError:
        return False


def _internal(error: BaseException, *, verbose: bool) -> int:
    write_stderr(internal_error(error, _place(error), style_of_stderr()))
    write_stderr(_trace(error) if verbose else "  hint: --verbose shows the traceback\n")
    return ExitCode.ERROR


def _place(error: BaseException) -> str:
    """File and line of the innermost frame in this package."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(_PACKAGE)]
    if not ours:
        return "an unknown place"
    return f"{Path(ours[-1].filename).relative_to(_PACKAGE.parent).as_posix()}:{ours[-1].lineno}"


def _trace(error: BaseException) -> str:
    """The frames of the error and its causes: source lines and types, without locals or messages."""
    lines: list[str] = []
    current: BaseException | None = error
    while current:
        lines += [type(current).__name__, *"".join(traceback.format_tb(current.__traceback__)).splitlines()]
        current = current.__cause__ or current.__context__
    return "".join(f"  {escape(line)}\n" for line in lines)
