"""What is GitLab's own: forks, merge trains, the package registry, caches, and which jobs a pipeline has."""

import shutil
from pathlib import Path

import pytest

from tests.ci.conftest import Shop
from tests.ci.gitlab import GitLab, started
from tests.ci.test_week_elsewhere import OTHER, OTHER_ID, apply_directly, propose, push
from tests.cli.conftest import git


@pytest.fixture
def project(gitlab: GitLab, snapshots: Path) -> GitLab:
    """The shop, after a night."""
    gitlab.remember(snapshots)
    return gitlab


@pytest.mark.parametrize(
    ("source", "variables", "jobs"),
    [
        ("merge_request_event", {"CI_COMMIT_BRANCH": ""}, {"review": "on_success"}),
        ("push", {}, {"apply": "on_success", "approve": "manual"}),
        ("push", {"CI_COMMIT_BRANCH": "feature"}, {}),
        ("web", {}, {"apply": "on_success", "approve": "manual"}),
        ("web", {"RECONCILER_ROLLBACK": "production"}, {"history": "on_success", "rollback": "manual"}),
        ("web", {"RECONCILER_ROLLBACK": "production", "CI_COMMIT_BRANCH": "feature"}, {}),
        ("schedule", {"RECONCILER_SCHEDULE": "drift"}, {"drift": "on_success"}),
        ("schedule", {"RECONCILER_SCHEDULE": "restore"}, {"restore": "on_success", "approve": "manual"}),
        ("schedule", {}, {}),
    ],
)
def test_a_pipeline_has_the_jobs_of_what_started_it(
    source: str, variables: dict[str, str], jobs: dict[str, str]
) -> None:
    assert started(source, **variables) == {f"reconciler:{name}": when for name, when in jobs.items()}


@pytest.mark.sweep
def test_who_approves_nothing_is_told_so_and_jobs_keep_the_state_for_people(shop: Shop, project: GitLab) -> None:
    propose(project, 300)
    run = project.merge("shorter", "squash")
    assert list((run.artifacts["reconciler:apply production"] / "state-production" / "runs").glob("*.jsonl"))
    run.approve("production")
    assert (run.failed, "Nothing to approve in production." in run.log) == (set(), True), run.log
    assert shop.minutes() == [300, 300]


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["squash", "rebase"])
def test_an_acknowledgement_counts_where_gitlab_has_merged_the_head_already(
    shop: Shop, project: GitLab, how: str
) -> None:
    project.limit_production()
    project.change(300)
    project.commit("shorter", "shorter")
    review = project.review("shorter", onto="main")
    line = next(line for line in review.document.splitlines() if line.startswith("Reconciler-Ack: "))
    project.branch("origin/shorter")
    project.commit(f"I have seen it\n\n{line}", "shorter")
    review = project.review("shorter", onto="main")
    assert review.is_green, review.log
    run = project.merge("shorter", how, f"squashed\n\n{line}\n\nSee merge request group/shop!7")
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log


@pytest.mark.sweep
def test_a_merge_request_whose_plan_is_no_longer_there_waits_for_approval(shop: Shop, project: GitLab) -> None:
    propose(project, 300)
    for plan in project.reviewed:
        plan.unlink()
    run = project.merge("shorter")
    assert (run.waiting, "no plan of staging found" in run.log) == ({"staging", "production"}, True), run.log
    run.approve("staging")
    assert (run.failed, shop.minutes()) == (set(), [300, 600]), run.log


@pytest.mark.sweep
def test_a_fork_keeps_its_plans_there_and_needs_approval_unless_its_pipeline_was_run_in_the_project(
    shop: Shop, project: GitLab
) -> None:
    project.change(300)
    head = project.commit("shorter", "shorter")
    git(project.clone, "push", "--quiet", "origin", f"{head}:refs/merge-requests/7/head", ":refs/heads/shorter")
    review = project.review(head, fork=True)
    assert (review.is_green, project.reviewed) == (True, []), review.log
    project.merge_only(head, "squash")
    run = project.run()
    assert (run.waiting, shop.minutes()) == ({"staging", "production"}, [600, 600]), run.log
    project.branch()
    git(project.clone, "reset", "--quiet", "--hard", "HEAD~1")
    git(project.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
    assert project.review(head).is_green
    run = project.merge(head)
    assert (run.failed, run.waiting, shop.minutes()) == (set(), set(), [300, 300]), run.log


@pytest.mark.sweep
def test_the_plan_of_an_older_head_is_not_taken_for_that_of_the_merged_one(shop: Shop, project: GitLab) -> None:
    propose(project, 300)
    project.branch("origin/shorter")
    project.commit("a head without a pipeline", "shorter")
    run = project.merge("shorter")
    assert (run.waiting, shop.minutes()) == ({"staging", "production"}, [600, 600]), run.log


@pytest.mark.sweep
def test_without_its_cache_a_job_waits_for_approval_once_and_goes_on(shop: Shop, project: GitLab) -> None:
    apply_directly(project, 300, ["staging"])
    project.cache.clear()
    shop.portal("staging", AccessTokenDuration=60)
    run = project.run("restore")
    assert run.waiting == {"staging"}
    run.approve("staging")
    assert (run.failed, shop.minutes()) == (set(), [300, 600]), run.log
    assert (project.cache["staging"] / "receipt.json").exists()


@pytest.mark.sweep
def test_a_baseline_that_is_not_there_is_an_error(project: GitLab) -> None:
    assert project.protected("reconciler:drift", "production", RECONCILER_BASELINE="known.json")[0] == 1


@pytest.mark.sweep
def test_a_merge_train_keeps_the_plan_of_each_merge_request_alone(shop: Shop, project: GitLab) -> None:
    project.change(300)
    project.commit("shorter", "one")
    project.branch()
    (project.clone / "manifests" / "other.yaml").write_text(OTHER)
    project.commit("another client", "two")
    for branch in ("one", "two"):
        review = project.review(branch, onto="main" if branch == "one" else git(project.clone, "rev-parse", "HEAD"))
        assert review.is_green, review.log
    for branch in ("one", "two"):
        run = project.merge(branch)
        assert (run.failed, run.waiting) == (set(), set()), run.log
    assert (shop.minutes(), shop.live("production", OTHER_ID)["AccessTokenDuration"]) == ([300, 300], 60)


@pytest.mark.sweep
def test_a_rollback_takes_the_state_of_its_environment_only(shop: Shop, project: GitLab) -> None:
    apply_directly(project, 300)
    push(project, 400)
    shutil.copytree(project.cache["staging"], project.cache["production"], dirs_exist_ok=True)
    run = project.run(rollback=f"production {next((project.cache['staging'] / 'runs').glob('*.jsonl')).stem}")
    run.approve("production")
    assert (run.failed, shop.minutes()) == ({"production"}, [300, 300]), run.log
