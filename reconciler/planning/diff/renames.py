"""Creations, objects that no manifest claims -> for each creation the object that it most likely is under an old name.

To compare each with each would take hours where both are thousands. So objects are looked up by what is rare about
them, three letters of a name or the value of a field, and few of them are compared.
"""

import difflib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.kinds import KINDS, Kind
from reconciler.model.json import Json, canonical_text
from reconciler.model.plan import Action, Change

_ALIKE: Final = 0.6
_COMMON: Final = 64
"""Objects that have a feature in common: of more, the feature tells nothing."""
_COMPARED: Final = 8
"""Names that are compared letter by letter."""
_LETTERS: Final = 100
"""Of a name, at its beginning: what follows is not looked at."""


def likely_renames(changes: Sequence[Change]) -> Iterator[tuple[Change, Change]]:
    """Each creation with the one object that no manifest claims and that may best be it, under its old name."""
    created = [change for change in changes if change.action is Action.CREATE]
    for name in dict.fromkeys(change.address.kind for change in created):
        kind = KINDS[name]
        unclaimed = [
            one for one in changes if one.address.kind == name and (one.action is Action.UNMANAGED or one.is_pruned)
        ]
        objects = _Objects(kind, unclaimed)
        for change in created:
            if change.address.kind == name and (found := objects.like(change)):
                yield change, found


class _Objects:
    """Objects of one kind by their names and values."""

    def __init__(self, kind: Kind, objects: Sequence[Change]) -> None:
        self._kind = kind
        self._objects = objects
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        self._by_value: dict[str, defaultdict[str, list[int]]] = {}
        for index, one in enumerate(objects):
            for part in _parts(self._name(one.before)):
                self._by_name[part].append(index)

    def like(self, created: Change) -> Change | None:
        """The object of the most similar name; else one that is equal in every other field that the manifest names."""
        wanted = created.after or {}
        name = self._name(wanted)
        ratios = {index: self._ratio(name, index) for index in self._of_similar_name(name)}
        best = max(ratios, key=lambda index: (ratios[index], -index), default=None)
        if best is None or ratios[best] < _ALIKE:
            best = next(self._equal(wanted), None)
        return None if best is None else self._objects[best]

    def _of_similar_name(self, name: str) -> list[int]:
        found = sorted((self._by_name[part] for part in _parts(name) if part in self._by_name), key=len)
        rare = [one for one in found if len(one) <= _COMMON] or found[:1]
        shared = Counter(index for one in rare for index in one[:_COMMON])
        return [index for index, _ in shared.most_common(_COMPARED)]

    def _ratio(self, name: str, index: int) -> float:
        return difflib.SequenceMatcher(None, name, self._name(self._objects[index].before)).ratio()

    def _equal(self, wanted: Mapping[str, Json]) -> Iterator[int]:
        """There must be some fields that are worth comparing."""
        kind = self._kind
        named = [kind.fields[name] for name in wanted if name in kind.fields and name != kind.name_field]
        if len(named) < len(kind.required):
            return
        found = [self._with_value(field.name, wanted[field.name]) for field in named]
        for index in min(found, key=len)[:_COMMON]:
            held = self._objects[index].before or {}
            if all(field.equal(wanted[field.name], held.get(field.name)) for field in named):
                yield index

    def _with_value(self, name: str, value: Json) -> Sequence[int]:
        field = self._kind.fields[name]
        if name not in self._by_value:
            known = self._by_value[name] = defaultdict(list)
            for index, one in enumerate(self._objects):
                known[canonical_text(field.canonical_value((one.before or {}).get(name)))].append(index)
        return self._by_value[name].get(canonical_text(field.canonical_value(value)), ())

    def _name(self, body: Mapping[str, Json] | None) -> str:
        return str((body or {}).get(self._kind.name_field)).casefold()[:_LETTERS]


def _parts(name: str) -> set[str]:
    """Each three letters in a row, the ends included."""
    padded = f" {name} "
    return {padded[at : at + 3] for at in range(len(padded) - 2)}
