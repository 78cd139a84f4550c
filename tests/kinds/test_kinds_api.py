"""The tables of the kinds against a second reading of the API: what its SDKs and documents say of each field.

`api.json` is that reading, gathered from the SDKs up to API 1.0.470 and the OpenAPI document of 1.0.260.
"""

import importlib
import json
import pkgutil
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import kinds
from reconciler.kinds import Field, Kind
from reconciler.kinds.fields import (
    Choice,
    Data,
    Flag,
    Many,
    MemberReference,
    Record,
    Reference,
    Role,
    Text,
    Type,
    Whole,
)

API = json.loads(Path(__file__).with_name("api.json").read_text(encoding="utf-8"))
MODULES = [importlib.import_module(f"reconciler.kinds.{one.name}") for one in pkgutil.iter_modules(kinds.__path__)]
TABLES = {kind.name: kind for module in MODULES for kind in vars(module).values() if isinstance(kind, Kind)}

# Differences, all deliberate, each with its reason. The last part of a key is what differs.
_CHOSEN = "the id of the path counts, and a manifest has it under metadata"
_OWNER = "the marketplace's own id, another one in each environment"
DIFFERENT = {
    ("IntegrationEvent", "EventType", "required"): "marked nowhere, but its default is unknown",
    ("WebhookRoute", "Route", "required"): "a route without a path matches nothing",
    ("WebhookRoute", "Verb", "required"): "a route without a method matches nothing",
    ("WebhookRoute", "Verb", "enum"): "documented as the methods that webhooks fire on",
    ("Locale", "OwnerID", "readOnly"): _OWNER,
    **{(kind, "ID", "readOnly"): _CHOSEN for kind in TABLES},
}


def simple(wanted: Type) -> str:
    match wanted:
        case Text() | Choice() | Role():
            return "string"
        case Flag():
            return "boolean"
        case Whole():
            return "integer"
        case Data():
            return "object"
        case Record(name, _):
            return name
        case Many(member):
            return f"{'ApiRole' if isinstance(member, Role) else simple(member)}[]"


def members(wanted: Type) -> Type:
    return wanted.of if isinstance(wanted, Many) else wanted


def described(one: Field, since: str) -> dict[str, Any]:
    """A field as the second reading writes it down."""
    inner = members(one.type)
    limits = {"minimum": inner.minimum, "maximum": inner.maximum} if isinstance(inner, Whole) else {}
    return {
        "type": simple(one.type),
        "required": one.required or None,
        "readOnly": one.read_only or None,
        "secret": one.secret.value if one.secret else None,
        "enum": list(inner.values) if isinstance(inner, Choice) else None,
        "maxLength": inner.max_length if isinstance(inner, Text) and not isinstance(one.type, Many) else None,
        "since": one.since or since or None,
        "gone": bool(one.until) or None,
        **limits,
    }


def wanted(row: dict[str, Any]) -> dict[str, Any]:
    known = {"ApiRole[]", "string[]", "boolean", "integer", "object", *API["records"], "WebhookRoute[]"}
    of = row["type"]
    kind_of = of if of in known else "string[]" if of.endswith("[]") else "string"
    return {**row, "type": kind_of}


def differences(owner: str, ours: dict[str, Field], theirs: dict[str, dict[str, Any]], since: str) -> list[str]:
    found = [f"{owner}.{name} is in one of them only" for name in sorted(ours.keys() ^ theirs.keys())]
    for name in sorted(ours.keys() & theirs.keys()):
        left, right = described(ours[name], since), wanted(theirs[name])
        found += [
            f"{owner}.{name}: {key} is {left.get(key)}, not {right.get(key)}"
            for key in left
            if left.get(key) != right.get(key)
            and (owner, name, key) not in DIFFERENT
            and not _only_a_reference(key, ours[name], right)
        ]
    return found


def _only_a_reference(key: str, one: Field, theirs: dict[str, Any]) -> bool:
    """An id has at most 100 characters, which is said where it is defined, not where it is referred to."""
    return key == "maxLength" and theirs.get(key) is None and members(one.type) == Text(100)


