"""What is pruned, what is spared, and what an environment protects whatever the manifests say."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.errors import AccessDenied, GuardRefusal, RequestFacts
from reconciler.model.diagnostic import Place
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Change, Limits
from reconciler.model.resource import Address, DesiredResource, Policy
from reconciler.planning import deletion, planfile
from reconciler.planning.check import check_saved
from reconciler.planning.deletion import Protection
from reconciler.planning.diff import diff
from reconciler.planning.diff.notices import likely_renames
from tests.builders import body, by_address, desired, live, manifest
from tests.events import event
from tests.service import NO_LIMITS, Shop, client_id, shop

PRUNING = replace(NO_LIMITS, prunes=True)
HAVE = (body("A1", "front"), body("B1", "Old Shop"), body("C1", "Own"))
CHANGES = diff(desired(manifest("front")), live(*HAVE), {})


def actions(changes: tuple[Change, ...]) -> dict[str, Action]:
    return {change.address.name: change.action for change in changes}


def test_what_no_manifest_claims_is_pruned_but_for_our_own_client() -> None:
    changes, warnings = deletion.protect_and_prune(CHANGES, Protection(), prunes=True, own_client_id="c1")
    assert actions(changes) == {"front": Action.NO_OP, "B1": Action.DELETE, "C1": Action.UNMANAGED}
    assert warnings == ("ApiClient/C1 is in no manifest and is not pruned: it is the login client",)


@pytest.mark.parametrize("kept", ["b1", "B1"])
@pytest.mark.parametrize("pattern", ["B1", "b1", "old shop", "Old*", "ApiClient/B1", "shop", "*"])
def test_what_is_protected_is_not_pruned_whatever_name_it_is_protected_by(pattern: str, kept: str) -> None:
    protection = Protection((pattern,), by_address({"shop": kept}))
    changes, warnings = deletion.protect_and_prune(CHANGES, protection, prunes=True, own_client_id="C1")
    assert actions(changes)["B1"] is Action.UNMANAGED
    assert "ApiClient/B1 is in no manifest and is not pruned: it is protected" in warnings
    assert list(protection.idle(CHANGES)) == []


def test_a_protection_that_protects_nothing_is_told() -> None:
    (warning,) = Protection(("frnot", "front")).idle(CHANGES)
    assert warning == "protected: frnot matches no manifest and no live object"


def test_a_pruned_object_can_be_told_from_one_that_a_manifest_wants_absent() -> None:
    want = desired(manifest("front", policy=Policy(absent=True)))
    planned = diff(want, live(*HAVE[:2]), {})
    changes, _ = deletion.protect_and_prune(planned, Protection(), prunes=True, own_client_id="")
    assert {change.address.name: change.is_pruned for change in changes} == {"B1": True, "front": False}


@pytest.fixture
def service(tmp_path: Path) -> Any:
    bodies = [body(client_id(0xA), "front"), body(client_id(0xB), "back"), body(client_id(0xC), "stray")]
    with shop(tmp_path, *bodies) as opened:
        yield opened


def rules(plan: Any) -> list[str]:
    return [finding.rule for finding in plan.guards]


def test_pruning_deletes_last_and_what_is_left_is_in_step(service: Shop) -> None:
    want = desired(manifest("front", Active=False), manifest("back"))
    plan = service.plan(want, PRUNING)
    assert plan.summary.delete == 1
    service.forget()
    assert service.apply(plan).is_complete
    assert [write.split()[0] for write in service.writes()] == ["PUT", "DELETE"]
    assert set(service.bodies()) == {"front", "back"}
    assert not service.plan(want, PRUNING).has_changes


def test_our_own_client_is_never_pruned(service: Shop) -> None:
    plan = service.plan(desired(manifest("front")), PRUNING)
    own = next(change for change in plan.changes if change.id == ADMIN_CLIENT_ID)
    assert own.action is Action.UNMANAGED
    assert "it is the login client" in "".join(plan.warnings)


def test_without_the_option_nothing_is_pruned(service: Shop) -> None:
    assert service.plan(desired(manifest("front"))).summary.delete == 0


def test_pruned_objects_count_as_deletions(service: Shop) -> None:
    plan = service.plan(desired(manifest("front")), replace(PRUNING, limits=Limits(deletes=1)))
    assert rules(plan) == ["limit-deletes"]
    with pytest.raises(GuardRefusal, match="2 resources would be deleted"):
        service.apply(plan)
    assert service.writes() == []


def test_a_manifest_that_was_removed_with_its_protection_leaves_the_object_protected(service: Shop) -> None:
    protected = replace(PRUNING, protection=Protection(("back", "stray")))
    plan = service.plan(desired(manifest("front")), protected)
    assert plan.summary.delete == 0


def test_an_absent_state_does_not_outweigh_the_protection_of_the_environment(service: Shop) -> None:
    want = desired(manifest("front"), manifest("back", policy=Policy(absent=True)))
    plan = service.plan(want, replace(NO_LIMITS, protection=Protection(("back",))))
    (finding,) = plan.guards
    assert (finding.rule, finding.can_be_acknowledged) == ("protected", False)


def test_a_protection_that_came_after_the_plan_holds(service: Shop) -> None:
    want = desired(manifest("front"), manifest("back", policy=Policy(absent=True)))
    plan = service.plan(want)
    later = replace(NO_LIMITS, protection=Protection(("back",)))
    with service.reader() as reader:
        objections = check_saved(plan, want, reader, later, NO_LIMITS.now)
    assert [one.rule for one in objections] == ["protected"]


def test_a_rename_is_not_taken_for_a_client_to_prune_and_one_to_create(service: Shop) -> None:
    renamed = desired(
        manifest("front"), manifest("back"), manifest("stray2", AppName="stray-2", AccessTokenDuration=600)
    )
    plan = service.plan(renamed, PRUNING)
    assert rules(plan) == ["prune-renamed"]
    assert f"write stray2: {client_id(0xC)} under ids:" in plan.guards[0].fix
    with pytest.raises(GuardRefusal, match="may be a rename"):
        service.apply(plan)
    assert service.writes() == []


def test_a_likely_rename_of_what_stays_is_a_warning_only() -> None:
    changes = diff(desired(manifest("old shop", AccessTokenDuration=600)), live(body("B1", "Old Shop")), {})
    pairs = list(likely_renames(changes))
    assert [(one.address.name, other.id) for one, other in pairs] == [("old shop", "B1")]
    assert list(deletion.renamed(pairs)) == []


def test_the_plan_file_says_why_an_object_is_deleted(service: Shop) -> None:
    plan = service.plan(desired(manifest("front"), manifest("back", policy=Policy(absent=True))), PRUNING)
    document: Any = planfile.to_document(plan)
    reasons = {one["name"]: one.get("action_reason") for one in document["resource_changes"]}
    assert reasons[client_id(0xC)] == "delete_because_no_resource_config"
    assert reasons["back"] is None


A = client_id(0xA)
GONE = desired(manifest("a", policy=Policy(absent=True)))


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with one client, a, that could be deleted."""
    profile = {"ID": "staff", "Name": "Staff", "Roles": ["Shopper"]}
    user = {"ID": "bot", "Username": "bot", "FirstName": "B", "LastName": "B", "Email": "b@example.com", "Active": True}
    objects = {"SecurityProfiles": [profile], "AdminUsers": [user]}
    with shop(tmp_path, body(A, "a", DefaultContextUserName="bot"), objects=objects) as opened:
        yield opened


