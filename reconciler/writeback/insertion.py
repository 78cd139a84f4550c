"""A mapping in a text, new entries -> edits that add them in the style of what is there already.

In a block the entries follow the last one, on lines of their own. In braces they follow the last one on its line, or
each on a line of its own where the last one has its own. An entry's comment stays with it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from reconciler.document.scalars import key_text
from reconciler.writeback.nodes import Node

Entries: TypeAlias = Mapping[str, "str | Mapping[str, str]"]

_WIDTH: Final = 120
_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_WORDS_OF_YAML_1_1: Final = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Texts to us, and booleans to many an editor."""
_COMMENT: Final = re.compile(r"( *)#[^\r\n]*(?:\r\n|\n|\r)?")
_NOTHING_MORE: Final = re.compile(r"[ \t]*(,?)[ \t]*(?:#[^\r\n]*)?(?=[\r\n])")


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to be put in at a position."""

    at: int
    text: str


def applied(text: str, edits: Sequence[Edit]) -> str:
    """The text with all edits in it, which come in the order of their positions in the text as it was."""
    for edit in reversed(edits):
        text = text[: edit.at] + edit.text + text[edit.at :]
    return text


@dataclass(frozen=True, slots=True)
class Style:
    """How entries are written."""

    step: int
    """By how much a block inside of a block is indented."""
    key: str = ""
    """The quotes around keys; none where they are empty."""
    value: str = ""

    def of_key(self, mapping: Node, key: str) -> "Style":
        """As this key is written: whoever quotes keys means JSON, and quotes values, too."""
        quote = next(name.quote for name, _ in mapping.entries if name.text == key)
        return replace(self, key=quote, value=quote)

    def of_last(self, mapping: Node, *, with_values: bool) -> "Style":
        """As the last entry is written."""
        key, value = mapping.entries[-1]
        return replace(self, key=key.quote, value=value.quote if with_values else key.quote)


def insertion(text: str, mapping: Node, entries: Entries, style: Style) -> list[Edit]:
    """Add entries to a mapping.

    Args:
        text: the whole file.
        mapping: where they belong.
        entries: the keys and values; a value may be a mapping itself.
        style: how they are written where `mapping` has no entry to take it from.
    """
    if mapping.entries:
        style = style.of_last(mapping, with_values=all(isinstance(value, str) for value in entries.values()))
    if mapping.in_braces:
        return _in_braces(text, mapping, [_flow_entry(*entry, style) for entry in entries.items()])
    return [_in_block(text, mapping, _block_lines(entries, mapping.column, style))]


# -------------------------------------------------------------------------------------------------------------- blocks


def _in_block(text: str, mapping: Node, lines: Sequence[str]) -> Edit:
    """Follow the last line of the mapping and the comments that are indented more than its keys; end like that line."""
    at = _start_of_next_line(text, mapping.end)
    while (comment := _COMMENT.match(text, at)) and len(comment[1]) > mapping.column:
        at = comment.end()
    line_end = _line_end_before(text, at)
    is_complete = text[at - 1] in "\r\n"
    new = line_end.join(lines)
    return Edit(at, new + line_end if is_complete else line_end + new)


def _block_lines(entries: Entries, column: int, style: Style) -> list[str]:
    indent, lines = " " * column, []
    for key, value in entries.items():
        if isinstance(value, str):
            lines.append(f"{indent}{scalar(key, style.key)}: {scalar(value, style.value)}")
        else:
            lines += [f"{indent}{scalar(key, style.key)}:", *_block_lines(value, column + style.step, style)]
    return lines


def _start_of_next_line(text: str, position: int) -> int:
    """A position that starts a line already (the end of a block scalar) stays."""
    if position and text[position - 1] in "\r\n":
        return position
    found = _LINE_END.search(text, position)
    return found.end() if found else len(text)


def _line_end_before(text: str, position: int) -> str:
    """The last line end up to here, else the first one of the file."""
    found = list(_LINE_END.finditer(text, 0, position)) or list(_LINE_END.finditer(text))[:1]
    return found[-1][0] if found else "\n"


# -------------------------------------------------------------------------------------------------------------- braces


def _flow_entry(key: str, value: str | Mapping[str, str], style: Style) -> str:
    if isinstance(value, str):
        return f"{scalar(key, style.key)}: {scalar(value, style.value)}"
    return f"{scalar(key, style.key)}: {{{', '.join(_flow_entry(*entry, style) for entry in value.items())}}}"


def _in_braces(text: str, mapping: Node, new: Sequence[str]) -> list[Edit]:
    if not mapping.entries:
        return [Edit(mapping.start, _separator(text, mapping.start, new).join(new))]
    key, value = mapping.entries[-1]
    indent = text[_start_of_line(text, key.start) : key.start]
    if indent.strip():
        separator = _separator(text, value.end, new)
        return [Edit(value.end, "".join(f"{separator}{entry}" for entry in new))]
    return _on_own_lines(text, value.end, [indent + entry for entry in new])


def _on_own_lines(text: str, end: int, lines: Sequence[str]) -> list[Edit]:
    """Follow the last entry, which ends here. What follows it on its line is its comma and its comment, or a brace."""
    line_end = _line_end_before(text, end)
    rest = _NOTHING_MORE.match(text, end)
    if rest is None:
        return [Edit(end, "".join(f",{line_end}{line}" for line in lines))]
    comma = rest[1]
    added = Edit(rest.end(), line_end + f",{line_end}".join(lines) + comma)
    return [added] if comma else [Edit(end, ","), added]


def _separator(text: str, at: int, new: Sequence[str]) -> str:
    """Between entries: one line for all, or, where that would make a short line too long, one for each."""
    start = _start_of_line(text, at)
    length = _start_of_next_line(text, at) - start
    if length > _WIDTH or length + len(", ".join(new)) <= _WIDTH:
        return ", "
    line = text[start:at]
    return "," + _line_end_before(text, at) + " " * (len(line) - len(line.lstrip(" ")) + 2)


def _start_of_line(text: str, position: int) -> int:
    found = list(_LINE_END.finditer(text, 0, position))
    return found[-1].end() if found else 0


# ------------------------------------------------------------------------------------------------------------- scalars


def scalar(text: str, quote: str) -> str:
    """The text in these quotes; without any, still in quotes where it would be taken for something else."""
    if not _PLAIN.fullmatch(text):
        return json.dumps(text)
    if quote or key_text(text) != text or text.lower() in _WORDS_OF_YAML_1_1:
        quote = quote or '"'
    return f"{quote}{text}{quote}"
