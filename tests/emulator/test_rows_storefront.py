"""Locales, approval rules, facets, incrementors, xp indices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

RULE = {"ApprovalType": "OrderReturn", "ApprovingGroupID": "team", "RuleExpression": "true"}


def codes(answer: httpx.Response) -> list[str]:
    return [] if answer.is_success else [error["ErrorCode"] for error in answer.json()["Errors"]]


def test_currency_and_language_of_a_locale_are_unique_and_its_owner_is_immutable(admin: httpx.Client) -> None:
    us = {"Currency": "USD", "Language": "en"}
    assert admin.put("/v1/locales/us", json=us).json()["OwnerID"] == "emulator"
    assert admin.put("/v1/locales/us", json=us | {"OwnerID": "tools"}).json()["OwnerID"] == "emulator"
    assert codes(admin.post("/v1/locales", json=us)) == ["Locale.DuplicateLanguageAndCurrency"]
    assert admin.put("/v1/locales/ca", json=us | {"Currency": "CAD", "OwnerID": "TOOLS"}).json()["OwnerID"] == "tools"
    assert codes(admin.put("/v1/locales/x", json={"Currency": "EUR", "OwnerID": "unknown"})) == ["NotFound"]


def test_a_locale_is_assigned_to_buyers_and_their_groups(admin: httpx.Client) -> None:
    admin.put("/v1/locales/us", json={"Currency": "USD"})
    admin.put("/v1/buyers/acme/usergroups/team", json={"Name": "Team"})
    path, row = "/v1/locales/assignments", {"LocaleID": "us", "BuyerID": "Acme"}
    assert codes(admin.post(path, json={"LocaleID": "us"})) == ["RequiredField"]
    assert codes(admin.post(path, json=row | {"UserID": "shopper"})) == ["PartyAssignment.UserLevelNotAllowed"]
    for each in (row, row | {"UserGroupID": "team"}):
        assert [admin.post(path, json=each).status_code for _ in range(2)] == [204, 204]
    assert len(admin.get(path, params={"level": "Group", "buyerID": "acme"}).json()["Items"]) == 1
    assert admin.delete("/v1/locales/us/assignments?buyerID=acme&userGroupID=team").status_code == 204
    assert admin.get(path).json()["Items"] == [row | {"UserGroupID": None}]
    admin.delete("/v1/buyers/acme/usergroups/team")
    admin.delete("/v1/locales/us")
    assert admin.get(path).json()["Items"] == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"OwnerID": "emulator"}, []),
        ({"OwnerID": "tools", "ApprovingGroupID": "packers"}, []),
        ({"OwnerID": "tools"}, ["NotFound"]),
        ({"ApprovingGroupID": "packers"}, ["NotFound"]),
        ({"OwnerID": "unknown", "ApprovingGroupID": "team"}, ["NotFound", "NotFound"]),
        ({"ApprovalType": "Order"}, ["ValidationFailure"]),
        ({"RuleExpression": "x" * 401}, ["ValidationFailure"]),
    ],
)
def test_a_rule_is_approved_by_a_group_of_its_owner(
    admin: httpx.Client, change: dict[str, Any], expected: list[str]
) -> None:
    admin.put("/v1/usergroups/team", json={"Name": "Team"})
    admin.put("/v1/suppliers/tools/usergroups/packers", json={"Name": "Packers"})
    assert codes(admin.put("/v1/approvalrules/r", json=RULE | change)) == expected


def test_an_approving_group_cannot_be_deleted(admin: httpx.Client) -> None:
    admin.put("/v1/usergroups/team", json={"Name": "Team"})
    admin.put("/v1/approvalrules/r", json=RULE)
    assert codes(admin.delete("/v1/usergroups/team")) == ["UserGroup.CannotDeleteApprovingGroup"]


def test_the_path_of_a_facet_is_its_id_by_default_and_unique(admin: httpx.Client) -> None:
    shown = admin.put("/v1/productfacets/color", json={"Name": "Color"}).json()
    assert (shown["XpPath"], shown["ListOrder"], shown["MinCount"]) == ("color", 0, 1)
    assert codes(admin.put("/v1/productfacets/other", json={"Name": "O", "XpPath": "COLOR"})) == [
        "ProductFacet.XpPathInUse"
    ]
    assert admin.put("/v1/productfacets/color", json={"Name": "Colour"}).is_success


def test_a_put_resets_the_counter_of_an_incrementor(admin: httpx.Client) -> None:
    path = "/v1/incrementors/orders"
    admin.put(path, json={"LastNumber": 41, "LeftPaddingCount": 6})
    assert admin.patch(path, json={"Name": "Orders"}).json()["LastNumber"] == 41
    assert admin.put(path, json={"LastNumber": 0, "LeftPaddingCount": 6}).json()["LastNumber"] == 0


def test_an_index_is_identified_by_thing_type_and_key(admin: httpx.Client) -> None:
    path, index = "/v1/xpindices", {"ThingType": "Order", "Key": "Data.Vendor"}
    assert [admin.put(path, json=index).status_code for _ in range(2)] == [204, 409]
    assert codes(admin.put(path, json=index | {"ThingType": "ApiClient"})) == ["ValidationFailure"]
    admin.put(path, json={"ThingType": "Discount", "Key": "a"})
    found = admin.get(path, params={"sortBy": "!ThingType", "search": "o", "searchOn": "ThingType"}).json()["Items"]
    assert found == [index, {"ThingType": "Discount", "Key": "a"}]
    assert [admin.delete(f"{path}/Order/Data.Vendor").status_code for _ in range(2)] == [204, 404]


def test_the_legacy_generation_has_fewer_thing_types(legacy: httpx.Client) -> None:
    assert codes(legacy.put("/v1/xpindices", json={"ThingType": "Discount", "Key": "a"})) == ["ValidationFailure"]
