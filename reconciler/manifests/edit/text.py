"""YAML text -> the positions of its nodes; a JSON value -> portable YAML text; entries -> edits of a mapping.

Text that any YAML version could read as a number, a date or a boolean is quoted, and so is text with more than letters,
digits and a few marks. Invisible characters are escaped.

In a block, new entries follow the last one on their own lines. In braces, they follow the last one on its line, or each
on its own line if the last one has its own. Comments of entries are kept.

Positions come from the parser that reads every document, since the round-trip loader of ruamel.yaml does not keep the
ends of nodes. They count characters. A node ends at its last visible part; for the parser itself, a block mapping
extends to the next token, including comments.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias

from ruamel.yaml import events

from reconciler.manifests.yaml.parser import Parser, key_text
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, Json, is_array

_Event: TypeAlias = Any
_QUOTES: Final = {"'", '"'}


@dataclass(frozen=True, slots=True)
class Node:
    """One key or value."""

    start: int
    """Of a block mapping, where its first key starts; of one in braces, what follows the brace."""
    end: int
    column: int
    """Of `start`, counted from 0."""
    text: str | None = None
    """Of a scalar."""
    quote: str = ""
    """Of a scalar; empty for a plain one."""
    entries: "tuple[tuple[Node, Node], ...]" = ()
    items: "tuple[Node, ...]" = ()
    """Of a list."""
    is_mapping: bool = False
    is_list: bool = False
    in_braces: bool = False
    """A mapping in braces, or a list in brackets."""
    is_alias: bool = False
    outer: int = 0
    """The start of an anchor or a tag before it; otherwise `start`, or the brace before it."""

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """The start and end of each entry of a mapping, or member of a list."""
        if self.is_mapping:
            return tuple((key.outer, max(key.end, value.end)) for key, value in self.entries)
        return tuple((member.outer, member.end) for member in self.items)

    @property
    def step(self) -> int:
        """The indentation of the first block in this block."""
        for _, value in self.entries:
            if value.is_mapping and not value.in_braces and value.column > self.column:
                return value.column - self.column
        return YamlStyle().step

    def removals_in_braces(self, kept: Sequence[bool]) -> "list[list[Edit]]":
        """For each entry in braces the edits that remove it; none for a kept entry.

        An entry is removed with its separator to the next one; entries at the end with the separator before them.
        """
        spans = self.spans
        last = max((number for number, keep in enumerate(kept) if keep), default=-1)
        edits: list[list[Edit]] = [[] for _ in kept]
        for number, keep in enumerate(kept[:last]):
            if not keep:
                start = spans[number][0]
                edits[number] = [Edit(start, "", spans[number + 1][0] - start)]
        if last + 1 < len(kept):
            start = spans[last][1]
            edits[last + 1] = [Edit(start, "", spans[-1][1] - start)]
        return edits

    def get(self, key: str) -> "Node | None":
        """The value of a key that is written out here, not from an alias or a merge key."""
        return next((value for name, value in self.entries if name.text == key), None)


def parse_nodes(text: str) -> tuple[Node, ...]:
    """Return the root of each document of a text that `yaml.parse` reads without a fault."""
    reader, roots = _Reader(text), []
    while not isinstance(event := reader.next(), events.StreamEndEvent):
        if isinstance(event, events.DocumentStartEvent):
            roots.append(reader.node(reader.next()))
    return tuple(roots)


class _Reader:
    """Turns events into nodes; too deeply nested documents were refused before."""

    def __init__(self, text: str) -> None:
        self.next = Parser(text).get_event
        self._end = 0
        """The end of the last event."""

    def node(self, event: _Event) -> Node:
        """Read one node to its end."""
        if isinstance(event, events.CollectionStartEvent):
            return self._container(event)
        self._end = event.end_mark.index
        start, style = event.start_mark, getattr(event, "style", None)  # an alias has neither style nor text
        text = getattr(event, "value", None)
        quote = style if style in _QUOTES else ""
        is_alias = isinstance(event, events.AliasEvent)
        return Node(start.index, self._end, start.column, text, quote, is_alias=is_alias, outer=start.index)

    def _container(self, event: _Event) -> Node:
        first, is_mapping, in_braces = event.end_mark, isinstance(event, events.MappingStartEvent), event.flow_style
        entries, items = [], []
        while not isinstance(found := self.next(), events.CollectionEndEvent):
            if is_mapping:
                entries.append((self.node(found), self.node(self.next())))
            else:
                items.append(self.node(found))
        if in_braces:
            self._end = found.end_mark.index
        return Node(
            first.index,
            self._end,
            first.column,
            entries=tuple(entries),
            items=tuple(items),
            is_mapping=is_mapping,
            is_list=not is_mapping,
            in_braces=bool(in_braces),
            outer=event.start_mark.index,
        )


NodePath: TypeAlias = tuple[str | int, ...]
"""Keys and indices from the root to a value."""
Comment: TypeAlias = Callable[[NodePath], str]
"""The path of a value -> the comment after it on its line, with two blanks and ``#``, or empty."""
WIDTH: Final = 120
_LONGEST_KEY: Final = 500
"""The maximum length of a key without a question mark; YAML allows 1024 characters."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*|[A-Za-z](?:[A-Za-z0-9._/@+ -]*[A-Za-z0-9._/@+])?")
_WORDS_OF_YAML_1_1: Final = frozenset({"y", "n", "yes", "no", "on", "off"})
"""Texts in YAML 1.2, booleans in many editors."""
_DATE_OR_NUMBER: Final = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}.* | [0-9][0-9_]*(\.[0-9_]*)? | 0b[01_]+ | 0[xo][0-9a-f_]+",
    re.VERBOSE | re.IGNORECASE,
)
"""Texts in YAML 1.2, dates and numbers in YAML 1.1."""
_LAST_OF_TWO_BYTES: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class YamlStyle:
    """How entries are written."""

    step: int = 2
    """The indentation of a block in a block."""
    key: str = ""
    """The quotes around keys; empty: none."""
    value: str = ""
    comment: Comment = lambda _: ""


def style_of(key: Node | None) -> YamlStyle:
    """The style of a node; if its keys are quoted as in JSON, values are quoted, too."""
    quote = key.quote if key else ""
    return YamlStyle(key=quote, value=quote)


def scalar(value: Json, quote: str = "") -> str:
    """A value that is not a mapping or a list; a text in these quotes, or in double quotes if required."""
    if not isinstance(value, str):
        return json.dumps(value)
    if not _PLAIN.fullmatch(value):
        return f'"{"".join(map(_escaped, value))}"'
    if quote or key_text(value) != value or value.lower() in _WORDS_OF_YAML_1_1 or _DATE_OR_NUMBER.fullmatch(value):
        quote = quote or '"'
    return f"{quote}{value}{quote}"


def flow(value: Json, style: YamlStyle) -> str:
    """Any value on one line."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(flow_entry(key, member, style) for key, member in value.items())}}}"
    if is_array(value):
        return f"[{', '.join(flow(member, style) for member in value)}]"
    return scalar(value, style.value)


