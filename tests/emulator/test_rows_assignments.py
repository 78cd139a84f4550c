"""Assignments of API clients to buyers and suppliers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

OFFICE = "9dfe083f-a675-4a3a-a39a-521511dac93d"
STOREFRONT = "e5a05785-caff-4f7d-9cc3-758f13865fc3"
PATH = "/v1/apiclients/assignments"


def test_an_assignment_names_one_party_and_the_client_in_lower_case(admin: httpx.Client) -> None:
    assert admin.post(PATH, json={"ApiClientID": OFFICE.upper(), "SupplierID": "TOOLS"}).status_code == 204
    items = admin.get(PATH, params={"apiClientID": OFFICE.upper()}).json()["Items"]
    assert items == [{"ApiClientID": OFFICE, "BuyerID": None, "SupplierID": "tools"}]
    counts = admin.get(f"/v1/apiclients/{OFFICE}").json()
    assert (counts["AssignedBuyerCount"], counts["AssignedSupplierCount"]) == (0, 1)


def test_saving_an_assignment_twice_changes_nothing(admin: httpx.Client) -> None:
    before = admin.get(PATH).json()
    assert admin.post(PATH, json={"ApiClientID": STOREFRONT, "BuyerID": "ACME"}).status_code == 204
    assert admin.get(PATH).json() == before


@pytest.mark.parametrize("company", ["buyer", "supplier"])
def test_an_assignment_is_deleted_through_its_buyer_or_supplier(admin: httpx.Client, company: str) -> None:
    owner = {"buyer": "Acme", "supplier": "tools"}[company]
    admin.post(PATH, json={"ApiClientID": OFFICE, f"{company.title()}ID": owner})
    path = f"/v1/{company}s/{owner}/ApiClients/Assignments/{OFFICE.upper()}"
    assert [admin.delete(path).status_code for _ in range(2)] == [204, 404]
    assert admin.get(PATH, params={"apiClientID": OFFICE}).json()["Items"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"BuyerID": "Acme"}, 400),
        ({"ApiClientID": OFFICE}, 400),
        ({"ApiClientID": OFFICE, "BuyerID": "Acme", "SupplierID": "tools"}, 400),
        ({"ApiClientID": OFFICE, "BuyerID": 5}, 400),
        ({"ApiClientID": "unknown", "BuyerID": "unknown"}, 404),
        ({"ApiClientID": OFFICE, "SupplierID": "unknown"}, 404),
    ],
)
def test_an_invalid_assignment_is_rejected(admin: httpx.Client, body: dict[str, str], status: int) -> None:
    assert admin.post(PATH, json=body).status_code == status


def test_an_unknown_client_and_an_unknown_company_are_both_reported(admin: httpx.Client) -> None:
    errors = admin.post(PATH, json={"ApiClientID": "nothing", "BuyerID": "unknown"}).json()["Errors"]
    assert [error["Data"]["ObjectType"] for error in errors] == ["ApiClient", "Buyer"]


def test_the_list_filters_by_its_three_parameters_and_no_others(admin: httpx.Client) -> None:
    admin.post(PATH, json={"ApiClientID": STOREFRONT, "BuyerID": "globex"})
    assert len(admin.get(PATH, params={"apiClientID": STOREFRONT}).json()["Items"]) == 2
    assert len(admin.get(PATH, params={"buyerID": "GLOBEX"}).json()["Items"]) == 1
    assert admin.get(PATH, params={"supplierID": "tools"}).json()["Items"] == []
    assert [admin.get(PATH, params=query).status_code for query in ({"x": "1"}, {"sortBy": "BuyerID"})] == [400, 400]


def test_assignments_are_deleted_with_their_buyer(admin: httpx.Client) -> None:
    admin.post(PATH, json={"ApiClientID": STOREFRONT, "BuyerID": "globex"})
    assert admin.delete("/v1/buyers/GLOBEX").status_code == 204
    assert [item["BuyerID"] for item in admin.get(PATH).json()["Items"]] == ["Acme"]


def test_the_assignments_of_security_profiles_can_be_read(admin: httpx.Client) -> None:
    items = admin.get("/v1/securityprofiles/assignments", params={"buyerID": "acme"}).json()["Items"]
    assert [item["SecurityProfileID"] for item in items] == ["shopping"]