def impersonate(service: Shop) -> None:
    config = {"ID": "imp", "ClientID": A, "SecurityProfileID": "staff", "BuyerID": None}
    with service.writer() as writer:
        writer.put("/impersonationconfig", "imp", config)
    service.forget()


def subscribe(service: Shop, client: str = A) -> None:
    with service.writer() as writer:
        writer.put("/integrations", "subscription", {"ApiClientID": client, "HashKey": "key"})
    service.forget()


@pytest.mark.parametrize(
    ("use", "noun"),
    [(impersonate, "impersonation configuration imp"), (subscribe, "subscription integration")],
)
def test_a_client_that_is_in_use_is_not_deleted(one: Shop, use: Any, noun: str) -> None:
    use(one)
    plan = one.plan(GONE)
    assert [finding.rule for finding in plan.guards] == ["still-in-use"]
    with pytest.raises(GuardRefusal, match=f"ApiClient/a is used by the {noun}, and OrderCloud refuses"):
        one.apply(plan)
    assert one.writes() == []


def test_a_client_that_is_not_in_use_is_deleted(one: Shop) -> None:
    subscribe(one, ADMIN_CLIENT_ID)
    assert one.converge(GONE).is_complete
    assert "a" not in one.bodies()


@pytest.mark.parametrize("use", [impersonate, subscribe])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["deleted with it", "refers to another then"])
def test_a_client_goes_with_what_uses_it_or_once_that_uses_another(one: Shop, use: Any, elsewhere: bool) -> None:
    use(one)
    kind, name, field = (
        ("ImpersonationConfig", "imp", "ClientID")
        if use is impersonate
        else ("SubscriptionIntegration", "SubscriptionIntegration", "ApiClientID")
    )
    policy = Policy(absent=not elsewhere)
    spec = {field: ADMIN_CLIENT_ID} if elsewhere else {}
    user = DesiredResource(Address(kind, name), spec, Place("user.yaml", 1, 1), id=name, policy=policy)
    plan = one.plan(desired(*GONE.resources, user))
    assert plan.guards == ()
    assert one.apply(plan).is_complete
    assert "a" not in one.bodies()


