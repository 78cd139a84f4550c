"""Every endpoint of the emulator, driven and compared with Sitecore's OpenAPI document.

The document is not part of this repository (`GET {base}/v1/openapi/v3` of the service serves it to anybody): name the
file in the environment variable OPENAPI_SPEC. Without it the operations are driven, and the comparison is skipped.
Version 1.0.260 is the newest that Sitecore itself has published in a repository, so what came or went later is listed
here by name, beside what the emulator adds on purpose.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.emulator.clients import client_row
from reconciler.emulator.neighbours import ROWS
from reconciler.emulator.routes import all_routes

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

# Differences, all deliberate.
LATER_FIELDS = {
    "AnonymousTokenDuration": "since 1.0.393",
    "DeliveryConfigID": "of webhooks, after 1.0.260",
    "CustomAuthHeaderName": "of webhooks and integration events, after 1.0.260",
    "CustomAuthHeaderValue": "likewise",
    "LastActive": "of users, since 1.0.393",
    "FailedLoginAttempts": "of users, since 1.0.412",
    "IsExternalRoleGroup": "of security profiles, since 1.0.432",
    "FutureFlag": "the emulator's own, settable",
}
REMOVED_FIELDS = {
    "ClientSecret": "gone by 1.0.470",
}
LATER_OPERATIONS = {
    "/apiclients/{apiClientID}/secrets": "since 1.0.368",
    "/apiclients/{apiClientID}/secrets/{secretID}": "since 1.0.368",
    "/integrations/subscription": "after 1.0.260",
}
NOT_OF_THE_API = {
    "/oauth/": "the login, which the document leaves out",
    "/v1/openapi/": "the document itself",
    "/_emulator/": "the emulator's own",
}

MINE = "0f0f0f0f-0000-4000-8000-00000000000a"
WHOLE = {
    "AppName": "Contract",
    "AccessTokenDuration": 60,
    "Active": True,
    "RefreshTokenDuration": 0,
    "DefaultContextUserName": "shopper",
    "xp": {"a": [1, None]},
    "AllowAnyBuyer": False,
    "AllowAnySupplier": True,
    "AllowSeller": False,
    "IsAnonBuyer": True,
    "OrderCheckoutIntegrationEventID": "OrderCheckout-Event",
    "OrderReturnIntegrationEventID": "OrderReturn-Event",
    "AddToCartIntegrationEventID": "AddToCart-Event",
    "MinimumRequiredRoles": ["Shopper"],
    "MinimumRequiredCustomRoles": [],
    "MaximumGrantedRoles": ["Shopper", "MeAdmin"],
    "MaximumGrantedCustomRoles": ["vip"],
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One documented operation with an example; `path` is the documented template."""

    method: str
    path: str
    status: int
    body: dict[str, Any] | None = None
    query: str = ""

    def url(self) -> str:
        known = {"apiClientID": MINE, "secretID": "s1", "buyerID": "Acme", "supplierID": "tools"}
        if self.path in {"/buyers/{buyerID}", "/suppliers/{supplierID}"}:
            known = {}  # one of its own, not the one that others belong to
        return "/v1" + re.sub(r"\{(\w+)\}", lambda name: known.get(name[1], "mine"), self.path) + self.query


CLIENTS, CLIENT = "/apiclients", "/apiclients/{apiClientID}"
ASSIGNMENTS, SECRETS = CLIENTS + "/assignments", CLIENT + "/secrets"
SECRET = SECRETS + "/{secretID}"
CLIENT_OPERATIONS = (  # in this order: each finds what the ones before it have left
    Operation("PUT", CLIENT, 200, WHOLE),  # creates
    Operation("PUT", CLIENT, 200, WHOLE),
    Operation("GET", CLIENT, 200),
    Operation("PATCH", CLIENT, 200, {"xp": {"b": 2}, "Active": None}),
    Operation("POST", CLIENTS, 201, WHOLE),
    Operation("GET", CLIENTS, 200, query="?search=contract&searchOn=AppName&sortBy=!ID&page=1&pageSize=2&ID=!x"),
    Operation("POST", ASSIGNMENTS, 204, {"ApiClientID": MINE, "BuyerID": "Acme"}),
    Operation("POST", ASSIGNMENTS, 204, {"ApiClientID": MINE, "SupplierID": "tools"}),
    Operation("GET", ASSIGNMENTS, 200, query=f"?apiClientID={MINE}&buyerID=Acme&page=1&pageSize=10"),
    Operation("DELETE", "/buyers/{buyerID}/ApiClients/Assignments/{apiClientID}", 204),
    Operation("DELETE", "/suppliers/{supplierID}/ApiClients/Assignments/{apiClientID}", 204),
    Operation("POST", SECRETS, 201, {"ID": "s1", "Name": "s"}),
    Operation("GET", SECRETS, 200, query="?sortBy=ID"),
    Operation("GET", SECRET, 200),
    Operation("PATCH", SECRET, 200, {"Name": "t"}),
    Operation("DELETE", SECRET, 204),
    Operation("DELETE", CLIENT, 204),
)


