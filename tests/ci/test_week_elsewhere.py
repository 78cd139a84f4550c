"""A week of a repository on GitLab and on Azure: the shell of ci/ against two marketplaces, with real git.

`make sweep` plays it.
"""

import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.ci.azure import Azure
from tests.ci.conftest import NAMES, Shop
from tests.ci.gitlab import GitLab
from tests.cli.conftest import FRONT, git
from tests.service import client_id

Forges = GitLab | Azure
OTHER_ID = client_id(1)
OTHER = json.dumps(
    {
        "apiVersion": "reconciler/v1",
        "kind": "ApiClient",
        "metadata": {"name": "other", "id": OTHER_ID},
        "spec": {"AppName": "other", "Active": True, "AccessTokenDuration": 60},
    }
)
pytestmark = pytest.mark.sweep
HOW = pytest.mark.parametrize("how", ["squash", "merge", "rebase"])


@pytest.fixture(params=["gitlab", "azure"])
def forge(request: pytest.FixtureRequest) -> Forges:
    """The shop on another system."""
    forge: Forges = request.getfixturevalue(request.param)
    return forge


@pytest.fixture
def project(forge: Forges, snapshots: Path) -> Forges:
    """The same, after a night."""
    forge.remember(snapshots)
    return forge


def propose(project: Forges, minutes: int, branch: str = "shorter") -> None:
    project.change(minutes)
    project.commit("shorter", branch)
    review = project.review(branch)
    assert review.is_green, review.log


def push(project: Forges, minutes: int) -> str:
    project.change(minutes)
    return project.commit("straight to main")


def apply_directly(project: Forges, minutes: int, environments: Iterable[str] = NAMES) -> None:
    """Apply what was pushed without a review, with approval."""
    push(project, minutes)
    run = project.run()
    for name in environments:
        run.approve(name)
    assert run.failed == set(), run.log


@HOW
def test_what_was_reviewed_is_applied_without_asking(shop: Shop, project: Forges, how: str) -> None:
    project.change(300)
    project.commit("shorter", "shorter")
    review = project.review("shorter")
    assert review.is_green, review.log
    assert ["snapshot taken at 20" in review.document, "To apply it, merge: " in review.document] == [True, True]
    run = project.merge("shorter", how)
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log


def test_a_direct_push_waits_for_approval_and_nothing_old_is_applied(shop: Shop, project: Forges) -> None:
    old = push(project, 300)
    run = project.run()
    assert (run.waiting, run.failed, shop.minutes()) == (set(NAMES), set(), [600, 600]), run.log
    assert ("nothing was reviewed" in run.log, "Traceback" in run.log) == (True, False), run.log
    run.approve("production")
    assert (run.failed, shop.minutes()) == (set(), [600, 300]), run.log
    push(project, 600)
    run.approve("staging")
    assert (run.failed, shop.minutes()) == ({"staging"}, [600, 300]), run.log
    run = project.run(commit=old)
    assert (run.waiting, run.failed) == ({"production"}, set()), run.log
    run.approve("production")
    assert shop.minutes() == [600, 600], run.log


def test_what_does_not_validate_is_red_and_its_document_says_why(project: Forges) -> None:
    project.branch()
    (project.clone / "manifests" / "front.yaml").write_text("kind: ApiClient\n")
    project.commit("worse", "worse")
    review = project.review("worse")
    assert (review.is_green, "manifests/front.yaml" in review.document) == (False, True), review.log
    (project.clone / "reconciler.yaml").write_text("apiVersion: [")
    project.commit("worst", "worse")
    review = project.review("worse")
    assert (review.is_green, "reconciler.yaml" in review.document) == (False, True), review.log
    assert "Traceback" not in review.log


