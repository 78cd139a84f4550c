"""A question on the terminal -> whether the answer was yes."""

import sys
from collections.abc import Callable
from typing import Final

from reconciler.cli.streams import is_terminal, tell
from reconciler.errors import UsageError
from reconciler.render.escape import escape

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


def is_confirmed(question: str) -> bool:
    """Ask, and take anything but the whole word for a no."""
    tell(f"\n{question} Only '{_YES}' is accepted: ")
    return sys.stdin.readline().strip() == _YES
