"""The tables of the kinds -> the JSON Schemas of their manifests. `make docs` writes them; a test compares them.

What all manifests have in common (metadata, policy, secrets) is in ``manifest.schema.json`` next to this file. A schema
includes the parts that it refers to.
"""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

from reconciler.kinds import KINDS, IdChoice, Kind
from reconciler.kinds.assignments import ABOUT, Assignments, Level
from reconciler.kinds.fields import API_ROLES, Choice, Data, Field, Flag, Many, Record, Role, Text, Type, Whole
from reconciler.manifests.rules import RULES

Schema: TypeAlias = dict[str, Any]

WHOLE: Final = "manifest.v1.schema.json"
_HOME: Final = "https://raw.githubusercontent.com/your-org/ordercloud-reconciler/main/schemas"
_COMMON: Final[Mapping[str, Schema]] = json.loads(Path(__file__).with_name("manifest.schema.json").read_text("utf-8"))
_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TRIMMED: Final = {"pattern": r"^(\S([\s\S]*\S)?)?$", "x-pattern": "a string without leading or trailing spaces"}
_HTTPS_ALONE: Final = ("https",)
_HTTPS: Final = {"pattern": r"^https://\S+$", "x-pattern": "a URL that starts with https://"}
_REQUIRED: Final = ["apiVersion", "kind", "metadata", "spec"]
_KIND: Final = {"description": "The type of the OrderCloud resource; it determines the fields of spec."}
_DIFFERING: Final = ("metadata", "spec", "assignments")
"""Definitions that differ by kind."""
_VERSION: Final = {
    "description": "The version of the manifest format, for compatibility with later releases.",
    "const": "reconciler/v1",
}


def schemas() -> dict[str, str]:
    """Every generated schema: file name -> text."""
    found = {kind.schema: schema(kind) for kind in KINDS.values()} | {WHOLE: whole(list(KINDS.values()))}
    return {name: f"{json.dumps(one, indent=2, ensure_ascii=False)}\n" for name, one in found.items()}


def schema(kind: Kind) -> Schema:
    """The schema of one kind's manifests."""
    return {
        "$schema": _DRAFT,
        "$id": f"{_HOME}/{kind.schema}",
        "title": f"{kind.noun} manifest",
        "description": kind.description,
        **_manifest(kind),
        "$defs": _definitions(kind),
    }


def whole(kinds: Sequence[Kind]) -> Schema:
    """One schema for the manifests of several kinds, for an editor that takes one schema for a folder."""
    parts = [_with_own_names(kind) for kind in kinds]
    definitions: Schema = {}
    for kind, part in zip(kinds, parts, strict=True):
        definitions |= {kind.name: part, **part.pop("$defs")}
    return {
        "$schema": _DRAFT,
        "$id": f"{_HOME}/{WHOLE}",
        "title": "Manifest",
        "description": "One object of a Sitecore OrderCloud marketplace. Its kind determines its fields.",
        "type": "object",
        "required": _REQUIRED,
        "properties": {
            "apiVersion": _VERSION,
            "kind": {**_KIND, "enum": [kind.name for kind in kinds]},
            "metadata": True,
            "spec": True,
        },
        "allOf": [
            {"if": {"properties": {"kind": {"const": kind.name}}, "required": ["kind"]}, "then": _ref(kind.name)}
            for kind in kinds
        ],
        "$defs": definitions,
    }


def _with_own_names(kind: Kind) -> Schema:
    """The schema of a kind, in which the definitions that differ by kind are named after it."""
    part = {**_manifest(kind), "$defs": _definitions(kind)}
    text = json.dumps({"title": kind.noun, "description": kind.description, **part})
    for name in _DIFFERING:
        text = text.replace(f'"#/$defs/{name}"', f'"#/$defs/{kind.name}.{name}"')
    renamed: Schema = json.loads(text)
    renamed["$defs"] = {
        f"{kind.name}.{name}" if name in _DIFFERING else name: one for name, one in renamed["$defs"].items()
    }
    return renamed