def flow_entry(key: str, value: Json, style: YamlStyle) -> str:
    """One entry of a mapping in braces."""
    name = scalar(key, style.key)
    return f"{name if len(name) <= _LONGEST_KEY else f'? {name} '}: {flow(value, style)}"


def block(entries: Body, column: int, style: YamlStyle, at: NodePath = ()) -> Iterator[str]:
    """The lines of a mapping's entries, without line ends."""
    for key, value in entries.items():
        start = f"{' ' * column}{scalar(key, style.key)}"
        if len(start) > _LONGEST_KEY:
            yield f"{' ' * column}? {start.lstrip(' ')}"
            start = " " * column
        yield from _entry(f"{start}:", value, column, style, (*at, key))


def _entry(start: str, value: Json, column: int, style: YamlStyle, at: NodePath) -> Iterator[str]:
    """A key with its value, on the same line if that is short and has no mapping."""
    if isinstance(value, Mapping) and value:
        yield start
        yield from block(value, column + style.step, style, at)
    elif is_array(value) and value and (_is_deep(value) or len(start) + len(flow(value, style)) >= WIDTH):
        yield f"{start}{style.comment(at)}"
        for index, member in enumerate(value):
            yield from item(member, column + style.step, style, (*at, index))
    else:
        yield f"{start} {flow(value, style)}{style.comment(at)}"


def item(value: Json, column: int, style: YamlStyle, at: NodePath = ()) -> Iterator[str]:
    """The lines of one member of a list in lines."""
    dash = " " * column + "- "
    if isinstance(value, Mapping) and value:
        first, *others = block(value, column + 2, style, at)
        yield dash + first.lstrip(" ")
        yield from others
    else:
        yield f"{dash}{flow(value, style)}{style.comment(at)}"


def _is_deep(members: Json) -> bool:
    return any(isinstance(one, Mapping) or is_array(one) for one in members) if is_array(members) else False


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    if character.isprintable():
        return character
    if character == "\n":
        return "\\n"
    code = ord(character)
    return f"\\u{code:04x}" if code <= _LAST_OF_TWO_BYTES else f"\\U{code:08x}"


