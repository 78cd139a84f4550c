"""The definitions of the emulator, compared with an independent one: each field according to SDKs and documents.

That one is `tests/kinds/api.json`; the reconciler's own tables are compared with it too.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.emulator.calls import FULL_ACCESS
from reconciler.emulator.rows import kinds_of, rows_of, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconciler.emulator import Profile
    from reconciler.emulator.fields import Field

API = json.loads((Path(__file__).parents[1] / "kinds" / "api.json").read_text("utf-8"))
OLDER = 260  # the last part of the version of the legacy generation
PLAIN = {"config": "object", "xp": "object", "roles": "ApiRole[]", "strings": "string[]"}
# Deliberate differences with their reasons. The last part of a key is what differs.
DIFFERENT = {
    ("SecurityProfile", "IsExternalRoleGroup", "gone"): "absent from the newest document, and shown by earlier ones",
    ("XpIndex", "ThingType", "required"): "marked nowhere; a pair without it means nothing",
    ("XpIndex", "Key", "required"): "likewise",
    ("Locale", "OwnerID (I)", "immutable"): "inferred; a change is ignored, and not refused",
}


def fields_of(kind: str, profile: Profile) -> dict[str, Field]:
    """The fields of a kind in one generation; empty if it does not have the kind."""
    row, table = kinds_of(profile).get(kind), tables_of(profile).get(kind)
    return {field.name: field for field in (row.fields if row else table.columns if table else ())}


def described(field: Field) -> dict[str, Any]:
    """A field in the format of api.json."""
    is_text = field.kind == "string"
    found = {
        "required": field.required,
        "readOnly": field.read_only,
        "secret": field.write_only,
        "enum": sorted(field.choices),
        "maxLength": field.maximum if is_text else None,
        "minimum": None if is_text else field.minimum,
        "maximum": None if is_text else field.maximum,
        "refers": field.reference is not None,
    }
    return found | ({} if field.choices or field.fields else {"type": PLAIN.get(field.kind, field.kind)})


def wanted(theirs: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": theirs["type"],
        "required": theirs.get("required", False),
        "readOnly": theirs.get("readOnly", False),
        "secret": theirs.get("secret") == "write-only",
        "enum": sorted(theirs.get("enum") or ()),
        "maxLength": theirs.get("maxLength"),
        "minimum": theirs.get("minimum"),
        "maximum": theirs.get("maximum"),
        "refers": "ref" in theirs,
    }


def differences(owner: str, ours: Field, theirs: dict[str, Any]) -> Iterator[str]:
    right = wanted(theirs)
    for key, left in described(ours).items():
        if left != right[key] and (owner, ours.name, key) not in DIFFERENT:
            yield f"{owner}.{ours.name}: {key} is {left}, not {right[key]}"
    if ours.fields:
        record = theirs["type"].removesuffix("[]")
        yield from record_differences(record, ours.fields)


def record_differences(record: str, ours: Sequence[Field]) -> Iterator[str]:
    theirs = {name: one for name, one in API["records"][record].items() if not one.get("gone")}
    if {one.name for one in ours} != theirs.keys():
        yield f"{record} has other fields"
    for one in ours:
        yield from differences(record, one, theirs[one.name])


def is_since(one: dict[str, Any], version: int) -> bool:
    return int(str(one.get("since", "0")).rpartition(".")[2]) <= version


@pytest.mark.parametrize("kind", API["kinds"])
def test_the_fields_of_a_kind_are_those_of_the_api(kind: str) -> None:
    theirs = API["kinds"][kind]["fields"]
    found = [
        each for name, ours in fields_of(kind, "current").items() for each in differences(kind, ours, theirs[name])
    ]
    assert found == []


@pytest.mark.parametrize("kind", API["kinds"])
def test_each_generation_has_the_fields_of_its_version(kind: str) -> None:
    theirs = {name: one for name, one in API["kinds"][kind]["fields"].items() if name != "ID"}
    now = {name for name, one in theirs.items() if not one.get("gone") or (kind, name, "gone") in DIFFERENT}
    assert fields_of(kind, "current").keys() == now
    assert fields_of(kind, "legacy").keys() == {name for name, one in theirs.items() if is_since(one, OLDER)}


@pytest.mark.parametrize("kind", API["kinds"])
def test_a_kind_has_the_path_and_roles_of_the_api(kind: str) -> None:
    theirs, table = API["kinds"][kind], tables_of("current").get(kind)
    rows = [table] if table else [row for row in rows_of("current") if row.kind == kind]
    for row in rows:
        assert row.path.removeprefix("/v1") == theirs["path"].lower().replace("{entity}", getattr(row, "singleton", ""))
        assert {*row.read_roles} - {FULL_ACCESS} == {*theirs["readers"]}
        assert {*row.write_roles} - {FULL_ACCESS} == {*theirs["writers"]}
    immutable = {name for name in theirs["immutable"] if (kind, name, "immutable") not in DIFFERENT}
    assert {name for name, one in fields_of(kind, "current").items() if one.fixed} == immutable


@pytest.mark.parametrize("kind", API["kinds"])
def test_a_reference_has_the_kinds_of_the_api(kind: str) -> None:
    for name, field in fields_of(kind, "current").items():
        if field.reference:
            named = API["kinds"][kind]["fields"][name]["ref"]
            assert all(each in named for each in (field.reference.kind, *(each for _, each in field.reference.owners)))
