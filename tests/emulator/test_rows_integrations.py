"""Delivery configurations, message senders, identity providers, tracking events, singletons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

STOREFRONT = "e5a05785-caff-4f7d-9cc3-758f13865fc3"
OFFICE = "9dfe083f-a675-4a3a-a39a-521511dac93d"
HTTP = {"Endpoint": "https://x.example", "Secret": "s"}
HEADER = {"CustomAuthHeaderName": "x-key", "CustomAuthHeaderValue": "v"}
DELIVERY = {"Name": "D", "Enabled": True, "DeliveryTargets": {"Http": HTTP | HEADER}}
SENDER = {"Name": "S", "MessageTypes": ["OrderSubmitted"], "DeliveryConfigID": "d"}
PROVIDER = {"OrderCloudApiClientID": STOREFRONT.upper(), "TokenEndpoint": "x"} | dict.fromkeys(
    ("ConnectClientID", "ConnectClientSecret", "AppStartUrl", "AuthorizationEndpoint"), "x"
)
TRACKING = {"EventType": "UserLoggedIn", "ClientID": STOREFRONT, "Name": "T", "DeliveryConfigID": "d"}
CONFIG, HOOK = "/v1/integrations/deliveryconfig/d", "/v1/webhooks/h"
AUTH = {"Name": "h", "Url": "https://x.example", "HashKey": "h", **HEADER}


def codes(answer: httpx.Response) -> list[str]:
    return [] if answer.is_success else [error["ErrorCode"] for error in answer.json()["Errors"]]


@pytest.fixture
def start(emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]) -> Callable[..., httpx.Client]:
    """Start an emulator with these readings and the delivery configuration `d`."""

    def started(*readings: str) -> httpx.Client:
        admin = login(emulate(readings=readings))
        assert admin.put(CONFIG, json=DELIVERY).is_success
        return admin

    return started


@pytest.fixture
def admin(start: Callable[..., httpx.Client]) -> httpx.Client:
    """The administrator of an emulator with the default readings."""
    return start()


def test_no_response_has_the_secrets_of_a_target(admin: httpx.Client) -> None:
    targets = admin.get(CONFIG).json()["DeliveryTargets"]
    assert targets["Http"] == {"Endpoint": "https://x.example", "CustomAuthHeaderName": "x-key"}
    assert [name for name, target in targets.items() if target is not None] == ["Http"]
    assert len(targets) == 12
    [listed] = admin.get("/v1/integrations/deliveryconfig").json()["Items"]
    assert listed == admin.get(CONFIG).json()


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        (None, "DeliveryTargets is required."),
        ({"Http": {"Endpoint": "https://x.example"}}, "DeliveryTargets.Http.Secret is required."),
        ({"Http": HTTP | {"Secret": "x" * 51}}, "DeliveryTargets.Http.Secret must be at most 50 characters."),
        ({"Kafka": "x"}, "DeliveryTargets.Kafka is not a valid object."),
        (
            {"SearchIngestion": {"Domain": "d", "Source": "s", "Endpoint": "e", "Entity": "p", "ApiKey": None}},
            "DeliveryTargets.SearchIngestion.ApiKey is required.",
        ),
        (
            {"Http": HTTP | {"CustomAuthHeaderName": "x"}},
            "DeliveryTargets.Http.CustomAuthHeaderValue is required when CustomAuthHeaderName is provided.",
        ),
    ],
)
def test_a_target_needs_all_its_required_fields(admin: httpx.Client, targets: Any, words: str) -> None:
    answer = admin.put(CONFIG, json={"Name": "D", "DeliveryTargets": targets})
    assert [error["Message"] for error in answer.json()["Errors"]] == [words]


def test_a_put_clears_a_write_only_value_that_it_omits(admin: httpx.Client) -> None:
    admin.put(HOOK, json=AUTH)
    assert codes(admin.put(HOOK, json=admin.get(HOOK).json())) == ["Integration.CustomAuthHeaderValueRequired"]
    assert codes(admin.put(CONFIG, json=admin.get(CONFIG).json())) != []


def test_in_the_other_reading_a_put_keeps_write_only_values(start: Callable[..., httpx.Client]) -> None:
    admin = start("put-keeps-write-only")
    admin.put(HOOK, json=AUTH)
    for path in (HOOK, CONFIG):
        assert codes(admin.put(path, json=admin.get(path).json())) == []


def test_a_patch_replaces_a_nested_object(admin: httpx.Client) -> None:
    change = {"DeliveryTargets": {"Http": {"Endpoint": "https://y.example"}}}
    assert codes(admin.patch(CONFIG, json=change)) == ["RequiredField"]
    assert codes(admin.patch(CONFIG, json={"Enabled": False})) == []


def test_in_the_other_reading_a_patch_merges_nested_objects(start: Callable[..., httpx.Client]) -> None:
    admin = start("patch-merges-deep")
    change = {"DeliveryTargets": {"Http": {"Endpoint": "https://y.example"}}}
    assert admin.patch(CONFIG, json=change).json()["DeliveryTargets"]["Http"] == {
        "Endpoint": "https://y.example",
        "CustomAuthHeaderName": "x-key",
    }


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/messagesenders/s", SENDER),
        ("/v1/integrations/trackingevents/t", TRACKING),
        (HOOK, {"Name": "h", "DeliveryConfigID": "d"}),
        ("/v1/integrations/OrderSync", {"DeliveryConfigID": "D"}),
        (
            "/v1/integrations/entitysync/buyers/users",
            {"DeliveryConfigID": "d", "SyncEntityChanged": True, "SyncEntityDeleted": True},
        ),
    ],
)
def test_a_delivery_configuration_is_required_and_cannot_be_deleted_in_use(
    admin: httpx.Client, path: str, body: dict[str, Any]
) -> None:
    assert codes(admin.put(path, json=body | {"DeliveryConfigID": "none"})) in (
        ["NotFound"],
        ["TrackingEvent.InvalidDeliveryConfigID"],
    )
    assert admin.put(path, json=body).json()["DeliveryConfigID"] == "d"
    assert codes(admin.delete(CONFIG)) == ["DeliveryConfig.CannotDeleteConfigInUse"]
    assert [admin.delete(path).status_code, admin.delete(CONFIG).status_code] == [204, 204]


def test_a_current_sender_needs_a_delivery_configuration_and_has_newer_messages(admin: httpx.Client) -> None:
    body = SENDER | {"MessageTypes": ["OneTimePassword"], "URL": "https://x.example", "SharedKey": "k"}
    shown = admin.put("/v1/messagesenders/s", json=body).json()
    assert "URL" not in shown
    assert shown["AllowAllBuyers"] is False
    assert codes(admin.put("/v1/messagesenders/s", json=body | {"DeliveryConfigID": None})) == ["RequiredField"]
    assert codes(admin.put("/v1/messagesenders/s", json=body | {"MessageTypes": ["X"]})) == ["ValidationFailure"]


def test_a_legacy_sender_needs_a_url_and_a_key(legacy: httpx.Client) -> None:
    body = {"Name": "S", "MessageTypes": ["OrderSubmitted"]}
    answer = legacy.put("/v1/messagesenders/s", json=body)
    assert codes(answer) == ["MessageSenders.UrlRequired", "MessageSenders.SharedKeyRequired"]
    shown = legacy.put("/v1/messagesenders/s", json=body | {"URL": "https://x.example", "SharedKey": "k"}).json()
    assert (shown["SharedKey"], "DeliveryConfigID" in shown) == ("k", False)
    answer = legacy.put("/v1/messagesenders/s", json=body | {"MessageTypes": ["OneTimePassword"]})
    assert "ValidationFailure" in codes(answer)


SENDERS = "/v1/messagesenders/assignments"


def test_assigning_a_sender_twice_is_a_conflict(admin: httpx.Client) -> None:
    admin.put("/v1/messagesenders/s", json=SENDER | {"Description": "d"})
    row = {"MessageSenderID": "S", "BuyerID": "ACME"}
    assert [admin.post(SENDERS, json=row).status_code for _ in range(2)] == [204, 409]
    assert admin.get(SENDERS).json()["Items"] == [
        {"MessageSenderID": "s", "BuyerID": "Acme", "SupplierID": None, "UserGroupID": None}
        | {"MessageConfigName": "S", "MessageConfigDescription": "d"}
    ]
    assert codes(admin.post(SENDERS, json=row | {"UserID": "reader"})) == ["PartyAssignment.UserLevelNotAllowed"]
    assert admin.get(SENDERS, params={"userID": "reader"}).json()["Items"] == []
    assert admin.delete("/v1/messagesenders/s").status_code == 204
    assert admin.get(SENDERS).json()["Items"] == []


def test_in_the_other_reading_saving_again_is_accepted(start: Callable[..., httpx.Client]) -> None:
    admin = start("repeat-is-accepted")
    admin.put("/v1/messagesenders/s", json=SENDER)
    assert [admin.post(SENDERS, json={"MessageSenderID": "s"}).status_code for _ in range(2)] == [204, 204]


def test_cc_listeners_can_be_added_but_not_removed(admin: httpx.Client) -> None:
    admin.put("/v1/messagesenders/s", json=SENDER)
    path, row = "/v1/messagesenders/CCListenerAssignments", {"MessageType": "OrderSubmitted", "UserID": "reader"}
    assert codes(admin.post(path, json=row)) == ["RequiredField"]
    assert codes(admin.post(path, json=row | {"MessageSenderAssignment": {"MessageSenderID": "x"}})) == ["NotFound"]
    assert admin.post(path, json=row | {"MessageSenderAssignment": {"MessageSenderID": "s"}}).status_code == 204
    [item] = admin.get(path, params={"search": "read", "searchOn": "UserID"}).json()["Items"]
    assert (item["UserID"], item["MessageSenderAssignment"]["MessageSenderID"]) == ("reader", "s")
    assert admin.delete(path).status_code == 405
    admin.delete("/v1/messagesenders/s")
    assert admin.get(path).json()["Items"] == []


def test_a_provider_refers_to_a_client_and_a_login_event(admin: httpx.Client) -> None:
    path = "/v1/openidconnects/p"
    shown = admin.put(path, json=PROVIDER).json()
    assert (shown["OrderCloudApiClientID"], shown["ConnectClientSecret"]) == (STOREFRONT, "x")
    wrong = {"IntegrationEventID": "AddToCart-Event"}
    assert codes(admin.patch(path, json=wrong)) == ["IntegrationEvent.IncompatibleEventType"]
    event = {"Name": "Login", "EventType": "OpenIDConnect", "CustomImplementationUrl": "https://x.example"}
    admin.put("/v1/integrationEvents/login", json=event | {"HashKey": "h"})
    assert admin.patch(path, json={"IntegrationEventID": "LOGIN"}).json()["IntegrationEventName"] == "Login"
    assert codes(admin.delete("/v1/integrationEvents/login")) == ["IntegrationEvent.CannotDeleteInUse"]
    assert codes(admin.put(path, json=PROVIDER | {"OrderCloudApiClientID": "none"})) == ["NotFound"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ClientID": OFFICE}, ["TrackingEvent.CannotUpdateProperty"]),
        ({"EventType": "OrderSubmitted"}, ["TrackingEvent.CannotUpdateProperty"]),
        ({"ClientID": "none"}, ["TrackingEvent.CannotUpdateProperty", "TrackingEvent.InvalidClientID"]),
        ({"ClientID": STOREFRONT.upper()}, []),
    ],
)
def test_a_tracking_event_keeps_its_client_and_type(
    admin: httpx.Client, change: dict[str, str], expected: list[str]
) -> None:
    path = "/v1/integrations/trackingevents"
    admin.put(f"{path}/t", json=TRACKING)
    assert codes(admin.patch(f"{path}/t", json=change)) == expected
    twice = ["TrackingEvent.CannotCreateMultipleEventsOfSameType"]
    assert codes(admin.post(path, json=TRACKING)) == twice


def test_deleting_a_client_deletes_objects_that_require_it(admin: httpx.Client) -> None:
    tracking = TRACKING | {"ClientID": OFFICE}
    admin.put("/v1/integrations/trackingevents/t", json=tracking)
    admin.put("/v1/openidconnects/p", json=PROVIDER | {"OrderCloudApiClientID": OFFICE})
    assert admin.delete(f"/v1/apiclients/{OFFICE}").status_code == 204
    gone = ("/v1/integrations/trackingevents/t", "/v1/openidconnects/p")
    assert [admin.get(path).status_code for path in gone] == [404, 404]


def test_an_unset_singleton_is_not_found_or_in_the_other_reading_empty(start: Callable[..., httpx.Client]) -> None:
    path = "/v1/integrations/promotion"
    admin = start()
    calls = (admin.get, admin.delete, lambda url: admin.patch(url, json={}))
    assert [call(path).status_code for call in calls] == [404] * 3
    other = start("unset-singleton-is-null")
    assert other.get(path).json() == {"HashKey": None, "Url": None, "CustomAuthHeaderName": None}
    assert other.delete(path).status_code == 404


def test_each_entity_has_its_own_sync(admin: httpx.Client) -> None:
    sync = {"DeliveryConfigID": "d", "SyncEntityChanged": True, "SyncEntityDeleted": False}
    path = "/v1/integrations/EntitySync"
    assert admin.put(f"{path}/buyers", json=sync).json() == sync | {"Paused": False}
    assert admin.get(f"{path}/buyers/users").status_code == 404
    assert admin.get(f"{path}/catalogs").status_code == 404


def test_elevated_roles_need_a_client_of_the_seller_in_one_reading(start: Callable[..., httpx.Client]) -> None:
    event = {"Name": "e", "CustomImplementationUrl": "https://x.example", "HashKey": "h", "ElevatedRoles": ["Shopper"]}
    for readings, expected in (((), []), (("elevated-needs-seller-client",), ["AllowSellerApiClientRequired"])):
        admin = start(*readings)
        for client in admin.get("/v1/apiclients").json()["Items"]:
            admin.patch(f"/v1/apiclients/{client['ID']}", json={"AllowSeller": False})
        found = codes(admin.put("/v1/integrationEvents/e", json=event))
        assert [code.removeprefix("IntegrationEvent.") for code in found] == expected


def test_the_legacy_generation_has_no_integrations(legacy: httpx.Client) -> None:
    paths = ("deliveryconfig", "trackingEvents", "subscription", "productsync", "entitysync/buyers", "promotion")
    assert [legacy.get(f"/v1/integrations/{path}").status_code for path in paths] == [404] * 6