def records(fields: tuple[Field, ...]) -> dict[str, Record]:
    found: dict[str, Record] = {}
    for one in fields:
        inner = members(one.type)
        if isinstance(inner, Record):
            found |= {inner.name: inner, **records(inner.fields)}
    return found


def test_every_kind_of_the_api_has_a_table() -> None:
    assert TABLES.keys() == {"ApiClient", *API["kinds"]}


@pytest.mark.parametrize("name", [name for name in API["kinds"] if name != "XpIndex"])
def test_the_fields_of_a_kind_are_those_of_the_api(name: str) -> None:
    kind = TABLES[name]
    assert differences(name, {one.name: one for one in kind.table}, API["kinds"][name]["fields"], kind.since) == []


def test_the_fields_of_records_are_those_of_the_api() -> None:
    ours = {name: one for kind in TABLES.values() for name, one in records(kind.table).items()}
    assert ours.keys() == API["records"].keys()
    for name, record in ours.items():
        theirs = {field: {**row, "since": None, "gone": None} for field, row in API["records"][name].items()}
        fields = {one.name: replace(one, since="", until="") for one in record.fields}
        assert differences(name, fields, theirs, "") == []


def test_the_set_of_indices_has_every_type_of_object() -> None:
    assert [one.name for one in TABLES["XpIndex"].table] == API["kinds"]["XpIndex"]["fields"]["ThingType"]["enum"]


@pytest.mark.parametrize("name", API["kinds"])
def test_a_kind_is_where_the_api_has_it_and_needs_its_roles(name: str) -> None:
    kind, theirs = TABLES[name], API["kinds"][name]
    assert kind.path == theirs["path"].removesuffix("/{entity}")
    assert sorted({*kind.readers, *kind.writers}) == theirs["readers"]
    assert sorted(kind.writers) == theirs["writers"]
    immutable = {one.name for one in kind.table if one.immutable and (name, one.name, "immutable") not in DIFFERENT}
    assert immutable == {one for one in theirs["immutable"] if one in kind.fields}


@pytest.mark.parametrize("name", API["kinds"])
def test_a_field_refers_to_what_the_api_says(name: str) -> None:
    for field, row in API["kinds"][name]["fields"].items():
        of = row.get("ref", "").removesuffix("[]").partition("(")[0].strip()
        to = next(one for one in TABLES[name].table if one.name == field).refers_to if of else None
        if of in TABLES:
            assert isinstance(to, Reference), field
            assert to.kind == of
            assert to.path == TABLES[of].path


MEMBERS = re.compile(
    r"(Admin(?P<seller>UserGroup|User), or )?(?P<supplier>Supplier)?(?P<of>UserGroup|User) of (?P<by>\w+)"
)


@pytest.mark.parametrize("name", API["kinds"])
def test_a_group_or_a_user_is_one_of_the_company_that_the_api_says(name: str) -> None:
    for field, row in API["kinds"][name]["fields"].items():
        to = next((one for one in TABLES[name].table if one.name == field), None)
        if found := MEMBERS.match(row.get("ref", "")):
            word, company = (
                found["of"].removeprefix("User").lower() or "user",
                "supplier" if found["supplier"] else "buyer",
            )
            wanted = MemberReference(word, company, found["by"], or_seller=bool(found["seller"]))
            assert to
            assert to.refers_to == wanted, field
        elif to:
            assert not isinstance(to.refers_to, MemberReference), field


@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_what_is_written_together_names_each_other(kind: Kind) -> None:
    of = {one.name: one.together for one in kind.table if one.together}
    assert all(of.get(other) == name for name, other in of.items())


@pytest.mark.parametrize("known", TABLES.values(), ids=TABLES)
def test_every_field_says_what_it_is_and_where_that_is_documented(known: Kind) -> None:
    for one in known.table:
        assert one.description.endswith("."), one.name
        assert one.source or known.source, one.name
        assert one.examples or one.read_only, one.name