def test_a_client_and_what_still_uses_it_are_named_once(one: Shop) -> None:
    impersonate(one)
    user = DesiredResource(Address("ImpersonationConfig", "imp"), {"ClientID": A}, Place("user.yaml", 1, 1), id="imp")
    (finding,) = one.plan(desired(*GONE.resources, user)).guards
    assert "would be deleted, and ClientID of ImpersonationConfig/imp (user.yaml:1:1) refers to it" in finding.message


def test_what_is_not_deleted_is_not_looked_up(one: Shop) -> None:
    one.forget()
    one.plan(desired(manifest("a", Active=False)))
    assert not [entry for entry in one.requests() if "impersonation" in entry["path"] or "integr" in entry["path"]]


def test_what_was_read_already_is_not_read_again_for_a_deletion(one: Shop) -> None:
    one.plan(desired(manifest("a"), replace(event("checkout"), secrets={}, policy=Policy(absent=True))))
    assert [entry["path"] for entry in one.requests()].count("/v1/apiclients") == 1


def test_a_use_that_came_after_the_plan_is_refused_by_the_service_and_explained(one: Shop) -> None:
    plan = one.plan(GONE)
    impersonate(one)
    (outcome,) = one.apply(plan).outcomes
    assert outcome.status is Status.FAILED
    assert "UsedByImpersonationConfig" in outcome.message
    assert "delete the impersonation configuration first" in outcome.message


def test_a_use_that_came_after_the_plan_is_found_when_a_saved_plan_is_checked(one: Shop) -> None:
    plan = one.plan(GONE)
    subscribe(one)
    with one.reader() as reader:
        objections = check_saved(plan, GONE, reader, NO_LIMITS, NO_LIMITS.now)
    assert [finding.rule for finding in objections] == ["still-in-use"]


class _Denied:
    """A service of which the login may see nothing."""

    def __init__(self, status: int) -> None:
        self.status = status

    def list_all(self, path: str) -> list[dict[str, Any]]:
        raise AccessDenied("no", RequestFacts("GET", path, self.status))

    single = list_all


