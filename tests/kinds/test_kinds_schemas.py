"""The schemas that are made of the tables: sound, complete, and as strict as the tables say."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.kinds import Kind
from reconciler.manifests.schema import Validator
from tests.kinds.test_kinds_api import TABLES
from tools.schemas import schema


def manifest(kind: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "reconciler/v1", "kind": kind, "metadata": {"name": "a"}, "spec": spec}


def found(kind: str, **spec: Any) -> list[str]:
    return [f"{one.pointer} {one.message}" for one in Validator(schema(TABLES[kind])).faults(manifest(kind, **spec))]


@pytest.mark.sample(7)
@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_the_examples_of_a_table_are_a_manifest_that_fits_its_schema(kind: Kind) -> None:
    made = schema(kind)
    Draft202012Validator.check_schema(made)
    examples = {one.name: one.examples[0] for one in kind.table if one.examples}
    assert Validator(made).faults(manifest(kind.name, **examples)) == []
    assert Draft202012Validator(made).is_valid(manifest(kind.name, **examples))


@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_a_field_that_the_service_makes_has_no_place_in_a_manifest(kind: Kind) -> None:
    for name in (one.name for one in kind.table if one.read_only):
        assert f"/spec/{name} {name} is read-only: remove it" in found(kind.name, **{name: "a"})


@pytest.mark.parametrize("kind", TABLES.values(), ids=TABLES)
def test_a_schema_holds_no_part_that_nothing_refers_to(kind: Kind) -> None:
    text = json.dumps(schema(kind))
    assert all(f'"#/$defs/{name}"' in text for name in schema(kind)["$defs"])


def test_a_schema_is_as_strict_as_its_table() -> None:
    assert found("Webhook", Url="http://a.example.com") == [
        '/spec/Url Url must be a URL that starts with https://, got "http://a.example.com"'
    ]
    assert found("Webhook", HashKey="planted") == ["/spec/HashKey HashKey must be a mapping or null, got a string"]
    assert found("IntegrationEvent", EventType="Checkout", Name=None) == [
        "/spec/Name Name must be a string, got null",
        "/spec/EventType EventType must be OrderCheckout, OpenIDConnect, OrderReturn or AddToCart, got Checkout",
    ]
    assert found("SecurityProfile", PasswordConfig={"MinimumCharacterCount": 8, "Length": 12}) == [
        "/spec/PasswordConfig/Length unknown field Length",
        "/spec/PasswordConfig/MinimumCharacterCount MinimumCharacterCount must be at least 10, got 8",
    ]
    assert found("Webhook", WebhookRoutes=[{"Route": "v1/me"}]) == ["/spec/WebhookRoutes/0 Verb is missing"]


def test_editors_accept_a_value_of_the_environment_where_the_loader_does_not() -> None:
    spec = {"EventType": "${values.type}", "ConfigData": "${values.data}"}
    assert Draft202012Validator(schema(TABLES["IntegrationEvent"])).is_valid(manifest("IntegrationEvent", **spec))
    assert len(found("IntegrationEvent", **spec)) == len(spec)
