"""Seeding files: the official format, its tolerance, and errors with a location."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.emulator import SAMPLE, Emulator, SeedError, Settings
from reconciler.emulator.rows import rows_of, tables_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

ROOT = Path(__file__).parents[2]
EXPORTS = [ROOT / "marketplace.yaml", *sorted(Path(os.environ.get("REAL_EXPORTS", os.devnull)).glob("*.yml"))]
EXPORT = """\
Objects:
  SecurityProfiles:
    - {ID: anon, Name: Anonymous, Roles: [Shopper], CustomRoles: [], PasswordConfig: null}
  AdminUsers:
    - ID: integrations
      Username: default-context-user
      Password: null
      Active: true
      xp: null
      AvailableRoles: [FullAccess]
      DateCreated: 2021-08-11T14:49:45.5Z
  ApiClients:
    - ID: api1
      ClientSecret: <Redacted. Leave unchanged.>
      AccessTokenDuration: 1
      AppName: Middleware
      Active: true
      DefaultContextUserName: default-context-user
      AllowSeller: true
      AssignedBuyerCount: 7
      OrderCheckoutIntegrationEventID: gone
      OrderCheckoutIntegrationEventName: Gone
      MaximumGrantedRoles: [RoleOfTomorrow]
      xp: {}
    - AppName: Without an ID
  Webhooks:
    - {ID: hook, Name: Hook, ApiClientIDs: [api1]}
  ImpersonationConfigs:
    - {ID: imp, ClientID: api1, SecurityProfileID: anon}
    - {ID: odd}
  Buyers:
    - {ID: 42, Name: Numbered, Active: true}
  Users: []
  Suppliers: null
  Products:
    - [not, even, a, mapping]
Assignments:
  ApiClientAssignments:
    - {ApiClientID: api1, BuyerID: 42, SupplierID: null}
  CatalogAssignments: []
"""


@pytest.fixture
def load(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> Callable[..., httpx.Client]:
    """Start an emulator with the text of a seed, and log in as its administrator."""

    def from_text(text: str, name: str = "market.yml", **settings: Any) -> httpx.Client:
        path = tmp_path / name
        path.write_text(text)
        return login(emulate(seed=path, **settings))

    return from_text


def client_named(admin: httpx.Client, name: str) -> dict[str, Any]:
    body: dict[str, Any] = admin.get("/v1/apiclients", params={"AppName": name}).json()["Items"][0]
    return body


def test_an_export_is_loaded_even_if_the_service_would_reject_it(load: Callable[..., httpx.Client]) -> None:
    body = client_named(load(EXPORT), "Middleware")
    assert (body["AccessTokenDuration"], body["MaximumGrantedRoles"]) == (1, ["RoleOfTomorrow"])
    assert (body["RefreshTokenDuration"], body["AnonymousTokenDuration"]) == (0, 10080)
    assert (body["OrderCheckoutIntegrationEventID"], body["OrderCheckoutIntegrationEventName"]) == ("gone", None)
    assert (body["xp"], body["AssignedBuyerCount"]) == ({}, 1)


def test_a_client_id_that_is_not_a_guid_becomes_the_same_guid_in_every_run(load: Callable[..., httpx.Client]) -> None:
    one, other = load(EXPORT), load(EXPORT)
    assert client_named(one, "Middleware")["ID"] == client_named(other, "Middleware")["ID"]
    assert client_named(one, "Without an ID")["ID"] == client_named(other, "Without an ID")["ID"]


def test_references_to_a_client_get_its_new_id(load: Callable[..., httpx.Client]) -> None:
    admin = load(EXPORT)
    object_id = client_named(admin, "Middleware")["ID"].lower()
    assert admin.get("/v1/webhooks/hook").json()["ApiClientIDs"] == [object_id]
    assert admin.get("/v1/impersonationconfig/imp").json()["ClientID"] == object_id
    assert admin.get("/v1/apiclients/assignments").json()["Items"][0]["ApiClientID"] == object_id


PARTIES = """\
Objects:
  Buyers: [{ID: one, Name: One}, {ID: two, Name: Two}]
  Suppliers: [{ID: tools, Name: Tools}]
  AdminUserGroups: [{ID: staff, Name: Staff}]
  UserGroups: [{ID: buyers, Name: Buyers, BuyerID: one}, {ID: others, Name: Others, BuyerID: two}]
  SupplierUserGroups: [{ID: packers, Name: Packers, SupplierID: tools}]
  SecurityProfiles: [{ID: p, Name: P}]
