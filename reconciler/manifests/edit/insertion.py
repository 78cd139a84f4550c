"""A mapping in a text, new entries -> edits that add them in the style of what is there already.

In a block the entries follow the last one, on lines of their own. In braces they follow the last one on its line, or
each on a line of its own where the last one has its own. An entry's comment stays with it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.manifests.edit.nodes import Node
from reconciler.manifests.edit.text import WIDTH, Style, block, flow_entry
from reconciler.model.json import Body

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_COMMENT: Final = re.compile(r"( *)#[^\r\n]*(?:\r\n|\n|\r)?")
_NOTHING_MORE: Final = re.compile(r"[ \t]*(,?)[ \t]*(?:#[^\r\n]*)?(?=[\r\n])")


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to be put in at a position, in place of as many characters."""

    at: int
    text: str
    removed: int = 0


def applied(text: str, edits: Sequence[Edit], start: int = 0, end: int | None = None) -> str:
    """The part of a text with all edits of it, which come in the order of their positions in the text as it was."""
    part = text[start:end]
    for edit in reversed(edits):
        at = edit.at - start
        part = part[:at] + edit.text + part[at + edit.removed :]
    return part


def insertion(text: str, mapping: Node, entries: Body, style: Style) -> list[Edit]:
    """Add entries to a mapping.

    Args:
        text: the whole file.
        mapping: where they belong.
        entries: the keys and values.
        style: how they are written where `mapping` has no entry to take it from.
    """
    if mapping.entries:
        style = style.of_last(mapping, with_values=all(isinstance(value, str) for value in entries.values()))
    if mapping.in_braces:
        return in_braces(text, mapping, [flow_entry(*entry, style) for entry in entries.items()])
    return [after_block(text, mapping.end, mapping.column, list(block(entries, mapping.column, style)))]


# -------------------------------------------------------------------------------------------------------------- blocks


def after_block(text: str, end: int, column: int, lines: Sequence[str]) -> Edit:
    """Follow the last line of a block and the comments that are indented more than it; end like that line."""
    at = start_of_next_line(text, end)
    while (comment := _COMMENT.match(text, at)) and len(comment[1]) > column:
        at = comment.end()
    line_end = line_end_before(text, at)
    is_complete = text[at - 1] in "\r\n"
    new = line_end.join(lines)
    return Edit(at, new + line_end if is_complete else line_end + new)


def start_of_next_line(text: str, position: int) -> int:
    """A position that starts a line already (the end of a block scalar) stays."""
    if position and text[position - 1] in "\r\n":
        return position
    found = _LINE_END.search(text, position)
    return found.end() if found else len(text)


def line_end_before(text: str, position: int) -> str:
    """The last line end up to here, else the first one of the file."""
    found = list(_LINE_END.finditer(text, 0, position)) or list(_LINE_END.finditer(text))[:1]
    return found[-1][0] if found else "\n"


# -------------------------------------------------------------------------------------------------------------- braces


def in_braces(text: str, container: Node, new: Sequence[str]) -> list[Edit]:
    """Follow the last entry of a mapping in braces, or the last member of a list in brackets."""
    if not container.spans:
        return [Edit(container.start, _separator(text, container.start, new).join(new))]
    start, end = container.spans[-1]
    indent = text[start_of_line(text, start) : start]
    if indent.strip():
        separator = _separator(text, end, new)
        return [Edit(end, "".join(f"{separator}{entry}" for entry in new))]
    return _on_own_lines(text, end, [indent + entry for entry in new])


def _on_own_lines(text: str, end: int, lines: Sequence[str]) -> list[Edit]:
    """Follow the last entry, which ends here. What follows it on its line is its comma and its comment, or a brace."""
    line_end = line_end_before(text, end)
    rest = _NOTHING_MORE.match(text, end)
    if rest is None:
        return [Edit(end, "".join(f",{line_end}{line}" for line in lines))]
    comma = rest[1]
    added = Edit(rest.end(), line_end + f",{line_end}".join(lines) + comma)
    return [added] if comma else [Edit(end, ","), added]


def _separator(text: str, at: int, new: Sequence[str]) -> str:
    """Between entries: one line for all, or, where that would make a short line too long, one for each."""
    start = start_of_line(text, at)
    length = start_of_next_line(text, at) - start
    if length > WIDTH or length + len(", ".join(new)) <= WIDTH:
        return ", "
    line = text[start:at]
    return "," + line_end_before(text, at) + " " * (len(line) - len(line.lstrip(" ")) + 2)


def start_of_line(text: str, position: int) -> int:
    """Where the line of a position starts."""
    found = list(_LINE_END.finditer(text, 0, position))
    return found[-1].end() if found else 0
