"""Seeding files: the official format, its tolerance, and errors with a place."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.emulator import SAMPLE, Emulator, SeedError, Settings

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
    """Start an emulator from the text of a seed and log its administrator in."""

    def from_text(text: str, name: str = "market.yml", **settings: Any) -> httpx.Client:
        path = tmp_path / name
        path.write_text(text)
        return login(emulate(seed=path, **settings))

    return from_text


def client_named(admin: httpx.Client, name: str) -> dict[str, Any]:
    body: dict[str, Any] = admin.get("/v1/apiclients", params={"AppName": name}).json()["Items"][0]
    return body


def test_an_export_is_loaded_even_where_the_service_would_refuse_it(load: Callable[..., httpx.Client]) -> None:
    body = client_named(load(EXPORT), "Middleware")
    assert (body["AccessTokenDuration"], body["MaximumGrantedRoles"]) == (1, ["RoleOfTomorrow"])
    assert (body["RefreshTokenDuration"], body["AnonymousTokenDuration"]) == (0, 10080)
    assert (body["OrderCheckoutIntegrationEventID"], body["OrderCheckoutIntegrationEventName"]) == ("gone", None)
    assert (body["xp"], body["AssignedBuyerCount"]) == ({}, 1)


def test_a_client_id_that_is_no_guid_becomes_the_same_one_in_every_run(load: Callable[..., httpx.Client]) -> None:
    one, other = load(EXPORT), load(EXPORT)
    assert client_named(one, "Middleware")["ID"] == client_named(other, "Middleware")["ID"]
    assert client_named(one, "Without an ID")["ID"] == client_named(other, "Without an ID")["ID"]


def test_whatever_refers_to_a_client_follows_its_new_id(load: Callable[..., httpx.Client]) -> None:
    admin = load(EXPORT)
    object_id = client_named(admin, "Middleware")["ID"].lower()
    assert admin.get("/v1/webhooks/hook").json()["ApiClientIDs"] == [object_id]
    assert admin.get("/v1/impersonationconfig/imp").json()["ClientID"] == object_id
    assert admin.get("/v1/apiclients/assignments").json()["Items"][0]["ApiClientID"] == object_id


def test_a_redacted_secret_becomes_a_random_one(load: Callable[..., httpx.Client]) -> None:
    secrets = [client_named(load(EXPORT, profile="legacy"), "Middleware")["ClientSecret"] for _ in range(2)]
    assert secrets[0] != secrets[1]
    assert "Redacted" not in "".join(secrets)


def test_a_seeded_user_keeps_his_dates_roles_and_numbers_become_texts(load: Callable[..., httpx.Client]) -> None:
    admin = load(EXPORT)
    user = admin.get("/v1/adminusers/integrations").json()
    assert (user["AvailableRoles"], user["DateCreated"]) == (["FullAccess"], "2021-08-11T14:49:45.5Z")
    assert (user["CompanyID"], admin.get("/v1/buyers/42").json()["ID"]) == ("emulator", "42")


def test_json_is_read_like_yaml(load: Callable[..., httpx.Client]) -> None:
    admin = load(json.dumps({"Objects": {"Buyers": [{"ID": "b", "Name": "B"}]}}), "market.json")
    assert admin.get("/v1/buyers/b").json()["Active"] is False


def test_without_a_seed_there_is_only_the_administration(load: Callable[..., httpx.Client]) -> None:
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
        ("Objects: {ApiClients: [{ID: true}]}", "Objects.ApiClients[0].ID: must be a text, not bool"),
        ("Objects: {AdminUsers: [{ID: a}]}", "Objects.AdminUsers[0].Username: is required"),
        ("Objects: {Buyers: [{Active: 1}]}", "Objects.Buyers[0].Active: must be of type boolean, not int"),
        (
            "Objects: {}\nAssignments: {ApiClientAssignments: [{ApiClientID: [1]}]}",
            "ApiClientAssignments[0].ApiClientID",
        ),
        ("Objects:\n  a: [\n", ":3:1: not YAML"),
        ("Objects: {}\nObjects: {}", ":2:1: not YAML"),
        ("Objects: \x07", "not YAML"),
    ],
)
def test_a_bad_seed_is_refused_with_its_place(load: Callable[..., httpx.Client], text: str, place: str) -> None:
    with pytest.raises(SeedError) as refused:
        load(text)
    assert "market.yml" in str(refused.value)
    assert place in str(refused.value)


def test_bad_json_is_refused_with_its_line(load: Callable[..., httpx.Client]) -> None:
    with pytest.raises(SeedError, match=r"market\.json:2:1: not JSON"):
        load('{"Objects":\n', "market.json")


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_seed_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "market.yml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SeedError, match="cannot be read"):
        Emulator(Settings(seed=path))


@pytest.mark.parametrize("export", EXPORTS, ids=lambda path: path.stem)
def test_an_unmodified_export_of_a_whole_marketplace_loads(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client], export: Path
) -> None:
    assert login(emulate(seed=export)).get("/v1/apiclients").json()["Meta"]["TotalCount"] > 1


def test_assignments_inside_of_objects_are_loaded_as_well(load: Callable[..., httpx.Client]) -> None:
    inside, outside = EXPORT.split("\nAssignments:\n")
    indented = "".join(f"  {line}\n" for line in outside.splitlines())
    admin = load(f"{inside}\n  Assignments:\n{indented}")
    assert [row["BuyerID"] for row in admin.get("/v1/apiclients/assignments").json()["Items"]] == ["42"]


def test_configuration_data_may_be_the_empty_list_that_exports_have(load: Callable[..., httpx.Client]) -> None:
    hook = "{ID: hook, Name: Hook, ApiClientIDs: [api1]"
    admin = load(EXPORT.replace(hook, f"{hook}, ConfigData: []"))
    assert admin.get("/v1/webhooks/hook").json()["ConfigData"] == []


def test_the_sample_is_a_marketplace_in_which_all_kinds_refer_to_each_other(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(seed=SAMPLE))
    found = {str(one["AppName"]): one for one in admin.get("/v1/apiclients").json()["Items"]}
    assert found.keys() == {"Storefront", "Back Office", "Middleware", "Emulator Administration"}
    for one in found.values():  # all that it refers to is there
        assert admin.put(f"/v1/apiclients/{one['ID']}", json=one).status_code == 200
    hook = admin.get("/v1/webhooks/validate-address").json()
    assert admin.put("/v1/webhooks/validate-address", json=hook | {"HashKey": "x"}).status_code == 200
