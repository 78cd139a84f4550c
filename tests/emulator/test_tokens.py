"""The token endpoint: four grants, claims, secrets, parties and roles; and the use of tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx

    from reconciler.emulator import Emulator

STOREFRONT = "e5a05785-caff-4f7d-9cc3-758f13865fc3"
OFFICE = "9dfe083f-a675-4a3a-a39a-521511dac93d"
ADMIN = {"grant_type": "client_credentials", "client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET}
ANONYMOUS = {"grant_type": "client_credentials", "client_id": STOREFRONT}
READER = {"grant_type": "password", "client_id": OFFICE, "username": "reader", "password": "pw-reader"}
SHOPPER = {"grant_type": "password", "client_id": STOREFRONT, "username": "shopper", "password": "pw-shopper"}


def claims(answer: httpx.Response) -> dict[str, Any]:
    token = answer.raise_for_status().json()["access_token"]
    return jwt.decode(token, options={"verify_signature": False})


def roles(answer: httpx.Response) -> list[str]:
    role = claims(answer)["role"]
    return [role] if isinstance(role, str) else sorted(role)


def code(answer: httpx.Response) -> str:
    return str(answer.json()["Errors"][0]["ErrorCode"])


@pytest.fixture
def guest(emulator: Emulator, visit: Callable[[Emulator], httpx.Client]) -> httpx.Client:
    """A client without a token, of the same emulator as `admin`."""
    return visit(emulator)


def test_client_credentials_act_as_the_default_context_user(guest: httpx.Client, now: list[datetime]) -> None:
    answer = guest.post("/oauth/token", data=ADMIN)
    body, found = answer.json(), claims(answer)
    assert (body["token_type"], body["expires_in"]) == ("bearer", 35999)
    assert "refresh_token" not in body
    start = int(now[0].timestamp())
    assert (found["nbf"], found["exp"]) == (start, start + 36_000)
    assert found["cid"] == ADMIN_CLIENT_ID.lower()
    assert (found["usr"], found["usrtype"], found["role"]) == ("emulator-admin", "admin", "FullAccess")
    assert found["iss"] == found["aud"] == "http://127.0.0.1"


def test_a_token_verifies_with_the_published_key(guest: httpx.Client) -> None:
    token = guest.post("/oauth/token", data=ADMIN).json()["access_token"]
    kid = jwt.get_unverified_header(token)["kid"]
    key = guest.get(f"/oauth/certs/{kid}").json()
    assert {"kty", "n", "e", "alg", "use", "kid"} == set(key)
    jwt.decode(
        token, jwt.PyJWK(key).key, algorithms=["RS256"], audience="http://127.0.0.1", options={"verify_exp": False}
    )
    assert guest.get("/oauth/certs/other").status_code == 404


def test_an_anonymous_login_needs_no_secret_and_has_the_anonymous_token_duration(guest: httpx.Client) -> None:
    answer = guest.post("/oauth/token", data=ANONYMOUS)
    found = claims(answer)
    assert found["exp"] - found["nbf"] == 10080 * 60
    assert (found["usrtype"], roles(answer)) == ("buyer", ["MeAdmin", "Shopper", "vip"])
    assert "refresh_token" not in answer.json()
    assert len(found["orderid"]) == 36
    assert claims(guest.post("/oauth/token", data=ANONYMOUS | {"anonuserid": "me"}))["orderid"] == "me"


def test_a_user_logs_in_by_password(guest: httpx.Client) -> None:
    answer = guest.post("/oauth/token", data=READER | {"username": "READER"})
    assert (claims(answer)["usr"], roles(answer)) == ("reader", ["ApiClientReader"])
    assert answer.json()["expires_in"] == 3599


def test_a_refresh_token_can_be_used_once(guest: httpx.Client) -> None:
    refresh = guest.post("/oauth/token", data=READER).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": OFFICE, "refresh_token": refresh}
    answer = guest.post("/oauth/token", data=form)
    assert claims(answer)["usr"] == "reader"
    assert answer.json()["refresh_token"] != refresh
    assert guest.post("/oauth/token", data=form).status_code == 400


def test_a_refresh_token_expires(guest: httpx.Client, now: list[datetime]) -> None:
    refresh = guest.post("/oauth/token", data=READER).json()["refresh_token"]
    now[0] += timedelta(minutes=120)
    form = {"grant_type": "refresh_token", "client_id": OFFICE, "refresh_token": refresh}
    assert guest.post("/oauth/token", data=form).status_code == 400


@pytest.mark.parametrize(
    ("form", "status", "error", "error_code"),
    [
        ({"grant_type": "magic"}, 400, "unsupported_grant_type", "Auth.OauthError"),
        ({"client_id": OFFICE}, 400, "unsupported_grant_type", "Auth.OauthError"),
        (ADMIN | {"client_id": "unknown"}, 400, "invalid_client", "ApiClient.InvalidClientID"),
        (ADMIN | {"client_secret": "wrong"}, 401, "invalid_client", "Auth.OauthError"),
        (ADMIN | {"client_secret": ""}, 401, "invalid_client", "Auth.OauthError"),
        ({"grant_type": "client_credentials", "client_id": OFFICE}, 401, "unauthorized_client", "Auth.OauthError"),
        (READER | {"password": "wrong"}, 400, "invalid_grant", "Auth.InvalidUsernameOrPassword"),
        (READER | {"username": "unknown"}, 400, "invalid_grant", "Auth.InvalidUsernameOrPassword"),
        (READER | {"username": "emulator-admin"}, 400, "invalid_grant", "Auth.InvalidUsernameOrPassword"),
        (READER | {"password": ""}, 400, "invalid_request", "Auth.UsernameAndPasswordRequired"),
        (SHOPPER | {"client_id": OFFICE}, 401, "invalid_grant", "Auth.UnauthorizedRole"),
        (READER | {"client_id": STOREFRONT}, 401, "invalid_grant", "Auth.UnauthorizedRole"),
        (READER | {"scope": "FullAccess Shopper"}, 400, "invalid_scope", "Auth.InsufficientRoles"),
        ({"grant_type": "refresh_token", "client_id": OFFICE}, 400, "invalid_grant", "Auth.OauthError"),
    ],
)
def test_a_login_is_rejected(
    guest: httpx.Client, form: dict[str, str], status: int, error: str, error_code: str
) -> None:
    answer = guest.post("/oauth/token", data=form)
    assert (answer.status_code, answer.json()["error"], code(answer)) == (status, error, error_code)
    assert answer.json()["error_description"]


def test_the_token_request_must_be_a_form(guest: httpx.Client) -> None:
    answer = guest.post("/oauth/token", json=ADMIN)
    assert (answer.status_code, code(answer)) == (400, "Request.InvalidContentType")


@pytest.mark.parametrize(
    ("path", "change", "error_code"),
    [
        ("apiclients/" + STOREFRONT, {"Active": False}, "Auth.ClientNotActive"),
        ("buyers/Acme/users/shopper", {"Active": False}, "Auth.UserNotActive"),
        ("buyers/Acme", {"Active": False}, "Auth.CompanyNotActive"),
        ("apiclients/" + STOREFRONT, {"IsAnonBuyer": False, "DefaultContextUserName": None}, "Auth.OauthError"),
        ("apiclients/" + STOREFRONT, {"MinimumRequiredRoles": ["OrderAdmin"]}, "Auth.InsufficientRoles"),
        ("apiclients/" + STOREFRONT, {"MinimumRequiredCustomRoles": ["gold"]}, "Auth.InsufficientRoles"),
    ],
)
def test_a_change_by_the_administrator_prevents_the_login_of_the_shopper(
    admin: httpx.Client, guest: httpx.Client, path: str, change: dict[str, Any], error_code: str
) -> None:
    assert guest.post("/oauth/token", data=ANONYMOUS).status_code == 200
    assert admin.patch("/v1/" + path, json=change).status_code == 200
    assert code(guest.post("/oauth/token", data=ANONYMOUS)) == error_code


def test_client_credentials_need_a_default_context_user(admin: httpx.Client, guest: httpx.Client) -> None:
    secret = admin.post(f"/v1/apiclients/{OFFICE}/secrets", json={"Name": "s"}).json()["ClientSecret"]
    form = {"grant_type": "client_credentials", "client_id": OFFICE, "client_secret": secret}
    assert code(guest.post("/oauth/token", data=form)) == "Auth.UserNotFound"


def test_every_grant_requires_a_secret_if_the_client_has_one(admin: httpx.Client, guest: httpx.Client) -> None:
    refresh = guest.post("/oauth/token", data=READER).json()["refresh_token"]
    secret = admin.post(f"/v1/apiclients/{OFFICE}/secrets", json={"Name": "s"}).json()["ClientSecret"]
    forms = [READER, {"grant_type": "refresh_token", "client_id": OFFICE, "refresh_token": refresh}]
    assert [guest.post("/oauth/token", data=form).status_code for form in forms] == [401, 401]
    with_secret = [form | {"client_secret": secret} for form in forms]
    assert [guest.post("/oauth/token", data=form).status_code for form in with_secret] == [200, 200]


def test_every_party_is_allowed_by_its_flag_or_by_an_assignment(admin: httpx.Client, guest: httpx.Client) -> None:
    vendor = {"grant_type": "password", "client_id": OFFICE, "username": "vendor", "password": "pw"}
    assert guest.post("/oauth/token", data=vendor).status_code == 401
    admin.post("/v1/apiclients/assignments", json={"ApiClientID": OFFICE, "SupplierID": "tools"})
    assert claims(guest.post("/oauth/token", data=vendor))["usrtype"] == "supplier"
    assert guest.post("/oauth/token", data=SHOPPER | {"client_id": OFFICE}).status_code == 401
    admin.patch("/v1/apiclients/" + OFFICE, json={"AllowAnyBuyer": True})
    assert claims(guest.post("/oauth/token", data=SHOPPER | {"client_id": OFFICE}))["usr"] == "shopper"


@pytest.mark.parametrize(
    ("scope", "change", "expected"),
    [
        ("Shopper", {}, ["Shopper"]),
        ("Shopper vip OrderAdmin", {}, ["Shopper", "vip"]),
        ("", {"MaximumGrantedRoles": ["MeAdmin", "OrderAdmin"]}, ["MeAdmin", "vip"]),
        ("", {"MaximumGrantedCustomRoles": ["gold"]}, ["MeAdmin", "Shopper"]),
        (
            "",
            {"MinimumRequiredRoles": ["Shopper"], "MinimumRequiredCustomRoles": ["vip"]},
            ["MeAdmin", "Shopper", "vip"],
        ),
        ("Shopper", {"MaximumGrantedRoles": ["Shopper", "MeAdmin"]}, ["Shopper"]),
    ],
)
def test_scope_and_client_limit_the_roles(
    admin: httpx.Client, guest: httpx.Client, scope: str, change: dict[str, Any], expected: list[str]
) -> None:
    admin.patch("/v1/apiclients/" + STOREFRONT, json=change)
    assert roles(guest.post("/oauth/token", data=ANONYMOUS | {"scope": scope})) == expected


def test_full_access_includes_every_role_but_can_be_limited(admin: httpx.Client, guest: httpx.Client) -> None:
    assert roles(guest.post("/oauth/token", data=ADMIN | {"scope": "ApiClientReader"})) == ["ApiClientReader"]
    narrow = {"MaximumGrantedRoles": ["ApiClientReader", "BuyerReader"], "MinimumRequiredRoles": ["OrderAdmin"]}
    admin.patch("/v1/apiclients/" + ADMIN_CLIENT_ID, json=narrow)
    assert roles(guest.post("/oauth/token", data=ADMIN)) == ["ApiClientReader", "BuyerReader"]
    assert roles(guest.post("/oauth/token", data=ADMIN | {"scope": "BuyerReader"})) == ["BuyerReader"]


def test_roles_come_from_the_seed_and_from_profiles(
    emulate: Callable[..., Emulator], visit: Callable[[Emulator], httpx.Client]
) -> None:
    person = {"FirstName": "A", "LastName": "B", "Email": "e", "Active": True, "AvailableRoles": ["OrderAdmin"]}
    users = [{"ID": "reader", "Username": "reader", "Password": "pw-reader", **person}]
    assert roles(visit(emulate({"AdminUsers": users})).post("/oauth/token", data=READER)) == [
        "ApiClientReader",
        "OrderAdmin",
    ]


def test_a_token_of_another_emulator_is_rejected(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client], admin: httpx.Client
) -> None:
    admin.headers["Authorization"] = login(emulate()).headers["Authorization"]
    assert code(admin.get("/v1/me")) == "InvalidToken"


def test_a_token_expires(admin: httpx.Client, now: list[datetime]) -> None:
    now[0] += timedelta(minutes=599)
    assert admin.get("/v1/me").status_code == 200
    now[0] += timedelta(minutes=1)
    assert code(admin.get("/v1/me")) == "InvalidToken"


def test_a_token_stays_valid_after_the_deactivation_of_its_client(admin: httpx.Client) -> None:
    admin.patch("/v1/apiclients/" + ADMIN_CLIENT_ID, json={"Active": False})
    assert admin.get("/v1/me").status_code == 200


def test_me_returns_the_marketplace_and_the_company(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    emulator = emulate(marketplace="my-shop")
    seller, buyer = login(emulator).get("/v1/me").json(), login(emulator, **SHOPPER).get("/v1/me").json()
    assert seller["Seller"] == buyer["Seller"] == {"ID": "my-shop"}
    assert (seller["Buyer"], seller["AvailableRoles"]) == (None, ["FullAccess"])
    assert (buyer["Buyer"]["ID"], buyer["Supplier"]) == ("Acme", None)
    assert "Password" not in buyer


def test_me_of_a_deleted_user_is_rejected(
    emulator: Emulator, admin: httpx.Client, login: Callable[..., httpx.Client]
) -> None:
    reader = login(emulator, **READER)
    admin.delete("/v1/adminusers/reader")
    assert code(reader.get("/v1/me")) == "InvalidToken"


def test_tokens_stay_valid_beyond_the_size_of_the_cache(
    monkeypatch: pytest.MonkeyPatch, emulator: Emulator, login: Callable[..., httpx.Client]
) -> None:
    monkeypatch.setattr("reconciler.emulator.tokens._MAX_CACHED", 2)
    clients = [login(emulator, **(ADMIN | {"scope": role})) for role in ("FullAccess", "BuyerReader", "OrderAdmin")]
    assert [client.get("/v1/me").status_code for client in clients + clients] == [200] * 6
