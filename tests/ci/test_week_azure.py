"""A week of a repository on Azure: the pipeline of ci/azure-*.yml against two marketplaces, with real git."""

import json
import shutil

import pytest

from tests.ci.azure import Azure
from tests.ci.conftest import NAMES, Shop
from tests.ci.test_week_gitlab import OTHER, OTHER_ID
from tests.cli.conftest import git

APPLIED = {f"{stage}_{name}": "Succeeded" for name in NAMES for stage in ("plan", "apply")}


@pytest.fixture
def project(azure: Azure) -> Azure:
    """The shop, after a night."""
    night = azure.run("drift")
    assert night.results == {f"drift_{name}": "Succeeded" for name in NAMES}, night.log
    return azure


def change(project: Azure, minutes: int) -> None:
    project.branch()
    manifest = project.clone / "manifests" / "front.yaml"
    document = json.loads(manifest.read_text())
    document["spec"]["AccessTokenDuration"] = minutes
    manifest.write_text(json.dumps(document, indent=1) + "\n")


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_what_was_reviewed_is_applied_without_asking(shop: Shop, project: Azure, how: str) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    review = project.review("shorter")
    assert review.results == {"review": "Succeeded"}, review.log
    assert review.summary.count("snapshot taken at 20") == 2
    build = project.merge("shorter", how)
    assert (build.results, build.waiting, shop.minutes()) == (APPLIED, set(), [300, 300]), build.log
    assert project.run().results == {f"plan_{name}": "Succeeded" for name in NAMES}


