"""Plain data and one number per key and value -> the place of any JSON pointer, including patched documents.

Ten thousand manifests have a quarter of a million places, of which a run shows a few, so they are stored as an array
of integers and found by walking the data.

A patch follows JSON Merge Patch (RFC 7386): mappings are merged key by key, null removes a key, and anything else is
replaced as a whole, lists included.
"""

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import Json, pointer, pointer_parts

Marks: TypeAlias = "array[int]"
"""The mark of each value, followed by the marks of its members; in a mapping, each preceded by the key's."""

COLUMN_BITS: Final = 24
"""A mark is a line and a column in one integer, both counted from 0; no column is larger than a file may be."""
_COLUMN_MASK: Final = (1 << COLUMN_BITS) - 1


def new_marks() -> Marks:
    """An empty list of marks."""
    return array("Q")


def as_place(file: str, mark: int) -> Place:
    """Unpack a position."""
    return Place(file, (mark >> COLUMN_BITS) + 1, (mark & _COLUMN_MASK) + 1)


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: its data, and the place of each part."""

    file: str
    data: Json
    _marks: Marks = field(repr=False)

    def place(self, at: str = "") -> Place:
        """The start of the value at a JSON pointer, or of its nearest ancestor if it does not exist."""
        return as_place(self.file, self._marks[find(self.data, pointer_parts(at))[1] if at else 0])

    def key_place(self, at: str) -> Place:
        """The place of the key at the end of a JSON pointer; for a list's member or the root, its value's place."""
        return as_place(self.file, self._marks[find(self.data, pointer_parts(at))[0]])

    @property
    def places(self) -> Mapping[str, Place]:
        """The places of all values by JSON pointer, computed lazily."""
        return _Places(self)

    def place_of(self, _at: str, index: int) -> Place:
        """The start of the value at a JSON pointer, given the index of its mark in `data`."""
        return as_place(self.file, self._marks[index])


_FEW: Final = 8
"""Lookups for which walking is faster than computing all places: most plans show one or two per manifest."""


class _Places(Mapping[str, Place]):
    __slots__ = ("_asked", "_document", "_found")

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: dict[str, int] | None = None
        self._asked = 0

    @property
    def _all(self) -> dict[str, int]:
        if self._found is None:
            self._found = dict(pointers(self._document.data))
        return self._found

    def __getitem__(self, at: str) -> Place:
        self._asked += 1
        index = self._walk(at) if self._found is None and self._asked <= _FEW else self._all[at]
        return self._document.place_of(at, index)

    def _walk(self, at: str) -> int:
        if at and not at.startswith("/"):
            raise KeyError(at)
        parts = pointer_parts(at)
        _, index, depth = find(self._document.data, parts)
        if depth < len(parts):
            raise KeyError(at)
        return index

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def size(value: Json) -> int:
    """The number of marks of a value."""
    if isinstance(value, dict):
        return 1 + len(value) + sum(map(size, value.values()))
    if isinstance(value, list):
        return 1 + sum(map(size, value))
    return 1


def members(value: Json, start: int) -> Iterator[tuple[str, Json, int, int]]:
    """The key, the value and the indices of their marks for each member; the container's own is at `start`."""
    index = start + 1
    if isinstance(value, dict):
        for key, child in value.items():
            yield key, child, index, index + 1
            index += 1 + size(child)
    elif isinstance(value, list):
        for number, child in enumerate(value):
            yield str(number), child, index, index
            index += size(child)


def find(value: Json, parts: Sequence[str]) -> tuple[int, int, int]:
    """The indices of the key's and the value's mark, and the depth to which the path exists."""
    found = (0, 0, 0)
    for part in parts:
        for key, child, key_index, value_index in members(value, found[1]):
            if key == part:
                value, found = child, (key_index, value_index, found[2] + 1)
                break
        else:
            break
    return found


def pointers(value: Json, at: str = "", start: int = 0) -> Iterator[tuple[str, int]]:
    """The JSON pointers of a value and of all values in it, each with the index of its mark."""
    yield at, start
    if isinstance(value, dict | list):
        for key, child, _, index in members(value, start):
            yield from pointers(child, f"{at}/{key}" if key.isalnum() else at + pointer(key), index)


def merge_patch(target: Json, patch: Json) -> Json:
    """Apply a merge patch. Neither argument is changed; the keys of the target keep their order and come first."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(target) if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patch(merged.get(key), value)
    return merged


def removals(target: Json, patch: Json, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], bool]]:
    """The path of every null in a patch that removes a key, and whether the target has that key."""
    if not isinstance(patch, Mapping):
        return
    below = target if isinstance(target, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            yield (*at, key), key in below
        else:
            yield from removals(below.get(key), value, (*at, key))


@dataclass(frozen=True, slots=True)
class Layered(Document):
    """A document merged with a patch. Its file and its own place are those of the document below."""

    below: Document
    above: Document
    """The document of the patch; it may contain more than the patch."""
    target: Json
    """The target of the patch: the data of the document below, or a part."""
    patch: Json

    def place(self, at: str = "") -> Place:
        """The place of the value in the file that sets it; for a removed value, the place of the null."""
        return self._owner(pointer_parts(at)).place(at)

    def key_place(self, at: str) -> Place:
        """The place of the key, in the file that sets its value."""
        return self._owner(pointer_parts(at)).key_place(at)

    def place_of(self, at: str, _index: int) -> Place:
        """The place of the value, without the index: the marks belong to two files."""
        return self.place(at)

    def _owner(self, parts: Sequence[str]) -> Document:
        """Which of the two documents sets the value at a path. A mapping that both have belongs to the lower one."""
        target, patch = self.target, self.patch
        for part in parts:
            if not (isinstance(target, Mapping) and isinstance(patch, Mapping)):
                break
            if part not in patch:
                return self.below
            target, patch = target.get(part), patch[part]
        return self.below if isinstance(target, Mapping) and isinstance(patch, Mapping) else self.above


def overlaid_by(below: Document, above: Document, target: Json, patch: Json) -> Layered:
    """Merge a patch from the document above into a target: the data of the document below, or a part."""
    merged = merge_patch(target, patch)
    return Layered(below.file, merged, below._marks, below, above, target, patch)  # noqa: SLF001  # of this package