_LINE_END: Final = re.compile(r"\r\n|\n|\r")
_COMMENT: Final = re.compile(r"( *)#[^\r\n]*(?:\r\n|\n|\r)?")
_NOTHING_MORE: Final = re.compile(r"[ \t]*(,?)[ \t]*(?:#[^\r\n]*)?(?=[\r\n])")


@dataclass(frozen=True, slots=True)
class Edit:
    """Text to insert at a position, replacing a number of characters."""

    at: int
    text: str
    removed: int = 0


class YamlText(str):
    """The original text of a file, with edits."""

    __slots__ = ()

    def applied(self, edits: Sequence[Edit], start: int, end: int) -> str:
        """A part with its edits, which are in the order of their positions in the original text."""
        part = self[start:end]
        for edit in reversed(edits):
            at = edit.at - start
            part = part[:at] + edit.text + part[at + edit.removed :]
        return part

    def insertion(self, mapping: Node, entries: Body, style: YamlStyle) -> list[Edit]:
        """Add entries to a mapping.

        Args:
            mapping: the mapping.
            entries: the keys and values.
            style: the style if `mapping` has no entries.
        """
        if mapping.entries:
            key, value = mapping.entries[-1]
            is_text = all(isinstance(one, str) for one in entries.values())
            style = replace(style, key=key.quote, value=value.quote if is_text else key.quote)
        if mapping.in_braces:
            return self.in_braces(mapping, [flow_entry(*entry, style) for entry in entries.items()])
        return [self.after_block(mapping.end, mapping.column, list(block(entries, mapping.column, style)))]

    def after_block(self, end: int, column: int, lines: Sequence[str]) -> Edit:
        """Insert after the last line of a block and its more indented comments, with the same line end."""
        at = self.start_of_next_line(end)
        while (comment := _COMMENT.match(self, at)) and len(comment[1]) > column:
            at = comment.end()
        line_end = self.line_end_before(at)
        is_complete = self[at - 1] in "\r\n"
        new = line_end.join(lines)
        return Edit(at, new + line_end if is_complete else line_end + new)

    def start_of_next_line(self, position: int) -> int:
        """The start of the next line; a position at the start of a line (the end of a block scalar) is kept."""
        if position and self[position - 1] in "\r\n":
            return position
        found = _LINE_END.search(self, position)
        return found.end() if found else len(self)

    def without_lines(self, start: int, end: int) -> Edit:
        """Remove the lines from one position to another."""
        line = self.start_of_line(start)
        return Edit(line, "", self.start_of_next_line(end) - line)

    def line_end_before(self, position: int) -> str:
        """The last line end before the position, otherwise the first one of the file."""
        found = list(_LINE_END.finditer(self, 0, position)) or list(_LINE_END.finditer(self))[:1]
        return found[-1][0] if found else "\n"

    def in_braces(self, container: Node, new: Sequence[str]) -> list[Edit]:
        """Insert after the last entry of a mapping in braces, or the last member of a list in brackets."""
        if not container.spans:
            return [Edit(container.start, self._separator(container.start, new).join(new))]
        start, end = container.spans[-1]
        indent = self[self.start_of_line(start) : start]
        if indent.strip():
            separator = self._separator(end, new)
            return [Edit(end, "".join(f"{separator}{entry}" for entry in new))]
        return self._on_own_lines(end, [indent + entry for entry in new])

    def _on_own_lines(self, end: int, lines: Sequence[str]) -> list[Edit]:
        """Insert after the last entry, which ends here, followed by its comma and comment, or a brace."""
        line_end = self.line_end_before(end)
        rest = _NOTHING_MORE.match(self, end)
        if rest is None:
            return [Edit(end, "".join(f",{line_end}{line}" for line in lines))]
        comma = rest[1]
        added = Edit(rest.end(), line_end + f",{line_end}".join(lines) + comma)
        return [added] if comma else [Edit(end, ","), added]

    def _separator(self, at: int, new: Sequence[str]) -> str:
        """The separator of entries: one line for all, or one line each if that would be too long."""
        start = self.start_of_line(at)
        length = self.start_of_next_line(at) - start
        if length > WIDTH or length + len(", ".join(new)) <= WIDTH:
            return ", "
        line = self[start:at]
        return "," + self.line_end_before(at) + " " * (len(line) - len(line.lstrip(" ")) + 2)

    def start_of_line(self, position: int) -> int:
        """The start of the line of a position."""
        return max(self.rfind("\n", 0, position), self.rfind("\r", 0, position)) + 1