def _manifest(kind: Kind) -> Schema:
    blocks = ["metadata", "spec", *["assignments"] * bool(kind.assignments), *["secrets"] * bool(kind.named_secrets)]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": _REQUIRED,
        "properties": {
            "apiVersion": _VERSION,
            "kind": {**_KIND, "const": kind.name},
            **{block: _ref(block) for block in (*blocks, "policy")},
        },
    }


def _definitions(kind: Kind) -> Schema:
    """What the manifest refers to, and what that refers to."""
    common = copy.deepcopy(dict(_COMMON))
    common["metadata"]["properties"]["id"] = _object_id(kind, common["metadata"]["properties"]["id"])
    common["secretReference"] = _given_secret(common["secret"])
    common["waiver"]["properties"]["rule"]["anyOf"] = _known(list(RULES))
    common["role"]["anyOf"] = _known(sorted(API_ROLES))
    known = {"metadata": common.pop("metadata"), "spec": _spec(kind), **common}
    if kind.assignments:
        known["assignments"] = _assignments(kind.assignments)
    needed = _closure(_manifest(kind), known)
    return {name: known[name] for name in known if name in needed}


def _object_id(kind: Kind, known: Schema) -> Schema:
    if kind.only_id:
        return {"description": kind.meaning_of_id, "readOnly": True, "not": {}}
    return known | {"description": kind.meaning_of_id} | ({"enum": list(kind.singles)} if kind.singles else {})


def _known(names: list[str]) -> list[Schema]:
    """The known names of an extensible list: an editor suggests them, and accepts others.

    It cannot warn either: the YAML language server (1.25) reports every warning of a schema as an error.
    """
    return [{"enum": names}, {}]


def _given_secret(secret: Schema) -> Schema:
    """A reference to an existing secret."""
    given = {name: part for name, part in secret["properties"].items() if name.startswith("from")}
    return {**secret, "properties": given}


def _closure(part: Schema, known: Mapping[str, Schema]) -> set[str]:
    found: set[str] = set()
    due = [part]
    while due:
        new = {name for name in _references(due.pop()) if name not in found}
        found |= new
        due += [known[name] for name in new]
    return found


def _references(part: Any) -> Iterator[str]:  # noqa: ANN401  # any part of a schema
    if isinstance(part, Mapping):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"].rpartition("/")[2]
        part = list(part.values())
    if isinstance(part, list):
        for member in part:
            yield from _references(member)


def _spec(kind: Kind) -> Schema:
    return {
        "title": kind.noun,
        "description": "The fields, named as in the OrderCloud API. An omitted field keeps its live value (see "
        "policy.fields); null means the API's default.",
        "type": "object",
        "additionalProperties": False,
        **({"required": [kind.name_field]} if kind.id_choice is IdChoice.SERVICE else {}),
        "properties": {one.name: _field(one, kind.source) for one in kind.table},
    }


def _field(one: Field, source: str = "") -> Schema:
    found: Schema = {"description": one.description}
    if one.source or source:
        found["x-source"] = one.source or source
    if one.since:
        found["x-since"] = one.since
    if one.read_only:
        return found | {"readOnly": True, "doNotSuggest": True, "not": {}}
    if not (one.required or one.secret):
        found["default"] = one.default
    if one.examples:
        found["examples"] = list(one.examples)
    return found | _value(one)


def _value(one: Field) -> Schema:
    if one.secret:
        reference = _ref("secret" if one.can_be_generated else "secretReference")
        return {"anyOf": [reference, *[{"type": "null"}] * (not one.required)]}
    found = _typed(one.type, is_nullable=not one.required)
    is_named = one.reference and one.reference.kind
    return _with_reference(found, one.type) if is_named else found


def _with_reference(found: Schema, wanted: Type) -> Schema:
    """The same, where the name of a manifest may replace an id."""
    reference = _ref("manifestReference")
    if not isinstance(wanted, Many):
        return {"anyOf": [found, reference]}
    (listed, values) = found["anyOf"]
    return {"anyOf": [listed | {"items": {"anyOf": [listed["items"], reference]}}, values]}


