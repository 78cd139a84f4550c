"""Manifests, values that the service has -> the same files with those values, and nothing else changed.

A value is written where it stands: in the manifest, or in the overlay that lays it over the manifest. What was made of
an environment's ``${values.KEY}`` is never overwritten: it is changed in the configuration, and that is said. Nothing
reaches a disk before `write`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as File
from typing import Final

from reconciler.document import parse
from reconciler.errors import ReconcilerError
from reconciler.model.json import ABSENT, Absent, Json, canonical_text, get_at, is_array, pointer, same
from reconciler.model.resource import Address, EffectiveManifest
from reconciler.writeback.replacing import replace_file
from reconciler.writeback.values import Path, with_values

_REFERENCE: Final = "${values."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A value that was not brought in."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of the values for one manifest; what was alike already is in neither."""

    paths: tuple[Path, ...]
    refusals: tuple[Refusal, ...]


class _Owned(Exception):  # never leaves this module
    """The value is made of the environment's values; the argument is what stands in the file."""


class ManifestFiles:
    """The files of manifests and overlays while values are brought into them."""

    def __init__(self) -> None:
        self._before: dict[str, bytes] = {}
        self._now: dict[str, bytes] = {}

    def put(self, manifest: EffectiveManifest, values: Mapping[Path, Json | Absent]) -> Brought:
        """Bring values into the files of one manifest.

        Args:
            manifest: what it is in the environment that the values come from.
            values: what the document is to be in that environment, by path; `ABSENT` removes a key. Mappings are
                merged into those that are there key by key, so only what differs is touched.

        Raises:
            ReconcilerError: a file cannot be read.
        """
        refusals: list[Refusal] = []
        by_file: dict[str, dict[Path, Json | Absent]] = {}
        for path, value in values.items():
            for leaf, wanted in _leaves(path, get_at(manifest.body, path), value):
                file = _owner(manifest, leaf)
                try:
                    by_file.setdefault(file, {})[leaf] = self._raw(manifest, file, leaf, wanted)
                except _Owned as owned:
                    refusals.append(Refusal(leaf, f"it is written as {owned.args[0]}, a value of the environment"))
        brought = [path for file, settings in by_file.items() for path in self._set(manifest, file, settings, refusals)]
        return Brought(tuple(brought), tuple(refusals))

    def _set(
        self,
        manifest: EffectiveManifest,
        file: str,
        settings: Mapping[Path, Json | Absent],
        refusals: list[Refusal],
    ) -> list[Path]:
        """Change one file, and tell what of it could not be changed."""
        index = self._index(file, manifest.resource.address)
        self._now[file], left = with_values(self._now[file], file, index, settings)
        refusals += [Refusal(path, f"{file} is written in such a way that it takes a hand to change") for path in left]
        return [path for path in settings if path not in left]

    @property
    def changed(self) -> Mapping[str, tuple[bytes, bytes]]:
        """The files that are no longer what they were: before and after, by the names that messages have for them."""
        return {file: (self._before[file], now) for file, now in self._now.items() if now != self._before[file]}

    def write(self) -> None:
        """Put every changed file in place of the old one.

        Raises:
            ReconcilerError: one cannot be written; it is as it was, and so are those after it.
        """
        for file, (_, now) in self.changed.items():
            replace_file(File(file), now)

    def _raw(self, manifest: EffectiveManifest, file: str, path: Path, wanted: Json | Absent) -> Json | Absent:
        """What must be written for a value to be had."""
        self._load(file)
        data = parse(self._now[file], file).documents[self._index(file, manifest.resource.address)].data
        for length in range(1, len(path)):
            around = get_at(data, path[:length])
            if isinstance(around, str):  # all of this mapping is a value of the environment
                raise _Owned(around)
        return _written(get_at(data, path), get_at(manifest.body, path), wanted)

    def _load(self, file: str) -> None:
        if file in self._now:
            return
        try:
            self._before[file] = self._now[file] = File(file).read_bytes()
        except OSError as error:
            raise ReconcilerError(f"cannot read {file}: {error.strerror}") from error

    def _index(self, file: str, address: Address) -> int:
        """Which document of a file is this manifest, or its overlay."""
        documents = parse(self._now[file], file).documents
        return next(number for number, one in enumerate(documents) if _address(one.data) == address)


def _address(data: Json) -> Address | None:
    kind, name = get_at(data, ("kind",)), get_at(data, ("metadata", "name"))
    return Address(kind, name) if isinstance(kind, str) and isinstance(name, str) else None


def _owner(manifest: EffectiveManifest, path: Path) -> str:
    """The file that a value stands in; a new one goes where what is around it stands."""
    places = manifest.resource.places
    for length in range(len(path), 0, -1):
        place = places.get(pointer(*path[:length]))
        if place is not None:
            return place.file
    return manifest.resource.place.file


def _leaves(path: Path, before: Json | Absent, after: Json | Absent) -> Iterator[tuple[Path, Json | Absent]]:
    """What differs, with mappings taken apart."""
    if same(before, after):
        return
    if isinstance(before, Mapping) and before and isinstance(after, Mapping):
        for key in dict.fromkeys((*before, *after)):
            yield from _leaves((*path, key), before.get(key, ABSENT), after.get(key, ABSENT))
    else:
        yield path, after


def _written(raw: Json | Absent, before: Json | Absent, wanted: Json | Absent) -> Json | Absent:
    """How a value must be written in a file whose text says `raw` and means `before`."""
    if is_array(raw) and is_array(before) and is_array(wanted) and len(raw) == len(before):
        return _written_list(raw, before, wanted)
    if _REFERENCE in str(raw):
        raise _Owned(raw if isinstance(raw, str) else canonical_text(raw if not isinstance(raw, Absent) else None))
    return literal(wanted)


def _written_list(raw: Sequence[Json], before: Sequence[Json], wanted: Sequence[Json]) -> Sequence[Json]:
    """Members that stay are written as they are."""
    known = {canonical_text(member): written for member, written in zip(before, raw, strict=True)}
    kept = [known.get(canonical_text(member), literal(member)) for member in wanted]
    gone = [written for written in raw if _REFERENCE in str(written) and written not in kept]
    if gone:
        raise _Owned(gone[0])
    return kept  # type: ignore[return-value]  # `literal` gives ABSENT for ABSENT only


def literal(value: Json | Absent) -> Json | Absent:
    """A value as a manifest says it: ``${`` in a text means a value of the environment unless it is doubled."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: literal(member) for key, member in value.items()}  # type: ignore[misc]  # as above
    if is_array(value):
        return [literal(member) for member in value]  # type: ignore[misc]
    return value
