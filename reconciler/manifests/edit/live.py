"""Deviations, manifests -> the files of these manifests with the live values.

A value is set where it is defined: in the overlay of the environment if that sets it, otherwise in the manifest.
Values of the environment, secrets, and values that cannot be edited without changing more are refused and not changed;
the rest is written.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Final, TypeAlias

from reconciler.errors import InputError
from reconciler.kinds import KINDS, Kind
from reconciler.kinds.fields import MemberReference
from reconciler.kinds.references import referred, with_references
from reconciler.manifests.checks import address_in
from reconciler.manifests.edit import At, with_documents
from reconciler.manifests.substitution import literal
from reconciler.manifests.yaml import parse, unreadable
from reconciler.manifests.yaml.tree import Document
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity
from reconciler.model.drift import Deviation, DriftKind
from reconciler.model.json import ABSENT, Absent, Body, Json, get_at, is_array, pointer, pointer_parts, same
from reconciler.model.plan import FieldChange
from reconciler.model.resource import Address, EffectiveManifest, ObjectKey, same_id

Contents: TypeAlias = Mapping[str, bytes]
"""File, by its name in messages -> its new content."""

_RULE: Final = "write-back"
_LONGEST: Final = 200
_GONE: Final = {
    DriftKind.MISSING: ("it does not exist in the service", "apply creates it again; otherwise remove its manifest"),
    DriftKind.RESTORED: ("OrderCloud's restore of staging removed it", "apply restores it"),
    DriftKind.SURPLUS: (
        "it exists in the service",
        "apply deletes it; otherwise remove policy.state from its manifest",
    ),
}


@dataclass(frozen=True, slots=True)
class Names:
    """The objects that have or will have a manifest."""

    addresses: dict[ObjectKey, Address] = field(default_factory=dict)
    marketplace: str = ""

    def values(self, kind: Kind, values: Mapping[At, Json], present: Body) -> dict[At, Json]:
        """Values with references in place of ids."""
        return {
            at: one if self._is_of_company(kind, at, values) else self.value(kind, at, one, get_at(present, at))
            for at, one in values.items()
        }

    def _is_of_company(self, kind: Kind, at: At, values: Mapping[At, Json]) -> bool:
        """Whether a value is the id of a group of a buyer or a supplier, which are not managed."""
        to = kind.fields[at[1]].refers_to if at[0] == "spec" and at[1] in kind.fields else None
        company = values.get(("spec", to.company_field)) if isinstance(to, MemberReference) else None
        return isinstance(company, str) and bool(company) and not same_id(company, self.marketplace)

    def value(self, kind: Kind, at: At, ids: Json, present: Json | Absent) -> Json:
        """One value with references. Existing values keep their spelling and order."""
        return _with_ids(self._named(kind, at, ids), ids, present)

    def _named(self, kind: Kind, at: At, ids: Json) -> Json:
        if at[0] == "assignments" and kind.assignments and is_array(ids):
            of_level = kind.assignments.level(at[1]).kind
            return [self._reference(of_level, one) for one in ids] if of_level else ids
        if at[0] == "spec":
            return with_references(kind, {at[1]: ids}, lambda to, one: self._reference(to.kind, one))[at[1]]
        return ids

    def _reference(self, kind: str, value: Json) -> Json:
        address = self.addresses.get(ObjectKey(kind, value)) if isinstance(value, str) else None
        return {"ref": address.name} if address else value

    def ids(self, kind: Kind, name: str, present: Json | Absent) -> Json | Absent:
        """The value of a field in the manifest, with ids in place of known names."""
        if isinstance(present, Absent):
            return present
        known = {(one.kind, one.name): key.id for key, one in self.addresses.items()}
        return with_references(kind, {name: present}, lambda to, one: known.get((to.kind, referred(one)), one))[name]


def refers(kind: Kind, at: At) -> bool:
    """Whether a value is the id, or a list of ids, of objects that may have a manifest."""
    if at[0] == "assignments":
        return kind.assignments is not None and bool(kind.assignments.level(at[1]).kind)
    to = kind.fields[at[1]].reference if at[1] in kind.fields else None
    return to is not None and bool(to.kind)


def _with_ids(named: Json, ids: Json, present: Json | Absent) -> Json:
    """A list of references: existing members are kept, new ones come last."""
    if named is ids or not (is_array(named) and is_array(ids) and is_array(present)):
        return named
    live = list(zip(ids, named, strict=True))
    kept = [one for one in present if any(_is_same(one, *pair) for pair in live)]
    return [*kept, *(pair[1] for pair in live if not any(_is_same(one, *pair) for one in kept))]


def _is_same(present: Json, object_id: Json, named: Json) -> bool:
    return same(present, named) or (isinstance(present, str) and same_id(present, str(object_id)))


NAMELESS: Final = Names()


@dataclass(frozen=True, slots=True)
class Refused:
    """A value that is not written back."""

    address: Address
    at: str
    """JSON pointer into the document; empty for all of it."""
    place: Place
    message: str
    hint: str

    @property
    def diagnostic(self) -> Diagnostic:
        """The refusal as an error."""
        what = f"{self.address}{' ' if self.at else ''}{self.at.removeprefix('/spec').removeprefix('/')}"
        return Diagnostic(self.place, f"{what} is not written back: {self.message}", _RULE, self.at, self.hint)


def with_deviations(
    deviations: Iterable[Deviation], manifests: Iterable[EffectiveManifest], environment: str, names: Names = NAMELESS
) -> tuple[Contents, tuple[Refused, ...]]:
    """Return the new contents of all files that change, and what cannot be written back.

    Args:
        deviations: what to write back; unmanaged objects are skipped.
        manifests: the manifests of the deviations.
        environment: its name, for messages.
        names: the objects that have a manifest.
    """
    run = _Edits(_by_address(manifests), environment, names)
    for deviation in deviations:
        if deviation.kind is not DriftKind.UNMANAGED:
            run.take(deviation)
    return run.contents(), tuple(run.refused)


def with_changes(
    changes: Iterable[tuple[Address, FieldChange]],
    manifests: Iterable[EffectiveManifest],
    environment: str,
    names: Names,
) -> tuple[Contents, tuple[Refused, ...]]:
    """Do the same for field changes.

    Args:
        changes: fields of resources; `before` is live, `after` is what the manifest specifies.
        manifests: the manifests of the changes.
        environment: its name, for messages.
        names: the objects that have a manifest.
    """
    run = _Edits(_by_address(manifests), environment, names)
    for address, changed in changes:
        run.put(address, changed)
    return run.contents(), tuple(run.refused)


def invalid_deviations(
    contents: Contents, faults: Iterable[Diagnostic], among: Iterable[Deviation], manifests: Iterable[EffectiveManifest]
) -> Iterator[tuple[Deviation, Diagnostic]]:
    """The deviations that would make a manifest invalid, each with its fault, at the place in the current manifest."""
    known = _by_address(manifests)
    taken = [(one, _keys(one.field)) for one in among if one.field]
    for fault in (one for one in faults if one.severity is Severity.ERROR and one.place.file in contents):
        documents = parse(contents[fault.place.file], fault.place.file).documents
        above = [one for one in documents if one.place().line <= (fault.place.line or 0)]
        address, there = address_in(above[-1].data) if above else None, pointer_parts(fault.pointer)
        for one, keys in taken:
            if one.address == address and (keys[: len(there)] == there or there[: len(keys)] == keys):
                yield one, replace(fault, place=_place(known[one.address], keys))


def _by_address(manifests: Iterable[EffectiveManifest]) -> Mapping[Address, EffectiveManifest]:
    return {manifest.resource.address: manifest for manifest in manifests}


@dataclass(slots=True)
class Sources:
    """Files of manifests and overlays, each read once."""

    _contents: dict[str, bytes] = field(default_factory=dict)
    _documents: dict[str, Mapping[Address | None, tuple[int, Document]]] = field(default_factory=dict)

    def content(self, file: str) -> bytes:
        """The content of a file.

        Raises:
            InputError: it cannot be read.
        """
        if file not in self._contents:
            try:
                self._contents[file] = Path(file).read_bytes()
            except OSError as error:
                raise InputError([unreadable(error, file, file)]) from error
        return self._contents[file]

    def find(self, file: str, address: Address) -> tuple[int, Document]:
        """The manifest or the overlay of an object in a file, and the number of its document.

        Raises:
            InputError: the file cannot be read, or no longer has it.
        """
        if file not in self._documents:
            numbered = enumerate(parse(self.content(file), file).documents)
            self._documents[file] = {address_in(document.data): (index, document) for index, document in numbered}
        if address not in self._documents[file]:
            raise InputError([Diagnostic(Place(file), f"the file no longer has {address}", _RULE)])
        return self._documents[file][address]

    def data(self, file: str, address: Address) -> Json:
        """The data of that document; raises as `find` does."""
        return self.find(file, address)[1].data


@dataclass(slots=True)
class _Edits:
    """Collects the values to set, and the refusals."""

    manifests: Mapping[Address, EffectiveManifest]
    environment: str
    names: Names
    refused: list[Refused] = field(default_factory=list)
    _sources: Sources = field(default_factory=Sources)
    _wanted: dict[str, dict[Address, dict[At, Json | Absent]]] = field(default_factory=dict)

    def take(self, deviation: Deviation) -> None:
        """Add the changes of a deviation."""
        if deviation.kind in _GONE:
            place = self.manifests[deviation.address].resource.place
            self._refuse(place, deviation.address, deviation.pointer, *_GONE[deviation.kind])
        elif deviation.field and not _is_sent_along(deviation):
            self.put(deviation.address, deviation.field)

    def put(self, address: Address, changed: FieldChange) -> None:
        """Add the change of one value."""
        manifest = self.manifests[address]
        keys = _keys(changed)
        reason = self._not_defined_here(manifest, keys, changed)
        if not reason:
            owner, value = self._owned(manifest, keys, _live_value(manifest, keys, changed, self.names))
            reason = self._not_expressible(manifest, keys, changed) if owner == manifest.overlay else None
            if not reason:
                self._wanted.setdefault(owner, {}).setdefault(address, {})[keys] = value
                return
        self._refuse(_place(manifest, keys), address, pointer(*keys), *reason)

    def _not_defined_here(self, manifest: EffectiveManifest, keys: At, changed: FieldChange) -> tuple[str, str] | None:
        """Why a manifest does not define a value."""
        if changed.sensitive:
            return "secrets are never written to manifests", "apply sets it; otherwise remove it from the manifest"
        for at, names in manifest.values.items():
            there = pointer_parts(at)
            if there[: len(keys)] == keys or keys[: len(there)] == there:
                value, where = _shown(changed.before), f"environments.{self.environment}"
                return f"its value comes from {', '.join(names)}", f"change it under {where}; the live value is {value}"
        return None

    def _not_expressible(self, manifest: EffectiveManifest, keys: At, changed: FieldChange) -> tuple[str, str] | None:
        """Why an overlay, in which null removes a key, cannot contain the live value."""
        if _has_null(changed.before):
            return "the live value is null or contains one, which an overlay cannot express", "set it in the manifest"
        address, place = manifest.resource.address, manifest.resource.place
        above, below = self._sources.data(str(manifest.overlay), address), self._sources.data(place.file, address)
        for prefix in (keys[:count] for count in range(2, len(keys))):
            if get_at(above, prefix) is None and isinstance(get_at(below, prefix), Mapping):
                return "its overlay removes the value that contains it", "remove the null from the overlay"
        return None

    def _owned(self, manifest: EffectiveManifest, keys: At, value: Json | Absent) -> tuple[str, Json | Absent]:
        """The file that a value belongs to. An overlay removes a value of the manifest with null."""
        base, overlay = manifest.resource.place.file, manifest.overlay
        if overlay is None or not self._sets(overlay, manifest, keys):
            return base, value
        below = self._sources.data(base, manifest.resource.address)
        return overlay, None if value is ABSENT and get_at(below, keys) is not ABSENT else value

    def _sets(self, overlay: str, manifest: EffectiveManifest, keys: At) -> bool:
        """Whether the overlay sets the value, removes it, or replaces the field that contains it."""
        data = self._sources.data(overlay, manifest.resource.address)
        first = len(keys) if pointer(*keys) in manifest.resource.places else 2
        return any(get_at(data, keys[:count]) is not ABSENT for count in range(first, len(keys) + 1))

    def contents(self) -> Contents:
        """Edit all files."""
        changed: dict[str, bytes] = {}
        for file, wanted in self._wanted.items():
            addresses = {self._sources.find(file, address)[0]: address for address in wanted}
            values = {index: wanted[address] for index, address in addresses.items()}
            changed[file], by_hand = with_documents(self._sources.content(file), file, values)
            for index, keys in by_hand:
                address = addresses[index]
                place = self._sources.find(file, address)[1].place(pointer(*keys))
                message = "it cannot be edited without changing other lines"
                hint = f"change it by hand; the live value is {_shown(wanted[address][keys])}"
                self._refuse(place, address, pointer(*keys), message, hint)
        return {file: content for file, content in changed.items() if content != self._sources.content(file)}

    def _refuse(self, place: Place, address: Address, at: str, message: str, hint: str) -> None:
        self.refused.append(Refused(address, at, place, message, hint))


def _keys(changed: FieldChange) -> At:
    """The path into the document: fields are in spec, assignments in their own block."""
    parts = pointer_parts(changed.pointer)
    return parts if parts[0] == "assignments" else ("spec", *parts)


def _place(manifest: EffectiveManifest, keys: At) -> Place:
    """The place of a value, or of what would contain it."""
    places = manifest.resource.places
    above = (pointer(*keys[:count]) for count in range(len(keys), 0, -1))
    return next((places[at] for at in above if at in places), manifest.resource.place)


def _live_value(manifest: EffectiveManifest, keys: At, changed: FieldChange, names: Names) -> Json | Absent:
    """The live value for a manifest: members of a set that are kept retain order and spelling."""
    value, kind = changed.before, KINDS[manifest.resource.address.kind]
    named = get_at(manifest.body, keys)
    if isinstance(value, Absent):
        return value
    if refers(kind, keys):
        return literal(names.value(kind, keys, value, named))
    if keys[0] == "assignments":
        return literal(_rows(manifest, keys, changed))
    if (changed.added or changed.removed) and is_array(value):
        missing = {str(member) for member in changed.added}
        stays = [member for member in named if str(member) not in missing] if is_array(named) else []
        value = [*dict.fromkeys(stays), *changed.removed]
    return literal(value)


def _rows(manifest: EffectiveManifest, keys: At, changed: FieldChange) -> Json:
    """The rows of an assignment level; ids of parties are compared without case."""
    assignments = KINDS[manifest.resource.address.kind].assignments
    assert assignments is not None  # noqa: S101  # its manifest has one
    level, named = assignments.level(keys[1]), get_at(manifest.body, keys)
    if level.is_flag:
        return bool(changed.before)
    missing = {str(text).casefold() for text in changed.added}
    texts = manifest.resource.assignments.get(level.name, ())
    members = named if is_array(named) else ()
    stays = [member for member, text in zip(members, texts, strict=True) if text.casefold() not in missing]
    come = level.value(map(str, changed.removed))
    return [*stays, *(come if is_array(come) else ())]


def _has_null(value: Json | Absent) -> bool:
    """Whether a value contains null in a mapping, which would remove a key in an overlay."""
    if isinstance(value, Mapping):
        return any(map(_has_null, value.values()))
    return value is None


def _is_sent_along(deviation: Deviation) -> bool:
    """Whether it is an unreadable secret, which is only sent together with other changes."""
    field, change = deviation.field, deviation.change
    unseen = field is not None and field.pointer[1:] in KINDS[change.address.kind].write_only_fields
    return unseen and any(not one.sensitive for one in change.fields)


def _shown(value: Json | Absent) -> str:
    if isinstance(value, Absent):
        return "without it"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"
