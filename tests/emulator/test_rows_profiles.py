"""Security profiles: assignments, the roles that they grant, and impersonation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

PATH = "/v1/securityprofiles/assignments"
STOREFRONT = "e5a05785-caff-4f7d-9cc3-758f13865fc3"
IMPERSONATION = {"ClientID": STOREFRONT, "SecurityProfileID": "reading", "BuyerID": "Acme"}


def codes(answer: httpx.Response) -> list[str]:
    return [error["ErrorCode"] for error in answer.json()["Errors"]]


@pytest.fixture
def teams(admin: httpx.Client) -> httpx.Client:
    """The administrator, in a marketplace in which every party has the group `team`."""
    for owner in ("", "/buyers/acme", "/suppliers/tools"):
        admin.put(f"/v1{owner}/usergroups/team", json={"Name": "Team"})
    return admin


def rows(admin: httpx.Client, **query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = admin.get(PATH, params={"securityProfileID": "reading", **query}).json()["Items"]
    return [{name: value for name, value in row.items() if value is not None} for row in found]


@pytest.mark.parametrize(
    "party",
    [
        {},
        {"BuyerID": "Acme"},
        {"SupplierID": "tools"},
        {"UserGroupID": "team"},
        {"BuyerID": "Acme", "UserGroupID": "team"},
        {"SupplierID": "tools", "UserGroupID": "team"},
        {"UserID": "reader"},
        {"BuyerID": "Acme", "UserID": "shopper"},
    ],
)
def test_a_profile_is_assigned_and_unassigned_at_every_level(teams: httpx.Client, party: dict[str, str]) -> None:
    before, row = rows(teams), {"SecurityProfileID": "reading", **party}
    assert [teams.post(PATH, json=row).status_code for _ in range(2)] == [204, 204]
    assert row in rows(teams)
    path = "/v1/securityprofiles/READING/assignments"
    query = {name[0].lower() + name[1:]: value.upper() for name, value in party.items()}
    assert [teams.delete(path, params=query).status_code for _ in range(2)] == [204, 404]
    assert rows(teams) == [each for each in before if each != row]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({}, ["RequiredField"]),
        ({"SecurityProfileID": "nothing", "BuyerID": "unknown"}, ["NotFound", "NotFound"]),
        ({"BuyerID": "Acme", "SupplierID": "tools"}, ["PartyAssignment.CannotSpecifyBuyerAndSupplier"]),
        ({"UserID": "reader", "UserGroupID": "team"}, ["PartyAssignment.CannotSpecifyGroupAndUser"]),
        ({"UserID": "shopper"}, ["NotFound"]),
        ({"BuyerID": "globex", "UserID": "shopper"}, ["NotFound"]),
        ({"BuyerID": "globex", "UserGroupID": "team"}, ["NotFound"]),
        ({"UserID": 5}, ["ValidationFailure"]),
    ],
)
def test_an_assignment_to_another_party_is_rejected(
    teams: httpx.Client, row: dict[str, Any], expected: list[str]
) -> None:
    named = {"SecurityProfileID": "reading"} if row else {}
    assert codes(teams.post(PATH, json=named | row)) == expected


def test_assignments_are_listed_by_level_and_by_commerce_role(teams: httpx.Client) -> None:
    parties: list[dict[str, str]] = [{}, {"BuyerID": "Acme"}, {"BuyerID": "Acme", "UserGroupID": "team"}]
    for party in parties:
        teams.post(PATH, json={"SecurityProfileID": "reading", **party})
    counts = {"User": 1, "Group": 1, "Company": 2, "BuyerGroup": 0}
    assert {level: len(rows(teams, level=level)) for level in counts} == counts
    sides = {"Buyer": 2, "Seller": 2, "Supplier": 0}
    assert {side: len(rows(teams, commerceRole=side)) for side in sides} == sides
    assert len(rows(teams, level="Company", commerceRole="Buyer")) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("level=Unknown", "List.InvalidType"),
        ("level=Company&userGroupID=team", "PartyAssignment.InvalidGroupLevel"),
        ("level=Group&userID=reader", "PartyAssignment.InvalidUserLevel"),
        ("commerceRole=Seller&buyerID=Acme", "SecurityProfile.CannotProvideBuyerID"),
        ("commerceRole=Buyer&supplierID=tools", "SecurityProfile.CannotProvideSupplierID"),
        ("sortBy=BuyerID", "List.InvalidSortProperty"),
        ("x=1", "List.InvalidProperty"),
    ],
)
def test_mutually_exclusive_parameters_are_rejected(admin: httpx.Client, query: str, expected: str) -> None:
    assert codes(admin.get(f"{PATH}?{query}")) == [expected]


def test_the_members_of_a_group_have_the_roles_of_its_profiles(teams: httpx.Client) -> None:
    teams.post(PATH, json={"SecurityProfileID": "shopping", "UserGroupID": "team"})
    assert teams.get("/v1/adminusers/reader").json()["AvailableRoles"] == ["ApiClientReader"]
    member = {"UserGroupID": "TEAM", "UserID": "READER"}
    assert teams.post("/v1/usergroups/assignments", json=member).status_code == 204
    assert teams.get("/v1/usergroups/assignments").json()["Items"] == [{"UserGroupID": "team", "UserID": "reader"}]
    assert "Shopper" in teams.get("/v1/adminusers/reader").json()["AvailableRoles"]
    assert teams.delete("/v1/usergroups/team/assignments/reader").status_code == 204
    assert teams.get("/v1/adminusers/reader").json()["AvailableRoles"] == ["ApiClientReader"]


@pytest.mark.parametrize(("owner", "user"), [("buyers/Acme", "shopper"), ("suppliers/tools", "vendor")])
def test_a_company_has_its_own_groups(teams: httpx.Client, owner: str, user: str) -> None:
    path, member = f"/v1/{owner}/usergroups/assignments", {"UserGroupID": "team", "UserID": user}
    assert teams.post(path, json=member).status_code == 204
    assert teams.get(path, params={"userID": user}).json()["Items"] == [member]
    assert teams.get("/v1/buyers/globex/usergroups/assignments").json()["Items"] == []
    assert codes(teams.post(path, json=member | {"UserID": "reader"})) == ["NotFound"]
    assert codes(teams.get("/v1/buyers/unknown/usergroups/assignments")) == ["NotFound"]
    assert teams.delete(f"/v1/{owner}/usergroups/team/assignments/{user}").status_code == 204


def test_a_reader_of_profiles_cannot_read_their_assignments(
    emulator: Emulator, admin: httpx.Client, login: Callable[..., httpx.Client]
) -> None:
    admin.put("/v1/securityprofiles/reading", json={"Name": "R", "Roles": ["SecurityProfileReader"]})
    form = {"grant_type": "password", "username": "reader", "password": "pw-reader"}
    reader = login(emulator, client_id="9dfe083f-a675-4a3a-a39a-521511dac93d", **form)
    assert reader.get("/v1/securityprofiles").status_code == 200
    assert codes(reader.get(PATH)) == ["Auth.InsufficientRoles"]


def test_deleting_a_profile_deletes_its_assignments(admin: httpx.Client) -> None:
    assert admin.delete("/v1/securityprofiles/shopping").status_code == 204
    assert [row["SecurityProfileID"] for row in admin.get(PATH).json()["Items"]] == ["reading"]


def test_in_the_other_reading_a_deletion_leaves_assignments_and_references(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    admin = login(emulate(readings=("delete-leaves-references",)))
    assert admin.delete("/v1/securityprofiles/shopping").status_code == 204
    assert len(admin.get(PATH).json()["Items"]) == 2


def test_an_external_profile_cannot_be_changed(
    emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    outside = [{"ID": "portal", "Name": "Portal", "IsExternalRoleGroup": True}]
    admin = login(emulate({"SecurityProfiles": outside}))
    path, expected = "/v1/securityprofiles/portal", ["SecurityProfile.ExternalRoleGroupReadOnly"]
    assert codes(admin.patch(path, json={"Name": "Mine"})) == codes(admin.delete(path)) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"ClientID": "none"}, ["Impersonation.ClientIDNotFound"]),
        ({"SecurityProfileID": "none", "BuyerID": "none"}, ["NotFound", "NotFound"]),
        ({"BuyerID": "globex"}, ["Impersonation.BuyerNotAssigned"]),
        ({"ImpersonationGroupID": "none"}, ["NotFound"]),
        ({"ImpersonationBuyerID": "Acme", "ImpersonationUserID": "reader"}, ["NotFound"]),
        ({"ImpersonationBuyerID": "Acme", "ImpersonationUserID": "shopper"}, []),
        ({"ImpersonationGroupID": "team"}, []),
        ({"GroupID": "team", "UserID": "shopper"}, []),
        ({"UserID": "reader"}, ["NotFound"]),
        ({"BuyerID": None}, []),
    ],
)
def test_an_impersonation_refers_to_parties_of_the_right_type(
    teams: httpx.Client, change: dict[str, Any], expected: list[str]
) -> None:
    answer = teams.put("/v1/impersonationconfig/i", json=IMPERSONATION | change)
    assert ([] if answer.is_success else codes(answer)) == expected


def test_an_impersonation_is_unique(teams: httpx.Client) -> None:
    assert [teams.put("/v1/impersonationconfig/i", json=IMPERSONATION).status_code for _ in range(2)] == [200, 200]
    answer = teams.put("/v1/impersonationconfig/j", json=IMPERSONATION)
    assert codes(answer) == ["ImpersonationConfig.ConflictingImpersonationConfigExists"]


def test_objects_that_an_impersonation_needs_cannot_be_deleted(teams: httpx.Client) -> None:
    body = {**IMPERSONATION, "ImpersonationGroupID": "team", "UserID": "shopper"}
    assert teams.put("/v1/impersonationconfig/i", json=body).is_success
    party = "Impersonation.CannotDeleteImpersonateeParty"
    assert codes(teams.delete("/v1/securityprofiles/reading")) == ["Impersonation.CannotDeleteSecurityProfile"]
    assert codes(teams.delete("/v1/usergroups/team")) == [party]
    assert party in codes(teams.delete("/v1/buyers/acme/users/shopper"))
    assert teams.delete("/v1/buyers/acme/usergroups/team").status_code == 204


def test_a_legacy_impersonation_requires_a_buyer(legacy: httpx.Client) -> None:
    answer = legacy.put("/v1/impersonationconfig/i", json=IMPERSONATION | {"BuyerID": None})
    assert "RequiredField" in codes(answer)