"""
RULE = "ApprovalType: OrderReturn, RuleExpression: 'true'"
OWNER = "OwnerID: <MarketplaceID placeholder>"


@pytest.mark.parametrize(
    ("section", "rows", "faults"),
    [
        (
            "SecurityProfileAssignments",
            [
                "SecurityProfileID: p, UserGroupID: staff",
                "SecurityProfileID: p, UserGroupID: buyers",
                "SecurityProfileID: p, BuyerID: one, SupplierID: tools",
                "SecurityProfileID: p, BuyerID: one, UserGroupID: others",
                "SecurityProfileID: p, BuyerID: one, UserGroupID: buyers",
                "SecurityProfileID: p, SupplierID: unknown",
            ],
            [
                "[1].UserGroupID: no AdminUserGroup has the ID buyers",
                "[2]: Cannot specify both a BuyerID and a SupplierID.",
                "[3].UserGroupID: no UserGroup has the ID others",
                "[5].SupplierID: no Supplier has the ID unknown",
            ],
        ),
        (
            "SellerApprovalRules",
            [
                f"{OWNER}, ApprovingGroupID: staff, {RULE}",
                f"{OWNER}, ApprovingGroupID: packers, {RULE}",
                f"OwnerID: tools, ApprovingGroupID: packers, {RULE}",
                f"OwnerID: tools, ApprovingGroupID: staff, {RULE}",
            ],
            [
                "[1].ApprovingGroupID: no AdminUserGroup has the ID packers",
                "[3].ApprovingGroupID: no SupplierUserGroup has the ID staff",
            ],
        ),
        (
            "ImpersonationConfigs",
            [
                "ClientID: api, BuyerID: one, SecurityProfileID: p, ImpersonationGroupID: staff",
                "ClientID: api, BuyerID: one, SecurityProfileID: p, ImpersonationGroupID: buyers",
                "ClientID: api, BuyerID: two, SecurityProfileID: p, GroupID: buyers",
            ],
            [
                "[1].ImpersonationGroupID: no AdminUserGroup has the ID buyers",
                "[2].GroupID: no UserGroup has the ID buyers",
            ],
        ),
    ],
)
def test_every_row_with_an_unknown_party_is_rejected(
    load: Callable[..., httpx.Client], section: str, rows: list[str], faults: list[str]
) -> None:
    with pytest.raises(SeedError) as refused:
        load(f"{PARTIES}  {section}:\n" + "".join(f"    - {{{row}}}\n" for row in rows))
    assert [line.rpartition(section)[2] for line in str(refused.value).split("; ")] == faults


WHOLE = (
    PARTIES
    + """\
  ApiClients: [{ID: api, AppName: Api, AccessTokenDuration: 10}]
  AdminUsers: [{ID: ann, Username: ann, Active: true}]
  IntegrationEvents:
    - {ID: e, Name: E, CustomImplementationUrl: "https://x.example", HashKey: <Redacted. Leave unchanged.>}
  OpenIdConnects: [{ID: o, OrderCloudApiClientID: api}]
  MessageSenders: [{ID: m, Name: M, MessageTypes: [OrderSubmitted], DeliveryConfigID: d, SharedKey: k, URL: u}]
  Locales: [{ID: us, Currency: USD}]
  SellerApprovalRules: [{ID: r, ApprovingGroupID: staff, ApprovalType: OrderReturn, RuleExpression: "true"}]
  ProductFacets: [{ID: color, Name: Color}]
  Incrementors: [{ID: "0001", LastNumber: 7, LeftPaddingCount: 4}]
  XpIndices: [{ThingType: Order, Key: a.b}]
  DeliveryConfigs: [{ID: d, Name: D, DeliveryTargets: {Mailchimp: {ApiKey: k}}}]
  TrackingEvents: [{ID: t, Name: T, EventType: UserLoggedIn, ClientID: api, DeliveryConfigID: d}]
  ProductSync: {DeliveryConfigID: d, SyncProductChanged: true, SyncProductDeleted: true}
  EntitySync/buyers/users: {DeliveryConfigID: d, SyncEntityChanged: true, SyncEntityDeleted: true}
