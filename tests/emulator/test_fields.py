"""Bodies x fields: validation errors, and the stored body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.test_resources import LEAST, OFFICE, STOREFRONT, codes

if TYPE_CHECKING:
    import httpx


def test_null_in_a_put_sets_the_default(admin: httpx.Client) -> None:
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
def test_an_invalid_value_is_rejected(admin: httpx.Client, change: dict[str, Any], code: str) -> None:
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


def test_all_errors_of_a_body_are_reported_together(admin: httpx.Client) -> None:
    answer = admin.put(OFFICE, json={"AccessTokenDuration": 1, "xp": 5, "DefaultContextUserName": "unknown"})
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
def test_a_body_that_is_not_a_json_object_is_rejected(admin: httpx.Client, content: bytes) -> None:
    answer = admin.put(OFFICE, content=content)
    assert (answer.status_code, codes(answer)) == (400, ["Request.InvalidRequestBody"])


def test_non_ascii_text_and_fractions_are_preserved(admin: httpx.Client) -> None:
    xp = {"emoji": "\U0001f6d2", "lone": "\ud83d", "zero": "\x00", "ratio": 0.25}
    admin.patch(
        OFFICE, content=b'{"xp": {"emoji": "\\ud83d\\uded2", "lone": "\\ud83d", "zero": "\\u0000", "ratio": 0.25}}'
    )
    assert admin.get(OFFICE).json()["xp"] == xp