def neighbour(path: str, name: str, body: dict[str, Any], patch: dict[str, Any]) -> tuple[Operation, ...]:
    """Give all operations on a resource around API clients, in an order in which each finds what it needs."""
    one = f"{path}/{{{name}}}"
    return (
        Operation("PUT", one, 200, body),  # creates
        Operation("PUT", one, 200, body),
        Operation("GET", one, 200),
        Operation("PATCH", one, 200, patch),
        Operation("POST", path, 201, {**body, **_another_name(body)}),
        Operation("GET", path, 200, query="?sortBy=ID&page=1&pageSize=2&ID=!x"),
        Operation("DELETE", one, 204),
    )


def _another_name(body: dict[str, Any]) -> dict[str, Any]:
    """User names are unique in a marketplace."""
    return {"Username": body["Username"] + "-2"} if "Username" in body else {}


PERSON = {
    "Username": "contract",
    "Password": "Password-1234",
    "FirstName": "A",
    "LastName": "B",
    "Email": "a@example.com",
    "Phone": "1",
    "TermsAccepted": "2026-01-01T00:00:00+00:00",
    "Active": True,
    "xp": {"a": 1},
}
EVENT = {
    "Name": "E",
    "EventType": "OrderReturn",
    "CustomImplementationUrl": "https://x.example/y",
    "HashKey": "h",
    "ElevatedRoles": ["FullAccess"],
    "ConfigData": {"a": 1},
}
WEBHOOK = {
    "Name": "W",
    "Description": "d",
    "Url": "https://x.example/y",
    "HashKey": "h",
    "ElevatedRoles": ["FullAccess"],
    "ConfigData": {"a": 1},
    "BeforeProcessRequest": True,
    "ApiClientIDs": ["e5a05785-caff-4f7d-9cc3-758f13865fc3"],
    "WebhookRoutes": [{"Route": "v1/orders", "Verb": "POST"}],
}
COMPANY = {"Name": "C", "Active": True, "xp": {"a": 1}}
PROFILE = {"Name": "P", "Roles": ["Shopper"], "CustomRoles": ["vip"], "PasswordConfig": None}
IMPERSONATION = {"ClientID": "e5a05785-caff-4f7d-9cc3-758f13865fc3", "SecurityProfileID": "reading", "BuyerID": "Acme"}
SUBSCRIPTION = {"ApiClientID": ADMIN_CLIENT_ID, "HashKey": "h"}
NEIGHBOUR_OPERATIONS = (
    *neighbour("/integrationEvents", "integrationEventID", EVENT, {"Name": "F"}),
    *neighbour("/webhooks", "webhookID", WEBHOOK, {"ApiClientIDs": []}),
    *neighbour("/buyers", "buyerID", COMPANY | {"DefaultCatalogID": "c"}, {"Active": False}),
    *neighbour("/suppliers", "supplierID", COMPANY | {"AllBuyersCanOrder": True}, {"xp": {"b": 2}}),
    *neighbour("/adminusers", "userID", PERSON, {"Active": False}),
    *neighbour("/buyers/{buyerID}/users", "userID", PERSON | {"Username": "buying"}, {"Phone": None}),
    *neighbour("/suppliers/{supplierID}/users", "userID", PERSON | {"Username": "supplying"}, {"LastName": "C"}),
    *neighbour("/securityprofiles", "securityProfileID", PROFILE, {"Roles": []}),
    *neighbour("/impersonationconfig", "impersonationConfigID", IMPERSONATION, {"BuyerID": None}),
    Operation("GET", "/buyerusers", 200, query="?search=s&searchOn=Username"),
    Operation("GET", "/securityprofiles/assignments", 200, query="?buyerID=acme"),
    Operation("GET", "/me", 200),
    Operation("PUT", "/integrations/subscription", 200, SUBSCRIPTION),
    Operation("GET", "/integrations/subscription", 200),
    Operation("PATCH", "/integrations/subscription", 200, {"Active": True}),
    Operation("DELETE", "/integrations/subscription", 204),
)
OPERATIONS = (*CLIENT_OPERATIONS, *NEIGHBOUR_OPERATIONS)


def drive(admin: httpx.Client) -> list[tuple[Operation, httpx.Response]]:
    return [(each, admin.request(each.method, each.url(), json=each.body)) for each in OPERATIONS]


@pytest.fixture(params=["current", "legacy"])
def profile(request: pytest.FixtureRequest) -> str:
    """One API generation after the other."""
    return str(request.param)


