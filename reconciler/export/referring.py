"""Ids of other objects in a body <-> ``{ref: NAME}``, as far as the others have manifests."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.kinds import Kind, Reference
from reconciler.kinds.references import referred, with_references
from reconciler.manifests.edit.values import Path as At
from reconciler.model.json import Absent, Body, Json, get_at, is_array, same
from reconciler.model.resource import Address, ObjectKey, same_id


@dataclass(frozen=True, slots=True)
class Names:
    """The objects that have or get a manifest."""

    addresses: dict[ObjectKey, Address] = field(default_factory=dict)

    def reference(self, to: Reference, value: Json) -> Json:
        """How a manifest says an id: by the name of the manifest, where there is one."""
        address = self.addresses.get(ObjectKey(to.kind, value)) if isinstance(value, str) else None
        return {"ref": address.name} if address else value

    def values(self, kind: Kind, values: Mapping[At, Json], said: Body) -> dict[At, Json]:
        """The values of a manifest with references. What the manifest says already keeps its spelling and its order."""
        spec = with_references(kind, {at[1]: one for at, one in values.items() if at[0] == "spec"}, self.reference)
        return {
            at: _as_said(spec[at[1]], one, get_at(said, at)) if at[0] == "spec" else one for at, one in values.items()
        }

    def ids(self, kind: Kind, name: str, said: Json | Absent) -> Json | Absent:
        """What a manifest says of one field, with ids in place of the names that are known."""
        if isinstance(said, Absent):
            return said
        known = {(one.kind, one.name): key.id for key, one in self.addresses.items()}
        return with_references(kind, {name: said}, lambda to, one: known.get((to.kind, referred(one)), one))[name]


def _as_said(named: Json, ids: Json, said: Json | Absent) -> Json:
    """A list of references: members that a manifest has already stay as they stand there, others come last."""
    if named is ids or not (is_array(named) and is_array(ids) and is_array(said)):
        return named
    live = list(zip(ids, named, strict=True))
    kept = [one for one in said if any(_is_same(one, *pair) for pair in live)]
    return [*kept, *(pair[1] for pair in live if not any(_is_same(one, *pair) for one in kept))]


def _is_same(said: Json, object_id: Json, named: Json) -> bool:
    return same(said, named) or (isinstance(said, str) and same_id(said, str(object_id)))
