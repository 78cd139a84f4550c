"""A YAML file and new values -> the same file with these values, and nothing else changed.

Only text whose value differs is edited: comments, order, quotes, anchors and blank lines are kept. The result is parsed
and every document must have exactly the requested values. Otherwise, e.g. because an anchor shares a value with another
place, nothing is changed.

New ids are added to reconciler.yaml or a file of ids in the same way. The changes for drift are computed by `live`; all
files are written here.
"""

import re
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from pathlib import Path
from typing import Final, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.kinds import address_of, short
from reconciler.manifests.edit.text import Edit, Node, YamlStyle, YamlText, block, flow, item, parse_nodes, style_of
from reconciler.manifests.replacing import replace_file
from reconciler.manifests.schema import part_validator, validator
from reconciler.manifests.yaml import IDS_LIMIT, SIZE_LIMIT, parse, shown
from reconciler.model.json import ABSENT, Absent, Body, Json, canonical_text, get_at, is_array, same, with_value_at
from reconciler.model.resource import Address, ObjectKey, same_id

_MARK: Final = "\ufeff"
At: TypeAlias = tuple[str, ...]
"""Keys from the root of a document to a value."""
_Wanted: TypeAlias = tuple[int, At, Json | Absent]
"""The number of a document, a path into it, and the value to set."""

_ANCHOR: Final = re.compile(r"(?:![^\s]*\s+)?(&[^\s]+ +)")


class _NotEditable(Exception):  # only raised and caught in this module
    """The text cannot be edited there without losing something else."""


def with_values(
    content: bytes, file: str, values: Mapping[At, Json | Absent], limit: int = SIZE_LIMIT
) -> tuple[bytes, tuple[At, ...]]:
    """Set values in the first document of a file; see `with_documents`."""
    changed, refused = with_documents(content, file, {0: values}, limit)
    return changed, tuple(path for _, path in refused)


def with_documents(
    content: bytes, file: str, wanted: Mapping[int, Mapping[At, Json | Absent]], limit: int = SIZE_LIMIT
) -> tuple[bytes, tuple[tuple[int, At], ...]]:
    """Set values in documents of a file; `ABSENT` removes a key.

    Args:
        content: a file that `yaml.parse` reads without a fault.
        file: its name in messages.
        wanted: the values by document number and path; a path has only mappings, and missing mappings are created.
        limit: the maximum size of the new file in bytes.

    Returns:
        The new bytes, and the documents and paths that are unchanged because they cannot be set without changing
        more.
    """
    refused: list[tuple[int, At]] = []
    pending = [[(index, path, value) for index, values in wanted.items() for path, value in values.items()]]
    while pending:  # all at once; if that fails, each half separately, down to single values
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
    decoded = content.decode("utf-8")
    mark = _MARK if decoded.startswith(_MARK) else ""
    text = YamlText(decoded.removeprefix(_MARK))
    roots = parse_nodes(str(text))  # libyaml only takes this class
    ends = [*(root.outer for root in roots[1:]), len(text)]
    try:
        parts = [
            text.applied(list(_Editor(text, root.step).changes(root, before, after)), start, end)
            for root, before, after, start, end in zip(roots, old, new, (0, *ends), ends, strict=False)
        ]
    except _NotEditable:
        return None
    result = (mark + "".join(parts)).encode("utf-8")
    parsed = parse(result, file, limit)
    says_so = not parsed.faults and same([document.data for document in parsed.documents], new)
    return result if says_so else None


