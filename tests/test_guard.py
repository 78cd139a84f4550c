from typing import Any

import pytest

from reconciler.differ import diff
from reconciler.guard import Context, check
from reconciler.kinds import KINDS
from reconciler.model.plan import Change, Finding, Limits
from reconciler.model.resource import DesiredResource, Policy
from reconciler.model.secret import Secret, SecretReference, SecretSource
from tests.builders import body, desired, live, manifest

NO_LIMITS = Limits(deletes=None)
OWN = "AAAAAAAA-0000-4000-8000-000000000001"
SELLER = body("S", "seller", AllowSeller=True)


def plan(*manifests: DesiredResource, bodies: list[dict[str, Any]]) -> tuple[Change, ...]:
    secrets = {(one.address, "ClientSecret"): Secret("new") for one in manifests}
    return diff(desired(*manifests), live(*bodies), KINDS, secrets)


def rules(changes: tuple[Change, ...], limits: Limits = NO_LIMITS, own: str = OWN) -> list[str]:
    return [finding.rule for finding in check(changes, Context(limits, own))]


def two_of_three() -> tuple[Change, ...]:
    bodies = [body(name, name) for name in "abc"]
    return plan(manifest("a", Active=False), manifest("b", Active=False), manifest("c"), bodies=bodies)


@pytest.mark.parametrize(
    ("limits", "found"),
    [
        (Limits(changes=2, deletes=None), []),
        (Limits(changes=1, deletes=None), ["limit-changes"]),
        (Limits(changes_percent=67, deletes=None), []),
        (Limits(changes_percent=66, deletes=None), ["limit-changes-percent"]),
        (NO_LIMITS, []),
    ],
)
def test_a_plan_over_a_limit_is_objected_to(limits: Limits, found: list[str]) -> None:
    assert rules(two_of_three(), limits) == found


def test_an_objection_says_the_numbers_and_the_way_out() -> None:
    (finding,) = check(two_of_three(), Context(Limits(changes=1, deletes=None), OWN))
    assert finding.message == "2 resources would change; limits.changes allows 1"
    assert "raise limits.changes" in finding.way_out
    assert [str(address) for address in finding.addresses] == ["ApiClient/a", "ApiClient/b"]


def test_no_delete_is_allowed_unless_a_limit_says_so() -> None:
    changes = plan(manifest("a", policy=Policy(absent=True)), bodies=[body("a", "a"), SELLER])
    assert rules(changes, Limits()) == ["limit-deletes"]
    assert rules(changes, Limits(deletes=1)) == []


@pytest.mark.parametrize("policy", [Policy(protected=True, absent=True), Policy(protected=True)])
def test_a_protected_resource_is_neither_deleted_nor_switched_off(policy: Policy) -> None:
    changes = plan(manifest("a", policy=policy, Active=False), bodies=[body("a", "a"), SELLER])
    (finding,) = check(changes, Context(NO_LIMITS, OWN))
    assert (finding.rule, finding.can_be_acknowledged) == ("protected", False)


def test_a_protected_resource_may_be_changed_otherwise() -> None:
    policy = Policy(protected=True)
    assert rules(plan(manifest("a", policy=policy, AccessTokenDuration=60), bodies=[body("a", "a"), SELLER])) == []


@pytest.mark.parametrize("spec", [{"Active": False}, {"AllowSeller": False}])
def test_the_last_active_client_for_sellers_is_kept(spec: dict[str, Any]) -> None:
    assert rules(plan(manifest("seller", **spec), bodies=[SELLER])) == ["last-seller-client"]
    other = body("T", "by hand", AllowSeller=True)
    assert rules(plan(manifest("seller", **spec), bodies=[SELLER, other])) == []


@pytest.mark.parametrize(
    ("spec", "harm"),
    [
        ({"Active": False}, "deactivated"),
        ({"AllowSeller": False}, "closed to sellers"),
        ({"DefaultContextUserName": None}, "another context user"),
        ({"DefaultContextUserName": "someone"}, "another context user"),
        ({"MaximumGrantedRoles": ["Shopper"]}, "fewer roles"),
        ({"MinimumRequiredRoles": ["FullAccess"]}, "more roles"),
        ({"MinimumRequiredCustomRoles": ["x"]}, "more roles"),
        ({"AccessTokenDuration": 10}, "shorter tokens"),
    ],
)
def test_what_ends_the_access_of_our_own_client_is_objected_to(spec: dict[str, Any], harm: str) -> None:
    own = body(OWN, "tool", AllowSeller=True, DefaultContextUserName="bot", ClientSecret="old")
    changes = plan(manifest("tool", **spec), bodies=[own, SELLER])
    (finding,) = check(changes, Context(NO_LIMITS, OWN.lower()))
    assert finding.rule == "own-client"
    assert harm in finding.message


def own_client_findings(resource: DesiredResource) -> list[Finding]:
    own = body(OWN, "tool", AllowSeller=True, ClientSecret="old")
    return list(check(plan(resource, bodies=[own, SELLER]), Context(NO_LIMITS, OWN)))


def test_deleting_our_own_client_or_replacing_its_secret_is_objected_to() -> None:
    secret = {"ClientSecret": SecretReference(SecretSource.ENVIRONMENT, "X")}
    assert "deleted" in own_client_findings(manifest("tool", policy=Policy(absent=True)))[0].message
    assert "another secret" in own_client_findings(manifest("tool", secrets=secret))[0].message


def test_what_does_not_touch_the_access_of_our_own_client_is_allowed() -> None:
    assert own_client_findings(manifest("tool", xp={"team": "web"}, RefreshTokenDuration=60)) == []
