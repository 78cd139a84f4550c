"""A YAML file, what one of its documents is to say -> the same file saying so, and nothing else changed.

What the document says and what it is to say are compared, and only where they differ is the text touched: comments,
order, quotes, anchors and blank lines stay. What comes out is read again and must say exactly what was asked for, in
every document of the file. Where it does not, as in a value that an anchor shares with another place, nothing is
changed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final, TypeAlias

from reconciler.manifests.edit.text import (
    Edit,
    Node,
    Style,
    after_block,
    applied,
    flow,
    in_braces,
    insertion,
    item,
    line_end_before,
    parse_nodes,
    start_of_line,
    start_of_next_line,
)
from reconciler.manifests.yaml import SIZE_LIMIT, parse
from reconciler.model.json import ABSENT, Absent, Body, Json, canonical_text, is_array, same, with_value_at

Path: TypeAlias = tuple[str, ...]
"""Keys from the root of a document to a value."""
_Wanted: TypeAlias = tuple[int, Path, Json | Absent]
"""The number of a document, a path into it, and what is to stand there."""

_MARK: Final = "\ufeff"
_ANCHOR: Final = re.compile(r"(?:![^\s]*\s+)?(&[^\s]+ +)")


class _TooIntricate(Exception):  # never leaves this module
    """The text cannot be changed there without losing what belongs to somebody."""


def with_values(
    content: bytes, file: str, index: int, values: Mapping[Path, Json | Absent], limit: int = SIZE_LIMIT
) -> tuple[bytes, tuple[Path, ...]]:
    """Set values in one document of a file; see `with_documents`."""
    changed, refused = with_documents(content, file, {index: values}, limit)
    return changed, tuple(path for _, path in refused)


def with_documents(
    content: bytes, file: str, wanted: Mapping[int, Mapping[Path, Json | Absent]], limit: int = SIZE_LIMIT
) -> tuple[bytes, tuple[tuple[int, Path], ...]]:
    """Set values in documents of a file; `ABSENT` removes a key.

    Args:
        content: a file that `yaml.parse` reads without a fault.
        file: its name in messages.
        wanted: for each document, by its number, what is to stand where; a path leads through mappings only, and
            mappings that lack are made.
        limit: how large the file may become, in bytes.

    Returns:
        The new bytes, and the documents and paths that are as they were because they cannot be set without changing
        more: to be changed by hand.
    """
    refused: list[tuple[int, Path]] = []
    pending = [[(index, path, value) for index, values in wanted.items() for path, value in values.items()]]
    while pending:  # all at once; where that fails, each half by itself, down to the values at fault
        values = pending.pop()
        changed = _with_all(content, file, values, limit)
        if changed is not None:
            content = changed
        elif len(values) == 1:
            refused.append(values[0][:2])
        else:
            half = len(values) // 2
            pending += [values[half:], values[:half]]
    return content, tuple(refused)


def _with_all(content: bytes, file: str, values: Sequence[_Wanted], limit: int) -> bytes | None:
    """The bytes with all values set, or None."""
    old = [document.data for document in parse(content, file, limit).documents]
    new = list(old)
    for index, path, value in values:
        body = new[index]
        if not isinstance(body, Mapping):
            return None
        new[index] = with_value_at(body, path, value) if path or isinstance(value, Absent) else value
    text = content.decode("utf-8")
    mark = _MARK if text.startswith(_MARK) else ""
    text = text.removeprefix(_MARK)
    roots = parse_nodes(text)
    ends = [*(root.outer for root in roots[1:]), len(text)]
    try:
        parts = [
            applied(text, list(_Editor(text, _step_of(root)).changes(root, before, after)), start, end)
            for root, before, after, start, end in zip(roots, old, new, (0, *ends), ends, strict=False)
        ]
    except _TooIntricate:
        return None
    result = (mark + "".join(parts)).encode("utf-8")
    return result if _says(result, file, new, limit) else None


def _says(content: bytes, file: str, wanted: Sequence[Json], limit: int) -> bool:
    parsed = parse(content, file, limit)
    return not parsed.faults and same([document.data for document in parsed.documents], wanted)


@dataclass(frozen=True, slots=True)
class _Editor:
    """Gives the edits of one document, in the order of their positions."""

    text: str
    step: int
    """By how much this document indents."""

    def changes(self, node: Node, old: Json, new: Json, key: Node | None = None) -> Iterator[Edit]:
        """What makes a node say something else; `key` is that of its entry in a mapping."""
        if same(old, new):
            return
        if node.is_mapping and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._mapping(node, old, new, key)
        elif node.is_list and is_array(old) and is_array(new):
            yield from self._list(node, old, new, key)
        else:
            yield self._instead(node, new, key)

    def _instead(self, node: Node, new: Json, key: Node | None) -> Edit:
        """Put a value in place of another. The end of a block scalar is the start of the next line, which stays one.

        The anchor of a value stays; where somebody refers to it, what comes out says too much, and is not taken.
        """
        text, start, end = self.text, node.outer, node.end
        if (node.is_mapping or node.is_list) and "#" in text[start:end]:
            raise _TooIntricate
        style = _style_of(key)
        written = flow(new, replace(style, value=node.quote) if isinstance(new, str) and node.quote else style)
        if anchor := _ANCHOR.match(text, start, end):
            written = f"{anchor[1]}{written}"
        if text[start - 1] == ":":  # nothing stood there
            written = f" {written}"
        if not node.in_braces and end > start and text[end - 1] in "\r\n":
            written += line_end_before(text, end)
        return Edit(start, written, end - start)

    def _mapping(self, node: Node, old: Body, new: Body, key: Node | None) -> Iterator[Edit]:
        """Remove, change and add entries. One that a merge key or an alias brings is written out to be changed."""
        here = {name.text for name, _ in node.entries}
        gone = {name for name in old if name not in new}
        if not gone <= here:
            raise _TooIntricate
        kept = [name.text not in gone for name, _ in node.entries]
        if here and not any(kept) and (node.in_braces or not new):
            yield from self._emptied(node, new, key)
            return
        removals = self._removals(node, kept)
        for number, (name, value) in enumerate(node.entries):
            if not kept[number]:
                yield from removals[number]
            elif name.text is not None and name.text in old:
                yield from self.changes(value, old[name.text], new[name.text], name)
        added = {
            name: value for name, value in new.items() if name not in here and not same(old.get(name, ABSENT), value)
        }
        if added:
            yield from insertion(self.text, node, added, replace(_style_of(key), step=self.step))

    def _emptied(self, node: Node, new: Json, key: Node | None) -> Iterator[Edit]:
        """Replace all that a container holds. Comments on lines of their own stay where they are."""
        written = flow(new, _style_of(key))
        if node.in_braces:
            yield Edit(node.start, written[1:-1], node.end - node.start - 1)
            return
        first = start_of_line(self.text, node.spans[0][0])
        if key is None or first <= key.end:
            raise _TooIntricate
        yield Edit(self.text.index(":", key.end) + 1, f" {written}")
        for start, end in node.spans:
            line = start_of_line(self.text, start)
            yield Edit(line, "", start_of_next_line(self.text, end) - line)

    def _removals(self, node: Node, kept: Sequence[bool]) -> list[list[Edit]]:
        """For each entry the edits that remove it, where it is not kept."""
        if node.in_braces:
            return _removals_in_braces(node.spans, kept)
        return [[] if keep else [self._removed_lines(node, number)] for number, keep in enumerate(kept)]

    def _removed_lines(self, node: Node, number: int) -> Edit:
        """Take out the lines of an entry; where it follows a dash, what stands up to the next entry."""
        start, end = node.spans[number]
        line = start_of_line(self.text, start)
        before = self.text[line:start].strip()
        if before and not (node.is_list and before == "-"):
            if number + 1 == len(node.spans):
                raise _TooIntricate
            return Edit(start, "", node.spans[number + 1][0] - start)
        return Edit(line, "", start_of_next_line(self.text, end) - line)

    def _list(self, node: Node, old: Sequence[Json], new: Sequence[Json], key: Node | None) -> Iterator[Edit]:
        """Remove, change and add members."""
        kept, changed, added = _steps(old, new)
        if kept and not any(kept) and (node.in_braces or not new):
            yield from self._emptied(node, new, key)
            return
        removals = self._removals(node, kept)
        for number, member in enumerate(node.items):
            yield from self._added_before(node, number, added.get(number, ()))
            yield from removals[number]
            if number in changed:
                yield from self.changes(member, old[number], changed[number])
        yield from self._added_at_the_end(node, added.get(len(old), ()), _style_of(key))

    def _added_before(self, node: Node, number: int, values: Sequence[Json]) -> Iterator[Edit]:
        if not values:
            return
        start, style = node.spans[number][0], Style(self.step, value=node.items[number].quote)
        if node.in_braces:
            yield Edit(start, "".join(f"{flow(value, style)}, " for value in values))
            return
        line, column = self._dash(start)
        if number:  # what stands between belongs to the member that follows
            line = start_of_next_line(self.text, node.spans[number - 1][1])
        end = line_end_before(self.text, start)
        yield Edit(line, "".join(f"{written}{end}" for value in values for written in item(value, column, style)))

    def _added_at_the_end(self, node: Node, values: Sequence[Json], style: Style) -> Iterator[Edit]:
        if not values:
            return
        style = Style(self.step, value=node.items[-1].quote) if node.items else style
        if node.in_braces:
            yield from in_braces(self.text, node, [flow(value, style) for value in values])
            return
        _, column = self._dash(node.spans[-1][0])
        lines = [written for value in values for written in item(value, column, style)]
        yield after_block(self.text, node.end, column, lines)

    def _dash(self, start: int) -> tuple[int, int]:
        """Where the line of a member of a list starts, and the column of its dash."""
        line = start_of_line(self.text, start)
        before = self.text[line:start]
        if before.strip() != "-":
            raise _TooIntricate
        return line, before.index("-")


def _style_of(key: Node | None) -> Style:
    """Whoever quotes keys means JSON, and quotes values, too."""
    quote = key.quote if key else ""
    return Style(key=quote, value=quote)


def _step_of(node: Node) -> int:
    """By how much the first block in a block is indented."""
    for _, value in node.entries:
        if value.is_mapping and not value.in_braces and value.column > node.column:
            return value.column - node.column
    return Style().step


def _removals_in_braces(spans: Sequence[tuple[int, int]], kept: Sequence[bool]) -> list[list[Edit]]:
    """An entry goes with what separates it from the next one, those at the end with what is before them."""
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


def _steps(
    old: Sequence[Json], new: Sequence[Json]
) -> tuple[list[bool], Mapping[int, Json], Mapping[int, Sequence[Json]]]:
    """Which members stay, which of those change inside, and what is added before each of them.

    A mapping or a list that becomes another one is the same member, changed; a text is not: its comment goes with it.
    """
    matcher = SequenceMatcher(None, [*map(canonical_text, old)], [*map(canonical_text, new)], autojunk=False)
    kept, changed, added = [True] * len(old), dict[int, Json](), dict[int, Sequence[Json]]()
    for word, old_start, old_end, new_start, new_end in matcher.get_opcodes():
        before, after = old[old_start:old_end], new[new_start:new_end]
        if word == "replace" and len(before) == len(after) and all(map(_are_alike, before, after)):
            changed |= {old_start + number: value for number, value in enumerate(after)}
        elif word != "equal":
            kept[old_start:old_end] = [False] * len(before)
            added[old_end] = after
    return kept, changed, added


def _are_alike(left: Json, right: Json) -> bool:
    return (isinstance(left, Mapping) and isinstance(right, Mapping)) or (is_array(left) and is_array(right))
