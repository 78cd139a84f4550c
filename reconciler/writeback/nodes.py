"""The text of one YAML document -> a tree that knows where every node stands in the text.

Read by ruamel.yaml's C parser, as every document is: its round-trip loader keeps no ends of nodes, and refuses a tab
before a comment. Positions count characters. A node ends where its last visible part ends: the parser itself lets a
block mapping run on to whatever follows, comments included.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import _ruamel_yaml as libyaml  # type: ignore[import-not-found]  # ruamel.yaml's C parser: compiled, without stubs

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
    is_mapping: bool = False
    in_braces: bool = False

    def get(self, key: str) -> "Node | None":
        """The value of a key that is written out here; what an alias or a merge key brings is not."""
        return next((value for name, value in self.entries if name.text == key), None)


def parse(text: str) -> Node:
    """Give the root of the first document of a text that `document.parse` has read without a fault."""
    reader = _Reader(text)
    while not isinstance(reader.next(), libyaml.DocumentStartEvent):
        pass
    return reader.node(reader.next())


class _Reader:
    """Turns events into nodes; documents that are nested too deeply for it were refused before."""

    def __init__(self, text: str) -> None:
        self.next = libyaml.CParser(text).get_event
        self._end = 0
        """Where the last thing that was seen ends."""

    def node(self, event: _Event) -> Node:
        """Read one node to its end."""
        if isinstance(event, libyaml.MappingStartEvent):
            return self._mapping(event)
        if isinstance(event, libyaml.SequenceStartEvent):
            return self._list(event)
        self._end = event.end_mark.index
        start, style = event.start_mark, getattr(event, "style", None)  # an alias has neither style nor text
        text = getattr(event, "value", None)
        return Node(start.index, self._end, start.column, text, style if style in _QUOTES else "")

    def _mapping(self, event: _Event) -> Node:
        first, entries = event.end_mark, []
        while not isinstance(key := self.next(), libyaml.MappingEndEvent):
            entries.append((self.node(key), self.node(self.next())))
        in_braces = bool(event.flow_style)
        self._close(key, is_visible=in_braces)
        return Node(first.index, self._end, first.column, entries=tuple(entries), is_mapping=True, in_braces=in_braces)

    def _list(self, event: _Event) -> Node:
        while not isinstance(item := self.next(), libyaml.SequenceEndEvent):
            self.node(item)
        self._close(item, is_visible=bool(event.flow_style))
        return Node(event.end_mark.index, self._end, event.end_mark.column)

    def _close(self, event: _Event, *, is_visible: bool) -> None:
        if is_visible:
            self._end = event.end_mark.index
