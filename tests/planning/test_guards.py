from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.model.inputs import Access, Weekly, Window
from reconciler.model.named_secret import NamedSecret
from reconciler.model.plan import AssignmentChange, Change, Limits
from reconciler.model.resource import DesiredResource, FieldsPolicy, ObjectKey, Policy, Scope
from reconciler.model.secret import Secret, SecretReference, SecretSource
from reconciler.planning.diff import diff
from reconciler.planning.guards import Context, check, freeze
from tests.builders import body, desired, live, manifest

NO_LIMITS = Limits(deletes=None)
OWN = "AAAAAAAA-0000-4000-8000-000000000001"
SELLER = body("S", "seller", AllowSeller=True)


def plan(*manifests: DesiredResource, bodies: list[dict[str, Any]]) -> tuple[Change, ...]:
    secrets = {(one.address, "ClientSecret"): Secret("new") for one in manifests}
    return diff(desired(*manifests), live(*bodies), secrets)


def rules(changes: tuple[Change, ...], limits: Limits = NO_LIMITS, own: str = OWN) -> list[str]:
    return [finding.rule for finding in check(changes, Context(limits, Access(own)))]


def test_nothing_is_written_that_is_out_of_scope_before_or_after() -> None:
    context = Context(NO_LIMITS, Access(OWN), scope=Scope(include=("ApiClient/web*",)))
    bodies = [body("A", "shop"), body("B", "web b"), body("C", "web c"), SELLER]
    changes = plan(
        manifest("a", id="A", AppName="web a"),
        manifest("b", id="B", AppName="office"),
        manifest("c", id="C", AppName="WEB C"),
        bodies=bodies,
    )
    taken, handed = check(changes, context)
    assert (taken.rule, handed.rule) == ("out-of-scope", "out-of-scope")
    assert taken.message == (
        "ApiClient/a is live as A, which is out of scope: no pattern of scope.include matches ApiClient/shop"
    )
    assert handed.message == ("ApiClient/b would be out of scope: no pattern of scope.include matches ApiClient/office")


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


def test_exactly_the_part_that_a_limit_allows_may_change() -> None:
    bodies = [body(name, name) for name in "ab"]
    half = plan(manifest("a", Active=False), manifest("b"), bodies=bodies)
    assert rules(half, Limits(changes_percent=50, deletes=None)) == []
    assert rules(half, Limits(changes_percent=49.9, deletes=None)) == ["limit-changes-percent"]
    (finding,) = check(half[:1], Context(Limits(changes_percent=49.9, deletes=None), Access(OWN)))
    assert "1 of 1 managed resources (100 %) would change; limits.changesPercent allows 49.9 %" in finding.message


def test_an_objection_says_the_numbers_and_the_way_out() -> None:
    (finding,) = check(two_of_three(), Context(Limits(changes=1, deletes=None), Access(OWN)))
    assert finding.message == "2 resources would change; limits.changes allows 1"
    assert "raise limits.changes" in finding.fix
    assert [str(address) for address in finding.addresses] == ["ApiClient/a", "ApiClient/b"]


@pytest.mark.parametrize("are_rows", [False, True])
def test_only_assignments_that_would_go_can_be_kept_by_naming_or_watching_them(are_rows: bool) -> None:
    if are_rows:
        held = replace(live(body("a", "a")).resources[0], assignments={"buyers": ("b1",), "suppliers": ()})
        wanted = manifest("a", assignments={"buyers": ()})
        changes = diff(desired(wanted), replace(live(SELLER), resources=(held,)), {})
    else:
        changes = plan(manifest("a", policy=Policy(absent=True)), bodies=[body("a", "a"), SELLER])
    (finding,) = check(changes, Context(Limits(), Access(OWN)))
    assert finding.rule == "limit-deletes"
    assert ("name the assignments in the manifest" in finding.fix) is are_rows


def test_no_delete_is_allowed_unless_a_limit_says_so() -> None:
    changes = plan(manifest("a", policy=Policy(absent=True)), bodies=[body("a", "a"), SELLER])
    assert rules(changes, Limits()) == ["limit-deletes"]
    assert rules(changes, Limits(deletes=1)) == []


def test_an_assignment_that_goes_counts_beside_one_that_comes() -> None:
    (change,) = plan(manifest("a", Active=False), bodies=[body("a", "a")])
    steps = (AssignmentChange("buyers", "new", True), AssignmentChange("buyers", "old", False))
    (finding,) = check((replace(change, assignments=steps),), Context(Limits(), Access(OWN)))
    assert finding.message == "1 assignment would be deleted; limits.deletes allows 0"


