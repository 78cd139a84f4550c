"""The objects that have a manifest -> how a manifest says an id: by the name of that manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.kinds import Kind
from reconciler.kinds.fields import MemberReference
from reconciler.kinds.references import referred, with_references
from reconciler.manifests.edit.values import Path as At
from reconciler.model.json import Absent, Body, Json, get_at, is_array, same
from reconciler.model.resource import Address, ObjectKey, same_id


@dataclass(frozen=True, slots=True)
class Names:
    """The objects that have or get a manifest."""

    addresses: dict[ObjectKey, Address] = field(default_factory=dict)
    marketplace: str = ""

    def values(self, kind: Kind, values: Mapping[At, Json], said: Body) -> dict[At, Json]:
        """The values of a manifest with references."""
        return {
            at: one if self._is_of_company(kind, at, values) else self.value(kind, at, one, get_at(said, at))
            for at, one in values.items()
        }

    def _is_of_company(self, kind: Kind, at: At, values: Mapping[At, Json]) -> bool:
        """Whether a value is the id of a group of a buyer or a supplier, which no manifest has."""
        to = kind.fields[at[1]].refers_to if at[0] == "spec" and at[1] in kind.fields else None
        company = values.get(("spec", to.company_field)) if isinstance(to, MemberReference) else None
        return isinstance(company, str) and bool(company) and not same_id(company, self.marketplace)

    def value(self, kind: Kind, at: At, ids: Json, said: Json | Absent) -> Json:
        """One value with references. What the manifest says already keeps its spelling and its order."""
        return _as_said(self._named(kind, at, ids), ids, said)

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

    def ids(self, kind: Kind, name: str, said: Json | Absent) -> Json | Absent:
        """What a manifest says of one field, with ids in place of the names that are known."""
        if isinstance(said, Absent):
            return said
        known = {(one.kind, one.name): key.id for key, one in self.addresses.items()}
        return with_references(kind, {name: said}, lambda to, one: known.get((to.kind, referred(one)), one))[name]


def refers(kind: Kind, at: At) -> bool:
    """Whether a value is the id, or a list of ids, of objects that may have a manifest."""
    if at[0] == "assignments":
        return kind.assignments is not None and bool(kind.assignments.level(at[1]).kind)
    to = kind.fields[at[1]].reference if at[1] in kind.fields else None
    return to is not None and bool(to.kind)


def _as_said(named: Json, ids: Json, said: Json | Absent) -> Json:
    """A list of references: members that a manifest has already stay as they stand there, others come last."""
    if named is ids or not (is_array(named) and is_array(ids) and is_array(said)):
        return named
    live = list(zip(ids, named, strict=True))
    kept = [one for one in said if any(_is_same(one, *pair) for pair in live)]
    return [*kept, *(pair[1] for pair in live if not any(_is_same(one, *pair) for one in kept))]


def _is_same(said: Json, object_id: Json, named: Json) -> bool:
    return same(said, named) or (isinstance(said, str) and same_id(said, str(object_id)))
