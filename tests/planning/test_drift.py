"""Which side moved, and which deviations are the same as those of last night."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.drift import Drift, DriftKind, Receipt, Side
from reconciler.model.inputs import Selection
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Plan
from reconciler.model.resource import DesiredResource, Policy
from reconciler.planning import diff as differ
from reconciler.planning import drift as drifts
from tests.builders import BINDING, body, desired, live, manifest
from tests.service import client_id

ID = client_id(1)
OTHER = client_id(2)


def planned(resources: list[DesiredResource], *bodies: Mapping[str, Any]) -> Plan:
    return Plan(differ.diff(desired(*resources), live(*bodies), {}), BINDING)


def applied(resources: list[DesiredResource], *bodies: Mapping[str, Any], status: Status = Status.APPLIED) -> Receipt:
    """What an apply of these manifests to these objects leaves."""
    plan = planned(resources, *bodies)
    outcomes = tuple(Outcome(change, status) for change in plan.changes if change.action.writes)
    return drifts.receipt_of(plan, ApplyResult(outcomes, 0), desired(*resources), "2026-11-01T02:00:00Z")


def seen(resources: list[DesiredResource], *bodies: Mapping[str, Any], **more: Any) -> Drift:
    return drifts.find(planned(resources, *bodies), **more)


def sides(drift: Drift) -> dict[str, Side]:
    return {f"{one.kind} {one.address.name}{one.pointer}": one.side for one in drift.deviations}


def test_every_kind_of_drift_is_told_apart() -> None:
    gone = manifest("gone", policy=Policy(absent=True))
    found = seen(
        [manifest("a", Active=False), manifest("b", AccessTokenDuration=60), gone],
        body(ID, "a", Active=True),
        body(OTHER, "gone"),
        body(client_id(3), "stranger"),
    )
    assert [(one.kind, one.address.name, one.pointer) for one in found.deviations] == [
        (DriftKind.MISSING, "b", ""),
        (DriftKind.UNMANAGED, client_id(3), ""),
        (DriftKind.CHANGED, "a", "/Active"),
        (DriftKind.SURPLUS, "gone", ""),
    ]
    assert {one.side for one in found.deviations} == {Side.UNKNOWN}


@pytest.mark.parametrize(
    ("was", "live_now", "wanted_now", "side"),
    [
        (60, 60, 90, Side.GIT_AHEAD),
        (60, 90, 60, Side.LIVE_DRIFTED),
        (60, 90, 120, Side.BOTH),
    ],
)
def test_a_receipt_tells_which_side_moved(was: int, live_now: int, wanted_now: int, side: Side) -> None:
    receipt = applied([manifest("a", AccessTokenDuration=was)], body(ID, "a"))
    drift = seen(
        [manifest("a", AccessTokenDuration=wanted_now)],
        body(ID, "a", AccessTokenDuration=live_now),
        receipt=receipt,
    )
    assert sides(drift) == {"changed a/AccessTokenDuration": side}


def test_each_member_of_xp_has_its_own_side() -> None:
    receipt = applied([manifest("a", xp={"git": 1, "live": 1, "deep": {"x": 1}})], body(ID, "a"))
    drift = seen(
        [manifest("a", xp={"git": 2, "live": 1, "deep": {"x": 1}, "new": True})],
        body(ID, "a", xp={"git": 1, "live": 2, "deep": {"x": 1, "y": 2}}),
        receipt=receipt,
    )
    assert sides(drift) == {
        "changed a/xp/deep/y": Side.LIVE_DRIFTED,
        "changed a/xp/git": Side.GIT_AHEAD,
        "changed a/xp/live": Side.LIVE_DRIFTED,
        "changed a/xp/new": Side.GIT_AHEAD,
    }


def test_a_field_that_git_took_over_since_is_ahead_in_git() -> None:
    receipt = applied([manifest("a")], body(ID, "a", RefreshTokenDuration=10))
    drift = seen([manifest("a", RefreshTokenDuration=20)], body(ID, "a", RefreshTokenDuration=10), receipt=receipt)
    assert sides(drift) == {"changed a/RefreshTokenDuration": Side.GIT_AHEAD}


def test_assignments_have_sides_and_ids_have_no_case() -> None:
    receipt = applied([manifest("a", assignments={"buyers": ("One",)})], body(ID, "a"))
    now = replace(live(body(ID, "a")).resources[0], assignments={"buyers": ("ONE", "two")})
    wanted = desired(manifest("a", assignments={"buyers": ("one",)}))
    plan = Plan(differ.diff(wanted, replace(live(), resources=(now,)), {}), BINDING)
    assert sides(drifts.find(plan, receipt)) == {"changed a/assignments/buyers": Side.LIVE_DRIFTED}


def test_what_went_away_was_deleted_in_the_service() -> None:
    receipt = applied([manifest("a", Active=True, AccessTokenDuration=60)])
    same_manifest = seen([manifest("a", Active=True, AccessTokenDuration=60)], receipt=receipt)
    changed = seen([manifest("a", Active=False, AccessTokenDuration=60)], receipt=receipt)
    assert sides(same_manifest) == {"missing a": Side.LIVE_DRIFTED}
    assert sides(changed) == {"missing a": Side.BOTH}


def test_what_was_never_applied_is_ahead_in_git_unless_the_receipt_is_of_a_part() -> None:
    receipt = applied([manifest("a")], body(ID, "a"))
    part = replace(receipt, is_complete=False)
    new = [manifest("a"), manifest("new", AccessTokenDuration=60)]
    assert sides(seen(new, body(ID, "a"), receipt=receipt)) == {"missing new": Side.GIT_AHEAD}
    assert sides(seen(new, body(ID, "a"), receipt=part)) == {"missing new": Side.UNKNOWN}
    taken = [manifest("a"), manifest("b", Active=False)]
    assert sides(seen(taken, body(ID, "a"), body(OTHER, "b"), receipt=receipt)) == {"changed b/Active": Side.GIT_AHEAD}


def test_a_stranger_is_new_known_or_left_behind_by_git() -> None:
    receipt = applied([manifest("a"), manifest("b")], body(ID, "a"), body(OTHER, "b"), body(client_id(0xC), "old"))
    drift = seen(
        [manifest("a")],
        body(ID, "a"),
        body(OTHER.lower(), "b"),
        body(client_id(0xC).lower(), "old"),
        body(client_id(0xD), "new"),
        receipt=receipt,
    )
    assert sides(drift) == {
        f"unmanaged {OTHER}": Side.GIT_AHEAD,
        f"unmanaged {client_id(0xC).lower()}": Side.NEITHER,
        f"unmanaged {client_id(0xD)}": Side.LIVE_DRIFTED,
    }


def test_what_lost_its_name_in_the_service_is_missing_and_a_stranger_by_the_same_hand() -> None:
    wanted = [manifest("a", AccessTokenDuration=60)]
    receipt = applied(wanted, body(ID, "a"))
    drift = seen(wanted, body(ID, "renamed", AccessTokenDuration=60), receipt=receipt)
    assert sides(drift) == {f"unmanaged {ID}": Side.LIVE_DRIFTED, "missing a": Side.LIVE_DRIFTED}


def test_what_was_to_be_absent_came_back_or_is_not_gone_yet() -> None:
    gone = [manifest("a", policy=Policy(absent=True))]
    deleted = applied(gone, body(ID, "a"))
    kept = applied([manifest("a")], body(ID, "a"))
    assert sides(seen(gone, body(ID, "a"), receipt=deleted)) == {"surplus a": Side.LIVE_DRIFTED}
    assert sides(seen(gone, body(ID, "a"), receipt=kept)) == {"surplus a": Side.GIT_AHEAD}
    assert sides(seen([manifest("a", Active=False)], body(ID, "a"), receipt=deleted)) == {
        "changed a/Active": Side.UNKNOWN
    }


def test_what_did_not_succeed_is_not_in_a_receipt() -> None:
    wanted = [manifest("a", Active=False), manifest("b")]
    receipt = applied(wanted, body(ID, "a"), body(OTHER, "b"), status=Status.NOT_CONVERGED)
    assert [one.address.name for one in receipt.resources] == ["b"]
    assert not receipt.is_complete


def test_a_receipt_of_a_selection_is_not_complete() -> None:
    plan = replace(planned([manifest("a")], body(ID, "a")), selection=Selection(only=("ApiClient/a",)))
    receipt = drifts.receipt_of(plan, ApplyResult((), 1), desired(manifest("a")), "now")
    assert not receipt.is_complete


def test_since_the_receipt_only_what_the_service_moved_is_shown_and_counts() -> None:
    receipt = applied([manifest("a", Active=True)], body(ID, "a"))
    ahead = seen([manifest("a", Active=False)], body(ID, "a"), receipt=receipt, since_receipt=True)
    moved = seen([manifest("a", Active=True)], body(ID, "a", Active=False), receipt=receipt, since_receipt=True)
    assert (ahead.has_drift, ahead.unmoved, ahead.changes) == (False, 1, ())
    assert (moved.has_drift, moved.unmoved) == (True, 0)


def test_a_baseline_leaves_out_the_fields_that_it_knows_and_no_others() -> None:
    wanted = [manifest("a", Active=False, RefreshTokenDuration=5)]
    known = [one.fingerprint for one in seen(wanted, body(ID, "a")).deviations if one.pointer == "/Active"]
    drift = seen(wanted, body(ID, "a"), baseline=known)
    (change,) = drift.changes
    assert [field.pointer for field in change.fields] == ["/RefreshTokenDuration"]
    assert (drift.accepted, drift.has_drift, drift.count(DriftKind.CHANGED)) == (1, True, 1)
