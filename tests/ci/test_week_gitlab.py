"""A week of a repository on GitLab: the shell of ci/gitlab.yml against two marketplaces, with real git."""

import json
import shutil

import pytest

from tests.ci.conftest import NAMES, Shop
from tests.ci.gitlab import GitLab
from tests.cli.conftest import git
from tests.service import client_id

APPROVAL = 42
OTHER_ID = client_id(1)
OTHER = json.dumps(
    {
        "apiVersion": "reconciler/v1",
        "kind": "ApiClient",
        "metadata": {"name": "other", "id": OTHER_ID},
        "spec": {"AppName": "other", "Active": True, "AccessTokenDuration": 60},
    }
)


@pytest.fixture
def project(shop: Shop, gitlab: GitLab) -> GitLab:
    """The same shop, after a night."""
    for name in NAMES:
        code, log = gitlab.protected("reconciler:drift", name)
        assert code == 0, log
    return gitlab


def change(project: GitLab, minutes: int) -> None:
    project.branch()
    manifest = project.clone / "manifests" / "front.yaml"
    document = json.loads(manifest.read_text())
    document["spec"]["AccessTokenDuration"] = minutes
    manifest.write_text(json.dumps(document, indent=1) + "\n")


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_what_was_reviewed_is_applied_without_asking(shop: Shop, project: GitLab, how: str) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    code, log = project.review("shorter")
    assert code == 0, log
    document = (project.artifacts["reconciler:review"] / "plan.md").read_text()
    assert ("To apply it, merge: " in document, document.count("snapshot taken at 20")) == (True, 2)
    project.merge("shorter", how)
    for name in NAMES:
        code, log = project.protected("reconciler:apply", name)
        assert code == 0, log
    assert shop.minutes() == [300, 300]
    code, log = project.protected("reconciler:approve", "production")
    assert (code, "There is nothing to approve in production." in log) == (0, True)