def _typed(wanted: Type, *, is_nullable: bool) -> Schema:
    """The schema of a type. Strings may contain ``${values.KEY}``; other types allow it as an alternative."""
    found = _plain(wanted)
    if is_nullable and "type" in found:
        found["type"] = [found["type"], "null"]
    is_any_text = isinstance(wanted, Text) and wanted.schemes != _HTTPS_ALONE
    return found if is_any_text else {"anyOf": [found, _ref("fromValues")]}


def _plain(wanted: Type) -> Schema:  # noqa: PLR0911  # one result for each type
    match wanted:
        case Text(longest, shortest, trimmed, schemes):
            found = {"type": "string", "minLength": shortest or None, "maxLength": longest}
            return _less_none(found) | (_TRIMMED if trimmed else _HTTPS if schemes == _HTTPS_ALONE else {})
        case Flag():
            return {"type": "boolean"}
        case Whole(least, most, unit):
            return _less_none({"type": "integer", "minimum": least, "maximum": most, "x-unit": unit or None})
        case Choice(values):
            return {"type": "string", "enum": list(values)}
        case Role():
            return _ref("role")
        case Data():
            return {"type": "object"}
        case Record(_, fields):
            return {"type": "object", "additionalProperties": False, **_members(fields)}
        case Many(member):
            return {"type": "array", "items": _plain(member), "uniqueItems": True}


def _members(fields: Sequence[Field]) -> Schema:
    required = [one.name for one in fields if one.required and not one.secret]  # an omitted secret is kept
    properties = {one.name: _field(one) for one in fields}
    return {"required": required, "properties": properties} if required else {"properties": properties}


def _assignments(assignments: Assignments) -> Schema:
    return {
        "title": "Assignments",
        "description": f"{assignments.description} An omitted level is not managed: its live assignments are kept. "
        "Missing assignments are added; policy.assignments determines how others are treated.",
        "type": "object",
        "additionalProperties": False,
        "properties": {level.name: _level(level) for level in assignments.levels},
    }


def _level(level: Level) -> Schema:
    values = _ref("fromValues")
    if level.is_flag:
        about = f"Whether {level.about} is assigned as a whole."
        return {"description": about, "anyOf": [{"type": "boolean"}, values], "examples": [True, False]}
    others = [values, *[_ref("manifestReference")] * bool(level.kind)]
    member = {"anyOf": [_ref("id"), *others]} if level.is_plain else _row(level)
    return {
        "description": f"The {'IDs of the ' if level.is_plain else ''}{level.about}; [] for none."
        + ("" if level.deletion else " The API cannot delete one: other rows are reported and kept.")
        + (f" Has no effect while {level.everyone_field} is true." if level.everyone_field else ""),
        "anyOf": [{"type": "array", "items": member, "uniqueItems": True}, values],
        "examples": [_example(level), []],
    }


def _example(level: Level) -> list[Any]:
    if level.is_plain:
        return ["main"]
    first = next(shape for shape in level.shapes if "group" in shape or "user" in shape)
    named = {"messageType": level.message_types[0]} if level.message_types else {}
    return [{word: named.get(word, "main" if word == "buyer" else "team") for word in first}]


def _row(level: Level) -> Schema:
    required = [word for word in level.words if all(word in shape for shape in level.shapes)]
    party = {"anyOf": [_ref("id"), _ref("fromValues")]}
    types = {"anyOf": [{"type": "string", "enum": list(level.message_types)}, _ref("fromValues")]}
    named = {"messageType": {"description": "The message that is copied.", **types}}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": {word: named.get(word) or {"description": _about(word), **party} for word in level.words},
    }


def _about(word: str) -> str:
    of = " of the assignment whose messages are copied" if word in ABOUT else ""
    return f"The ID of the {ABOUT.get(word, word)}{of}."


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _less_none(part: Schema) -> Schema:
    return {key: value for key, value in part.items() if value is not None}
