"""A live object -> the fields that a manifest of it names, and what no manifest can say.

Left out are what the service makes itself, what equals the API's default, and secrets. So is a value that no manifest
may have: the field then keeps its live value, as every field does that a manifest does not name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.kinds import Field, Kind
from reconciler.manifests.edit.text import Style, flow, literal
from reconciler.manifests.edit.values import Path
from reconciler.manifests.load import LoadContext
from reconciler.manifests.manifest import examine
from reconciler.manifests.schema import Fault
from reconciler.manifests.yaml import parse
from reconciler.model.diagnostic import Severity
from reconciler.model.json import Body, Json, is_array, pointer_parts, same, with_value_at
from reconciler.model.reports import LeftOut
from reconciler.model.resource import LiveResource

API_VERSION: Final = "reconciler/v1"


def wanted_fields(kind: Kind, live: LiveResource) -> dict[Path, Json]:
    """What is worth saying of an object: path in a manifest -> value; lists without order are sorted.

    Every level of assignments that is known is named, for only what is named is watched; single users are data.
    """
    found: dict[Path, Json] = {}
    for name, field in {**kind.fields, **kind.initial_fields}.items():
        value = live.body.get(name)
        default = field.canonical_value(None)
        if name == kind.name_field or (value is not None and not same(field.canonical_value(value), default)):
            found["spec", name] = _in_order(field.canonical(value) if field.is_set else _given(field, value))
    for level in kind.assignments.levels if kind.assignments else ():
        if level.name in live.assignments and not level.is_of_users:
            found["assignments", level.name] = level.value(live.assignments[level.name])
    return found


def _given(field: Field, value: Json) -> Json:
    """A record without the members that are null: to say so means nothing."""
    if not field.members or not isinstance(value, Mapping):
        return value
    members = field.members
    return {
        name: _given(members[name], one) if name in members else one for name, one in value.items() if one is not None
    }


def _in_order(value: Json) -> Json:
    """Sorted keys: the service gives them in the order in which somebody once wrote them, or in another one."""
    if isinstance(value, Mapping):
        return {key: _in_order(value[key]) for key in sorted(value)}
    if is_array(value):
        return [_in_order(member) for member in value]
    return value


@dataclass(frozen=True, slots=True)
class WritableBody:
    """Values that a manifest may have, and the others."""

    values: Mapping[Path, Json]
    left_out: tuple[LeftOut, ...]
    is_manifest: bool = True
    """Whether a manifest can be made of what is left."""


def writable_body(kind: Kind, context: LoadContext, base: Body, values: Mapping[Path, Json]) -> WritableBody:
    """Take out what would be an error in a manifest.

    Args:
        kind: of the manifest.
        context: of the environment.
        base: what the manifest says without the values; nothing in it is looked up among the environment's values.
        values: what it is to say besides, by path.
    """
    kept, left = dict(values), []
    for path in [path for path, value in values.items() if not _can_be_written(value)]:
        del kept[path]
        left.append(LeftOut(_name(path), "YAML has no way to write it"))
    while faults := _errors(kind, context, base, kept):
        guilty = {_path(fault): fault for fault in faults if _path(fault) in kept and _path(fault) != _title(kind)}
        for path, fault in (guilty or dict.fromkeys(list(kept), faults[0])).items():
            del kept[path]
            left.append(LeftOut(_name(path), _reason(fault)))
        if not kept:
            return WritableBody({}, tuple(left), is_manifest=not _errors(kind, context, base, {}))
    return WritableBody(kept, tuple(left))


def body_of(base: Body, values: Mapping[Path, Json]) -> Body:
    """What a manifest says with the values in it."""
    body = base
    for path, value in values.items():
        body = with_value_at(body, path, value)
    return body


def _errors(kind: Kind, context: LoadContext, base: Body, values: Mapping[Path, Json]) -> list[Fault]:
    manifest = literal(body_of(base, values))
    faults = examine(manifest, kind, "", context).faults if isinstance(manifest, Mapping) else ()
    return [fault for fault in faults if fault.severity is Severity.ERROR]


def _title(kind: Kind) -> Path:
    return ("spec", kind.name_field)


def _path(fault: Fault) -> Path:
    return pointer_parts(fault.pointer)[:2]


def _name(path: Path) -> str:
    return path[1] if path[0] == "spec" else ".".join(path)


def _reason(fault: Fault) -> str:
    hint = f"; {fault.hint}" if fault.hint else ""
    return f"{fault.message}{hint} [{fault.rule}]"


def _can_be_written(value: Json) -> bool:
    """Whether what is written is read again as the same: not so for half a character, or for keys without end."""
    try:
        parsed = parse(f"- {flow(value, Style())}".encode(), "")
    except UnicodeEncodeError:
        return False
    data = [document.data for document in parsed.documents]
    return not parsed.faults and same(data, [[value]])