def test_an_apply_that_fails_in_part_keeps_its_journal_and_renews_the_snapshot_and_when_run_again_finishes(
    shop: Shop, project: Forges
) -> None:
    project.change(300)
    (project.clone / "manifests" / "other.yaml").write_text(OTHER)
    project.commit("both", "both")
    project.review("both")
    shop.markets["production"].ask("POST", "/_emulator/faults", {"spec": f"PUT /v1/apiclients/{FRONT} status=400"})
    run = project.merge("both")
    assert (run.failed, shop.minutes()) == ({"production"}, [300, 600]), run.log
    assert shop.live("production", OTHER_ID)["AccessTokenDuration"] == 60
    assert len(list((project.state("production") / "runs").glob("*.jsonl"))) == 1
    assert not json.loads((project.state("production") / "receipt.json").read_text())["complete"]
    project.change(400)
    project.commit("longer", "longer")
    document = project.review("longer").document
    assert {"300", "400", "600"} <= set(re.findall(r"\b\d+\b", document)), document  # of both snapshots
    run.again("production")
    assert (run.failed, run.waiting) == (set(), {"production"}), run.log
    run.approve("production")
    assert (run.failed, shop.minutes()) == (set(), [300, 300]), run.log


def test_a_plan_is_applied_once(shop: Shop, project: Forges) -> None:
    push(project, 300)
    run = project.run()
    run.approve("production")
    shop.portal("production", AccessTokenDuration=600)
    run.repeat("production")
    assert (run.failed, shop.minutes()) == ({"production"}, [600, 600]), run.log


def test_the_restore_is_put_back_unattended_and_brings_nothing_that_was_not_approved(
    shop: Shop, project: Forges
) -> None:
    apply_directly(project, 300, ["staging"])
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    run = project.run("restore")
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 60]), run.log
    push(project, 400)
    run = project.run("restore")
    assert (run.waiting, shop.minutes()) == ({"staging"}, [300, 60]), run.log
    assert "the manifests differ from those of the last apply" in run.summary


@HOW
def test_an_acknowledgement_makes_the_review_green_and_holds_after_the_merge(
    shop: Shop, project: Forges, how: str
) -> None:
    project.limit_production()
    project.change(300)
    project.commit("shorter", "shorter")
    review = project.review("shorter")
    line = next(line for line in review.document.splitlines() if line.startswith("Reconciler-Ack: "))
    assert not review.is_green, review.log
    project.branch("origin/shorter")
    project.commit(f"I have seen it\n\n{line}", "shorter")
    review = project.review("shorter")
    assert review.is_green, review.log
    run = project.merge("shorter", how, f"Merged 7: shorter\r\n\r\n{line}\r\n\r\nRelated work items: #1")
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log


def test_what_was_not_acknowledged_is_refused_and_a_run_by_hand_acknowledges_it(shop: Shop, project: Forges) -> None:
    project.limit_production()
    project.change(300)
    project.commit("shorter", "shorter")
    assert not project.review("shorter").is_green
    run = project.merge("shorter")
    assert (run.failed, shop.minutes()) == ({"production"}, [300, 600]), run.log
    digits = run.plan("production")["changes_digest"][:12]
    assert digits in run.summary
    run = project.run(acknowledge=digits)
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log


def test_the_first_review_is_green_and_says_that_there_is_no_snapshot_yet(forge: Forges) -> None:
    forge.change(300)
    forge.commit("shorter", "shorter")
    review = forge.review("shorter")
    assert (review.is_green, review.document.count("No snapshot of ")) == (True, 2), review.log


def test_nothing_of_a_checkout_is_executed(project: Forges) -> None:
    project.change(300)
    for name in ("json", "sys", "reconciler", "site", "zipfile"):
        (project.clone / f"{name}.py").write_text("print('executed')\nraise SystemExit(7)\n")
    project.commit("$(echo executed)\n\nReconciler-Ack: $(echo executed)", "b;echo-executed")
    review = project.review("b;echo-executed")
    assert (review.is_green, "executed" in review.log.splitlines()) == (True, False), review.log


def test_a_folder_of_a_larger_repository_with_manifests_beside_it(shop: Shop, forge: Forges) -> None:
    forge.move("teams/shop")
    forge.variables["RECONCILER_FOLDER"] = "teams/shop"
    assert forge.run("drift").failed == set()
    forge.change(300)
    forge.commit("shorter", "shorter")
    review = forge.review("shorter")
    assert ("manifests/front.yaml" in review.document, "../" in review.document) == (True, False), review.log
    run = forge.merge("shorter")
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log
    assert (forge.state("production") / "receipt.json").exists()
    push(forge, 400)
    late = forge.run()
    push(forge, 300)
    late.approve("production")
    assert (late.failed, shop.minutes()) == ({"production"}, [300, 300]), late.log


