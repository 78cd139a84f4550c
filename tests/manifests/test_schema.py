"""Schemas: that they are sound, that both judges agree, and in which words a fault is told."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from reconciler.config.settings import BASE_URLS
from reconciler.kinds import KINDS, Kind
from reconciler.kinds.fields import API_ROLES
from reconciler.kinds.secrecy import field_of
from reconciler.manifests.schema import Validator, closest, did_you_mean, read_schema, schema_path, validator

NAMES = ["api-client.v1.schema.json", "config.v1.schema.json"]
API_CLIENT = KINDS["ApiClient"]


def subschemas(schema: Any) -> Iterator[Mapping[str, Any]]:
    """A schema and all that is inside of it."""
    if isinstance(schema, dict):
        yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for member in schema:
            yield from subschemas(member)


def properties(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for each in subschemas(schema):
        if "type" in each or "additionalProperties" in each:
            yield from each.get("properties", {}).items()


def manifest(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "reconciler/v1",
        "kind": "ApiClient",
        "metadata": {"name": "a"},
        "spec": {"AppName": "A", **spec},
    }


# -- the schemas themselves --


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(read_schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_every_property_is_described_and_shown_by_an_example_or_a_default(name: str) -> None:
    for key, schema in properties(read_schema(name)):
        told = read_schema(name)["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
        assert told.get("description"), key
        told |= told.get("anyOf", [{}])[0]
        is_told_otherwise = {"examples", "default", "const", "enum", "readOnly", "properties"} & told.keys()
        assert is_told_otherwise, key


@pytest.mark.parametrize("name", NAMES)
def test_examples_and_defaults_fit_their_schema(name: str) -> None:
    whole = read_schema(name)
    for schema in subschemas(whole):
        judge = Draft202012Validator({**schema, "$defs": whole["$defs"]})
        for example in schema.get("examples", ()) if isinstance(schema.get("examples"), list) else ():
            judge.validate(example)
        if "default" in schema and isinstance(schema.get("description"), str):
            judge.validate(schema["default"])


@pytest.mark.parametrize("name", NAMES)
def test_no_mapping_takes_unknown_fields_but_those_that_are_the_users_own(name: str) -> None:
    for key, schema in [("", read_schema(name)), *properties(read_schema(name)), *read_schema(name)["$defs"].items()]:
        for each in (schema, *schema.get("anyOf", ())):
            if each.get("type") in ("object", ["object", "null"]):
                assert "additionalProperties" in each or key in {"xp", "values"}, key


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_schema_of_a_kind_has_the_fields_of_the_kind(kind: Kind) -> None:
    spec = read_schema(kind.schema)["$defs"]["spec"]
    writable = {name for name, schema in spec["properties"].items() if not schema.get("readOnly")}
    assert writable == kind.fields.keys() | kind.initial_fields.keys() | {field_of(path) for path in kind.secret_fields}
    assert spec["properties"].keys() - writable == kind.read_only & spec["properties"].keys()
    assert kind.has_chosen_ids or kind.name_field in spec["required"]


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_schema_of_a_kind_knows_its_roles_defaults_and_parties(kind: Kind) -> None:
    schema = read_schema(kind.schema)
    if kind.role_fields:
        assert frozenset(schema["$defs"]["role"]["anyOf"][0]["enum"]) == API_ROLES
    fields = schema["$defs"]["spec"]["properties"]
    assert {name for name in kind.fields if "#/$defs/role" in json.dumps(fields[name])} == kind.role_fields
    optional = {name: field.default for name, field in kind.fields.items() if not field.required}
    assert {name: fields[name]["default"] for name in optional} == optional
    parties = {level.name for level in kind.assignments.levels} if kind.assignments else set()
    assert schema["$defs"].get("assignments", {"properties": {}})["properties"].keys() == parties


def test_all_properties_of_the_api_reference_are_there() -> None:
    """The table of "Update an API client", and the duration of anonymous tokens that came after it."""
    written = (
        "ClientSecret AccessTokenDuration Active AppName RefreshTokenDuration DefaultContextUserName xp AllowAnyBuyer "
        "AllowAnySupplier AllowSeller IsAnonBuyer OrderCheckoutIntegrationEventID OrderReturnIntegrationEventID "
        "AddToCartIntegrationEventID MinimumRequiredRoles MinimumRequiredCustomRoles MaximumGrantedRoles "
        "MaximumGrantedCustomRoles AnonymousTokenDuration"
    )
    spec = read_schema(API_CLIENT.schema)["$defs"]["spec"]["properties"]
    assert {name for name, schema in spec.items() if not schema.get("readOnly")} == set(written.split())


def test_editors_accept_a_value_of_the_environment_where_the_loader_does_not() -> None:
    schema = read_schema(API_CLIENT.schema)
    document = manifest(AccessTokenDuration="${values.minutes}", Active="${values.active}", xp="${values.xp}")
    assert Draft202012Validator(schema).is_valid(document)
    assert [fault.pointer for fault in Validator(schema).faults(document)] == [
        "/spec/Active",
        "/spec/AccessTokenDuration",
        "/spec/xp",
    ]


def test_editors_complete_roles_and_neither_they_nor_the_schema_call_another_one_an_error() -> None:
    schema = read_schema(API_CLIENT.schema)
    document = manifest(MaximumGrantedRoles=["RoleOfTomorrow"])
    assert "FullAccess" in schema["$defs"]["role"]["anyOf"][0]["enum"]
    assert Draft202012Validator(schema).is_valid(document)
    assert Validator(schema).faults(document) == []


def test_the_schemas_are_found_in_a_wheel_as_well_as_in_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = schema_path(NAMES[0])
    assert checkout == Path(__file__).parents[2] / "schemas" / NAMES[0]
    monkeypatch.setattr("reconciler.manifests.schema._PACKAGE", tmp_path)
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / NAMES[0]).touch()
    assert schema_path(NAMES[0]) == tmp_path / "schemas" / NAMES[0]


# -- two judges, one verdict --

WORDS = st.sampled_from(
    ["", "a", "a\n", "A b", "Shopper", "merge", "absent", "reconciler/v1", "ApiClient", "/xp/a", "é"]
)
NUMBERS = st.sampled_from([0, 1, 9, 10, 600, 601, 10080, 86400, 86401, 524160, 524161, -1, 0.5, 10.5, 1e300, 10**30])
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3), max_leaves=6
)
FIELDS = st.sampled_from([*API_CLIENT.fields, *API_CLIENT.read_only, "AllowAnySeller"])
SPECS = st.dictionaries(FIELDS, VALUES, max_size=4).map(lambda spec: {"AppName": "A", **spec})
POLICIES = st.dictionaries(st.sampled_from(["fields", "ignore", "protected", "state", "x"]), VALUES, max_size=3)
METADATA = st.dictionaries(st.sampled_from(["name", "id", "labels", "x"]), VALUES, max_size=3)
MANIFESTS = st.fixed_dictionaries(
    {"apiVersion": st.just("reconciler/v1"), "kind": st.just("ApiClient"), "metadata": METADATA, "spec": SPECS},
    optional={"policy": POLICIES, "assignments": VALUES, "x": VALUES},
)


@given(VALUES | MANIFESTS)
def test_the_gate_is_never_laxer_and_never_stricter_than_the_explainer(document: Any) -> None:
    judge = validator(API_CLIENT.schema)
    explained = list(judge._explainer.iter_errors(document))
    errors = [fault for fault in judge.faults(document) if fault.severity == "error"]
    assert bool(errors) == bool(explained)
    assert "schema" not in {fault.rule for fault in errors}


@given(MANIFESTS)
def test_every_fault_points_into_the_document_and_is_told_once(document: Any) -> None:
    faults = validator(API_CLIENT.schema).faults(document)
    assert len(set(faults)) == len(faults)
    assert all(fault.message and (fault.pointer == "" or fault.pointer.startswith("/")) for fault in faults)


# -- words --


def told(schema: dict[str, Any], data: Any) -> list[str]:
    return [
        f"{fault.pointer} {fault.message}" + (f"; {fault.hint}" if fault.hint else "")
        for fault in Validator(schema).faults(data)
    ]


@pytest.mark.parametrize(
    ("schema", "data", "message"),
    [
        (
            {"type": "boolean"},
            "yes",
            "must be true or false, got a string; in YAML 1.2 yes, no, on and off are strings",
        ),
        ({"type": "boolean"}, "true", "must be true or false, got a string; write it without quotes"),
        ({"type": "integer"}, "12", "must be a whole number, got a string; write it without quotes"),
        ({"type": "integer"}, "twelve", "must be a whole number, got a string"),
        ({"type": "number"}, True, "must be a number, got true"),
        ({"type": "string"}, 12, "must be a string, got a number; put quotes around it"),
        (
            {"type": "string", "pattern": "^[0-9]+d$", "x-pattern": "a duration, such as 90d"},
            90,
            "must be a string, got a number; write a duration, such as 90d",
        ),
        ({"type": ["string", "null"]}, [], "must be a string or null, got a list"),
        ({"type": "array"}, "shop", "must be a list, got a string; write a list: [...]"),
        ({"type": "array"}, {}, "must be a list, got a mapping; start each entry with '- '"),
        ({"type": "object"}, None, "must be a mapping, got null"),
        ({"minimum": 1, "maximum": 5, "x-unit": "minutes"}, 0, "must be 1 to 5 (minutes), got 0"),
        ({"minimum": 1}, 0, "must be at least 1, got 0"),
        ({"maximum": 5}, 6, "must be at most 5, got 6"),
        ({"enum": ["merge", "exclusive"]}, "merg", "must be merge or exclusive, got merg; did you mean merge?"),
        ({"enum": [1, "two words"]}, {"a": 1}, 'must be 1 or "two words", got {"a": 1}'),
        ({"const": "v1"}, "v2", "must be v1, got v2"),
        ({"pattern": "^a$"}, "b", "must be of the form ^a$, got b"),
        ({"pattern": "^a$", "x-pattern": "the letter a"}, "a\n", 'must be the letter a, got "a\\n"'),
        ({"pattern": "^a$"}, "b" * 100, f"must be of the form ^a$, got {'b' * 57}..."),
        ({"maxLength": 2}, "abc", "must have at most 2 characters, has 3"),
        ({"minLength": 1}, "", "must not be empty"),
        ({"minItems": 1}, [], "must not be empty"),
        ({"maxProperties": 1, "properties": {"a": {}, "b": {}}}, {"a": 1, "b": 1}, "accepts only one of a or b"),
        ({"multipleOf": 2}, 3, "is invalid (schema keyword multipleOf)"),
        ({"anyOf": [{"type": "string"}, {"type": "object"}]}, 1, "must be a string or a mapping, got a number"),
        ({"anyOf": [{"title": "one"}, {"type": "object"}], "type": "object"}, 1, "must be a mapping, got a number"),
        (
            {"oneOf": [{"title": "a name", "type": "string"}, {"type": "null"}]},
            1,
            "must be a name or null, got a number",
        ),
        ({"anyOf": [{"type": "integer", "minimum": 5}, {"type": "null"}]}, 1, "must be at least 5, got 1"),
        ({"additionalProperties": False, "properties": {"a": {}}}, {"a:b": 1}, None),
    ],
)
def test_a_fault_is_told_in_plain_words(schema: dict[str, Any], data: Any, message: str | None) -> None:
    expected = (
        f" the document {message}" if message else " unknown field with a ':' in it; is a space missing after it?"
    )
    assert told(schema, data) == [expected]


def test_parts_are_named_by_their_key_and_their_position() -> None:
    schema = {"properties": {"roles": {"items": {"items": {"type": "string"}}, "uniqueItems": True}}}
    assert told(schema, {"roles": [["a", 1], ["b"], ["b"]]}) == [
        "/roles/0/1 roles[0][1] must be a string, got a number; put quotes around it",
        '/roles/2 roles lists ["b"] twice',
    ]


def test_names_that_are_no_names_are_told_at_the_name() -> None:
    schema = {"propertyNames": {"pattern": "^[a-z]+$", "x-pattern": "small letters"}}
    (fault,) = Validator(schema).faults({"Two words": 1})
    assert (fault.pointer, fault.at_key, fault.rule) == ("/Two words", True, "name")
    assert fault.message == 'the name "Two words" must be small letters'


@pytest.mark.parametrize(
    ("word", "choice"),
    [
        ("AllowAnySeller", "AllowSeller"),
        ("AllowAnyBuyers", "AllowAnyBuyer"),
        ("allowseller", "AllowSeller"),
        ("Accesstokenduration", "AccessTokenDuration"),
        ("TokenDuration", "AccessTokenDuration"),
        ("OrderCheckoutEventID", "OrderCheckoutIntegrationEventID"),
        ("DefaultContextUser", "DefaultContextUserName"),
        ("MaxGrantedRoles", "MaximumGrantedRoles"),
        ("Roles", None),
        ("Colour", None),
        ("", None),
        ("-", None),
    ],
)
def test_a_mistaken_name_is_taken_for_the_likeliest(word: str, choice: str | None) -> None:
    assert closest(word, API_CLIENT.fields) == choice
    assert did_you_mean(word, API_CLIENT.fields) == (f"did you mean {choice}?" if choice else "")


ENVIRONMENT = read_schema("config.v1.schema.json")["$defs"]["environment"]["properties"]


@pytest.mark.parametrize("word", ["baseUrl", "base_url", "BASE-URL", "apiUrl"])
def test_a_name_with_a_known_one_among_its_words_is_taken_for_that(word: str) -> None:
    assert closest(word, ENVIRONMENT) == "url"


@pytest.mark.parametrize("word", ["hashkey_name", "HashkeyName", "nameHashkey"])
def test_a_name_that_is_similar_goes_before_one_among_its_words(word: str) -> None:
    kind = KINDS["IntegrationEvent"]
    assert closest(word, [*kind.fields, *kind.secret_fields]) == "HashKey"


# -- the reference pages --

DOCS = Path(__file__).parents[2] / "docs"


def test_the_pages_on_manifests_name_every_field_and_its_range() -> None:
    page = "".join((DOCS / name).read_text() for name in ("manifest.md", "manifest-reference.md", "secrets.md"))
    for name, schema in properties(read_schema(API_CLIENT.schema)):
        assert schema.get("readOnly") or re.search(rf"`{name}`|^#+ (.*\.)?{name}$|\b{name}:", page, re.MULTILINE), name
        for choice in schema.get("anyOf", ()):
            span = f"{choice.get('minimum')} to {choice.get('maximum')}"
            assert "minimum" not in choice or re.search(rf"\| `{name}` \|[^|]* {span}\b", page), name


def test_the_pages_on_configuration_name_every_key_and_every_host() -> None:
    page = "".join((DOCS / name).read_text() for name in ("configuration.md", "configuration-reference.md"))
    for name, _ in properties(read_schema("config.v1.schema.json")):
        assert f"`{name}`" in page or f".{name}`" in page or f"{name}:" in page, name
    for (region, _), url in BASE_URLS.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{region}` |")]
        assert f"| {url.removeprefix('https://')} |" in row