@pytest.mark.parametrize("policy", [Policy(protected=True, absent=True), Policy(protected=True)])
def test_a_protected_resource_is_neither_deleted_nor_switched_off(policy: Policy) -> None:
    changes = plan(manifest("a", policy=policy, Active=False), bodies=[body("a", "a"), SELLER])
    (finding,) = check(changes, Context(NO_LIMITS, Access(OWN)))
    assert (finding.rule, finding.can_be_acknowledged) == ("protected", False)
    assert finding.message.endswith("deleted" if policy.absent else "deactivated")


def test_a_protected_resource_may_be_changed_otherwise() -> None:
    policy = Policy(protected=True)
    assert rules(plan(manifest("a", policy=policy, AccessTokenDuration=60), bodies=[body("a", "a"), SELLER])) == []


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


def test_what_lets_more_in_has_a_limit_of_its_own() -> None:
    bodies = [body(name, name) for name in "abc"]
    changes = plan(
        manifest("a", AllowAnyBuyer=True, RefreshTokenDuration=60),
        manifest("b", AllowAnyBuyer=True),
        manifest("c", Active=False),
        bodies=bodies,
    )
    assert rules(changes, Limits(deletes=None, widens=2)) == []
    (finding,) = check(changes, Context(Limits(deletes=None, widens=1), Access(OWN)))
    assert finding.message == "2 resources would get wider access, by 3 fields; limits.widens allows 1"
    assert [str(address) for address in finding.addresses] == ["ApiClient/a", "ApiClient/b"]


# ----------------------------------------------------------------------------------------------------------- own client

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
        (manifest("tool", AllowSeller=False), "closed to sellers"),
        (manifest("tool", DefaultContextUserName=None), "no context user"),
        (manifest("tool", DefaultContextUserName="someone"), "another context user, someone"),
        (manifest("tool", IsAnonBuyer=True), "anonymous shoppers"),
        (manifest("tool", MaximumGrantedRoles=["Shopper"]), "capped to Shopper, without the ApiClientAdmin that"),
        (manifest("tool", MaximumGrantedRoles=["FullAccess"]), "capped to FullAccess, without the ApiClientAdmin that"),
        (manifest("tool", MinimumRequiredRoles=["OrderAdmin", "Shopper"]), "does not hold OrderAdmin"),
        (manifest("tool", MinimumRequiredCustomRoles=["x"]), "does not hold x"),
        (manifest("tool", AccessTokenDuration=29), "of 29 minutes, and a run may need 30"),
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
    assert "without the ApiClientReader that" in harms(manifest("tool", MaximumGrantedRoles=["Shopper"]), reader)


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
    assert "closed to sellers" in harms(manifest("tool", AllowSeller=False), user)


def test_of_a_token_that_does_not_tell_its_roles_nothing_is_taken_for_granted() -> None:
    silent = Access(OWN)
    assert harms(manifest("tool", MaximumGrantedRoles=["ApiClientAdmin"]), silent) == ""
    assert "FullAccess" in harms(manifest("tool", MaximumGrantedRoles=["Shopper"]), silent)
    assert "does not hold Shopper" in harms(manifest("tool", MinimumRequiredRoles=["Shopper"]), silent)


def test_a_login_without_a_secret_ends_with_the_first_secret_of_its_client() -> None:
    (change,) = (one for one in plan(manifest("tool", xp={"a": 1}), bodies=[TOOL, SELLER]) if one.id == OWN)
    armed = replace(change, new_secrets=(NamedSecret("primary"),))
    secretless = replace(ADMIN, as_context_user=False, with_secret=False)
    (finding,) = check([armed], Context(NO_LIMITS, secretless))
    assert "given a secret, and this run logs in without one" in finding.message
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


# --------------------------------------------------------------------------------------------------------------- freeze


def test_a_window_that_holds_is_named_with_the_next_opening() -> None:
    zone = ZoneInfo("Europe/Berlin")
    windows = (
        Window(Weekly(frozenset({4}), 960, 1440), zone, "nobody is there"),
        Window(Weekly(frozenset({5, 6}), 0, 1440), zone),
    )
    changes = plan(manifest("a", Active=False), bodies=[body("a", "a"), SELLER])
    friday = datetime(2026, 10, 23, 20, tzinfo=UTC)
    (finding,) = freeze(changes, windows, friday)
    assert finding.message == (
        "nothing is applied to this environment now: nobody is there (fri 16:00-24:00 Europe/Berlin); "
        "the next opening is 2026-10-26 00:00 Europe/Berlin (2026-10-25T23:00Z)"
    )
    thursday = friday - timedelta(days=1)
    assert not [*freeze(changes, windows, thursday)]
