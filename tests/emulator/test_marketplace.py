"""References between kinds, and what prevents a deletion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID
from tests.emulator.test_resources import LEAST, OFFICE, STOREFRONT, codes

if TYPE_CHECKING:
    import httpx


@pytest.mark.parametrize(
    ("field", "kind"), [("OrderReturnIntegrationEventID", "IntegrationEvent"), ("DefaultContextUserName", "User")]
)
def test_a_reference_to_a_missing_object_is_not_found(admin: httpx.Client, field: str, kind: str) -> None:
    answer = admin.put(OFFICE, json=LEAST | {field: "unknown"})
    assert answer.status_code == 404
    assert answer.json()["Errors"][0]["Data"] == {"ObjectType": kind, "ObjectID": "unknown"}


def test_a_reference_matches_in_any_case_and_is_returned_in_varying_case(admin: httpx.Client) -> None:
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


def test_deleting_a_client_removes_it_from_webhooks(admin: httpx.Client) -> None:
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
