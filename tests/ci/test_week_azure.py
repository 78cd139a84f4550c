"""What is Azure's own: the API that knows pull requests, artifacts of several attempts, variable groups."""

from pathlib import Path

import pytest

from tests.ci.azure import Azure
from tests.ci.conftest import NAMES, Shop
from tests.ci.test_week_elsewhere import propose, push
from tests.cli.conftest import git


@pytest.fixture
def project(azure: Azure, snapshots: Path) -> Azure:
    """The shop, after a night."""
    azure.remember(snapshots)
    return azure


@pytest.mark.sweep
@pytest.mark.parametrize("missing", ["pullrequestquery", "builds", "plans.1.zip"])
def test_a_pull_request_whose_plan_is_not_here_waits_for_approval(shop: Shop, project: Azure, missing: str) -> None:
    propose(project, 300)
    answer, project.answer = project.answer, lambda name, content: None if name == missing else answer(name, content)  # type: ignore[method-assign]
    if missing == "plans.1.zip":
        for folder in (project.folder / "api", project.reviewed("shorter")):
            (folder / missing).unlink()
    build = project.merge("shorter")
    assert (build.waiting, shop.minutes()) == (set(NAMES), [600, 600]), build.log
    assert ("nothing was reviewed" in build.log, "Traceback" in build.log) == (True, False), build.log


@pytest.mark.sweep
def test_a_run_has_the_stages_that_it_needs(project: Azure) -> None:
    propose(project, 300)
    stages = {f"{stage}_{name}": "Succeeded" for name in NAMES for stage in ("plan", "apply")}
    assert project.merge("shorter").results == stages
    assert project.run().results == {f"plan_{name}": "Succeeded" for name in NAMES}
    assert project.run("restore").results == {"plan_staging": "Succeeded"}
    assert project.run("drift").results == {f"drift_{name}": "Succeeded" for name in NAMES}
    assert project.run(rollback="production last").results == {"plan_production": "Succeeded"}


@pytest.mark.sweep
def test_a_job_that_fails_before_it_has_the_state_leaves_the_older_one(shop: Shop, project: Azure) -> None:
    propose(project, 300)
    project.merge("shorter")
    before = project.kept("runs-production")
    push(project, 400)
    build = project.run()
    project.failing.add("Install")
    build.approve("production")
    assert (build.results["apply_production"], shop.minutes()) == ("Failed", [300, 300]), build.log
    assert project.kept("runs-production") == before


@pytest.mark.sweep
def test_a_job_that_is_run_again_publishes_under_another_name_and_the_newest_counts(shop: Shop, project: Azure) -> None:
    propose(project, 300)
    shop.markets["production"].ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400"})
    build = project.merge("shorter")
    assert (build.results["apply_production"], shop.minutes()) == ("Failed", [300, 600]), build.log
    assert "snapshot-production.1" in build.artifacts
    build.again("production")
    assert (build.results["apply_production"], shop.minutes()) == ("Succeeded", [300, 300]), build.log
    assert {"plan-production.1", "plan-production.2", "runs-production.1", "runs-production.2"} <= set(build.artifacts)
    build.repeat("production")
    assert (build.results["apply_production"], project.kept("runs-production").name) == ("Failed", "runs-production.3")


@pytest.mark.sweep
def test_a_variable_that_the_group_lacks_is_named_before_anything_is_planned(shop: Shop, project: Azure) -> None:
    project.secrets = {**project.secrets, "production": {"OC_CLIENT_ID": "i", "OC_CLIENT_SECRET": "s"}}
    push(project, 300)
    build = project.run()
    assert build.results["plan_production"] == "Failed"
    assert "the variable group api-clients-production has no RECONCILER_PLAN_KEY\n" in build.log
    build.approve("staging")
    assert shop.minutes() == [300, 600], build.log


@pytest.mark.sweep
def test_a_fork_is_no_special_case(shop: Shop, project: Azure) -> None:
    project.change(300)
    head = project.commit("shorter", "shorter")
    git(project.clone, "push", "--quiet", "origin", ":refs/heads/shorter")
    review = project.review(head)
    assert review.is_green, review.log
    build = project.merge(head, "squash")
    assert (build.failed, build.waiting, shop.minutes()) == (set(), set(), [300, 300]), build.log
