"""A body -> the objects that it refers to; the kinds -> the order in which they are written.

A kind is written after every kind that its fields refer to, so that the referenced objects exist.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from reconciler.kinds import KINDS
from reconciler.kinds.base import Kind
from reconciler.kinds.fields import MemberReference, Reference
from reconciler.model.json import Body, Json, is_array

Path: TypeAlias = tuple[str, *tuple[int, ...]]


def references(kind: Kind, body: Body, marketplace: str = "") -> Iterator[tuple[Path, Reference, Json]]:
    """Each value that refers to another object: its path, its reference, and the value.

    The marketplace as an owner is recognised only if its id is given.
    """
    for field in kind.referring:
        name, to = field.name, field.reference
        value = body.get(name)
        if value is None:
            continue
        if isinstance(field.refers_to, MemberReference) and isinstance(value, str):
            to = field.refers_to.reference(body, marketplace)
        if to is None:
            continue
        if is_array(value):
            yield from (((name, index), to, member) for index, member in enumerate(value))
        else:
            yield (name,), to, value


def with_references(kind: Kind, body: Body, new: Callable[[Reference, Json], Json]) -> Body:
    """The body with replaced references."""
    replaced: dict[str, Json] = {}
    for name, to in _referring(kind):
        value = body.get(name)
        if is_array(value):
            replaced[name] = [new(to, member) for member in value]
        elif value is not None:
            replaced[name] = new(to, value)
    return {**body, **replaced} if replaced else body


def referred(value: Json) -> str:
    """The name in a reference; empty if it is not a reference."""
    match value:
        case {"ref": str(name), **others} if name and not others:
            return name
    return ""


def _referring(kind: Kind) -> Iterator[tuple[str, Reference]]:
    for field in kind.referring:
        if field.reference:
            yield field.name, field.reference


def referred_kinds(kind: Kind) -> frozenset[str]:
    """The kinds that its fields refer to."""
    return frozenset(to.kind for _, to in _referring(kind) if to.kind)


def wave(name: str) -> int:
    """The wave of a kind: 1 plus the highest wave that it refers to; kinds that can veto writes are last."""
    kind = KINDS[name]
    if kind.can_veto:
        return 1 + max((wave(other) for other in KINDS if not KINDS[other].can_veto), default=0)
    others = {level.kind for level in kind.assignments.levels} if kind.assignments else set()
    others |= referred_kinds(kind)
    return 1 + max((wave(other) for other in others if other in KINDS), default=0)
