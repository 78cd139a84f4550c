"""A question on the terminal -> whether the answer was yes."""

import sys
from typing import Final

from reconciler.cli.streams import is_terminal, tell

_YES: Final = "yes"
QUESTION: Final = f"\nApply these changes? Only '{_YES}' is accepted: "


def somebody_is_there() -> bool:
    """Whether a question can be seen and answered."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def ask(question: str, default: str = "") -> str:
    """Ask until there is an answer; an empty one means the default.

    Raises:
        KeyboardInterrupt: the input ended.
    """
    answer = ""
    while not answer:
        tell(f"{question}{f' [{default}]' if default else ''}: ")
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        answer = line.strip() or default
    return answer


def is_confirmed() -> bool:
    """Ask, and take anything but the whole word for a no."""
    tell(QUESTION)
    return sys.stdin.readline().strip() == _YES
