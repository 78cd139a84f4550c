"""What a marketplace and a run must not lose with an API client."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.inputs import Access
from reconciler.model.named_secret import NamedSecret
from reconciler.model.resource import DesiredResource, FieldsPolicy, ObjectKey, Policy
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning.guards import Context, check
from tests.builders import body, manifest
from tests.planning.test_guards import NO_LIMITS, OWN, SELLER, plan, rules


@pytest.mark.parametrize("spec", [{"Active": False}, {"AllowSeller": False}])
def test_the_last_active_client_for_sellers_is_kept(spec: dict[str, Any]) -> None:
    assert rules(plan(manifest("seller", **spec), bodies=[SELLER])) == ["last-seller-client"]
    other = body("T", "by hand", AllowSeller=True)
    assert rules(plan(manifest("seller", **spec), bodies=[SELLER, other])) == []


@pytest.mark.parametrize(("cap", "is_left"), [([], True), (["FullAccess", "Shopper"], True), (["Shopper"], False)])
def test_a_client_that_could_have_full_access_is_left(cap: list[str], is_left: bool) -> None:
    user = {"DefaultContextUserName": "bot", "AllowSeller": True}
    changes = plan(
        manifest("a", policy=Policy(absent=True)),
        bodies=[body("a", "a", **user), body("b", "by hand", **user, MaximumGrantedRoles=cap), SELLER],
    )
    assert rules(changes) == ([] if is_left else ["last-full-access"])


def test_the_last_client_that_could_have_full_access_may_still_be_changed() -> None:
    own = body("a", "a", DefaultContextUserName="bot", AllowSeller=True)
    assert rules(plan(manifest("a", DefaultContextUserName=None), bodies=[own, SELLER])) == []


TOOL = body(OWN, "tool", AllowSeller=True, DefaultContextUserName="bot", ClientSecret="old", MaximumGrantedRoles=[])
ADMIN = Access(OWN.lower(), frozenset({"ApiClientAdmin", "Shopper", "custom"}))
CLEARED: dict[str, SecretReference | None] = {"ClientSecret": None}
REPLACED: dict[str, SecretReference | None] = {"ClientSecret": SecretReference(SecretSource.ENVIRONMENT, "X")}


def harms(resource: DesiredResource, access: Access = ADMIN, *known_ids: str, **live: Any) -> str:
    changes = plan(resource, bodies=[TOOL | live, SELLER | {"DefaultContextUserName": "bot"}])
    found = check(changes, Context(NO_LIMITS, access, frozenset(ObjectKey("ApiClient", one) for one in known_ids)))
    assert {finding.rule for finding in found} <= {"own-client"}
    return "".join(finding.message for finding in found)


@pytest.mark.parametrize(
    ("resource", "harm"),
    [
        (manifest("tool", policy=Policy(absent=True)), "it would be deleted"),
        (manifest("tool", Active=False), "deactivated"),
        (manifest("tool", AllowSeller=False), "no longer allow sellers"),
        (manifest("tool", DefaultContextUserName=None), "no context user"),
        (manifest("tool", DefaultContextUserName="someone"), "another context user, someone"),
        (manifest("tool", IsAnonBuyer=True), "anonymous shoppers"),
        (manifest("tool", MaximumGrantedRoles=["Shopper"]), "limited to Shopper, without ApiClientAdmin, which"),
        (manifest("tool", MaximumGrantedRoles=["FullAccess"]), "limited to FullAccess, without ApiClientAdmin, which"),
        (manifest("tool", MinimumRequiredRoles=["OrderAdmin", "Shopper"]), "does not have OrderAdmin"),
        (manifest("tool", MinimumRequiredCustomRoles=["x"]), "does not have x"),
        (manifest("tool", AccessTokenDuration=29), "for only 29 minutes, and a run may require 30"),
        (manifest("tool", secrets=CLEARED), "secret would be cleared"),
        (manifest("tool", secrets=REPLACED), "a secret other than"),
        (manifest("tool", policy=Policy(fields=FieldsPolicy.EXCLUSIVE), AccessTokenDuration=600), "deactivated"),
    ],
)
def test_what_ends_the_access_of_our_own_client_is_objected_to(resource: DesiredResource, harm: str) -> None:
    assert harm in harms(resource)


@pytest.mark.parametrize(
    "spec",
    [
        {"xp": {"team": "web"}, "RefreshTokenDuration": 60},
        {"MaximumGrantedRoles": ["ApiClientAdmin", "OrderReader"]},
        {"MaximumGrantedCustomRoles": ["other"]},
        {"MinimumRequiredRoles": ["Shopper"], "MinimumRequiredCustomRoles": ["custom"]},
        {"AccessTokenDuration": 30},
        {"AllowAnyBuyer": True},
    ],
)
def test_what_leaves_the_run_all_that_it_needs_is_allowed(spec: dict[str, Any]) -> None:
    assert harms(manifest("tool", **spec)) == ""


def test_a_run_that_only_reads_needs_no_more_than_that() -> None:
    reader = replace(ADMIN, roles=frozenset({"ApiClientReader"}))
    assert harms(manifest("tool", MaximumGrantedRoles=["ApiClientReader"]), reader) == ""
    assert "without ApiClientReader, which" in harms(manifest("tool", MaximumGrantedRoles=["Shopper"]), reader)


def test_a_demand_that_stays_is_not_judged_again() -> None:
    demanding = manifest("tool", MinimumRequiredRoles=["OrderAdmin", "Shopper"])
    assert harms(demanding, ADMIN, MinimumRequiredRoles=["OrderAdmin"]) == ""


@pytest.mark.parametrize("door", ["Active", "AllowSeller"])
def test_a_door_that_was_closed_already_or_is_opened_is_no_harm(door: str) -> None:
    closed: dict[str, Any] = {door: False}
    opened: dict[str, Any] = {door: True}
    assert harms(manifest("tool", AccessTokenDuration=30), ADMIN, **closed) == ""
    assert harms(manifest("tool", **opened), ADMIN, **closed) == ""


def test_a_user_with_a_password_does_not_act_as_the_context_user() -> None:
    user = replace(ADMIN, as_context_user=False)
    assert harms(manifest("tool", DefaultContextUserName="someone", IsAnonBuyer=True), user) == ""
    assert "no longer allow sellers" in harms(manifest("tool", AllowSeller=False), user)


def test_of_a_token_that_does_not_tell_its_roles_nothing_is_taken_for_granted() -> None:
    silent = Access(OWN)
    assert harms(manifest("tool", MaximumGrantedRoles=["ApiClientAdmin"]), silent) == ""
    assert "FullAccess" in harms(manifest("tool", MaximumGrantedRoles=["Shopper"]), silent)
    assert "does not have Shopper" in harms(manifest("tool", MinimumRequiredRoles=["Shopper"]), silent)


def test_a_login_without_a_secret_ends_with_the_first_secret_of_its_client() -> None:
    (change,) = (one for one in plan(manifest("tool", xp={"a": 1}), bodies=[TOOL, SELLER]) if one.id == OWN)
    armed = replace(change, new_secrets=(NamedSecret("primary"),))
    secretless = replace(ADMIN, as_context_user=False, with_secret=False)
    (finding,) = check([armed], Context(NO_LIMITS, secretless))
    assert "get a secret, and this run logs in without one" in finding.message
    assert check([armed], Context(NO_LIMITS, ADMIN)) == ()


@pytest.mark.parametrize("before", [10, None])
def test_a_short_life_of_tokens_that_grows_is_no_harm(before: int | None) -> None:
    assert harms(manifest("tool", AccessTokenDuration=20), ADMIN, AccessTokenDuration=before) == ""


def test_a_rename_is_a_harm_only_where_nothing_but_the_name_binds_the_client() -> None:
    renamed = manifest("tool", id=OWN, AppName="other")
    assert "renamed" in harms(renamed)
    assert harms(renamed, ADMIN, OWN.lower()) == ""


def test_other_clients_may_be_changed_in_all_these_ways() -> None:
    assert rules(plan(manifest("tool", Active=False), bodies=[TOOL, SELLER]), own="another") == []