def test_the_night_keeps_a_patch_that_takes_the_live_values_over(shop: Shop, project: Forges) -> None:
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    night = project.run("drift")
    assert (night.failed, "git apply write-back.patch" in night.summary) == (set(NAMES), True), night.log
    project.branch()
    git(project.clone, "apply", str(project.patch("production")))
    project.commit("as in the portal")
    assert project.run("drift").failed == set()


def test_known_drift_is_left_out_by_a_baseline(shop: Shop, project: Forges) -> None:
    shop.portal("production", AccessTokenDuration=60)
    project.branch()
    code, log = project.by_hand("drift", "--env", "production", "--into", "json=known.json")
    assert code == 2, log
    project.commit("known")
    project.variables["RECONCILER_BASELINE"] = "known.json"
    for minutes, failed in ((60, False), (61, True)):
        shop.portal("production", AccessTokenDuration=minutes)
        night = project.run("drift")
        assert ("production" in night.failed) == failed, night.log


@HOW
def test_two_open_requests_do_not_hinder_each_other(shop: Shop, project: Forges, how: str) -> None:
    propose(project, 300, "one")
    project.branch()
    (project.clone / "manifests" / "other.yaml").write_text(OTHER)
    project.commit("another client", "two")
    project.review("two")
    for branch in ("two", "one"):
        run = project.merge(branch, how)
        assert (run.failed, run.waiting) == (set(), set()), run.log
    assert (shop.minutes(), shop.live("production", OTHER_ID)["AccessTokenDuration"]) == ([300, 300], 60)


def test_main_that_was_pushed_back_waits_for_approval(shop: Shop, project: Forges) -> None:
    before = project.tip
    propose(project, 300)
    project.merge("shorter")
    git(project.clone, "push", "--quiet", "--force", "origin", f"{before}:refs/heads/main")
    run = project.run()
    assert (run.waiting, shop.minutes()) == (set(NAMES), [300, 300]), run.log


def test_a_new_plan_key_makes_jobs_ask_once_and_stops_no_night(shop: Shop, project: Forges) -> None:
    apply_directly(project, 300, ["staging"])
    project.secrets = {name: {**one, "RECONCILER_PLAN_KEY": "new"} for name, one in project.secrets.items()}
    assert "staging" not in project.run("drift").failed
    shop.portal("staging", AccessTokenDuration=60)
    run = project.run("restore")
    assert (run.waiting, shop.minutes()) == ({"staging"}, [60, 600]), run.log
    run.approve("staging")
    shop.portal("staging", AccessTokenDuration=60)
    run = project.run("restore")
    assert (run.waiting, shop.minutes()) == (set(), [300, 600]), run.log


def test_a_portal_edit_in_between_is_shown_and_waits_for_approval(shop: Shop, project: Forges) -> None:
    propose(project, 300)
    shop.portal("production", AccessTokenDuration=500)
    run = project.merge("shorter")
    assert (run.waiting, shop.minutes()) == ({"production"}, [300, 500]), run.log
    assert "`production`: differs from what was reviewed" in run.summary
    assert "reviewed, and no longer planned: `update ApiClient/front`" in run.summary
    run.approve("production")
    assert shop.minutes() == [300, 300], run.log


def test_drift_is_told_once_and_so_is_its_end_although_the_job_is_red(
    shop: Shop, project: Forges, chat: list[str]
) -> None:
    project.secrets = shop.hub.secrets
    for minutes, failed in ((60, {"production"}), (600, set())):
        shop.portal("production", AccessTokenDuration=minutes)
        for _ in range(2):
            assert project.run("drift").failed == failed
    assert [json.loads(one)["state"] for one in chat] == ["drifted", "in-step"]


