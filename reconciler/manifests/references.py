"""``{ref: NAME}`` in a spec -> the manifests that it names, and the spec as its schema knows it.

The kind follows from the field, so that a reference says a name alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from reconciler.kinds import Kind
from reconciler.kinds.assignments import Level
from reconciler.kinds.references import references, referred, with_references
from reconciler.manifests.schema import Fault
from reconciler.model.json import Body, Json, get_at, is_array, pointer, with_value_at
from reconciler.model.resource import Address


@dataclass(frozen=True, slots=True)
class Referring:
    """A manifest with names in place of references."""

    manifest: Body
    named: Mapping[str, Address]
    """JSON pointer -> the manifest that is named there."""
    faults: tuple[Fault, ...] = ()


def take_references(manifest: Body, kind: Kind) -> Referring:
    """Put the name in place of each reference: where an id can stand, so can a name."""
    named: dict[str, Address] = {}
    faults: list[Fault] = []
    for at, to, value in _references(manifest, kind):
        if isinstance(value, Mapping):
            if to and (name := referred(value)):
                named[at] = Address(to, name)
            else:
                faults += _malformed(at, to)
    return Referring(_with_names(manifest, kind) if named else manifest, named, tuple(faults))


def _references(manifest: Body, kind: Kind) -> Iterator[tuple[str, str, Json]]:
    """Each value that names another object: its JSON pointer, the kind of that object, and the value."""
    spec = manifest.get("spec")
    for path, to, value in references(kind, spec) if isinstance(spec, Mapping) else ():
        yield pointer("spec", *path), to.kind, value
    for level, rows in _plain_levels(manifest, kind):
        for index, value in enumerate(rows):
            yield pointer("assignments", level.name, index), level.kind, value


def _plain_levels(manifest: Body, kind: Kind) -> Iterator[tuple[Level, Sequence[Json]]]:
    """The levels whose rows are one id each."""
    block = manifest.get("assignments")
    for level in kind.assignments.levels if kind.assignments and isinstance(block, Mapping) else ():
        rows = get_at(manifest, ("assignments", level.name))
        if level.is_plain and is_array(rows):
            yield level, rows


def _with_names(manifest: Body, kind: Kind) -> Body:
    spec = manifest.get("spec")
    if isinstance(spec, Mapping):
        manifest = {**manifest, "spec": with_references(kind, spec, lambda _, value: referred(value) or value)}
    for level, rows in _plain_levels(manifest, kind):
        # A name may have dots, and an id has none; an id may have low lines, and a name has none.
        names = [referred(row).replace(".", "_") or row for row in rows]
        manifest = with_value_at(manifest, ("assignments", level.name), names)
    return manifest


def _malformed(at: str, kind: str) -> Iterator[Fault]:
    hint = f"write {{ref: NAME}}, with the name of a manifest of kind {kind}" if kind else "write the id of the object"
    yield Fault(at, "this is not a reference", "reference", hint)
