"""A field that names a group or a user: whose it must be, the body says in another field."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.export import ManifestOrigin, export
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.plan import Action
from reconciler.model.resource import Address, DesiredState, LiveResource, LiveState
from tests.service import Shop, client_id, shop

CLIENT = client_id(1)
CONTEXT = LoadContext(marketplace="emulator")
ACTING = f"ClientID: {CLIENT}, SecurityProfileID: acting"
RULE = "ApprovalType: OrderReturn, RuleExpression: 'true'"
GROUP = Address("AdminUserGroup", "night")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    objects = {
        "Buyers": [{"ID": "main", "Name": "Main", "Active": True}],
        "SecurityProfiles": [{"ID": "acting", "Name": "Acting", "Roles": ["Shopper"]}],
        "AdminUserGroups": [{"ID": "team", "Name": "Team"}],
        "UserGroups": [{"ID": "approvers", "Name": "Approvers", "BuyerID": "main"}],
        "Suppliers": [{"ID": "mill", "Name": "Mill", "Active": True}],
        "SupplierUserGroups": [{"ID": "packers", "Name": "Packers", "SupplierID": "mill"}],
    }
    client = {"ID": CLIENT, "AppName": "A", "AccessTokenDuration": 60, "Active": True, "AllowAnyBuyer": True}
    with shop(tmp_path, client, objects=objects) as opened:
        yield opened


def wanted(folder: Path, *manifests: tuple[str, str, str]) -> DesiredState:
    file = folder / "a.yaml"
    file.write_text(
        "---\n".join(
            f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: night}}\nspec: {{{spec}}}\npolicy: {policy}\n"
            for kind, spec, policy in manifests
        )
    )
    return load([file], CONTEXT).desired


@pytest.mark.parametrize(
    ("kind", "spec", "missing"),
    [
        ("ImpersonationConfig", f"{ACTING}, BuyerID: main, GroupID: approvers, ImpersonationGroupID: team", []),
        ("ImpersonationConfig", f"{ACTING}, ImpersonationGroupID: approvers", ["admin user group approvers"]),
        (
            "ImpersonationConfig",
            f"{ACTING}, ImpersonationBuyerID: main, ImpersonationGroupID: team, BuyerID: main, UserID: nobody",
            ["buyer's user group team", "buyer's user nobody"],
        ),
        ("SellerApprovalRule", f'{RULE}, OwnerID: "${{marketplace}}", ApprovingGroupID: TEAM', []),
        ("SellerApprovalRule", f"{RULE}, ApprovingGroupID: packers", ["admin user group packers"]),
        ("SellerApprovalRule", f"{RULE}, OwnerID: mill, ApprovingGroupID: packers", []),
        ("SellerApprovalRule", f"{RULE}, OwnerID: mill, ApprovingGroupID: team", ["supplier's user group team"]),
    ],
)
def test_a_group_or_a_user_must_be_one_of_the_company_that_is_named(
    kind: str, spec: str, missing: list[str], service: Shop, tmp_path: Path
) -> None:
    plan = service.plan(wanted(tmp_path, (kind, spec, "{}")))
    assert [one.message.partition("there is no ")[2] for one in plan.guards] == missing


def test_a_group_that_stays_is_looked_for_again_when_its_company_changes(service: Shop, tmp_path: Path) -> None:
    spec = f"{RULE}, OwnerID: mill, ApprovingGroupID: packers"
    assert service.converge(wanted(tmp_path, ("SellerApprovalRule", spec, "{}"))).is_complete
    moved = spec.replace("mill", '"${marketplace}"')
    (finding,) = service.plan(wanted(tmp_path, ("SellerApprovalRule", moved, "{}"))).guards
    assert finding.rule == "reference-missing"


@pytest.mark.parametrize(("owner", "written"), [("emulator", "ref: team"), ("mill", "ApprovingGroupID: team")])
def test_an_export_names_a_group_by_its_manifest_only_where_it_is_the_seller_s(
    tmp_path: Path, owner: str, written: str
) -> None:
    rule = {"ApprovalType": "OrderReturn", "RuleExpression": "true", "Name": "Returns", "ID": "returns"}
    live = LiveState(
        (
            LiveResource("AdminUserGroup", "team", {"ID": "team", "Name": "Team"}, {}),
            LiveResource("SellerApprovalRule", "r", {**rule, "OwnerID": owner, "ApprovingGroupID": "team"}, {}),
        ),
        "emulator",
        frozenset({"AdminUserGroup", "SellerApprovalRule"}),
    )
    made = export(live, (), CONTEXT, tmp_path, ManifestOrigin("here"))
    assert written in made.new[tmp_path / "returns.yaml"]


@pytest.mark.parametrize(
    ("kind", "spec"),
    [
        ("ImpersonationConfig", f"{ACTING}, ImpersonationGroupID: {{ref: night}}"),
        ("SellerApprovalRule", f'{RULE}, OwnerID: "${{marketplace}}", ApprovingGroupID: {{ref: night}}'),
    ],
)
def test_a_group_of_the_seller_is_made_before_it_is_named_and_stays_while_it_is(
    kind: str, spec: str, service: Shop, tmp_path: Path
) -> None:
    group, user = (GROUP.kind, "Name: Night", "{}"), (kind, spec, "{}")
    plan = service.plan(wanted(tmp_path, group, user))
    made = {one.address.kind: one.depends_on for one in plan.changes if one.action is Action.CREATE}
    assert made == {"AdminUserGroup": (), kind: (GROUP,)}
    assert service.apply(plan).is_complete
    gone, by_id = (*group[:2], "{state: absent}"), (kind, spec.replace("{ref: night}", "night"), "{}")
    for manifests in ((gone, by_id), (gone,)):  # named by a kind that is in use, and by one that is not
        assert [one.rule for one in service.plan(wanted(tmp_path, *manifests)).guards] == ["still-in-use"]
