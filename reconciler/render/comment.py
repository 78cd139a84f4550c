"""Text -> escaped Markdown, and as many entries as fit into a comment.

Text from a manifest or a service is put into a code span, a fence or ``<code>`` in an HTML block, where GitHub, GitLab
and Azure DevOps render no links, images, mentions or markup.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from html import escape as in_html
from typing import Final
from urllib.parse import quote

from reconciler.model.dataclass import dataclass
from reconciler.render.escape import LONGEST_MESSAGE, brief, joined
from reconciler.render.style import Style
from reconciler.render.wording import Count, Noun

_BACKTICKS: Final = re.compile("`+")
_FOR_MORE: Final = 300
"""Characters reserved for the number of entries left out."""


def code(text: str) -> str:
    """A code span of the text, which may contain backticks."""
    text = brief(text, LONGEST_MESSAGE) or " "
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or (text.strip() and text[0] == text[-1] == " ") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def fenced(lines: Sequence[str], language: str) -> list[str]:
    """A code block; the lines must be escaped."""
    fence = "`" * max(3, 1 + max(map(_longest_run, lines), default=0))
    return [f"{fence}{language}", *lines, fence]


def _longest_run(text: str) -> int:
    return max(map(len, _BACKTICKS.findall(text)), default=0)


def marker(document: str, environment: str) -> str:
    """An invisible marker by which a bot finds its own comment."""
    return f"<!-- reconciler:{document}:{quote(environment, safe='', errors='replace')} -->"


def details(summary: str, content: Iterable[str]) -> list[str]:
    """A collapsed block. The summary is HTML."""
    return ["<details>", f"<summary>{summary}</summary>", "", *content, "", "</details>", ""]


def in_code_tag(text: str) -> str:
    """The text as HTML, for the summary of `details`."""
    return f"<code>{in_html(brief(text))}</code>"


def counts(numbers: Iterable[Count]) -> Iterator[str]:
    """A table of one row."""
    shown = list(numbers)
    yield f"| {' | '.join(one.name for one in shown)} |"
    yield f"|{' --: |' * len(shown)}"
    bold = (f"**{one.number:,}**" if one.is_alarming and one.number else f"{one.number:,}" for one in shown)
    yield f"| {' | '.join(bold)} |"
    yield ""


# --------------------------------------------------------------------------------------------- as much as fits


@dataclass(frozen=True, slots=True)
class Item:
    """An entry in two lengths."""

    block: tuple[str, ...]
    line: str
    is_alarming: bool = False


def document(
    head: Sequence[str], entries: Sequence[Item], tail: Sequence[str], nouns: tuple[Noun, Noun], style: Style
) -> str:
    """Build a comment of at most `Style.room` characters, if head and tail have fewer.

    Args:
        head: always included; its first line is the marker.
        entries: alarming ones come first. As many as fit become blocks; other alarming ones become lines, if these fit.
            The first line of the comment counts those not shown in full.
        tail: always included.
        nouns: the nouns for alarming and ordinary entries.
        style: has the maximum length.
    """
    alarming = [entry for entry in entries if entry.is_alarming]
    ordinary = [entry for entry in entries if not entry.is_alarming]
    room = style.room - _size(head) - _size(tail) - 2 * _FOR_MORE - len(style.source)
    first = _fitted(alarming, room, keep_lines=True)
    second = _fitted(ordinary, room - sum(map(_size, first)), keep_lines=False)
    kept = zip((*alarming, *ordinary), (*first, *second), strict=True)
    missing = sum(block is not entry.block for entry, block in kept)
    blocks = [*first, left_out(first.count(()), nouns[0]), *second, left_out(second.count(()), nouns[1])]
    shown = [line for block in blocks for line in block]
    what = f"{missing:,} of {len(entries):,}**: not enough room"
    first_line = not_whole(what, style) if missing else []
    return joined([*head[:1], *first_line, *head[1:], *shown, "", *tail])


def not_whole(what: str, style: Style) -> list[str]:
    """The note that entries are missing, and where to read all of them."""
    source = f" Full output: {code(style.source)}." if style.source else ""
    return [f"{NOT_WHOLE}{what}.{source}", ""]


NOT_WHOLE: Final = "**Not shown in full: "
"""How the first line of an incomplete document begins."""


def _fitted(entries: Sequence[Item], room: int, *, keep_lines: bool) -> list[tuple[str, ...]]:
    """What fits of each entry: its block, its line or nothing."""
    owed = sum(len(entry.line) + 1 for entry in entries) if keep_lines else 0
    shown: list[tuple[str, ...]] = []
    for entry in entries:
        owed -= len(entry.line) + 1 if keep_lines else 0
        block = entry.block
        if _size(block) + owed > room:
            block = (entry.line,) if keep_lines and len(entry.line) < room else ()
        shown.append(block)
        room -= _size(block)
    return shown


def fitting(blocks: Sequence[Sequence[str]], room: int) -> int:
    """How many of the first blocks fit."""
    for count, block in enumerate(blocks):
        room -= _size(block)
        if room < 0:
            return count
    return len(blocks)


def _size(lines: Iterable[str]) -> int:
    return sum(len(line) + 1 for line in lines)


def left_out(count: int, noun: Noun) -> list[str]:
    """A line with the number of further entries; empty if there are none."""
    return ["", f"**And {count:,} more: {noun.of(count)} (not enough room).**", ""] if count > 0 else []