@pytest.fixture
def driven(
    profile: str, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> list[tuple[Operation, httpx.Response]]:
    """All operations with their answers."""
    return drive(login(emulate(profile=profile)))


@pytest.fixture
def spec() -> dict[str, Any]:
    """Sitecore's document, prepared: any property may be null, and no other property may appear."""
    path = os.environ.get("OPENAPI_SPEC")
    if not path:
        pytest.skip("OPENAPI_SPEC names no OpenAPI document to compare with")
    document: dict[str, Any] = json.loads(Path(path).read_text("utf-8"))
    for schema in document["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
            schema["properties"] = {name: _or_null(each) for name, each in schema["properties"].items()}
    return document


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [{"type": "null"}, schema]}


def without(body: Any, names: dict[str, str]) -> Any:
    if isinstance(body, dict):
        return {name: without(value, names) for name, value in body.items() if name not in names}
    return [without(item, names) for item in body] if isinstance(body, list) else body


def complain(spec: dict[str, Any], content: dict[str, Any], body: object) -> list[str]:
    schema = content["application/json"]["schema"] | {"components": spec["components"]}
    return [error.message for error in Draft202012Validator(schema).iter_errors(body)]


def test_every_operation_answers_its_documented_status(driven: list[tuple[Operation, httpx.Response]]) -> None:
    assert [answer.status_code for _, answer in driven] == [each.status for each in OPERATIONS]
    assert len({(each.method, each.path) for each in CLIENT_OPERATIONS}) == 15


def shape(method: str, path: str) -> tuple[str, str]:
    """What a path is but for its case and the names of its variables."""
    return method, re.sub(r"\{\w+\}", "{}", path.lower())


def test_every_endpoint_of_the_emulator_is_driven() -> None:
    served = {
        shape(route.method, route.path.removeprefix("/v1"))
        for route in all_routes("current")
        if not route.path.startswith(tuple(NOT_OF_THE_API))
    }
    assert served == {shape(each.method, each.path) for each in OPERATIONS}


def test_every_operation_is_in_the_document(spec: dict[str, Any]) -> None:
    documented = {(verb.upper(), path) for path, verbs in spec["paths"].items() for verb in verbs}
    ours = {(each.method, each.path) for each in OPERATIONS if each.path not in LATER_OPERATIONS}
    about_clients = {pair for pair in documented if "apiclients" in pair[1].lower()}
    assert ours <= documented
    assert about_clients <= ours


def test_every_request_is_as_the_document_says(spec: dict[str, Any]) -> None:
    sent = [each for each in OPERATIONS if each.body is not None and each.path not in LATER_OPERATIONS]
    for each in sent:
        documented = spec["paths"][each.path][each.method.lower()]["requestBody"]
        assert complain(spec, documented["content"], each.body) == [], each


def test_every_answer_is_as_the_document_says(
    spec: dict[str, Any], driven: list[tuple[Operation, httpx.Response]]
) -> None:
    for each, answer in driven:
        if each.path in LATER_OPERATIONS:
            continue
        documented = spec["paths"][each.path][each.method.lower()]["responses"]
        [(status, response)] = documented.items()
        assert answer.status_code == int(status), each
        if answer.content:
            assert complain(spec, response["content"], without(answer.json(), LATER_FIELDS)) == [], each


def test_an_answer_holds_every_documented_field_of_a_client(spec: dict[str, Any], legacy: httpx.Client) -> None:
    shown = set(legacy.get("/v1/apiclients").json()["Items"][0])
    documented = set(spec["components"]["schemas"]["ApiClient"]["properties"])
    ours = {field.name for field in client_row("current").fields if not field.write_only} | {"ID"}
    assert shown == documented | {"AnonymousTokenDuration", "FutureFlag"}
    assert shown - ours == set(REMOVED_FIELDS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: str(row.kind))
def test_a_neighbour_has_the_documented_fields(spec: dict[str, Any], row: Any) -> None:
    kind = "User" if row.kind.endswith("User") else row.kind
    ours = {"ID", *(field.name for field in row.fields)} - set(LATER_FIELDS)
    assert ours == set(spec["components"]["schemas"][kind]["properties"])


@pytest.mark.parametrize("row", [*ROWS, client_row("current")], ids=lambda row: str(row.kind))
def test_a_list_sorts_and_searches_by_every_documented_field(spec: dict[str, Any], row: Any) -> None:
    paths = {path.lower(): verbs for path, verbs in spec["paths"].items()}
    path = row.path.removeprefix("/v1").lower().replace("{parent}", f"{{{str(row.parent).lower()}id}}")
    parameters = {each["name"]: each["schema"]["items"]["enum"] for each in _choices(paths[path]["get"])}
    assert {*row.searchable} == {*parameters["searchOn"]}
    assert {*row.sortable} == {name for name in parameters["sortBy"] if not name.startswith("!")}


def _choices(operation: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in operation["parameters"] if each["name"] in {"searchOn", "sortBy"}]