@pytest.mark.sweep
def test_a_direct_push_waits_for_approval_and_a_late_one_is_refused(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.answer("pullrequestquery", {"results": [{}]})
    old = project.commit("straight to main")
    build = project.run()
    assert (build.waiting, shop.minutes()) == (set(NAMES), [600, 600]), build.log
    build.approve("production")
    assert (build.results["apply_production"], shop.minutes()) == ("Succeeded", [600, 300]), build.log
    change(project, 600)
    project.commit("taken back")
    build.approve("staging")
    assert (build.results["apply_staging"], shop.minutes()) == ("Failed", [600, 300]), build.log
    again = project.run(commit=old)
    again.approve("production")
    assert shop.minutes() == [600, 600], again.log


@pytest.mark.sweep
def test_a_failing_command_fails_its_step_and_the_journal_is_kept(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    shop.markets["production"].ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400"})
    build = project.merge("shorter")
    assert build.results["apply_production"] == "Failed", build.log
    assert list((project.kept("runs-production") / "runs").glob("*.jsonl"))
    assert "snapshot-production.1" in build.artifacts


@pytest.mark.sweep
def test_a_pull_request_that_does_not_validate_is_red(project: Azure) -> None:
    change(project, 300)
    (project.clone / "manifests" / "front.yaml").write_text("kind: ApiClient\n")
    project.commit("worse", "worse")
    assert project.review("worse").results == {"review": "Failed"}


@pytest.mark.sweep
def test_the_restore_is_put_back_unattended_as_long_as_main_was_applied(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    assert project.merge("shorter").results == APPLIED
    shop.portal("staging", AccessTokenDuration=60)
    shop.portal("production", AccessTokenDuration=60)
    build = project.run("restore")
    assert (build.results, shop.minutes()) == ({n: r for n, r in APPLIED.items() if "staging" in n}, [300, 60]), (
        build.log
    )


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_an_acknowledgement_makes_the_pull_request_green_and_holds_after_the_merge(
    shop: Shop, project: Azure, how: str
) -> None:
    project.limit_production()
    change(project, 300)
    project.commit("shorter", "shorter")
    review = project.review("shorter")
    digits = json.loads((review.artifacts["plans.1"] / "production.json").read_text())["changes_digest"][:12]
    assert review.results == {"review": "Failed"}, review.log
    assert f"Reconciler-Ack: {digits}\n" in review.summary
    project.branch("origin/shorter")
    project.commit(f"I have seen it\n\nReconciler-Ack: {digits}", "shorter")
    review = project.review("shorter")
    assert review.results == {"review": "Succeeded"}, review.log
    build = project.merge(
        "shorter", how, f"Merged PR 7: shorter\r\n\r\nReconciler-Ack: {digits}\r\n\r\nRelated work items: #1"
    )
    assert (build.results, shop.minutes()) == (APPLIED, [300, 300]), build.log


@pytest.mark.sweep
@pytest.mark.parametrize("missing", ["pullrequestquery", "builds", "plans.1.zip"])
def test_a_pull_request_whose_plan_is_not_here_waits_for_approval(shop: Shop, project: Azure, missing: str) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    answer, project.answer = project.answer, lambda name, content: None if name == missing else answer(name, content)  # type: ignore[method-assign]
    if missing == "plans.1.zip":
        for folder in (project.folder / "api", project.reviewed("shorter")):
            (folder / missing).unlink()
    build = project.merge("shorter")
    assert (build.waiting, shop.minutes()) == (set(NAMES), [600, 600]), build.log
    assert ("nothing was reviewed" in build.log, "Traceback" in build.log) == (True, False), build.log


@pytest.mark.sweep
def test_the_first_pull_request_is_green_and_says_that_there_is_no_snapshot_yet(azure: Azure) -> None:
    change(azure, 300)
    azure.commit("shorter", "shorter")
    review = azure.review("shorter")
    assert review.results == {"review": "Succeeded"}, review.log
    assert review.summary.count("There is no snapshot of ") == 2


@pytest.mark.sweep
def test_a_job_that_fails_before_it_has_the_state_leaves_the_older_one(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    before = project.kept("runs-production")
    change(project, 400)
    project.commit("straight to main")
    build = project.run()
    project.failing.add("Install")
    build.approve("production")
    assert (build.results["apply_production"], shop.minutes()) == ("Failed", [300, 300]), build.log
    assert project.kept("runs-production") == before


@pytest.mark.sweep
def test_a_job_that_is_run_again_publishes_under_another_name_and_the_newest_counts(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    shop.markets["production"].ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400"})
    build = project.merge("shorter")
    assert (build.results["apply_production"], shop.minutes()) == ("Failed", [300, 600]), build.log
    build.again("plan_production", "approve_production", "apply_production")
    assert (build.results["apply_production"], shop.minutes()) == ("Succeeded", [300, 300]), build.log
    assert {"plan-production.1", "plan-production.2", "runs-production.1", "runs-production.2"} <= set(build.artifacts)
    build.again("apply_production")
    assert (build.results["apply_production"], project.kept("runs-production").name) == ("Failed", "runs-production.3")


@pytest.mark.sweep
def test_a_variable_that_the_group_lacks_is_named_before_anything_is_planned(shop: Shop, project: Azure) -> None:
    project.secrets = {**project.secrets, "production": {"OC_CLIENT_ID": "i", "OC_CLIENT_SECRET": "s"}}
    change(project, 300)
    project.commit("straight to main")
    build = project.run()
    assert build.results["plan_production"] == "Failed"
    assert "the variable group api-clients-production has no RECONCILER_PLAN_KEY\n" in build.log
    build.approve("staging")
    assert shop.minutes() == [300, 600], build.log


@pytest.mark.sweep
def test_a_folder_of_a_larger_repository_with_manifests_beside_it(shop: Shop, azure: Azure) -> None:
    azure.move("teams/shop")
    azure.variables["RECONCILER_FOLDER"] = "teams/shop"
    assert set(azure.run("drift").results.values()) == {"Succeeded"}
    change(azure, 300)
    azure.commit("shorter", "shorter")
    review = azure.review("shorter")
    assert review.results == {"review": "Succeeded"}, review.log
    assert ("manifests/front.yaml" in review.summary, "../" in review.summary) == (True, False)
    build = azure.merge("shorter")
    assert (build.results, shop.minutes()) == (APPLIED, [300, 300]), build.log
    assert (azure.kept("runs-production") / "receipt.json").exists()
    change(azure, 400)
    azure.commit("straight to main")
    late = azure.run()
    change(azure, 300)
    azure.commit("taken back")
    late.approve("production")
    assert (late.results["apply_production"], shop.minutes()) == ("Failed", [300, 300]), late.log


@pytest.mark.sweep
def test_the_night_keeps_a_patch_that_takes_the_live_values_over(shop: Shop, project: Azure) -> None:
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    night = project.run("drift")
    assert night.results == {f"drift_{name}": "Failed" for name in NAMES}, night.log
    project.branch()
    git(project.clone, "apply", str(project.kept("watch-production") / "write-back.patch"))
    project.commit("as in the portal")
    assert set(project.run("drift").results.values()) == {"Succeeded"}


@pytest.mark.sweep
def test_two_open_pull_requests_do_not_hinder_each_other(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "one")
    project.review("one")
    project.branch()
    (project.clone / "manifests" / "other.yaml").write_text(OTHER)
    project.commit("another client", "two")
    project.review("two")
    for branch in ("two", "one"):
        build = project.merge(branch, "squash")
        assert (build.results, build.waiting) == (APPLIED, set()), build.log
    assert (shop.minutes(), shop.live("production", OTHER_ID)["AccessTokenDuration"]) == ([300, 300], 60)


@pytest.mark.sweep
def test_a_portal_edit_in_between_is_shown_and_waits_for_approval(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    shop.portal("production", AccessTokenDuration=500)
    build = project.merge("shorter")
    assert (build.waiting, shop.minutes()) == ({"production"}, [300, 500]), build.log
    assert "`production`: not what was reviewed" in build.summary
    assert "reviewed, and no longer planned: `update ApiClient/front`" in build.summary
    build.approve("production")
    assert shop.minutes() == [300, 300], build.log


@pytest.mark.sweep
def test_a_fork_is_no_special_case(shop: Shop, project: Azure) -> None:
    change(project, 300)
    head = project.commit("shorter", "shorter")
    git(project.clone, "push", "--quiet", "origin", ":refs/heads/shorter")
    review = project.review(head)
    assert review.results == {"review": "Succeeded"}, review.log
    build = project.merge(head, "squash")
    assert (build.results, shop.minutes()) == (APPLIED, [300, 300]), build.log


@pytest.mark.sweep
def test_what_was_not_acknowledged_is_refused_and_a_parameter_of_the_run_acknowledges_it(
    shop: Shop, project: Azure
) -> None:
    project.limit_production()
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    build = project.merge("shorter")
    assert (build.results["plan_production"], shop.minutes()) == ("Failed", [300, 600]), build.log
    digits = json.loads((build.artifacts["plan-production.1"] / "production.json").read_text())["changes_digest"][:12]
    assert digits in build.summary
    build = project.run(acknowledge=digits)
    assert (build.results["apply_production"], shop.minutes()) == ("Succeeded", [300, 300]), build.log


@pytest.mark.sweep
def test_drift_is_told_once_and_so_is_its_end_although_the_run_is_red(
    shop: Shop, project: Azure, chat: list[str]
) -> None:
    project.secrets = shop.hub.secrets
    for minutes, result in ((60, "Failed"), (600, "Succeeded")):
        shop.portal("production", AccessTokenDuration=minutes)
        for _ in range(2):
            night = project.run("drift")
            assert night.results == {"drift_staging": "Succeeded", "drift_production": result}, night.log
    assert [json.loads(one)["state"] for one in chat] == ["drifted", "in-step"]


@pytest.mark.sweep
def test_known_drift_is_left_out_by_a_baseline(shop: Shop, project: Azure) -> None:
    shop.portal("production", AccessTokenDuration=60)
    project.branch()
    code, log = project.by_hand("drift", "--env", "production", "--into", "json=known.json")
    assert code == 2, log
    project.commit("known")
    project.variables["RECONCILER_BASELINE"] = "known.json"
    for minutes, result in ((60, "Succeeded"), (61, "Failed")):
        shop.portal("production", AccessTokenDuration=minutes)
        night = project.run("drift")
        assert night.results["drift_production"] == result, night.log


@pytest.mark.sweep
def test_a_clone_that_has_fetched_the_state_shows_the_history_and_takes_a_run_back(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    shutil.copytree(project.kept("runs-production"), project.clone / ".reconciler")
    code, log = project.by_hand("history")
    assert (code, "production" in log) == (0, True), log
    code, log = project.by_hand("rollback", "last", "--env", "production", "--auto-approve")
    assert (code, shop.minutes()) == (0, [300, 600]), log


@pytest.mark.sweep
def test_the_restore_brings_nothing_that_was_merged_and_not_approved(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    change(project, 400)
    project.commit("straight to main")
    build = project.run("restore")
    assert (build.waiting, shop.minutes()) == ({"staging"}, [300, 300]), build.log
    assert "the manifests are not those of the last apply" in build.summary


@pytest.mark.sweep
def test_a_revert_is_a_change_like_any_other(shop: Shop, project: Azure) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter", "squash")
    project.branch()
    git(project.clone, "revert", "--no-edit", "HEAD")
    project.commit("an empty one besides", "revert")
    project.review("revert")
    build = project.merge("revert")
    assert (build.results, shop.minutes()) == (APPLIED, [600, 600]), build.log


@pytest.mark.sweep
def test_line_ends_of_another_system_change_nothing(shop: Shop, project: Azure) -> None:
    project.gitconfig = "[core]\n\tautocrlf = true\n"
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    build = project.merge("shorter")
    assert (build.results, shop.minutes()) == (APPLIED, [300, 300]), build.log
    (last,) = project.folder.glob(f"job-{project.jobs}/workspace/manifests/front.yaml")
    assert b"\r\n" in last.read_bytes()
