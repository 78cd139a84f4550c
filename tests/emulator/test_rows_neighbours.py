"""Integration events, webhooks, companies, users, profiles, impersonation, subscription."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

OFFICE = "9dfe083f-a675-4a3a-a39a-521511dac93d"
STOREFRONT = "e5a05785-caff-4f7d-9cc3-758f13865fc3"
PERSON = {"FirstName": "A", "LastName": "B", "Email": "a@example.com", "Active": True}
HOOK = {"Name": "hook", "Url": "https://x.example", "HashKey": "h"}
SIMPLE: dict[str, dict[str, Any]] = {
    "/v1/integrationEvents": {"Name": "e", "CustomImplementationUrl": "https://x.example", "HashKey": "h"},
    "/v1/webhooks": HOOK,
    "/v1/buyers": {"Name": "b"},
    "/v1/suppliers": {"Name": "s"},
    "/v1/adminusers": PERSON | {"Username": "new"},
    "/v1/buyers/ACME/users": PERSON | {"Username": "new"},
    "/v1/suppliers/tools/users": PERSON | {"Username": "new"},
    "/v1/securityprofiles": {"Name": "p"},
    "/v1/impersonationconfig": {"ClientID": STOREFRONT, "SecurityProfileID": "reading", "BuyerID": "acme"},
    "/v1/usergroups": {"Name": "g"},
    "/v1/buyers/ACME/usergroups": {"Name": "g"},
    "/v1/suppliers/tools/usergroups": {"Name": "g"},
}


def codes(answer: httpx.Response) -> list[str]:
    return [error["ErrorCode"] for error in answer.json()["Errors"]]


@pytest.mark.parametrize("path", SIMPLE)
def test_a_resource_supports_all_six_operations(admin: httpx.Client, path: str) -> None:
    body = SIMPLE[path]
    assert admin.put(f"{path}/one", json=body).status_code == 200
    assert admin.put(f"{path}/ONE", json=body).status_code == 200
    assert admin.patch(f"{path}/one", json={}).json() == admin.get(f"{path}/one").json()
    assert "one" in [item["ID"] for item in admin.get(path, params={"sortBy": "ID"}).json()["Items"]]
    assert codes(admin.post(path, json=body | {"ID": "One"})) == ["IdExists"]
    assert admin.delete(f"{path}/one").status_code == 204
    assert admin.get(f"{path}/one").status_code == 404


@pytest.mark.parametrize("path", SIMPLE)
def test_a_post_generates_an_id_and_returns_the_location(admin: httpx.Client, path: str) -> None:
    answer = admin.post(path, json=SIMPLE[path])
    assert answer.status_code == 201
    assert len(answer.json()["ID"]) == 22
    assert admin.get(answer.headers["Location"]).json() == answer.json()


def test_the_type_of_an_event_is_immutable_and_an_event_in_use_cannot_be_deleted(admin: httpx.Client) -> None:
    path = "/v1/integrationevents/OrderCheckout-Event"
    assert codes(admin.patch(path, json={"EventType": "AddToCart"})) == ["IntegrationEvent.CannotEditType"]
    assert codes(admin.patch(path, json={"EventType": "Nonsense", "HashKey": "x" * 51})) == [
        "ValidationFailure",
        "ValidationFailure",
        "IntegrationEvent.CannotEditType",
    ]
    assert codes(admin.delete(path)) == ["IntegrationEvent.CannotDeleteInUse"]
    admin.patch(f"/v1/apiclients/{STOREFRONT}", json={"OrderCheckoutIntegrationEventID": None})
    assert admin.delete(path).status_code == 204


def test_a_write_only_field_is_stored_but_never_returned(admin: httpx.Client) -> None:
    hook = HOOK | {"CustomAuthHeaderName": "X", "CustomAuthHeaderValue": "secret"}
    shown = admin.put("/v1/webhooks/hook", json=hook).json()
    assert shown["CustomAuthHeaderName"] == "X"
    assert "CustomAuthHeaderValue" not in shown
    assert codes(admin.get("/v1/webhooks", params={"CustomAuthHeaderValue": "secret"})) == ["List.InvalidProperty"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"Url": "http://x.example"}, ["Webhook.UrlSchemeHttps"]),
        ({"Url": None, "HashKey": None}, ["Webhook.UrlSchemeHttps", "Webhook.MissingHashKey"]),
        ({"ApiClientIDs": ["unknown"]}, ["ApiClient.InvalidClientID"]),
        ({"ApiClientIDs": "unknown"}, ["ValidationFailure"]),
        ({"WebhookRoutes": ["GET"], "Description": "x" * 2001}, ["ValidationFailure", "ValidationFailure"]),
        ({"WebhookRoutes": [{"Route": 1}], "HashKey": "x" * 51}, ["ValidationFailure", "ValidationFailure"]),
        ({"DeliveryConfigID": "unknown"}, ["NotFound"]),
        ({"CustomAuthHeaderName": "X"}, ["Integration.CustomAuthHeaderValueRequired"]),
        ({"CustomAuthHeaderValue": "X"}, ["Integration.CustomAuthHeaderNameRequired"]),
        ({"ElevatedRoles": ["Unknown"]}, ["ValidationFailure"]),
    ],
)
def test_an_invalid_webhook_is_rejected(admin: httpx.Client, change: dict[str, Any], expected: list[str]) -> None:
    assert codes(admin.put("/v1/webhooks/hook", json=HOOK | change)) == expected


def test_a_webhook_with_a_delivery_configuration_needs_no_url(admin: httpx.Client) -> None:
    target = {"SendEvent": {"SiteID": "s", "ServiceEndpoint": "https://x.example"}}
    admin.put("/v1/integrations/deliveryconfig/d", json={"Name": "d", "DeliveryTargets": target})
    hook = {"Name": "hook", "DeliveryConfigID": "D"}
    assert admin.put("/v1/webhooks/hook", json=hook).json()["DeliveryConfigID"] == "d"
    answer = admin.put("/v1/webhooks/hook", json=hook | {"BeforeProcessRequest": True})
    assert codes(answer) == ["Webhook.InvalidDeliveryConfig"]
    assert codes(admin.delete("/v1/integrations/deliveryconfig/d")) == ["DeliveryConfig.CannotDeleteConfigInUse"]


def test_a_webhook_lists_its_clients_in_lower_case(admin: httpx.Client) -> None:
    body = admin.put("/v1/webhooks/hook", json=HOOK | {"ApiClientIDs": [OFFICE.upper()]}).json()
    assert body["ApiClientIDs"] == [OFFICE]


def test_users_are_found_in_their_company_and_across_buyers(admin: httpx.Client) -> None:
    admin.put("/v1/buyers/globex/users/other", json=PERSON | {"Username": "other"})
    lists = ["/v1/buyers/acme/users", "/v1/buyers/globex/users", "/v1/buyerusers"]
    found = [sorted(item["ID"] for item in admin.get(path).json()["Items"]) for path in lists]
    assert found == [["shopper"], ["other"], ["other", "shopper"]]
    assert admin.get("/v1/buyers/globex/users/shopper").status_code == 404
    assert admin.get("/v1/buyers/unknown/users").status_code == 404


def test_a_user_has_a_company_and_roles(admin: httpx.Client) -> None:
    user = admin.get("/v1/buyers/acme/users/shopper").json()
    assert (user["CompanyID"], user["AvailableRoles"]) == ("Acme", ["MeAdmin", "Shopper", "vip"])
    assert "Password" not in user
    found = admin.get("/v1/buyerusers", params={"AvailableRoles": "vip"}).json()["Items"]
    assert [item["ID"] for item in found] == ["shopper"]


def test_a_username_is_unique_in_the_marketplace(admin: httpx.Client) -> None:
    answer = admin.put("/v1/adminusers/second", json=PERSON | {"Username": "SHOPPER"})
    assert codes(answer) == ["User.UsernameMustBeUnique"]
    assert admin.put("/v1/adminusers/reader", json=PERSON | {"Username": "READER"}).status_code == 200


def test_a_default_context_user_and_its_company_cannot_be_deleted(admin: httpx.Client) -> None:
    paths = ["/v1/buyers/acme/users/shopper", "/v1/buyers/acme"]
    assert [codes(admin.delete(path)) for path in paths] == [["User.CannotDeleteDefaultContextUser"]] * 2


def test_users_are_deleted_with_their_company(admin: httpx.Client) -> None:
    assert admin.delete("/v1/suppliers/tools").status_code == 204
    admin.put("/v1/suppliers/tools", json={"Name": "Tools"})
    assert admin.get("/v1/suppliers/tools/users").json()["Items"] == []


def test_there_is_one_subscription_integration(admin: httpx.Client) -> None:
    path = "/v1/integrations/subscription"
    assert [admin.get(path).status_code, admin.delete(path).status_code] == [404, 404]
    admin.patch(f"/v1/apiclients/{OFFICE}", json={"DefaultContextUserName": "reader"})
    assert admin.put(path, json={"ApiClientID": OFFICE.upper(), "HashKey": "h"}).json()["ApiClientID"] == OFFICE
    assert admin.patch(path, json={"Active": True}).json() == admin.get(path).json()
    assert admin.get(path).json()["Active"] is True
    assert admin.delete(path).status_code == 204


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ApiClientID": OFFICE}, ["SubscriptionIntegration.DefaultContextUser"]),
        ({"ApiClientID": STOREFRONT}, ["SubscriptionIntegration.CannotUseApiClient"]),
        ({"ApiClientID": "none"}, ["NotFound"]),
        ({}, ["RequiredField"]),
        ({"NotificationDays": 0}, ["RequiredField", "ValidationFailure"]),
    ],
)
def test_a_subscription_needs_a_suitable_client(
    admin: httpx.Client, change: dict[str, Any], expected: list[str]
) -> None:
    assert codes(admin.put("/v1/integrations/subscription", json={"HashKey": "h", **change})) == expected


PASSWORDS = [
    ({"MinimumCharacterCount": 9}, "current", ["SecurityProfile.InvalidPasswordConfiguration"]),
    ({"MinimumCharacterCount": 9}, "legacy", []),
    ({"MinimumCharacterCount": 7}, "legacy", ["SecurityProfile.InvalidPasswordConfiguration"]),
    ({"LimitPasswordReuse": 25, "LockoutDuration": 1}, "current", ["SecurityProfile.InvalidPasswordConfiguration"] * 2),
    ({"UpperCaseRequired": "yes"}, "current", ["SecurityProfile.InvalidPasswordConfiguration"]),
    ({"MaximumPasswordAge": 365, "NumericRequired": True}, "current", []),
]


@pytest.mark.parametrize(("config", "profile", "expected"), PASSWORDS)
def test_the_limits_of_a_password_configuration_are_enforced(
    emulate: Callable[..., Emulator],
    login: Callable[..., httpx.Client],
    config: dict[str, Any],
    profile: str,
    expected: list[str],
) -> None:
    answer = login(emulate(profile=profile)).put(
        "/v1/securityprofiles/p", json={"Name": "P", "PasswordConfig": config | {"NotAField": 1}}
    )
    assert ([] if answer.is_success else codes(answer)) == expected
    if answer.is_success:
        assert len(answer.json()["PasswordConfig"]) == 11
        assert answer.json()["PasswordConfig"].items() >= config.items()


def test_read_only_fields_of_newer_versions_are_returned(admin: httpx.Client) -> None:
    user = admin.get("/v1/adminusers/reader").json()
    assert (user["LastActive"], user["FailedLoginAttempts"]) == (None, 0)
    assert admin.get("/v1/securityprofiles/reading").json()["IsExternalRoleGroup"] is False
    me = admin.get("/v1/me").json()
    assert (me["CompanyID"], me["LastActive"]) == ("emulator", None)