def test_a_run_is_taken_back_once_with_approval_and_the_restore_asks_from_then_on(shop: Shop, project: Forges) -> None:
    apply_directly(project, 300)
    run = project.run(rollback="staging last")
    assert (run.waiting, run.failed, shop.minutes()) == ({"staging"}, set(), [300, 300]), run.log
    assert ("ApiClient/front" in run.summary, "environment   staging" in run.summary) == (True, True), run.summary
    (written,) = (one.stem for one in (project.state("staging") / "runs").glob("*.jsonl"))
    assert run.summary.count(written) == 2  # shown, and in the list
    run.approve("staging")
    assert (run.failed, shop.minutes()) == (set(), [600, 300]), run.log
    run.repeat("staging")
    assert (run.failed, shop.minutes()) == (set(), [600, 300]), run.log
    assert project.run("restore").waiting == {"staging"}
    shutil.copytree(project.state("staging"), project.clone / ".reconciler")
    code, log = project.by_hand("history")
    assert (code, [word in log for word in ("apply", "rollback")]) == (0, [True, True]), log


def test_a_rollback_is_refused_as_any_apply_is(shop: Shop, project: Forges) -> None:
    run = project.run(rollback="production last")
    assert (run.failed, run.waiting - run.failed) == ({"production"}, set()), run.log
    apply_directly(project, 300)
    run = project.run(rollback="production last")
    shop.portal("production", AccessTokenDuration=500)
    run.approve("production")
    assert (run.failed, shop.minutes(), "rollback-moved: ApiClient/front" in run.log) == (
        {"production"},
        [300, 500],
        True,
    ), run.log
    assert (project.state("production") / "receipt.json").exists()


def test_a_clone_that_has_fetched_the_state_shows_the_history_and_takes_a_run_back(shop: Shop, project: Forges) -> None:
    propose(project, 300)
    project.merge("shorter")
    shutil.copytree(project.state("production"), project.clone / ".reconciler")
    code, log = project.by_hand("history")
    assert (code, "production" in log) == (0, True), log
    code, log = project.by_hand("rollback", "last", "--env", "production", "--auto-approve")
    assert (code, shop.minutes()) == (0, [300, 600]), log


def test_a_new_secret_reaches_a_store_and_one_for_a_file_is_warned_of_before_the_first_write(
    shop: Shop, project: Forges, tmp_path: Path
) -> None:
    project.branch()
    path, store = project.clone / "manifests" / "front.yaml", tmp_path / "store"
    deliver = [{"command": ["sh", "-c", f"cat > {store}"]}, {"file": "../${values.file}.secret"}]
    document = json.loads(path.read_text()) | {"secrets": [{"name": "primary", "deliver": deliver}]}
    document["spec"]["Active"] = True
    path.write_text(json.dumps(document))
    config = json.loads((project.clone / "reconciler.yaml").read_text())
    config["environments"]["production"]["values"] = {"file": "other"}
    config["environments"]["staging"]["values"] = {"file": "front"}
    (project.clone / "reconciler.yaml").write_text(json.dumps(config))
    (project.clone / ".gitignore").write_text("*.secret\n")
    project.commit("a secret")
    run = project.run()
    run.approve("staging")
    assert run.failed == set(), run.log
    assert (run.failed, len(store.read_text().strip()) > 20) == (set(), True), run.log
    assert store.read_text().strip() not in run.log
    warned = run.log.index("a new secret is delivered to file front.secret on the machine of this CI job")
    assert warned < run.log.index("Apply: ")


def test_a_revert_is_a_change_like_any_other(shop: Shop, project: Forges) -> None:
    propose(project, 300)
    project.merge("shorter", "squash")
    project.branch()
    git(project.clone, "revert", "--no-edit", "HEAD")
    project.commit("an empty one besides", "revert")
    project.review("revert")
    run = project.merge("revert")
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [600, 600]), run.log


def test_line_ends_of_another_system_change_nothing(shop: Shop, project: Forges) -> None:
    project.gitconfig = "[core]\n\tautocrlf = true\n"
    propose(project, 300)
    run = project.merge("shorter")
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log
    (last,) = project.folder.glob(f"job-{project.jobs}/workspace/manifests/front.yaml")
    assert b"\r\n" in last.read_bytes()
