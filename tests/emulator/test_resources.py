"""API clients: replace, merge, defaults, validation, references, guards, and the unkind parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def test_null_in_a_put_means_the_default(admin: httpx.Client) -> None:
    body = admin.put(STOREFRONT, json=LEAST | {"Active": None, "AnonymousTokenDuration": None}).json()
    assert (body["Active"], body["AnonymousTokenDuration"]) == (False, 10080)


def test_patch_changes_only_what_was_sent(admin: httpx.Client) -> None:
    before = admin.get(STOREFRONT).json()
    after = admin.patch(STOREFRONT, json={"AppName": "Shop"}).json()
    assert after == before | {"AppName": "Shop"}


def test_null_in_a_patch_clears(admin: httpx.Client) -> None:
    body = admin.patch(STOREFRONT, json={"OrderCheckoutIntegrationEventID": None}).json()
    assert (body["OrderCheckoutIntegrationEventID"], body["OrderCheckoutIntegrationEventName"]) == (None, None)


def test_patch_merges_xp_at_its_top_level(admin: httpx.Client) -> None:
    admin.patch(STOREFRONT, json={"xp": {"a": {"x": 1}, "b": 2}})
    assert admin.patch(STOREFRONT, json={"xp": {"a": {"y": 2}}}).json()["xp"] == {"a": {"y": 2}, "b": 2}
    assert admin.patch(STOREFRONT, json={"xp": None}).json()["xp"] is None


def test_patch_cannot_clear_a_required_field(admin: httpx.Client) -> None:
    assert codes(admin.patch(STOREFRONT, json={"AppName": None})) == ["RequiredField"]


def test_read_only_and_unknown_fields_are_ignored(admin: httpx.Client) -> None:
    sent = LEAST | {"ID": "x", "AssignedBuyerCount": 9, "AllowAnySeller": True}
    body = admin.put(STOREFRONT, json=sent).json()
    assert body["ID"] == "E5A05785-CAFF-4F7D-9CC3-758F13865FC3"
    assert body["AssignedBuyerCount"] == 1
    assert "AllowAnySeller" not in body


def test_a_put_that_creates_answers_201_on_request(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    answer = login(emulate(put_create_status=201)).put(NEW, json=LEAST)
    assert (answer.status_code, answer.headers["Location"][-36:]) == (201, answer.json()["ID"])


def test_a_field_grows_with_every_write_on_request(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(revisions=True))
    seen = [admin.put(NEW, json=LEAST | {"EmulatorRevision": 99}).json()["EmulatorRevision"] for _ in range(2)]
    admin.post("/_emulator/staging-restore")
    admin.post("/_emulator/faults", json={"spec": 'GET /v1/apiclients/* edit=AppName:"edited"'})
    assert [*seen, admin.get(NEW).json()["EmulatorRevision"]] == [1, 2, 4]


def test_a_user_name_is_kept_as_the_user_has_it(admin: httpx.Client) -> None:
    answer = admin.patch(STOREFRONT, json={"DefaultContextUserName": "SHOPPER"})
    assert answer.json()["DefaultContextUserName"] == "shopper"


def test_a_field_that_is_in_no_documentation_is_lost_when_a_put_leaves_it_out(admin: httpx.Client) -> None:
    admin.patch(STOREFRONT, json={"FutureFlag": {"new": True}})
    whole = admin.get(STOREFRONT).json()
    assert admin.put(STOREFRONT, json=whole).json()["FutureFlag"] == {"new": True}
    assert admin.put(STOREFRONT, json=LEAST).json()["FutureFlag"] is None


def test_post_never_lets_the_caller_choose_the_id(admin: httpx.Client) -> None:
    answer = admin.post("/v1/apiclients", json=LEAST | {"ID": NEW.rpartition("/")[2]})
    assert answer.status_code == 201
    assert answer.json()["ID"] not in NEW.upper()
    assert answer.headers["Location"] == "http://emulator/v1/apiclients/" + answer.json()["ID"]
    assert admin.get(answer.headers["Location"]).json() == answer.json()


def test_put_creates_under_the_id_of_the_path_in_upper_case(admin: httpx.Client) -> None:
    answer = admin.put(NEW, json=LEAST)
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    assert answer.json()["ID"] == "0F0F0F0F-0000-4000-8000-00000000000A"
    assert admin.put(NEW.upper().replace("/V1/APICLIENTS", "/v1/apiclients"), json=LEAST).status_code == 200


@pytest.mark.parametrize("object_id", ["storefront", "0f0f0f0f000040008000000000000000", "a b", "ключ"])
def test_put_creates_only_under_a_guid(admin: httpx.Client, object_id: str) -> None:
    answer = admin.put("/v1/apiclients/" + object_id, json=LEAST)
    assert (answer.status_code, codes(answer)) == (404, ["NotFound"])
    assert answer.json()["Errors"][0]["Data"] == {"ObjectType": "ApiClient", "ObjectID": object_id}


def test_put_does_not_create_when_that_is_switched_off(
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


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"AppName": None}, "RequiredField"),
        ({"AppName": "  "}, "RequiredField"),
        ({"AccessTokenDuration": None}, "RequiredField"),
        ({"AccessTokenDuration": 9}, "ValidationFailure"),
        ({"AccessTokenDuration": 601}, "ValidationFailure"),
        ({"AccessTokenDuration": "600"}, "ValidationFailure"),
        ({"AccessTokenDuration": True}, "ValidationFailure"),
        ({"RefreshTokenDuration": -1}, "ValidationFailure"),
        ({"RefreshTokenDuration": 524_161}, "ValidationFailure"),
        ({"AnonymousTokenDuration": 10_079}, "ValidationFailure"),
        ({"AnonymousTokenDuration": 86_401}, "ValidationFailure"),
        ({"Active": "true"}, "ValidationFailure"),
        ({"xp": []}, "ValidationFailure"),
        ({"xp": {"a": "x" * 7993}}, "ValidationFailure"),
        ({"MaximumGrantedRoles": ["Shoper"]}, "ValidationFailure"),
        ({"MaximumGrantedRoles": "Shopper"}, "ValidationFailure"),
        ({"MinimumRequiredCustomRoles": [1]}, "ValidationFailure"),
        ({"IsAnonBuyer": True}, "ApiClient.RequiredNotAnonBuyer"),
        ({"IsAnonBuyer": True, "DefaultContextUserName": "reader"}, "ApiClient.RequiredNotAnonBuyer"),
        ({"OrderReturnIntegrationEventID": "AddToCart-Event"}, "IntegrationEvent.IncompatibleEventType"),
    ],
)
def test_a_bad_value_is_refused(admin: httpx.Client, change: dict[str, Any], code: str) -> None:
    answer = admin.put(OFFICE, json=LEAST | change)
    assert (answer.status_code, codes(answer)) == (400, [code])
    assert admin.get(OFFICE).json()["AppName"] == "Back office"


@pytest.mark.parametrize(
    "change",
    [
        {"AccessTokenDuration": 600, "RefreshTokenDuration": 524_160, "AnonymousTokenDuration": 86_400},
        {"xp": {"a": "x" * 7992}},
        {"MaximumGrantedRoles": ["OrderEditAfterSubmit"], "MaximumGrantedCustomRoles": ["anything at all"]},
        {"IsAnonBuyer": True, "DefaultContextUserName": "SHOPPER"},
        {"AddToCartIntegrationEventID": "", "DefaultContextUserName": ""},
    ],
)
def test_a_value_at_the_limit_is_accepted(admin: httpx.Client, change: dict[str, Any]) -> None:
    assert admin.put(OFFICE, json=LEAST | change).status_code == 200


@pytest.mark.parametrize(
    ("field", "kind"), [("OrderReturnIntegrationEventID", "IntegrationEvent"), ("DefaultContextUserName", "User")]
)
def test_a_reference_to_nothing_is_not_found(admin: httpx.Client, field: str, kind: str) -> None:
    answer = admin.put(OFFICE, json=LEAST | {field: "nobody"})
    assert answer.status_code == 404
    assert answer.json()["Errors"][0]["Data"] == {"ObjectType": kind, "ObjectID": "nobody"}


def test_all_faults_of_a_body_are_reported_together(admin: httpx.Client) -> None:
    answer = admin.put(OFFICE, json={"AccessTokenDuration": 1, "xp": 5, "DefaultContextUserName": "nobody"})
    assert answer.status_code == 400
    assert sorted(codes(answer)) == ["NotFound", "RequiredField", "ValidationFailure", "ValidationFailure"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b"\xff{}",
        b"[" * 100_000,
        b'{"a": %s}' % (b"9" * 5000),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(admin: httpx.Client, content: bytes) -> None:
    answer = admin.put(OFFICE, content=content)
    assert (answer.status_code, codes(answer)) == (400, ["Request.InvalidRequestBody"])


def test_text_beyond_ascii_and_fractions_come_back_unharmed(admin: httpx.Client) -> None:
    xp = {"emoji": "\U0001f6d2", "lone": "\ud83d", "zero": "\x00", "ratio": 0.25}
    admin.patch(
        OFFICE, content=b'{"xp": {"emoji": "\\ud83d\\uded2", "lone": "\\ud83d", "zero": "\\u0000", "ratio": 0.25}}'
    )
    assert admin.get(OFFICE).json()["xp"] == xp


def test_a_reference_is_found_in_any_case_and_echoed_in_changing_case(admin: httpx.Client) -> None:
    admin.patch(OFFICE, json={"OrderCheckoutIntegrationEventID": "ordercheckout-EVENT"})
    listed = {item["AppName"]: item for item in admin.get("/v1/apiclients").json()["Items"]}
    field = "OrderCheckoutIntegrationEventID"
    assert listed["Storefront"][field] == "OrderCheckout-Event"
    assert admin.get(STOREFRONT).json()[field] == "ORDERCHECKOUT-EVENT"
    assert listed["Back office"][field] == "ORDERCHECKOUT-EVENT"
    assert admin.get(OFFICE).json()[field] == "OrderCheckout-Event"


def test_names_of_events_and_counts_of_assignments_are_derived(admin: httpx.Client) -> None:
    body = admin.get(STOREFRONT).json()
    assert body["OrderCheckoutIntegrationEventName"] == "OrderCheckout"
    assert (body["AssignedBuyerCount"], body["AssignedSupplierCount"]) == (1, 0)


def test_the_administration_client_is_listed_like_any_other(admin: httpx.Client) -> None:
    items = admin.get("/v1/apiclients").json()["Items"]
    assert ADMIN_CLIENT_ID in [item["ID"] for item in items]


def test_the_last_client_with_full_access_cannot_be_deleted(admin: httpx.Client) -> None:
    answer = admin.delete("/v1/apiclients/" + ADMIN_CLIENT_ID)
    assert (answer.status_code, codes(answer)) == (400, ["ApiClient.CannotDeleteLastFullAccess"])
    second = LEAST | {"Active": True, "AllowSeller": True, "DefaultContextUserName": "emulator-admin"}
    admin.post("/v1/apiclients", json=second)
    assert admin.delete("/v1/apiclients/" + ADMIN_CLIENT_ID).status_code == 204


def test_a_client_in_use_cannot_be_deleted(admin: httpx.Client) -> None:
    admin.patch(OFFICE, json={"DefaultContextUserName": "reader"})
    uses = {"ClientID": OFFICE[-36:].lower(), "SecurityProfileID": "reading"}
    assert admin.post("/v1/impersonationconfig", json=uses).status_code == 201
    subscription = {"ApiClientID": OFFICE[-36:], "HashKey": "h"}
    assert admin.put("/v1/integrations/subscription", json=subscription).status_code == 200
    assert codes(admin.delete(OFFICE)) == ["ApiClient.UsedByImpersonationConfig", "ApiClient.UsedByIntegration"]


def test_deleting_a_client_takes_it_off_the_webhooks(admin: httpx.Client) -> None:
    hook = {
        "Name": "hook",
        "Url": "https://x.example",
        "HashKey": "h",
        "ApiClientIDs": [OFFICE[-36:], STOREFRONT[-36:]],
    }
    admin.put("/v1/webhooks/hook", json=hook)
    admin.put("/v1/webhooks/other", json=hook | {"ApiClientIDs": []})
    admin.delete(OFFICE)
    assert admin.get("/v1/webhooks/hook").json()["ApiClientIDs"] == [STOREFRONT[-36:].lower()]


def test_the_legacy_secret_is_readable_writable_and_erased_by_a_put_without_it(legacy: httpx.Client) -> None:
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
