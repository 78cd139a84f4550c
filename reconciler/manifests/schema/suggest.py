"""A word that nobody knows -> the word that was probably meant."""

import difflib
import re
from collections.abc import Iterable
from typing import Final

_ALIKE: Final = 0.7


def closest(word: str, choices: Iterable[str]) -> str | None:
    """Give the choice that the word was most likely meant to be, or None.

    Case does not count. Whole words count more than letters, so that ``AllowAnySeller`` is taken for ``AllowSeller``
    and not for ``AllowAnySupplier``.
    """

    def likeness(choice: str) -> tuple[float, float]:
        ratio = difflib.SequenceMatcher(None, word.casefold(), choice.casefold()).ratio()
        ours, theirs = _words(word), _words(choice)
        return ratio, ratio + len(ours & theirs) / len(ours | theirs)

    scored = [(total, choice) for choice in choices for ratio, total in (likeness(choice),) if ratio >= _ALIKE]
    return max(scored)[1] if scored else None


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """Give a hint such as ``did you mean AllowSeller?``, or an empty text."""
    choice = closest(word, choices)
    return f"did you mean {choice}?" if choice else ""


def _words(name: str) -> frozenset[str]:
    found = re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+", name)
    return frozenset(word.casefold() for word in found) or frozenset({name})
