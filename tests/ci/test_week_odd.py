"""What does not happen every week on GitHub: first runs, environments that come and go, old runs, hostile files."""

import json

import pytest

from tests.ci.conftest import NAMES, Shop
from tests.ci.test_week import APPLIED, change
from tests.cli.conftest import git


def environments(shop: Shop) -> dict[str, object]:
    """Those of reconciler.yaml."""
    return dict(json.loads((shop.place / "reconciler.yaml").read_text())["environments"])


def configure(shop: Shop, environments: dict[str, object]) -> None:
    path = shop.place / "reconciler.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"environments": environments}))


@pytest.mark.sweep
def test_the_first_pull_request_is_green_and_says_that_there_is_no_snapshot_yet(shop: Shop) -> None:
    shop.hub.require_reviewers(*NAMES)
    change(shop, 300)
    pull, review = shop.hub.propose("shorter")
    assert review.results == {"review": "success"}, review.log
    (comment,) = shop.hub.comments
    for name in NAMES:
        assert f"No snapshot of `{name}` yet" in comment
    run = shop.hub.merge(pull)
    assert (run.waiting, shop.minutes()) == (set(NAMES), [600, 600]), run.log
    run.approve("staging")
    assert shop.minutes() == [300, 600], run.log


@pytest.mark.sweep
def test_a_first_run_by_hand_keeps_snapshots_although_there_is_nothing_to_apply(shop: Shop) -> None:
    run = shop.hub.dispatch()
    assert run.results == {"environments": "success", **{f"apply {name}/plan": "success" for name in NAMES}}, run.log
    change(shop, 300)
    shop.hub.propose("shorter")
    (comment,) = shop.hub.comments
    assert ("No snapshot of " in comment, "AccessTokenDuration" in comment) == (False, True)
    assert all(name in comment for name in NAMES)


@pytest.mark.sweep
def test_a_pull_request_that_adds_an_environment_is_green_and_one_that_removes_it_as_well(watched: Shop) -> None:
    known = environments(watched)
    configure(watched, {"staging": known["staging"]})
    watched.hub.commit("without production")
    watched.hub.branch()
    configure(watched, known)
    (watched.hub.folder / "artifacts" / "1" / "api-clients-snapshot-production" / "production.json").unlink()
    watched.manifest(AccessTokenDuration=300)
    pull, review = watched.hub.propose("production")
    assert review.results == {"review": "success"}, review.log
    (comment,) = watched.hub.comments
    assert "No snapshot of `production` yet" in comment
    assert "AccessTokenDuration" in comment
    run = watched.hub.merge(pull)
    assert (run.waiting, watched.minutes()) == ({"production"}, [300, 600]), run.log
    watched.hub.branch()
    configure(watched, {"staging": known["staging"]})
    pull, review = watched.hub.propose("fewer")
    assert review.results == {"review": "success"}, review.log
    assert "apply production/plan" not in watched.hub.merge(pull).results


@pytest.mark.sweep
def test_the_newest_state_counts_although_an_older_run_has_written_it(watched: Shop) -> None:
    change(watched, 300)
    watched.hub.commit("straight to main")
    late, newer = watched.hub.pushed(), watched.hub.pushed()
    newer.approve("production")
    watched.portal("production", AccessTokenDuration=600)
    late.approve("production")
    assert watched.minutes() == [600, 300], late.log
    state = watched.hub.folder / "artifacts" / str(late.github["run_id"]) / "api-clients-runs-production"
    first, last = sorted(path.stem for path in (state / "runs").glob("*.jsonl"))
    run = watched.hub.dispatch(command="rollback", environment="production")
    shown = run.jobs["apply production/plan"].summary
    assert (shown.strip().startswith(f"{last}: "), first in shown) == (True, True), shown


@pytest.mark.sweep
def test_a_run_for_an_unknown_environment_or_a_rollback_of_none_is_red_at_once(watched: Shop) -> None:
    run = watched.hub.dispatch(environment="prod")
    assert (run.results, "prod" in run.log) == ({"environments": "failure"}, True), run.log
    run = watched.hub.dispatch(command="rollback")
    assert (run.results, "rollback requires an environment" in run.log) == ({"environments": "failure"}, True), run.log


@pytest.mark.sweep
def test_a_schedule_that_a_team_has_moved_looks_for_drift_and_applies_nothing(watched: Shop) -> None:
    watched.portal("production", AccessTokenDuration=60)
    night = watched.hub.run("schedule", watched.hub.tip, {"schedule": "0 4 * * *"})
    assert (night.results["drift production"], "apply production/plan" in night.results) == ("failure", False)
    assert watched.minutes() == [600, 60]


