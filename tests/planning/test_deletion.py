"""What is pruned, what is spared, and what an environment protects whatever the manifests say."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.errors import GuardRefusal
from reconciler.model.plan import Action, Change, Limits
from reconciler.model.resource import Policy
from reconciler.planning import deletion, planfile
from reconciler.planning.deletion import Protection
from reconciler.planning.diff import diff, likely_renames
from reconciler.planning.saved import check_saved
from tests.builders import body, by_address, desired, live, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

PRUNING = replace(NO_LIMITS, prunes=True)
HAVE = (body("A1", "front"), body("B1", "Old Shop"), body("C1", "Own"))
CHANGES = diff(desired(manifest("front")), live(*HAVE), {})


def actions(changes: tuple[Change, ...]) -> dict[str, Action]:
    return {change.address.name: change.action for change in changes}


def test_what_no_manifest_claims_is_pruned_but_for_our_own_client() -> None:
    pruned = deletion.prune(CHANGES, "c1")
    assert actions(pruned.changes) == {"front": Action.NO_OP, "B1": Action.DELETE, "C1": Action.UNMANAGED}
    assert pruned.warnings == (
        "ApiClient/C1 is in no manifest and is not pruned: it is the client that this run is logged in with",
    )


@pytest.mark.parametrize("kept", ["b1", "B1"])
@pytest.mark.parametrize("pattern", ["B1", "b1", "old shop", "Old*", "ApiClient/B1", "shop", "*"])
def test_what_is_protected_is_not_pruned_whatever_name_it_is_protected_by(pattern: str, kept: str) -> None:
    protection = Protection((pattern,), by_address({"shop": kept}))
    pruned = deletion.prune(protection.mark(CHANGES), "C1")
    assert actions(pruned.changes)["B1"] is Action.UNMANAGED
    assert "ApiClient/B1 is in no manifest and is not pruned: it is protected" in pruned.warnings
    assert list(protection.idle(CHANGES)) == []


def test_a_protection_that_protects_nothing_is_told() -> None:
    (warning,) = Protection(("frnot", "front")).idle(CHANGES)
    assert warning == "protected: frnot matches no manifest and no live object"


def test_a_pruned_object_can_be_told_from_one_that_a_manifest_wants_absent() -> None:
    want = desired(manifest("front", policy=Policy(absent=True)))
    changes = deletion.prune(diff(want, live(*HAVE[:2]), {}), "").changes
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
    assert "logged in with" in "".join(plan.warnings)


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
