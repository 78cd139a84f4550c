from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from reconciler.model.inputs import Access, Weekly, Window
from reconciler.model.plan import AssignmentChange, Change, Limits
from reconciler.model.resource import DesiredResource, Policy, Scope
from reconciler.model.secret import Secret
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
        "the environment is frozen: nobody is there (fri 16:00-24:00 Europe/Berlin); "
        "the freeze ends at 2026-10-26 00:00 Europe/Berlin (2026-10-25T23:00Z)"
    )
    thursday = friday - timedelta(days=1)
    assert not [*freeze(changes, windows, thursday)]
