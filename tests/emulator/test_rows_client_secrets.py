"""Secrets of an API client: five operations, the maximum number, the expiry, and logins."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from reconciler.emulator import Emulator

OFFICE = "9dfe083f-a675-4a3a-a39a-521511dac93d"
PATH = f"/v1/apiclients/{OFFICE}/secrets"


@pytest.fixture(params=["current", "legacy"])
def admin(
    request: pytest.FixtureRequest, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> httpx.Client:
    """The administrator; both API generations have these endpoints."""
    client = login(emulate(profile=request.param))
    client.patch(f"/v1/apiclients/{OFFICE}", json={"DefaultContextUserName": "reader"})
    return client


def status_of_login(admin: httpx.Client, secret: str) -> int:
    form = {"grant_type": "client_credentials", "client_id": OFFICE, "client_secret": secret}
    return admin.post("/oauth/token", data=form).status_code


def test_the_value_is_shown_once(admin: httpx.Client) -> None:
    answer = admin.post(PATH, json={"Name": "first"})
    body = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"].endswith(f"/secrets/{body['ID']}")
    assert len(base64.b64decode(body["ClientSecret"], validate=True)) == 256
    assert len(body["ID"]) == 22
    del body["ClientSecret"]
    assert admin.get(f"{PATH}/{body['ID']}").json() == body
    assert admin.get(PATH).json()["Items"] == [body]


def test_the_id_can_be_chosen(admin: httpx.Client) -> None:
    assert admin.post(PATH, json={"ID": "mine", "Name": "first"}).json()["ID"] == "mine"
    answer = admin.post(PATH, json={"ID": "MINE", "Name": "second"})
    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (409, "IdExists")
    assert admin.post(PATH, json={"ID": "not allowed", "Name": "third"}).status_code == 400


def test_each_secret_is_valid_until_it_is_deleted(admin: httpx.Client) -> None:
    first, second = (admin.post(PATH, json={"Name": name}).json() for name in "ab")
    assert [status_of_login(admin, each["ClientSecret"]) for each in (first, second)] == [200, 200]
    assert admin.delete(f"{PATH}/{first['ID']}").status_code == 204
    assert [status_of_login(admin, each["ClientSecret"]) for each in (first, second)] == [401, 200]


def test_an_expired_secret_is_invalid(admin: httpx.Client, now: list[datetime]) -> None:
    secret = admin.post(PATH, json={"Name": "a"}).json()
    soon = (now[0] + timedelta(hours=1)).isoformat()
    assert admin.patch(f"{PATH}/{secret['ID']}", json={"Expiration": soon}).json()["Expiration"] == soon
    assert status_of_login(admin, secret["ClientSecret"]) == 200
    now[0] += timedelta(hours=1)
    assert status_of_login(admin, secret["ClientSecret"]) == 401


def test_a_secret_can_be_renamed_and_its_expiry_cleared(admin: httpx.Client) -> None:
    secret = admin.post(PATH, json={"Name": "a", "Expiration": "2030-01-01T02:00:00+02:00"}).json()
    assert secret["Expiration"] == "2030-01-01T00:00:00+00:00"
    body = admin.patch(f"{PATH}/{secret['ID']}", json={"Name": "b", "Expiration": None}).json()
    assert body == {"ID": secret["ID"], "Name": "b", "Expiration": None}
    assert status_of_login(admin, secret["ClientSecret"]) == 200


@pytest.mark.parametrize("moment", ["2026-10-05T12:00:00Z", "2020-01-01", "2026-10-05T11:59:59"])
def test_an_expiry_in_the_past_is_rejected(admin: httpx.Client, moment: str) -> None:
    answer = admin.post(PATH, json={"Name": "a", "Expiration": moment})
    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (
        400,
        "ApiClientSecret.InvalidExpirationDate",
    )


def test_an_expired_secret_can_still_be_renamed(admin: httpx.Client, now: list[datetime]) -> None:
    secret = admin.post(PATH, json={"Name": "a", "Expiration": (now[0] + timedelta(hours=1)).isoformat()}).json()
    now[0] += timedelta(hours=2)
    assert admin.patch(f"{PATH}/{secret['ID']}", json={"Name": "b"}).status_code == 200


def test_a_client_has_at_most_ten_secrets(admin: httpx.Client) -> None:
    made = [admin.post(PATH, json={"Name": str(number)}) for number in range(11)]
    assert [answer.status_code for answer in made] == [201] * 10 + [400]
    assert made[-1].json()["Errors"][0]["ErrorCode"] == "ApiClientSecret.MaximumClientSecretsReached"
    assert admin.patch(f"{PATH}/{made[0].json()['ID']}", json={"Name": "still"}).status_code == 200


def test_a_secret_needs_a_name_and_an_existing_client(admin: httpx.Client) -> None:
    assert admin.post(PATH, json={}).json()["Errors"][0]["ErrorCode"] == "RequiredField"
    assert admin.post(PATH, json={"Name": "a", "Expiration": "soon"}).status_code == 400
    answer = admin.post("/v1/apiclients/nothing/secrets", json={"Name": "a"})
    assert answer.json()["Errors"][0]["Data"] == {"ObjectType": "ApiClient", "ObjectID": "nothing"}


def test_there_is_no_put(admin: httpx.Client) -> None:
    answer = admin.put(f"{PATH}/x", json={"Name": "a"})
    assert (answer.status_code, "PUT" in answer.headers["Allow"]) == (405, False)


def test_secrets_are_deleted_with_their_client(admin: httpx.Client) -> None:
    admin.post(PATH, json={"ID": "mine", "Name": "a"})
    body = admin.get(f"/v1/apiclients/{OFFICE}").json()
    admin.delete(f"/v1/apiclients/{OFFICE}")
    admin.put(f"/v1/apiclients/{OFFICE}", json=body)
    assert admin.get(PATH).json()["Items"] == []


def test_the_legacy_secret_is_valid_in_addition_to_the_new_ones(legacy: httpx.Client) -> None:
    legacy.patch(f"/v1/apiclients/{OFFICE}", json={"DefaultContextUserName": "reader", "ClientSecret": "old"})
    secret = legacy.post(PATH, json={"Name": "a"}).json()["ClientSecret"]
    assert [status_of_login(legacy, each) for each in ("old", secret, "other", "ключ")] == [200, 200, 401, 401]
