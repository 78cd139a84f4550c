"""The text of one YAML document -> a tree that knows where every node stands in the text.

Read by the parser that reads every document: ruamel.yaml's round-trip loader keeps no ends of nodes. Positions count
characters. A node ends where its last visible part ends: the parser itself lets a block mapping run on to whatever
follows, comments included.
"""

from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from ruamel.yaml import events

from reconciler.manifests.yaml.parser import Parser

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
    """Where an anchor or a tag before it starts; else the same place as `start`, or the brace before it."""

    @property
    def spans(self) -> tuple[tuple[int, int], ...]:
        """From where to where each entry of a mapping goes, or each member of a list."""
        if self.is_mapping:
            return tuple((key.outer, max(key.end, value.end)) for key, value in self.entries)
        return tuple((member.outer, member.end) for member in self.items)

    def get(self, key: str) -> "Node | None":
        """The value of a key that is written out here; what an alias or a merge key brings is not."""
        return next((value for name, value in self.entries if name.text == key), None)


def parse(text: str) -> tuple[Node, ...]:
    """Give the root of each document of a text that `document.parse` has read without a fault."""
    reader, roots = _Reader(text), []
    while not isinstance(event := reader.next(), events.StreamEndEvent):
        if isinstance(event, events.DocumentStartEvent):
            roots.append(reader.node(reader.next()))
    return tuple(roots)


class _Reader:
    """Turns events into nodes; documents that are nested too deeply for it were refused before."""

    def __init__(self, text: str) -> None:
        self.next = Parser(text).get_event
        self._end = 0
        """Where the last thing that was seen ends."""

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
