"""Text -> pieces of Markdown that mean what they say, and as many of them as a comment has room for.

Whatever comes from a manifest or a service stands in a code span, a fence or a ``<code>`` of an HTML block: in none of
them does GitHub, GitLab or Azure DevOps see a link, an image, a mention or markup.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape as in_html
from typing import Final
from urllib.parse import quote

from reconciler.render.escape import joined
from reconciler.render.titles import Count, Noun
from reconciler.render.values import LONGEST_MESSAGE, brief

_BACKTICKS: Final = re.compile("`+")
_FOR_MORE: Final = 300
"""Characters that are kept for saying how much is left out."""


def code(text: str) -> str:
    """A code span that shows the text, whatever backticks are in it."""
    text = brief(text, LONGEST_MESSAGE) or " "
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or (text.strip() and text[0] == text[-1] == " ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def cell(text: str) -> str:
    """A code span for a table, in which a pipe ends the cell, even in code."""
    return code(text).replace("|", "\\u007c")


def fenced(lines: Sequence[str], language: str) -> list[str]:
    """A code block; its lines are escaped already."""
    fence = "`" * max(3, 1 + max(map(_longest_run, lines), default=0))
    return [f"{fence}{language}", *lines, fence]


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def marker(document: str, environment: str) -> str:
    """What a bot finds its own comment by; nobody sees it."""
    return f"<!-- reconciler:{document}:{quote(environment, safe='', errors='replace')} -->"


def details(summary: str, content: Iterable[str]) -> list[str]:
    """A block that opens at a click. The summary is finished HTML."""
    return ["<details>", f"<summary>{summary}</summary>", "", *content, "", "</details>", ""]


def in_code_tag(text: str) -> str:
    """The text for the summary of a `details`, which is HTML."""
    return f"<code>{in_html(brief(text))}</code>"


def counts(numbers: Iterable[Count]) -> Iterator[str]:
    """A table of one row."""
    shown = list(numbers)
    yield f"| {' | '.join(one.name for one in shown)} |"
    yield f"|{' --: |' * len(shown)}"
    bold = (f"**{one.number:,}**" if one.is_alarming and one.number else f"{one.number:,}" for one in shown)
    yield f"| {' | '.join(bold)} |"
    yield ""


# --------------------------------------------------------------------------------------------- as much as there is room


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing in two lengths."""

    block: tuple[str, ...]
    line: str
    is_alarming: bool = False


def document(
    head: Sequence[str],
    entries: Sequence[Entry],
    tail: Sequence[str],
    nouns: tuple[Noun, Noun],
    room: int,
) -> str:
    """Put a comment together that has so many characters at most.

    Args:
        head: what is always there.
        entries: the alarming ones first. As many as fit are given as blocks; an alarming one that does not fit is at
            least a line, as long as there is room for lines; what is left out in the end is counted.
        tail: as the head.
        nouns: what an alarming and an ordinary entry is called.
        room: number of characters.
    """
    alarming = [entry for entry in entries if entry.is_alarming]
    ordinary = [entry for entry in entries if not entry.is_alarming]
    room -= _size(head) + _size(tail) + 2 * _FOR_MORE
    first, count, room = _filled(alarming, room, keep_lines=True)
    first += more(len(alarming) - count, nouns[0])
    second, count, _ = _filled(ordinary, room, keep_lines=False)
    second += more(len(ordinary) - count, nouns[1])
    return joined([*head, *first, *second, "", *tail])


def _filled(entries: Sequence[Entry], room: int, *, keep_lines: bool) -> tuple[list[str], int, int]:
    """The lines, how many entries are in them, and the room that is left."""
    owed = sum(len(entry.line) + 1 for entry in entries) if keep_lines else 0
    lines: list[str] = []
    for count, entry in enumerate(entries):
        owed -= len(entry.line) + 1 if keep_lines else 0
        shown = entry.block if _size(entry.block) + owed <= room else (entry.line,) if keep_lines else ()
        if not shown or _size(shown) > room:
            return lines, count, room
        lines += shown
        room -= _size(shown)
    return lines, len(entries), room


def _size(lines: Iterable[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def more(left_out: int, noun: Noun) -> list[str]:
    """How many there are besides; nothing where there are none."""
    return (
        ["", f"**And {left_out:,} more: {noun.of(left_out)}, for which there is no room here.**", ""]
        if left_out > 0
        else []
    )
