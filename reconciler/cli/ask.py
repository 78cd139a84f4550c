"""A question on the terminal -> its answer; what would be done, shown -> approved, or an error."""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import click

from reconciler.cli.documents import style_of_stdout
from reconciler.cli.failures import style_of_stderr
from reconciler.cli.streams import emit, is_terminal, tell
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.json import Json
from reconciler.render.escape import escape
from reconciler.render.style import Style

_YES: Final = "yes"


def somebody_is_there() -> bool:
    """Whether a question can be seen and answered."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask(question: str, default: str = "", check: Callable[[str], None] = lambda _answer: None) -> str:
    """Ask until there is a usable answer; an empty one means the default.

    Args:
        question: what is asked.
        default: what an empty answer means; without one, an empty answer is asked for again.
        check: raises `UsageError` for an answer that is not usable; its message is shown.

    Raises:
        KeyboardInterrupt: the input ended.
    """
    while True:
        tell(f"{question}{f' [{default}]' if default else ''}: ")
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or default
        if not answer:
            continue
        try:
            check(answer)
        except UsageError as error:
            tell(f"{escape(error.message)}\n")
        else:
            return answer


def target(environment: str, marketplace: str, base_url: str) -> str:
    """Where something is about to be written."""
    return f"environment {escape(environment)} (marketplace {escape(marketplace)} at {escape(base_url)})"


def require_yes(question: str, shown: Callable[[Style], str], events: Iterable[Mapping[str, Json]] = ()) -> None:
    """Show what would be done, and ask; anything but the whole word is a no. Without a terminal, stdout shows it.

    Raises:
        ReconcilerError: the answer was no, or there is nobody to ask.
    """
    if not somebody_is_there():
        if click.get_current_context().params["format_name"] == "text":
            emit(shown(style_of_stdout()))
        else:  # stdout is for a document of another format
            tell(shown(style_of_stderr()), events)
        message = "cannot ask for approval: not a terminal; nothing was written"
        raise ReconcilerError(message, hint="add --auto-approve")
    tell(shown(style_of_stderr()), events)
    tell(f"\n{question} Only '{_YES}' is accepted: ")
    if sys.stdin.readline().strip() != _YES:
        raise ReconcilerError("not approved; nothing was written")