def deletions(count: int) -> Any:
    from reconciler.planning.diff import diff

    names = "ab"[:count]
    want = desired(*(manifest(name, policy=Policy(absent=True)) for name in names))
    return diff(want, live(*(body(name, name) for name in names)), {})


@pytest.mark.parametrize(("count", "who"), [(1, "ApiClient/a"), (2, "any of 2 resources to be deleted")])
def test_a_login_that_may_not_look_is_told_what_it_lacks(count: int, who: str) -> None:
    checked = deletion.check(deletions(count), _Denied(403), "")  # type: ignore[arg-type]  # only reads are asked
    assert checked.findings == ()
    assert checked.warnings == (
        f"cannot check that no impersonation configuration uses {who}: the login lacks SetSecurityProfile",
        f"cannot check that no subscription integration uses {who}: the login lacks ApiClientAdmin",
    )


def test_a_login_that_is_refused_as_such_is_an_error() -> None:
    with pytest.raises(AccessDenied):
        deletion.check(deletions(1), _Denied(401), "")  # type: ignore[arg-type]  # only reads are asked


# -------------------------------------------------------------------------------------------------------------- groups


NO_GROUP = desired(
    DesiredResource(
        Address("AdminUserGroup", "team"), {}, Place("team.yaml", 1, 1), id="team", policy=Policy(absent=True)
    )
)
USES: dict[str, tuple[dict[str, Any], str]] = {
    "a profile": (
        {"SecurityProfileAssignments": [{"SecurityProfileID": "staff", "UserGroupID": "team"}]},
        "adminGroups of the security profile staff refers to it",
    ),
    "an approval rule": (
        {
            "SellerApprovalRules": [
                {"ID": "rule", "Name": "R", "ApprovalType": "OrderReturn", "ApprovingGroupID": "team"}
                | {"RuleExpression": "true"}
            ]
        },
        "ApprovingGroupID of SellerApprovalRule/rule refers to it",
    ),
    "an impersonation": (
        {
            "ImpersonationConfigs": [
                {"ID": "imp", "ClientID": A, "SecurityProfileID": "staff", "ImpersonationGroupID": "team"}
                | {"BuyerID": "b1"}
            ]
        },
        "ImpersonationGroupID of ImpersonationConfig/imp refers to it",
    ),
}


@pytest.mark.parametrize("use", USES)
def test_a_group_that_is_in_use_is_not_deleted_whichever_kinds_are_managed(tmp_path: Path, use: str) -> None:
    objects, said = USES[use]
    there = {
        "AdminUserGroups": [{"ID": "team", "Name": "Team"}],
        "SecurityProfiles": [{"ID": "staff", "Name": "Staff", "Roles": ["Shopper"]}],
        "Buyers": [{"ID": "b1", "Name": "b1", "Active": True}],
    }
    with shop(tmp_path, body(A, "a", AllowAnyBuyer=True), objects={**there, **objects}) as service:
        plan = service.plan(NO_GROUP)
    assert [(one.rule, said in one.message, one.can_be_acknowledged) for one in plan.guards] == [
        ("still-in-use", True, True)
    ]


def test_a_group_is_deleted_with_the_profile_that_has_it_or_once_the_profile_has_it_no_longer(tmp_path: Path) -> None:
    objects = {
        "AdminUserGroups": [{"ID": "team", "Name": "Team"}],
        "SecurityProfiles": [{"ID": "staff", "Name": "Staff", "Roles": ["Shopper"]}],
        "SecurityProfileAssignments": [{"SecurityProfileID": "staff", "UserGroupID": "team"}],
    }
    profile = DesiredResource(Address("SecurityProfile", "staff"), {"Name": "Staff"}, Place("p.yaml", 1, 1), id="staff")
    with shop(tmp_path, objects=objects) as service:
        without = replace(profile, assignments={"adminGroups": ()})
        for one in (without, replace(profile, spec={}, policy=Policy(absent=True))):
            assert service.plan(desired(*NO_GROUP.resources, one)).guards == ()
        assert service.converge(desired(*NO_GROUP.resources, without)).is_complete
