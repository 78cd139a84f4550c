"""``{ref: NAME}`` in a spec -> the manifests that it names, and the spec as its schema knows it.

The kind follows from the field, so that a reference says a name alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.kinds import Kind
from reconciler.kinds.references import references, referred, with_references
from reconciler.manifests.schema import Fault
from reconciler.model.json import Body, pointer
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
    spec = manifest.get("spec")
    if not isinstance(spec, Mapping):
        return Referring(manifest, {})
    named: dict[str, Address] = {}
    faults: list[Fault] = []
    for path, to, value in references(kind, spec):
        if isinstance(value, Mapping):
            at = pointer("spec", *path)
            if to.kind and (name := referred(value)):
                named[at] = Address(to.kind, name)
            else:
                faults += _malformed(at, to.kind)
    if not named:
        return Referring(manifest, {}, tuple(faults))
    return Referring(
        {**manifest, "spec": with_references(kind, spec, lambda _, value: referred(value) or value)},
        named,
        tuple(faults),
    )


def _malformed(at: str, kind: str) -> Iterator[Fault]:
    hint = f"write {{ref: NAME}}, with the name of a manifest of kind {kind}" if kind else "write the id of the object"
    yield Fault(at, "this is no reference", "reference", hint)