@pytest.mark.sweep
def test_a_failed_installation_replaces_the_comment_of_an_older_head(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.hub.failing.add("Download state of earlier runs")
    assert watched.hub.review(pull).results == {"review": "failure"}
    assert watched.hub.comments == ["<!-- api-clients -->\nNo plan: the job failed, see its log.\n"]


@pytest.mark.sweep
def test_a_job_that_could_not_fetch_the_state_keeps_none(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.hub.merge(pull)
    before = watched.hub.kept("api-clients-runs-production")
    watched.hub.failing.add("Download the plan of this run, and fetch the branch")
    change(watched, 400)
    pull, _ = watched.hub.propose("longer")
    run = watched.hub.merge(pull)
    assert (run.results["apply production/apply"], watched.minutes()) == ("failure", [300, 300]), run.log
    assert watched.hub.kept("api-clients-runs-production") == before


@pytest.mark.sweep
def test_nothing_of_a_checkout_is_executed_and_no_text_of_it_is_a_command_of_the_runner(watched: Shop) -> None:
    watched.hub.branch()
    for name in ("json", "sys", "reconciler", "site", "usercustomize"):
        (watched.hub.clone / f"{name}.py").write_text("print('executed')\nraise SystemExit(7)\n")
    hostile = "x`$(echo executed)` ::set-output name=approval::false ##vso[task.setvariable variable=approval]false"
    watched.manifest(AccessTokenDuration=300, AppName=hostile)
    message = (
        "$(echo executed)\n\n::add-mask::a\n##vso[task.complete result=Succeeded;]\nReconciler-Ack: $(echo executed)"
    )
    _, review = watched.hub.propose("b;echo-executed", message=message)
    assert review.results == {"review": "success"}, review.log
    lines = [line.strip() for line in review.log.splitlines()]
    assert [
        line for line in lines if line == "executed" or line.startswith(("::set", "::add")) or "##vso[" in line
    ] == []
    (comment,) = watched.hub.comments
    assert "AccessTokenDuration" in comment


@pytest.mark.sweep
def test_an_acknowledgement_holds_in_a_squash_that_names_further_authors(watched: Shop) -> None:
    watched.hub.limit_production()
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    (comment,) = watched.hub.comments
    line = next(line for line in comment.splitlines() if line.startswith("Reconciler-Ack: "))
    watched.hub.branch(f"origin/{pull.branch}")
    watched.hub.commit(
        f"* I have seen it\n\n{line}\r\n\n---------\n\nCo-authored-by: somebody <s@example.com>", "shorter"
    )
    assert watched.hub.review(pull).results == {"review": "success"}
    run = watched.hub.merge(pull, "rebase")
    assert (run.results, watched.minutes()) == (APPLIED, [300, 300]), run.log


@pytest.mark.sweep
def test_main_that_was_pushed_back_waits_for_approval(watched: Shop) -> None:
    before = watched.hub.tip
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.hub.merge(pull)
    git(watched.hub.clone, "push", "--quiet", "--force", "origin", f"{before}:refs/heads/main")
    run = watched.hub.pushed()
    assert (run.waiting, watched.minutes()) == (set(NAMES), [300, 300]), run.log


@pytest.mark.sweep
def test_a_merge_whose_branch_is_deleted_is_still_what_was_reviewed(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.hub.merge_only(pull)
    git(watched.hub.clone, "push", "--quiet", "origin", "--delete", "shorter")
    run = watched.hub.pushed()
    assert (run.results, watched.minutes()) == (APPLIED, [300, 300]), run.log


@pytest.mark.sweep
def test_a_renamed_environment_has_no_credentials_until_somebody_sets_it_up(watched: Shop) -> None:
    known = environments(watched)
    watched.hub.branch()
    configure(watched, {"staging": known["staging"], "prod": known["production"]})
    watched.manifest(AccessTokenDuration=300)
    pull, review = watched.hub.propose("renamed")
    assert ("No snapshot of `prod` yet" in watched.hub.comments[0], review.results) == (
        True,
        {"review": "success"},
    )
    run = watched.hub.merge(pull)
    assert run.results["apply prod/plan"] == "failure", run.log
    assert "OC_CLIENT_ID" in run.jobs["apply prod/plan"].summary
    assert watched.minutes() == [300, 600]


@pytest.mark.sweep
def test_an_old_snapshot_is_dated_and_what_it_misses_waits_for_approval(watched: Shop) -> None:
    watched.portal("production", AccessTokenDuration=60)  # since the snapshot, and until the review
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    run = watched.hub.merge(pull)
    assert (run.waiting, watched.minutes()) == ({"production"}, [300, 60]), run.log