@dataclass(frozen=True, slots=True)
class _Editor:
    """Yields the edits of one document, in the order of their positions."""

    text: YamlText
    step: int
    """The indentation of this document."""

    def changes(self, node: Node, old: Json, new: Json, key: Node | None = None) -> Iterator[Edit]:
        """Yield the edits that change the value of a node; `key` is that of its entry in a mapping."""
        if same(old, new):
            return
        if node.is_mapping and isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from self._mapping(node, old, new, key)
        elif node.is_list and is_array(old) and is_array(new):
            yield from self._list(node, old, new, key)
        else:
            yield self._instead(node, new, key)

    def _instead(self, node: Node, new: Json, key: Node | None) -> Edit:
        """Replace a value. A block scalar ends at the start of the next line, which is kept.

        The anchor of a value is kept; if it is used elsewhere, the result has wrong values and is rejected.
        """
        text, start, end = self.text, node.outer, node.end
        if (node.is_mapping or node.is_list) and "#" in text[start:end]:
            raise _NotEditable
        style = style_of(key)
        written = flow(new, replace(style, value=node.quote) if isinstance(new, str) and node.quote else style)
        if anchor := _ANCHOR.match(text, start, end):
            written = f"{anchor[1]}{written}"
        if text[start - 1] == ":":  # there was no value
            written = f" {written}"
        if not node.in_braces and end > start and text[end - 1] in "\r\n":
            written += text.line_end_before(end)
        return Edit(start, written, end - start)

    def _mapping(self, node: Node, old: Body, new: Body, key: Node | None) -> Iterator[Edit]:
        """Remove, change and add entries. One from a merge key or an alias is written out to be changed."""
        here = {name.text for name, _ in node.entries}
        gone = {name for name in old if name not in new}
        if not gone <= here:
            raise _NotEditable
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
            yield from self.text.insertion(node, added, replace(style_of(key), step=self.step))

    def _emptied(self, node: Node, new: Json, key: Node | None) -> Iterator[Edit]:
        """Replace the content of a container. Comments on their own lines are kept."""
        written = flow(new, style_of(key))
        if node.in_braces:
            yield Edit(node.start, written[1:-1], node.end - node.start - 1)
            return
        first = self.text.start_of_line(node.spans[0][0])
        if key is None or first <= key.end:
            raise _NotEditable
        yield Edit(self.text.index(":", key.end) + 1, f" {written}")
        for start, end in node.spans:
            yield self.text.without_lines(start, end)

    def _removals(self, node: Node, kept: Sequence[bool]) -> list[list[Edit]]:
        """For each entry the edits that remove it; none for a kept entry."""
        if node.in_braces:
            return node.removals_in_braces(kept)
        return [[] if keep else [self._removed_lines(node, number)] for number, keep in enumerate(kept)]

    def _removed_lines(self, node: Node, number: int) -> Edit:
        """Remove the lines of an entry; after a dash, the text up to the next entry."""
        start, end = node.spans[number]
        line = self.text.start_of_line(start)
        before = self.text[line:start].strip()
        if before and not (node.is_list and before == "-"):
            if number + 1 == len(node.spans):
                raise _NotEditable
            return Edit(start, "", node.spans[number + 1][0] - start)
        return self.text.without_lines(start, end)

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
        yield from self._added_at_the_end(node, added.get(len(old), ()), style_of(key))

    def _added_before(self, node: Node, number: int, values: Sequence[Json]) -> Iterator[Edit]:
        if not values:
            return
        start, style = node.spans[number][0], YamlStyle(self.step, value=node.items[number].quote)
        if node.in_braces:
            yield Edit(start, "".join(f"{flow(value, style)}, " for value in values))
            return
        line, column = self._dash(start)
        if number:  # text in between belongs to the next member
            line = self.text.start_of_next_line(node.spans[number - 1][1])
        end = self.text.line_end_before(start)
        yield Edit(line, "".join(f"{written}{end}" for value in values for written in item(value, column, style)))

    def _added_at_the_end(self, node: Node, values: Sequence[Json], style: YamlStyle) -> Iterator[Edit]:
        if not values:
            return
        style = YamlStyle(self.step, value=node.items[-1].quote) if node.items else style
        if node.in_braces:
            yield from self.text.in_braces(node, [flow(value, style) for value in values])
            return
        _, column = self._dash(node.spans[-1][0])
        lines = [written for value in values for written in item(value, column, style)]
        yield self.text.after_block(node.end, column, lines)

    def _dash(self, start: int) -> tuple[int, int]:
        """The start of the line of a list member, and the column of its dash."""
        line = self.text.start_of_line(start)
        before = self.text[line:start]
        if before.strip() != "-":
            raise _NotEditable
        return line, before.index("-")


def _steps(
    old: Sequence[Json], new: Sequence[Json]
) -> tuple[list[bool], Mapping[int, Json], Mapping[int, Sequence[Json]]]:
    """Which members are kept, which of those change inside, and what is added before each of them.

    A mapping or a list that changes is the same member; a changed text is a new member without the old comment.
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


_SCHEMA: Final = "config.v1.schema.json"


def write_ids(path: Path, at: Sequence[str], ids: Mapping[Address, str]) -> None:
    """Add ids to a file. Follows a symbolic link; a crash leaves the old file.

    Raises:
        ReconcilerError: as `with_ids`, or the file cannot be written; it is unchanged.
    """
    _rewrite(path, lambda content: with_ids(content, at, ids, shown(path)))


def create_file(path: Path, text: str) -> None:
    """Create a file with default permissions, and its folders.

    Raises:
        ReconcilerError: the file exists, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                path.unlink()  # a part of a manifest could be a valid one
                raise
    except OSError as error:
        raise ReconcilerError(f"cannot write {shown(path)}: {error.strerror}") from error


def write_contents(contents: Mapping[str, bytes]) -> None:
    """Write files atomically, as `write_ids` does.

    Raises:
        ReconcilerError: a file cannot be written; those before it are written.
    """
    for file, content in contents.items():
        _rewrite(Path(file), lambda _, content=content: content)  # type: ignore[misc]  # bound at once


