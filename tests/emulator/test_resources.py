"""Operations on objects, tested with API clients: replace, merge, create, delete, and the deliberate quirks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

STOREFRONT = "/v1/apiclients/E5A05785-CAFF-4F7D-9CC3-758F13865FC3"
OFFICE = "/v1/apiclients/9DFE083F-A675-4A3A-A39A-521511DAC93D"
NEW = "/v1/apiclients/0f0f0f0f-0000-4000-8000-00000000000a"
LEAST = {"AppName": "App", "AccessTokenDuration": 10}


def codes(answer: httpx.Response) -> list[str]:
    return [error["ErrorCode"] for error in answer.json()["Errors"]]


def test_put_replaces_the_whole_object(admin: httpx.Client) -> None:
    answer = admin.put(STOREFRONT, json=LEAST)
    assert answer.status_code == 200
    body = answer.json()
    assert body["Active"] is False
    assert body["xp"] is None
    assert body["AnonymousTokenDuration"] == 10080
    assert body["RefreshTokenDuration"] == 0
    assert body["OrderCheckoutIntegrationEventID"] is None
    assert body["MaximumGrantedRoles"] == []
    assert admin.get(STOREFRONT).json() == body


def test_a_put_that_creates_returns_201_if_configured(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    answer = login(emulate(put_create_status=201)).put(NEW, json=LEAST)
    assert (answer.status_code, answer.headers["Location"][-36:]) == (201, answer.json()["ID"])


def test_the_revision_increases_with_every_write_if_enabled(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(revisions=True))
    seen = [admin.put(NEW, json=LEAST | {"EmulatorRevision": 99}).json()["EmulatorRevision"] for _ in range(2)]
    admin.post("/_emulator/staging-restore")
    admin.post("/_emulator/faults", json={"spec": 'GET /v1/apiclients/* edit=AppName:"edited"'})
    assert [*seen, admin.get(NEW).json()["EmulatorRevision"]] == [1, 2, 4]


def test_a_username_is_stored_in_the_spelling_of_the_user(admin: httpx.Client) -> None:
    answer = admin.patch(STOREFRONT, json={"DefaultContextUserName": "SHOPPER"})
    assert answer.json()["DefaultContextUserName"] == "shopper"


def test_an_undocumented_field_is_lost_if_a_put_omits_it(admin: httpx.Client) -> None:
    admin.patch(STOREFRONT, json={"FutureFlag": {"new": True}})
    whole = admin.get(STOREFRONT).json()
    assert admin.put(STOREFRONT, json=whole).json()["FutureFlag"] == {"new": True}
    assert admin.put(STOREFRONT, json=LEAST).json()["FutureFlag"] is None


def test_post_ignores_an_id_in_the_body(admin: httpx.Client) -> None:
    answer = admin.post("/v1/apiclients", json=LEAST | {"ID": NEW.rpartition("/")[2]})
    assert answer.status_code == 201
    assert answer.json()["ID"] not in NEW.upper()
    assert answer.headers["Location"] == "http://emulator/v1/apiclients/" + answer.json()["ID"]
    assert admin.get(answer.headers["Location"]).json() == answer.json()


def test_put_creates_with_the_id_of_the_path_in_upper_case(admin: httpx.Client) -> None:
    answer = admin.put(NEW, json=LEAST)
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert answer.json()["ID"] == "0F0F0F0F-0000-4000-8000-00000000000A"
    assert admin.put(NEW.upper().replace("/V1/APICLIENTS", "/v1/apiclients"), json=LEAST).status_code == 200


@pytest.mark.parametrize("object_id", ["storefront", "0f0f0f0f000040008000000000000000", "a b", "ключ"])
def test_put_creates_only_with_a_guid(admin: httpx.Client, object_id: str) -> None:
    answer = admin.put("/v1/apiclients/" + object_id, json=LEAST)
    assert (answer.status_code, codes(answer)) == (404, ["NotFound"])
    assert answer.json()["Errors"][0]["Data"] == {"ObjectType": "ApiClient", "ObjectID": object_id}


def test_put_does_not_create_if_that_is_disabled(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(put_creates=False))
    assert admin.put(NEW, json=LEAST).status_code == 404
    assert admin.put(STOREFRONT, json=LEAST).status_code == 200


def test_delete_removes(admin: httpx.Client) -> None:
    answer = admin.delete(STOREFRONT.lower())
    assert (answer.status_code, answer.content) == (204, b"")
    assert [each(STOREFRONT).status_code for each in (admin.get, admin.delete)] == [404, 404]
    assert admin.get("/v1/apiclients/assignments").json()["Items"] == []


def test_the_administration_client_is_listed_like_any_other(admin: httpx.Client) -> None:
    items = admin.get("/v1/apiclients").json()["Items"]
    assert ADMIN_CLIENT_ID in [item["ID"] for item in items]


def test_the_legacy_secret_is_readable_writable_and_cleared_by_a_put_without_it(legacy: httpx.Client) -> None:
    assert legacy.put(OFFICE, json=LEAST | {"ClientSecret": "s"}).json()["ClientSecret"] == "s"
    assert "s" in [item["ClientSecret"] for item in legacy.get("/v1/apiclients").json()["Items"]]
    assert legacy.put(OFFICE, json=LEAST).json()["ClientSecret"] is None


def test_the_current_profile_has_no_client_secret(admin: httpx.Client) -> None:
    body = admin.put(OFFICE, json=LEAST | {"ClientSecret": "s"}).json()
    assert "ClientSecret" not in body
    listed = admin.get("/v1/apiclients", params={"ClientSecret": "s"})
    assert codes(listed) == ["List.InvalidProperty"]


def test_a_seeded_secret_survives_a_put_in_the_current_profile(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    client = {"ID": NEW[-36:], "AppName": "A", "AccessTokenDuration": 60, "Active": True, "AllowSeller": True}
    emulator = emulate({"ApiClients": [client | {"ClientSecret": "old", "DefaultContextUserName": "reader"}]})
    login(emulator).put(NEW, json=client | {"DefaultContextUserName": "reader"})
    assert login(emulator, client_id=NEW[-36:], client_secret="old").get("/v1/me").json()["ID"] == "reader"
