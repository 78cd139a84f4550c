"""The fields of a change x the places of its manifest -> the same fields, each with the place of its value.

With overlays, a value may stand in another file than its manifest does.
"""

from collections.abc import Iterable
from dataclasses import replace

from reconciler.kinds import Kind
from reconciler.model.diagnostic import Place
from reconciler.model.json import pointer_parts
from reconciler.model.plan import FieldChange
from reconciler.model.resource import DesiredResource


def placed(fields: Iterable[FieldChange], resource: DesiredResource, kind: Kind) -> tuple[FieldChange, ...]:
    """Give each field its place, as far as the manifest names it."""
    return tuple(replace(field, place=_place(field.pointer, resource, kind)) for field in fields)


def _place(at: str, resource: DesiredResource, kind: Kind) -> Place | None:
    """The place of the value, or of the nearest one that it is a part of; a field that is left out has none."""
    parts = pointer_parts(at)
    if parts[0] in kind.fields or parts[0] in kind.secret_fields:
        at = f"/spec{at}"
    found = resource.places.get(at)
    while found is None and len(parts) > 1:
        parts, at = parts[:-1], at.rpartition("/")[0]
        found = resource.places.get(at)
    return found