@pytest.mark.sweep
def test_a_direct_push_waits_for_the_manual_job_which_refuses_what_is_old(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    old = project.commit("straight to main")
    for name in NAMES:
        code, log = project.protected("reconciler:apply", name)
        assert (code, "start reconciler:approve" in log) == (APPROVAL, True), log
    code, log = project.protected("reconciler:approve", "production")
    assert (code, shop.minutes()) == (0, [600, 300]), log
    change(project, 600)
    project.commit("taken back")
    code, log = project.protected("reconciler:approve", "staging", old)
    assert (code, shop.minutes()) == (4, [600, 300]), log
    code, log = project.protected("reconciler:apply", "staging", old)
    assert (code, shop.minutes()) == (0, [600, 300]), log


@pytest.mark.sweep
def test_a_merge_request_that_does_not_validate_is_red_and_its_document_says_why(project: GitLab) -> None:
    change(project, 300)
    (project.clone / "manifests" / "front.yaml").write_text("kind: ApiClient\n")
    project.commit("worse", "worse")
    code, log = project.review("worse")
    assert code == 1, log
    document = (project.artifacts["reconciler:review"] / "plan.md").read_text()
    assert "manifests/front.yaml" in document


@pytest.mark.sweep
def test_a_failed_apply_keeps_its_journal_and_renews_the_snapshot(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    shop.markets["production"].ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400"})
    snapshot = project.api("packages/generic/reconciler-snapshot/production/snapshot.json")
    snapshot.unlink()
    code, log = project.protected("reconciler:apply", "production")
    assert code == 1, log
    assert list((project.cache["production"] / "runs").glob("*.jsonl"))
    assert list((project.artifacts["reconciler:apply production"] / "state-production" / "runs").glob("*.jsonl"))
    assert snapshot.exists()


@pytest.mark.sweep
def test_the_restore_is_put_back_unattended_as_long_as_main_was_applied(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("straight to main")
    project.protected("reconciler:apply", "staging")
    assert project.protected("reconciler:approve", "staging")[0] == 0
    shop.portal("staging", AccessTokenDuration=60)
    code, log = project.protected("reconciler:restore", "staging")
    assert (code, shop.minutes()) == (0, [300, 600]), log
    change(project, 400)
    project.commit("straight to main again")
    code, log = project.protected("reconciler:restore", "staging")
    assert (code, shop.minutes()) == (APPROVAL, [300, 600]), log


@pytest.mark.sweep
@pytest.mark.parametrize(("how", "onto"), [("merge", ""), ("squash", "main"), ("rebase", "main")])
def test_an_acknowledgement_makes_the_merge_request_green_and_holds_after_the_merge(
    shop: Shop, project: GitLab, how: str, onto: str
) -> None:
    project.limit_production()
    change(project, 300)
    project.commit("shorter", "shorter")
    code, log = project.review("shorter", onto=onto)
    document = (project.artifacts["reconciler:review"] / "plan.md").read_text()
    line = next(line for line in document.splitlines() if line.startswith("Reconciler-Ack: "))
    assert code == 3, log
    project.branch("origin/shorter")
    project.commit(f"I have seen it\n\n{line}", "shorter")
    code, log = project.review("shorter", onto=onto)
    assert code == 0, log
    project.merge("shorter", how, f"squashed\n\n{line}\n\nSee merge request group/shop!7")
    code, log = project.protected("reconciler:apply", "production")
    assert (code, shop.minutes()) == (0, [600, 300]), log


@pytest.mark.sweep
def test_what_was_not_acknowledged_is_refused_and_a_variable_of_the_pipeline_acknowledges_it(
    shop: Shop, project: GitLab
) -> None:
    project.limit_production()
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    code, log = project.protected("reconciler:apply", "production")
    plan = project.artifacts["reconciler:apply production"] / "plans" / "production.json"
    digits = json.loads(plan.read_text())["changes_digest"][:12]
    assert (code, digits in log, shop.minutes()) == (3, True, [600, 600]), log
    code, log = project.protected("reconciler:apply", "production", RECONCILER_ACK=digits)
    assert (code, shop.minutes()) == (0, [600, 300]), log


@pytest.mark.sweep
def test_a_merge_request_whose_plan_is_no_longer_there_waits_for_the_manual_job(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    project.reviewed[-1].unlink()
    code, log = project.protected("reconciler:apply", "staging")
    assert (code, "there is no plan of staging" in log) == (APPROVAL, True), log
    code, log = project.protected("reconciler:approve", "staging")
    assert (code, shop.minutes()) == (0, [300, 600]), log


@pytest.mark.sweep
def test_the_pipeline_of_a_fork_keeps_its_plans_there_so_that_its_changes_wait_for_the_manual_job(
    shop: Shop, project: GitLab
) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    code, log = project.review("shorter", fork=True)
    assert (code, project.reviewed) == (0, []), log
    project.merge("shorter")
    code, log = project.protected("reconciler:apply", "staging")
    assert (code, shop.minutes()) == (APPROVAL, [600, 600]), log


@pytest.mark.sweep
def test_the_plan_of_an_older_head_is_not_taken_for_that_of_the_merged_one(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.branch("origin/shorter")
    project.commit("a head without a pipeline", "shorter")
    project.merge("shorter")
    code, log = project.protected("reconciler:apply", "staging")
    assert (code, shop.minutes()) == (APPROVAL, [600, 600]), log


@pytest.mark.sweep
def test_the_first_merge_request_is_green_and_says_that_there_is_no_snapshot_yet(gitlab: GitLab) -> None:
    change(gitlab, 300)
    gitlab.commit("shorter", "shorter")
    code, log = gitlab.review("shorter")
    document = (gitlab.artifacts["reconciler:review"] / "plan.md").read_text()
    assert (code, document.count("There is no snapshot of ")) == (0, 2), log


@pytest.mark.sweep
def test_without_its_cache_a_job_waits_for_approval_once_and_goes_on(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("straight to main")
    project.protected("reconciler:apply", "staging")
    project.protected("reconciler:approve", "staging")
    project.cache.clear()
    shop.portal("staging", AccessTokenDuration=60)
    assert project.protected("reconciler:restore", "staging")[0] == APPROVAL
    del project.artifacts["reconciler:apply staging"]  # that was another pipeline
    code, log = project.protected("reconciler:approve", "staging")
    assert (code, shop.minutes()) == (0, [300, 600]), log
    assert (project.cache["staging"] / "receipt.json").exists()


@pytest.mark.sweep
def test_nothing_of_a_checkout_is_executed(project: GitLab) -> None:
    change(project, 300)
    for name in ("json", "sys", "reconciler", "site", "zipfile"):
        (project.clone / f"{name}.py").write_text("print('executed')\nraise SystemExit(7)\n")
    project.commit("$(echo executed)\n\nReconciler-Ack: $(echo executed)", "b;echo-executed")
    code, log = project.review("b;echo-executed")
    assert (code, "executed" in log.splitlines()) == (0, False), log


@pytest.mark.sweep
def test_a_folder_of_a_larger_repository_with_manifests_beside_it(shop: Shop, gitlab: GitLab) -> None:
    gitlab.move("teams/shop")
    gitlab.variables["RECONCILER_FOLDER"] = "teams/shop"
    for name in NAMES:
        assert gitlab.protected("reconciler:drift", name)[0] == 0
    change(gitlab, 300)
    gitlab.commit("shorter", "shorter")
    code, log = gitlab.review("shorter")
    document = (gitlab.artifacts["reconciler:review"] / "plan.md").read_text()
    assert (code, "manifests/front.yaml" in document, "../" in document) == (0, True, False), log
    gitlab.merge("shorter")
    code, log = gitlab.protected("reconciler:apply", "production")
    assert (code, shop.minutes()) == (0, [600, 300]), log
    assert (gitlab.cache["production"] / "receipt.json").exists()
    assert list((gitlab.artifacts["reconciler:apply production"] / "state-production" / "runs").glob("*.jsonl"))
    change(gitlab, 400)
    gitlab.commit("straight to main")
    assert gitlab.protected("reconciler:apply", "production")[0] == APPROVAL
    change(gitlab, 300)
    gitlab.commit("taken back")
    code, log = gitlab.protected("reconciler:approve", "production")
    assert (code, shop.minutes()) == (4, [600, 300]), log


@pytest.mark.sweep
def test_the_night_keeps_a_patch_that_takes_the_live_values_over_and_honours_a_baseline(
    shop: Shop, project: GitLab
) -> None:
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    code, log = project.protected("reconciler:drift", "production")
    assert code == 2, log
    folder = project.artifacts["reconciler:drift production"]
    assert "git apply write-back.patch" in (folder / "drift.md").read_text()
    assert project.protected("reconciler:drift", "production", RECONCILER_BASELINE="known.json")[0] == 1
    project.branch()
    git(project.clone, "apply", str(folder / "write-back.patch"))
    project.commit("as in the portal")
    assert [project.protected("reconciler:drift", name)[0] for name in NAMES] == [0, 0]


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_two_open_merge_requests_do_not_hinder_each_other(shop: Shop, project: GitLab, how: str) -> None:
    change(project, 300)
    project.commit("shorter", "one")
    project.review("one")
    project.branch()
    (project.clone / "manifests" / "other.yaml").write_text(OTHER)
    project.commit("another client", "two")
    project.review("two")
    for branch in ("two", "one"):
        project.merge(branch, how)
        code, log = project.protected("reconciler:apply", "production")
        assert code == 0, log
    assert (shop.minutes(), shop.live("production", OTHER_ID)["AccessTokenDuration"]) == ([600, 300], 60)


@pytest.mark.sweep
def test_main_that_was_pushed_back_waits_for_the_manual_job(shop: Shop, project: GitLab) -> None:
    before = project.tip
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    assert project.protected("reconciler:apply", "production")[0] == 0
    git(project.clone, "push", "--quiet", "--force", "origin", f"{before}:refs/heads/main")
    code, log = project.protected("reconciler:apply", "production")
    assert (code, shop.minutes()) == (APPROVAL, [600, 300]), log


@pytest.mark.sweep
def test_a_new_plan_key_makes_jobs_ask_once_and_stops_no_night(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("straight to main")
    project.protected("reconciler:apply", "staging")
    project.protected("reconciler:approve", "staging")
    project.secrets = {name: {**one, "RECONCILER_PLAN_KEY": "new"} for name, one in project.secrets.items()}
    assert project.protected("reconciler:drift", "staging")[0] == 0
    shop.portal("staging", AccessTokenDuration=60)
    code, log = project.protected("reconciler:restore", "staging")
    assert (code, shop.minutes()) == (APPROVAL, [60, 600]), log
    del project.artifacts["reconciler:apply staging"]  # that was another pipeline
    assert project.protected("reconciler:approve", "staging")[0] == 0
    shop.portal("staging", AccessTokenDuration=60)
    assert project.protected("reconciler:restore", "staging")[0] == 0


@pytest.mark.sweep
def test_a_portal_edit_in_between_is_shown_and_waits_for_the_manual_job(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    shop.portal("production", AccessTokenDuration=500)
    project.merge("shorter")
    assert [project.protected("reconciler:apply", name)[0] for name in NAMES] == [0, APPROVAL]
    difference = (project.artifacts["reconciler:apply production"] / "difference-production.md").read_text()
    assert "`production`: not what was reviewed" in difference
    assert "reviewed, and no longer planned: `update ApiClient/front`" in difference
    assert shop.minutes() == [300, 500]
    code, log = project.protected("reconciler:approve", "production")
    assert (code, shop.minutes()) == (0, [300, 300]), log


@pytest.mark.sweep
def test_a_merge_train_keeps_the_plan_of_each_merge_request_alone(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "one")
    project.branch()
    (project.clone / "manifests" / "other.yaml").write_text(OTHER)
    project.commit("another client", "two")
    for branch in ("one", "two"):
        code, log = project.review(branch, onto="main" if branch == "one" else git(project.clone, "rev-parse", "HEAD"))
        assert code == 0, log
    for branch in ("one", "two"):
        project.merge(branch)
        code, log = project.protected("reconciler:apply", "production")
        assert code == 0, log
    assert (shop.minutes(), shop.live("production", OTHER_ID)["AccessTokenDuration"]) == ([600, 300], 60)


@pytest.mark.sweep
def test_a_fork_whose_pipeline_was_run_in_the_project_needs_no_approval(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    head = project.commit("shorter", "shorter")
    git(project.clone, "push", "--quiet", "origin", f"{head}:refs/merge-requests/7/head", ":refs/heads/shorter")
    assert project.review(head, fork=True)[0] == 0
    assert project.review(head)[0] == 0
    project.merge(head)
    code, log = project.protected("reconciler:apply", "production")
    assert (code, shop.minutes()) == (0, [600, 300]), log


@pytest.mark.sweep
def test_a_failed_job_that_is_run_again_finishes_and_a_plan_is_applied_once(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    shop.markets["production"].ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400"})
    assert project.protected("reconciler:apply", "production")[0] == 1
    code, log = project.protected("reconciler:apply", "production")
    assert (code, shop.minutes()) == (0, [600, 300]), log
    change(project, 400)
    project.commit("straight to main")
    assert project.protected("reconciler:apply", "production")[0] == APPROVAL
    assert project.protected("reconciler:approve", "production")[0] == 0
    shop.portal("production", AccessTokenDuration=300)
    code, log = project.protected("reconciler:approve", "production")
    assert (code, shop.minutes()) == (4, [600, 300]), log


@pytest.mark.sweep
def test_drift_is_told_once_and_so_is_its_end_although_the_job_is_red(
    shop: Shop, project: GitLab, chat: list[str]
) -> None:
    project.secrets = shop.hub.secrets
    shop.portal("production", AccessTokenDuration=60)
    assert [project.protected("reconciler:drift", "production")[0] for _ in range(2)] == [2, 2]
    shop.portal("production", AccessTokenDuration=600)
    assert [project.protected("reconciler:drift", "production")[0] for _ in range(2)] == [0, 0]
    assert [json.loads(one)["state"] for one in chat] == ["drifted", "in-step"]


@pytest.mark.sweep
def test_known_drift_is_left_out_by_a_baseline(shop: Shop, project: GitLab) -> None:
    shop.portal("production", AccessTokenDuration=60)
    project.branch()
    code, log = project.by_hand("drift", "--env", "production", "--into", "json=known.json")
    assert code == 2, log
    project.commit("known")
    project.variables["RECONCILER_BASELINE"] = "known.json"
    code, log = project.protected("reconciler:drift", "production")
    assert code == 0, log
    shop.portal("production", AccessTokenDuration=61)
    assert project.protected("reconciler:drift", "production")[0] == 2


@pytest.mark.sweep
def test_a_clone_that_has_fetched_the_state_shows_the_history_and_takes_a_run_back(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    assert project.protected("reconciler:apply", "production")[0] == 0
    state = project.artifacts["reconciler:apply production"] / "state-production"
    shutil.copytree(state, project.clone / ".reconciler")
    code, log = project.by_hand("history")
    assert (code, "production" in log) == (0, True), log
    code, log = project.by_hand("rollback", "last", "--env", "production", "--auto-approve")
    assert (code, shop.minutes()) == (0, [600, 600]), log


@pytest.mark.sweep
def test_a_revert_is_a_change_like_any_other(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter", "squash")
    assert project.protected("reconciler:apply", "production")[0] == 0
    project.branch()
    git(project.clone, "revert", "--no-edit", "HEAD")
    project.commit("an empty one besides", "revert")
    project.review("revert")
    project.merge("revert")
    code, log = project.protected("reconciler:apply", "production")
    assert (code, shop.minutes()) == (0, [600, 600]), log


@pytest.mark.sweep
def test_line_ends_of_another_system_change_nothing(shop: Shop, project: GitLab) -> None:
    project.gitconfig = "[core]\n\tautocrlf = true\n"
    change(project, 300)
    project.commit("shorter", "shorter")
    assert project.review("shorter")[0] == 0
    (first,) = project.folder.glob(f"job-{project.jobs}/workspace/manifests/front.yaml")
    assert b"\r\n" in first.read_bytes()
    project.merge("shorter")
    for environment, config in (("staging", project.gitconfig), ("production", "")):
        project.gitconfig = config
        code, log = project.protected("reconciler:apply", environment)
        assert code == 0, log
    assert shop.minutes() == [300, 300]