Assignments:
  LocaleAssignments: [{LocaleID: US, BuyerID: ONE}]
  AdminUserGroupAssignments: [{UserGroupID: staff, UserID: ann}]
  MessageSenderAssignments: [{MessageSenderID: m}]
  MessageCCListenerAssignments:
    - {MessageSenderAssignment: {MessageSenderID: m}, MessageType: OrderSubmitted, UserID: ann}
"""
)


def shown(admin: httpx.Client) -> dict[str, Any]:
    """The objects of each path that returns any."""
    paths = [(row.path, row.singleton) for row in rows_of("current") if row.parent is None]
    paths += [(table.path, "") for table in tables_of("current").values() if "{" not in table.path]
    found = {path: admin.get(path).json() for path, _ in paths}
    return {path: body.get("Items", body) for path, body in found.items() if body.get("Items", "Errors" not in body)}


def test_a_seed_can_have_every_kind_and_a_state_file_persists_it(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    seed, state = tmp_path / "whole.yaml", tmp_path / "state.db"
    seed.write_text(WHOLE)
    first = emulate(seed=seed, state=state)
    before = shown(login(first))
    first.close()
    assert shown(login(emulate(seed=None, state=state))) == before
    assert len(before) == 22
    assert before["/v1/locales"] == [{"ID": "us", "OwnerID": "emulator", "Currency": "USD", "Language": None}]
    assert before["/v1/locales/assignments"] == [{"LocaleID": "us", "BuyerID": "one", "UserGroupID": None}]
    assert before["/v1/productfacets"][0]["XpPath"] == "color"
    assert before["/v1/integrations/deliveryconfig"][0]["DeliveryTargets"]["Mailchimp"] == {}
    assert len(before["/v1/integrationevents"][0]["HashKey"]) <= 50
    assert "Redacted" not in str(before)


def test_sections_can_be_at_the_top_level(load: Callable[..., httpx.Client]) -> None:
    admin = load(json.dumps({"ProductSync": {"DeliveryConfigID": "d"}, "Webhooks": [{"Name": "W"}]}), "bodies.json")
    assert admin.get("/v1/integrations/productsync").json()["DeliveryConfigID"] == "d"
    assert admin.get("/v1/webhooks").json()["Items"][0]["Name"] == "W"
    older = load(json.dumps({"ProductSync": {"DeliveryConfigID": "d"}}), "bodies.json", profile="legacy")
    assert older.get("/v1/integrations/productsync").status_code == 404


def test_a_redacted_secret_becomes_a_random_one(load: Callable[..., httpx.Client]) -> None:
    secrets = [client_named(load(EXPORT, profile="legacy"), "Middleware")["ClientSecret"] for _ in range(2)]
    assert secrets[0] != secrets[1]
    assert "Redacted" not in "".join(secrets)


def test_a_seeded_user_keeps_dates_and_roles_and_numeric_ids_become_strings(load: Callable[..., httpx.Client]) -> None:
    admin = load(EXPORT)
    user = admin.get("/v1/adminusers/integrations").json()
    assert (user["AvailableRoles"], user["DateCreated"]) == (["FullAccess"], "2021-08-11T14:49:45.5Z")
    assert (user["CompanyID"], admin.get("/v1/buyers/42").json()["ID"]) == ("emulator", "42")


def test_json_is_read_like_yaml(load: Callable[..., httpx.Client]) -> None:
    admin = load(json.dumps({"Objects": {"Buyers": [{"ID": "b", "Name": "B"}]}}), "market.json")
    assert admin.get("/v1/buyers/b").json()["Active"] is False


def test_without_a_seed_there_is_only_the_administration_client(load: Callable[..., httpx.Client]) -> None:
    names = [item["AppName"] for item in load("Objects:\n").get("/v1/apiclients").json()["Items"]]
    assert names == ["Emulator Administration"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[]", "line 1: must be a mapping with `Objects:`, not list"),
        ("", "line 1: must be a mapping"),
        ("Clients: []", "`Objects:` is missing"),
        ("Objects: []", "Objects: must be a mapping, not list"),
        ("Objects: {ApiClients: {}}", "Objects.ApiClients: must be a list"),
        ("Objects: {ApiClients: [x]}", "Objects.ApiClients[0]: must be a mapping, not str"),
        ("Objects: {ApiClients: [{AppName: [x]}]}", "Objects.ApiClients[0].AppName: must be of type string, not list"),
        ("Objects: {ApiClients: [{ID: true}]}", "Objects.ApiClients[0].ID: must be a string, not bool"),
        ("Objects: {AdminUsers: [{ID: a}]}", "Objects.AdminUsers[0].Username: is required"),
        ("Objects: {Buyers: [{Active: 1}]}", "Objects.Buyers[0].Active: must be of type boolean, not int"),
        (
            "Objects: {}\nAssignments: {ApiClientAssignments: [{ApiClientID: [1]}]}",
            "ApiClientAssignments[0].ApiClientID",
        ),
        ("Objects:\n  a: [\n", ":3:1: not YAML"),
        ("Objects: {}\nObjects: {}", ":2:1: not YAML"),
        ("Objects: \x07", "not YAML"),
        ("Objects: &a {Buyers: [{ID: b, Name: B, xp: *a}]}", "has a value that is not allowed in JSON"),
        ("Objects: {Buyers: [{ID: b, xp: {a: .nan}}]}", "has a value that is not allowed in JSON"),
        ("Objects: {Buyers: [{ID: b, xp: {a: !!set {b}}}]}", "has a value that is not allowed in JSON"),
    ],
)
def test_an_invalid_seed_is_rejected_with_its_location(
    load: Callable[..., httpx.Client], text: str, place: str
) -> None:
    with pytest.raises(SeedError) as refused:
        load(text)
    assert "market.yml" in str(refused.value)
    assert place in str(refused.value)


@pytest.mark.parametrize("value", ["NaN", "-Infinity", "1e999", "9" * 5000, "[" * 100_000])
def test_values_that_are_not_allowed_in_json_are_rejected(load: Callable[..., httpx.Client], value: str) -> None:
    with pytest.raises(SeedError, match="has a value that is not allowed in JSON"):
        load(f'{{"Objects": {{"Buyers": [{value}]}}}}', "market.json")


def test_invalid_json_is_rejected_with_its_line(load: Callable[..., httpx.Client]) -> None:
    with pytest.raises(SeedError, match=r"market\.json:2:1: not JSON"):
        load('{"Objects":\n', "market.json")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_seed_that_cannot_be_read_is_rejected(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "market.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeedError, match="cannot read the seed"):
        Emulator(Settings(seed=path))


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_an_unmodified_export_of_a_whole_marketplace_loads(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client], export: Path
) -> None:
    assert login(emulate(seed=export)).get("/v1/apiclients").json()["Meta"]["TotalCount"] > 1


def test_assignments_in_objects_are_loaded(load: Callable[..., httpx.Client]) -> None:
    inside, outside = EXPORT.split("\nAssignments:\n")
    indented = "".join(f"  {line}\n" for line in outside.splitlines())
    admin = load(f"{inside}\n  Assignments:\n{indented}")
    assert [row["BuyerID"] for row in admin.get("/v1/apiclients/assignments").json()["Items"]] == ["42"]


def test_configuration_data_can_be_an_empty_list_as_in_exports(load: Callable[..., httpx.Client]) -> None:
    hook = "{ID: hook, Name: Hook, ApiClientIDs: [api1]"
    admin = load(EXPORT.replace(hook, f"{hook}, ConfigData: []"))
    assert admin.get("/v1/webhooks/hook").json()["ConfigData"] == []


def test_the_sample_is_a_marketplace_in_which_all_kinds_refer_to_each_other(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(seed=SAMPLE))
    found = {str(one["AppName"]): one for one in admin.get("/v1/apiclients").json()["Items"]}
    assert found.keys() == {"Storefront", "Back Office", "Middleware", "Emulator Administration"}
    for one in found.values():  # all references are valid
        assert admin.put(f"/v1/apiclients/{one['ID']}", json=one).status_code == 200
    hook = admin.get("/v1/webhooks/validate-address").json()
    assert admin.put("/v1/webhooks/validate-address", json=hook | {"HashKey": "x"}).status_code == 200
