"""The official JavaScript SDK: it drives every operation of the emulator, and its types say which fields a kind has.

`make contract` installs it, and names the folder in JUDGES; without it these tests are skipped.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, running
from reconciler.emulator.fields import Field
from reconciler.emulator.fields import fields_of as fields_for
from reconciler.emulator.rows import delivery, rows_of, tables_of
from reconciler.emulator.rows.parties import PASSWORD_FIELDS
from reconciler.kinds import KINDS
from tests.emulator.conftest import ASSIGNMENTS, OBJECTS
from tests.emulator.operations import OPERATIONS as ALL_OPERATIONS
from tests.emulator.operations import Operation
from tests.emulator.test_emulator_contract import shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FOLDER = os.environ.get("JUDGES", "")
PACKAGE = Path(FOLDER) / "node_modules" / "ordercloud-javascript-sdk"
SCRIPT = Path(__file__).parent / "sdk.js"
pytestmark = pytest.mark.skipif(not PACKAGE.is_dir(), reason="the JavaScript SDK is not in the folder JUDGES")

# Differences, all deliberate, each with its reason.
OURS_ALONE = {
    "FutureFlag": "no document has it: a field that the tool must carry over although it does not know it",
}
UNSUFFIXED = {"SearchIngestion", "SendEvent", "DiscoverEvent"}
"""Delivery targets whose model is not called `...Config`."""
DIFFERENT = {
    ("ApiClient", "ClientSecret"): "gone in 1.0.470, which is newer than this SDK: neither read nor written there",
}
_KEPT = "a secret that a manifest does not name is kept, so that it is not required"
_GONE = "gone in 1.0.470, and kept for older services"
_REQUIRED = "required: the OpenAPI document demands it in a PUT, and the type of a body does not"
TABLE_DIFFERENT = {
    ("IntegrationEvent", "EventType"): "required: what the API takes in its place is documented nowhere",
    ("IntegrationEvent", "HashKey"): _KEPT,
    ("OpenIdConnect", "ConnectClientSecret"): _KEPT,
    ("MessageSender", "URL"): _GONE,
    ("MessageSender", "SharedKey"): _GONE,
    ("Locale", "OwnerID"): "read-only: the service sets it",
    ("SubscriptionIntegration", "ApiClientID"): _REQUIRED,
    ("ProductSync", "DeliveryConfigID"): _REQUIRED,
    ("ProductSync", "SyncProductChanged"): _REQUIRED,
    ("ProductSync", "SyncProductDeleted"): _REQUIRED,
    ("EntitySync", "DeliveryConfigID"): _REQUIRED,
    ("EntitySync", "SyncEntityChanged"): _REQUIRED,
    ("EntitySync", "SyncEntityDeleted"): _REQUIRED,
    ("OrderSync", "DeliveryConfigID"): _REQUIRED,
    ("InventoryIntegration", "DeliveryConfigID"): _REQUIRED,
    ("Incrementor", "LastNumber"): "sent when it is created, and never compared nor written again",
}
OPERATIONS = [each for each in ALL_OPERATIONS if not each.path.endswith("/catalogs")]
"""Without the sync of catalogs, which came with 1.0.454, after this SDK."""
COLLECTIONS = {
    "/apiclients": "ApiClients",
    "/apiclients/{}/secrets": "ApiClients",
    "/integrationevents": "IntegrationEvents",
    "/webhooks": "Webhooks",
    "/buyers": "Buyers",
    "/suppliers": "Suppliers",
    "/adminusers": "AdminUsers",
    "/buyers/{}/users": "Users",
    "/suppliers/{}/users": "SupplierUsers",
    "/securityprofiles": "SecurityProfiles",
    "/impersonationconfig": "ImpersonationConfigs",
    "/usergroups": "AdminUserGroups",
    "/buyers/{}/usergroups": "UserGroups",
    "/suppliers/{}/usergroups": "SupplierUserGroups",
    "/integrations/deliveryconfig": "DeliveryConfigurations",
    "/integrations/trackingevents": "TrackingEvents",
    "/messagesenders": "MessageSenders",
    "/openidconnects": "OpenIdConnects",
    "/locales": "Locales",
    "/approvalrules": "SellerApprovalRules",
    "/productfacets": "ProductFacets",
    "/incrementors": "Incrementors",
}
OF_A_LIST = {"GET": "List", "POST": "Create"}
OF_ONE = {"GET": "Get", "PUT": "Save", "PATCH": "Patch", "DELETE": "Delete"}
MEMBERSHIPS = {
    (verb, f"{path}{below}"): (resource, name)
    for path, resource in COLLECTIONS.items()
    if path.endswith("usergroups")
    for verb, below, name in (
        ("GET", "/assignments", "ListUserAssignments"),
        ("POST", "/assignments", "SaveUserAssignment"),
        ("DELETE", "/{}/assignments/{}", "DeleteUserAssignment"),
    )
}
SINGLETONS = {
    "subscription": "SubscriptionIntegrations",
    "productsync": "ProductSynchronization",
    "ordersync": "OrderSynchronization",
    "errorconfig": "ErrorConfigs",
    "inventory": "InventoryIntegrations",
    "promotion": "PromotionIntegrations",
}
READING = {"GET", "PATCH"}
ENTITIES = {  # what the SDK calls them where it gets and patches, and where it saves and deletes
    "adminusers": ("AdminUsers", "AdminUsers"),
    "buyers": ("Buyers", "Buyers"),
    "buyers/usergroups": ("BuyerUserGroups", "UserGroups"),
    "buyers/users": ("BuyerUsers", "BuyerUsers"),
    "categories": ("Categories", "Categories"),
    "products/inventoryrecords": ("InventoryRecords", "InventoryRecords"),
    "suppliers": ("Suppliers", "Suppliers"),
    "suppliers/users": ("SupplierUsers", "SupplierUsers"),
}
SPECIAL = {
    ("GET", "/apiclients/assignments"): ("ApiClients", "ListAssignments"),
    ("POST", "/apiclients/assignments"): ("ApiClients", "SaveAssignment"),
    ("DELETE", "/buyers/{}/apiclients/assignments/{}"): ("ApiClients", "DeleteBuyerAssignment"),
    ("DELETE", "/suppliers/{}/apiclients/assignments/{}"): ("ApiClients", "DeleteSupplierAssignment"),
    **MEMBERSHIPS,
    ("GET", "/buyerusers"): ("Users", "ListAcrossBuyers"),
    ("GET", "/me"): ("Me", "Get"),
    ("GET", "/messagesenders/cclistenerassignments"): ("MessageSenders", "ListCCListenerAssignments"),
    ("POST", "/messagesenders/cclistenerassignments"): ("MessageSenders", "SaveCCListenerAssignment"),
    ("GET", "/xpindices"): ("XpIndices", "List"),
    ("PUT", "/xpindices"): ("XpIndices", "Put"),
    ("DELETE", "/xpindices/{}/{}"): ("XpIndices", "Delete"),
    **{
        (verb, f"/{resource.lower()}{below}"): (resource, name)
        for resource in ("SecurityProfiles", "MessageSenders", "Locales")
        for verb, below, name in (
            ("GET", "/assignments", "ListAssignments"),
            ("POST", "/assignments", "SaveAssignment"),
            ("DELETE", "/{}/assignments", "DeleteAssignment"),
        )
    },
    **{
        (verb, f"/integrations/{path}"): (resource, name)
        for path, resource in SINGLETONS.items()
        for verb, name in OF_ONE.items()
    },
    **{
        (verb, f"/integrations/entitysync/{path}"): (
            "EntitySynchronization",
            name + (noun if verb in READING else plain),
        )
        for path, (noun, plain) in ENTITIES.items()
        for verb, name in OF_ONE.items()
    },
}
MODELS = {
    "ApiClients": "ApiClient",
    "IntegrationEvents": "IntegrationEvent",
    "Webhooks": "Webhook",
    "Buyers": "Buyer",
    "Suppliers": "Supplier",
    "AdminUsers": "User",
    "Users": "User",
    "SupplierUsers": "User",
    "SecurityProfiles": "SecurityProfile",
    "ImpersonationConfigs": "ImpersonationConfig",
    "AdminUserGroups": "UserGroup",
    "UserGroups": "UserGroup",
    "SupplierUserGroups": "UserGroup",
    "DeliveryConfigurations": "DeliveryConfig",
    "TrackingEvents": "TrackingEvent",
    "MessageSenders": "MessageSender",
    "OpenIdConnects": "OpenIdConnect",
    "Locales": "Locale",
    "SellerApprovalRules": "SellerApprovalRule",
    "ProductFacets": "ProductFacet",
    "Incrementors": "Incrementor",
    "XpIndices": "XpIndex",
    "ProductSynchronization": "ProductSyncConfig",
    "OrderSynchronization": "OrderSyncConfig",
    "EntitySynchronization": "EntitySyncConfig",
    "ErrorConfigs": "ErrorConfig",
    "InventoryIntegrations": "InventoryIntegration",
    "PromotionIntegrations": "PromotionIntegration",
    "ProductSyncs": "ProductSyncConfig",
    "OrderSyncs": "OrderSyncConfig",
    "EntitySyncs": "EntitySyncConfig",
    "SubscriptionIntegrations": "SubscriptionIntegration",
    "Me": "MeUser",
    "AdminUserGroupAssignment": "UserGroupAssignment",
    "SupplierUserGroupAssignment": "UserGroupAssignment",
}


def method_of(each: Operation) -> tuple[str, str]:
    """The resource and the method of the SDK that an operation is."""
    verb, path = shape(each.method, each.path)
    if (verb, path) in SPECIAL:
        return SPECIAL[verb, path]
    if path in COLLECTIONS:
        name = OF_A_LIST[verb]
    else:
        path, name = path.removesuffix("/{}"), OF_ONE[verb]
    noun = "Secret" if path.endswith("secrets") else ""
    return COLLECTIONS[path], name + (noun + "s" if noun and name == "List" else noun)


def call(each: Operation) -> dict[str, Any]:
    """The operation as a call of the SDK: the variables of its path, its body, its query."""
    resource, method = method_of(each)
    template, filled = each.path.split("/"), each.url().partition("?")[0].removeprefix("/v1").split("/")
    args: list[Any] = [value for part, value in zip(template, filled, strict=True) if part.startswith("{")]
    if method in {"DeleteBuyerAssignment", "DeleteSupplierAssignment"}:
        args.reverse()  # the client comes first
    if each.body is not None:
        args.append(each.body)
    if method.startswith("List") or each.query:
        args.append(options(each.query))
    return {"resource": resource, "method": method, "args": args}


def options(query: str) -> dict[str, Any]:
    """A query as the SDK takes it: filters by themselves."""
    pairs = dict(httpx.QueryParams(query.lstrip("?")))
    known = {"search", "searchOn", "sortBy", "page", "pageSize", "level", "commerceRole"}
    known |= {"apiClientID", "buyerID", "userGroupID", "userID", "messageSenderID", "localeID"}
    filters = {name: pairs.pop(name) for name in [*pairs] if name not in known}
    return {**pairs, **({"filters": filters} if filters else {})}


@pytest.fixture
def base_url(tmp_path: Path) -> Iterator[str]:
    """An emulator over a socket, with the seed that the other judges have."""
    seed = tmp_path / "seed.json"
    seed.write_text(json.dumps({"Objects": OBJECTS, "Assignments": ASSIGNMENTS}))
    emulator = Emulator(Settings(seed=seed))
    with running(emulator) as url:
        yield url
    emulator.close()


def run(base_url: str, *calls: dict[str, Any]) -> list[dict[str, Any]]:
    """Log in, make the calls, and give what came of each."""
    login = {"resource": "Auth", "method": "ClientCredentials", "args": [ADMIN_CLIENT_SECRET, ADMIN_CLIENT_ID]}
    command = ["node", str(SCRIPT), FOLDER, base_url]
    done = subprocess.run(command, input=json.dumps([login, *calls]), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    results: list[dict[str, Any]] = json.loads(done.stdout)
    first = results.pop(0)
    assert first["value"]["token_type"] == "bearer"
    return results


def test_the_sdk_drives_every_operation(base_url: str) -> None:
    results = run(base_url, *map(call, OPERATIONS))
    failed = [(method_of(each), result) for each, result in zip(OPERATIONS, results, strict=True) if "error" in result]
    assert failed == []
    seen = httpx.get(f"{base_url}/_emulator/requests").json()["requests"][1:]
    assert [(one["method"], one["path"].lower()) for one in seen] == [
        (each.method, each.url().partition("?")[0].lower()) for each in OPERATIONS
    ]
    assert [one["status"] for one in seen] == [each.status for each in OPERATIONS]


def test_answers_have_the_declared_fields_and_no_others(base_url: str) -> None:
    results = run(base_url, *map(call, OPERATIONS))
    for each, result in zip(OPERATIONS, results, strict=True):
        resource, method = method_of(each)
        items = result.get("value") or {}
        if method in {"List", "Create", "Get", "Save", "Patch"}:
            declared = fields_of(MODELS[resource]).keys()
            for item in items["Items"] if method == "List" else [items]:
                assert item.keys() - OURS_ALONE.keys() <= declared, (resource, method)


def test_what_is_missing_is_an_error_that_the_sdk_understands(base_url: str) -> None:
    missing = [call(each) for each in OPERATIONS if method_of(each)[1] == "Get" and "{" in each.path]
    for one in missing:
        one["args"][-1] = "nowhere"
    results = run(base_url, *missing)
    assert {(one["error"], one["status"], one["code"]) for one in results} == {("OrderCloudError", 404, "NotFound")}
    assert all("nowhere" in one["message"] for one in results)


# -- the declarations --


@dataclass(frozen=True, slots=True)
class Declared:
    """One member of an interface."""

    required: bool
    read_only: bool


def fields_of(model: str) -> dict[str, Declared]:
    """The members of an interface."""
    text = (PACKAGE / "dist" / "models" / f"{model}.d.ts").read_text("utf-8")
    found = re.findall(r"^    (readonly )?(\w+)(\??): ", text, re.MULTILINE)
    return {name: Declared(not optional, bool(read_only)) for read_only, name, optional in found}


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_of_the_tool_has_the_declared_fields(kind: str) -> None:
    declared, ours = fields_of(MODELS.get(f"{kind}s", kind)), KINDS[kind]
    apart = {name for about, name in TABLE_DIFFERENT if about == kind}
    if ours.has_chosen_ids:  # metadata.id writes it
        apart.add(ours.id_field)
    if ours.row_fields:  # what a manifest says in one mapping is rows in the service
        assert {*ours.row_fields} == declared.keys()
        return
    at_top = {path.partition("/")[0] for path in ours.secret_fields}
    assert {*ours.fields, *at_top, *ours.read_only} - apart == declared.keys() - apart
    assert ours.read_only - apart == {name for name, one in declared.items() if one.read_only} - apart
    assert ours.required - apart == {name for name, one in declared.items() if one.required} - apart


_NESTED = {
    "PasswordConfig": PASSWORD_FIELDS,
    "DeliveryTargets": tuple(Field(name) for name in delivery.TARGETS),
    **{name if name in UNSUFFIXED else f"{name}Config": fields for name, fields in delivery.TARGETS.items()},
}
ROWS = (*rows_of("current", revisions=False), rows_of("legacy", revisions=False)[0])
TABLES = [
    *((row.kind, row.fields) for row in ROWS),
    *((MODELS.get(kind, kind), table.columns) for kind, table in tables_of("current").items()),
    *((kind, fields_for(fields, "current")) for kind, fields in _NESTED.items()),
]
IN_NO_BODY = {
    ("ApiClientSecret", "ClientSecret"),
    ("UserGroupAssignment", "BuyerID"),
    ("UserGroupAssignment", "SupplierID"),
}


@pytest.mark.parametrize(("kind", "table"), TABLES, ids=[kind for kind, _ in TABLES])
def test_a_table_of_the_emulator_has_the_declared_fields(kind: str, table: Iterable[Field]) -> None:
    declared = {name: one for name, one in fields_of(MODELS.get(f"{kind}s", kind)).items() if name != "ID"}
    unknown = {*OURS_ALONE, *(name for about, name in IN_NO_BODY if about == kind)}
    ours = {field.name: field for field in table if field.name not in unknown}
    differing = {name for about, name in DIFFERENT if about == kind}
    if not any(one.required for one in declared.values()):  # then it says nothing of what requests need
        ours = {name: replace(one, required=False) for name, one in ours.items()}
    assert ours.keys() == declared.keys()
    assert {name: Declared(one.required, one.read_only) for name, one in ours.items() if name not in differing} == {
        name: one for name, one in declared.items() if name not in differing
    }
