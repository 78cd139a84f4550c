"""A document and a patch of it -> one document, each of whose values still knows in which of the two files it stands.

The rules are those of a JSON Merge Patch (RFC 7386): mappings are merged key by key, null removes a key, and anything
else, lists among it, is replaced as a whole.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.manifests.yaml.tree import Document
from reconciler.model.diagnostic import Place
from reconciler.model.json import Json, pointer_parts


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
    """Give the path of every null of a patch that removes a key, and whether the target has that key."""
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
    """A document over which a patch was laid. Its file is that of the document below, and so is its own place."""

    below: Document
    above: Document
    """Where the patch stands; it may hold more than the patch."""
    target: Json
    """What the patch was applied to: the data of the document below, or less."""
    patch: Json

    def place(self, at: str = "") -> Place:
        """Where the value stands, in the file that says so; one that the patch removed stands where its null does."""
        return self._owner(pointer_parts(at)).place(at)

    def key_place(self, at: str) -> Place:
        """Where the key stands, in the file that has its value."""
        return self._owner(pointer_parts(at)).key_place(at)

    def place_of(self, at: str, _index: int) -> Place:
        """Where the value stands: the marks are of two files, so that an index in the merged data says nothing."""
        return self.place(at)

    def _owner(self, parts: Sequence[str]) -> Document:
        """Tell which of the two gives what is at the end of the path. A mapping that both have belongs to the lower."""
        target, patch = self.target, self.patch
        for part in parts:
            if not (isinstance(target, Mapping) and isinstance(patch, Mapping)):
                break
            if part not in patch:
                return self.below
            target, patch = target.get(part), patch[part]
        return self.below if isinstance(target, Mapping) and isinstance(patch, Mapping) else self.above


def lay(below: Document, above: Document, target: Json, patch: Json) -> Layered:
    """Merge a patch, which stands in the document above, into a target: the data of the document below, or less."""
    merged = merge_patch(target, patch)
    return Layered(below.file, merged, below._marks, below, above, target, patch)  # noqa: SLF001  # of this package