def _rewrite(path: Path, new: Callable[[bytes], bytes]) -> None:
    try:
        target = path.resolve(strict=True)
        with target.open("r+b") as file:  # a read-only file is not replaced
            content = file.read()
        wanted = new(content)
        if wanted != content:
            _replace(target, wanted)
    except OSError as error:
        raise ReconcilerError(f"cannot write {shown(path)}: {error.strerror}") from error


def with_ids(content: bytes, at: Sequence[str], ids: Mapping[Address, str], file: str) -> bytes:
    """The bytes of a file with ids added; existing ids are kept.

    Args:
        content: a configuration without faults, or a file of ids.
        at: the path of the ids: ``("environments", "staging", "ids")``; empty for a file of ids.
        ids: manifest -> id.
        file: its name in messages.

    Raises:
        ReconcilerError: a name is bound to another id, or the ids cannot be added without changing other lines.
    """
    data, limit = _data(content, file, at), SIZE_LIMIT if at else IDS_LIMIT
    known = get_at(data, at)
    known = known if isinstance(known, Mapping) else {}
    new = _missing(known, ids, f"{'.'.join(at)} of {file}" if at else file)
    if not new:
        return content
    whole = {**known, **new}
    _check(with_value_at(data, at, whole) if data and at else whole, file, at)
    result = _added(content, data, at, whole, file)
    if result is None:
        by_hand = ", ".join(f"{name}: {one}" for name, one in new.items())
        to, under = (f" to {at[1]}", f" under {'.'.join(at)}") if at else ("", "")
        message = f"{file} cannot be edited to add ids{to} without changing other lines"
        raise ReconcilerError(message, hint=f"add by hand{under}: {by_hand}")
    if len(result) > limit:
        hint = "keep the ids in a separate file, with ids: {file: ids/ENV.yaml}" if at else ""
        raise ReconcilerError(f"with the new ids, {file} would be larger than {limit:,} bytes", hint=hint)
    return result


def _added(content: bytes, data: Body | None, at: Sequence[str], ids: Body, file: str) -> bytes | None:
    """The bytes with all ids, or None if more would change; a file of ids may be empty or have only comments."""
    text = YamlText(content.decode("utf-8"))
    if data is not None:
        changed, refused = with_values(content, file, {tuple(at): ids}, sys.maxsize)
        return None if refused or not _is_written_out(text, at, data) else changed
    line_end = text.line_end_before(len(text))
    start = "" if not text or text[-1] in "\r\n" else line_end
    changed = (text + start + line_end.join([*block(ids, 0, YamlStyle()), ""])).encode("utf-8")
    return None if parse(changed, file, sys.maxsize).faults else changed


def _is_written_out(text: str, at: Sequence[str], data: Body) -> bool:
    """Whether the mapping of the ids is written out, not from an alias or a merge key."""
    node: Node | None = parse_nodes(text.removeprefix(_MARK))[0]
    for count, key in enumerate(at, 1):
        node = node.get(key) if node else None
        if node is None or node.is_alias:
            return node is None and get_at(data, at[:count]) is ABSENT
    return True


def _missing(known: Body, ids: Mapping[Address, str], where: str) -> Mapping[str, str]:
    """The ids that the file does not have."""
    bound = {address_of(name): str(value) for name, value in known.items()}
    owners = {ObjectKey(address.kind, value): address for address, value in bound.items()}
    for address, new in ids.items():
        owner = owners.setdefault(ObjectKey(address.kind, new), address)
        conflict = ""
        if owner != address:
            conflict = f"{new} is bound to {short(owner)}"
        elif not same_id(bound.get(address, new), new):
            conflict = f"{short(address)} is bound to {bound[address]}"
        if conflict:
            raise ReconcilerError(
                f"{conflict} already under {where}", hint="ids are not overwritten; correct it by hand"
            )
    return {short(address): new for address, new in ids.items() if address not in bound}


def _check(wanted: Body, file: str, at: Sequence[str]) -> None:
    """Reject ids that make the configuration invalid."""
    found = validator(_SCHEMA).faults(wanted) if at else part_validator(_SCHEMA, "ids").faults({"ids": wanted})
    for fault in found:
        why = f"{fault.message} (at {fault.pointer})"
        raise ReconcilerError(f"with the new ids, {file} would be invalid: {why}")


def _data(content: bytes, file: str, at: Sequence[str]) -> Body | None:
    """The only document of the file; a file of ids may have none."""
    parsed = parse(content, file, SIZE_LIMIT if at else IDS_LIMIT)
    if not parsed.faults and len(parsed.documents) == 1 and isinstance(data := parsed.documents[0].data, Mapping):
        return data
    if not at and not parsed.faults and not parsed.documents:
        return None
    raise ReconcilerError(f"{file} can no longer be read as {'a configuration' if at else 'ids'}")


def _replace(path: Path, content: bytes) -> None:
    """Replace the file, with the same mode, and the same owner if permitted."""
    try:
        replace_file(path, content, keeps_owner=True)
    except PermissionError:
        replace_file(path, content, stat.S_IMODE(path.stat().st_mode))
