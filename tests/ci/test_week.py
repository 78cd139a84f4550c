"""A week of a repository on GitHub: the workflows with their real shell and git against two marketplaces.

`make sweep` plays it.
"""

import json

import pytest

from tests.ci.conftest import NAMES, Shop
from tests.cli.conftest import git

pytestmark = pytest.mark.sweep

APPLIED = {
    "environments": "success",
    **{f"apply {name}/{job}": "success" for name in NAMES for job in ("plan", "apply")},
}


def change(shop: Shop, minutes: int) -> None:
    shop.hub.branch()
    shop.manifest(AccessTokenDuration=minutes)


def test_nobody_is_asked_where_what_was_reviewed_is_what_is_planned(watched: Shop) -> None:
    change(watched, 300)
    pull, review = watched.hub.propose("shorter")
    assert review.results == {"review": "success"}, review.log
    assert [market.writes() for market in watched.markets.values()] == [[], []]
    (comment,) = watched.hub.comments
    assert comment.startswith("<!-- api-clients -->\n")
    for part in ("`staging`", "`production`", "AccessTokenDuration", "snapshot taken at 20", "To apply it, merge: "):
        assert part in comment
    merged = watched.hub.merge(pull, "squash")
    assert merged.results == APPLIED, merged.log
    assert watched.minutes() == [300, 300]


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
@pytest.mark.parametrize("first", [0, 1])
def test_two_open_pull_requests_do_not_hinder_each_other(watched: Shop, how: str, first: int) -> None:
    change(watched, 300)
    one, _ = watched.hub.propose("one")
    watched.hub.branch()
    watched.manifest("other", Active=True, AccessTokenDuration=60, policy=None)
    (watched.place / "manifests" / "other.yaml").write_text(
        json.dumps(
            {
                "apiVersion": "reconciler/v1",
                "kind": "ApiClient",
                "metadata": {"name": "other", "id": "0F0F0F0F-0000-0000-0000-000000000001"},
                "spec": {"AppName": "other", "Active": True, "AccessTokenDuration": 60},
            }
        )
    )
    two, _ = watched.hub.propose("two")
    for pull in (one, two) if first == 0 else (two, one):
        merged = watched.hub.merge(pull, how)
        assert merged.results == APPLIED, merged.log
    assert watched.minutes() == [300, 300]
    assert watched.live("production", "0F0F0F0F-0000-0000-0000-000000000001")["AccessTokenDuration"] == 60


def test_a_run_that_was_dropped_is_caught_up_by_the_next_one_which_shows_what_it_adds(watched: Shop) -> None:
    change(watched, 300)
    one, _ = watched.hub.propose("one")
    watched.hub.branch()
    (watched.place / "README").write_text("more")
    two, _ = watched.hub.propose("two")
    watched.hub.merge_only(one)
    run = watched.hub.merge(two)
    assert (run.waiting, watched.minutes()) == (set(NAMES), [600, 600])
    assert "`production`: differs from what was reviewed" in run.jobs["apply production/plan"].summary
    run.approve("production")
    assert (run.waiting, watched.minutes()) == ({"staging"}, [600, 300])
    run.approve("staging")
    assert watched.minutes() == [300, 300], run.log


def test_a_direct_push_waits_for_approval(watched: Shop) -> None:
    change(watched, 300)
    watched.hub.commit("straight to main")
    run = watched.hub.pushed()
    assert (run.waiting, watched.minutes()) == (set(NAMES), [600, 600])
    assert "nothing was reviewed" in run.log
    run.approve("staging")
    assert (run.waiting, watched.minutes()) == ({"production"}, [300, 600]), run.log


def test_a_portal_edit_in_between_is_shown_and_waits_for_approval(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.portal("production", AccessTokenDuration=500)
    run = watched.hub.merge(pull)
    assert (run.waiting, watched.minutes()) == ({"production"}, [300, 500]), run.log
    summary = run.jobs["apply production/plan"].summary
    assert "`production`: differs from what was reviewed" in summary
    assert "reviewed, and no longer planned: `update ApiClient/front`" in summary
    run.approve("production")
    assert watched.minutes() == [300, 300], run.log


def test_nothing_old_is_applied_late(watched: Shop) -> None:
    change(watched, 300)
    watched.hub.commit("straight to main")
    late = watched.hub.pushed()
    change(watched, 600)
    watched.hub.commit("taken back")
    late.approve("production")
    assert late.results["apply production/apply"] == "failure", late.log
    assert "main" in late.jobs["apply production/apply"].log
    now = watched.hub.pushed()
    assert (now.waiting, watched.minutes()) == (set(), [600, 600]), now.log


def test_a_late_approval_holds_where_other_files_have_changed_on_main(watched: Shop) -> None:
    change(watched, 300)
    watched.hub.commit("straight to main")
    run = watched.hub.pushed()
    watched.hub.branch()
    (watched.place / "README").write_text("more")
    watched.hub.commit("only words")
    run.approve("production")
    assert watched.minutes() == [600, 300], run.log


def test_an_old_job_that_is_run_again_has_nothing_to_do_or_plans_the_tip(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    first = watched.hub.merge(pull)
    old = watched.hub.tip
    change(watched, 400)
    pull, _ = watched.hub.propose("longer")
    watched.hub.merge(pull)
    assert watched.minutes() == [400, 400]
    assert first.again("apply production/apply").result == "failure"
    again = watched.hub.pushed(old)
    assert (again.waiting, watched.minutes()) == (set(), [400, 400]), again.log


def test_a_plan_is_applied_once(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    run = watched.hub.merge(pull)
    watched.portal("production", AccessTokenDuration=600)
    again = run.again("apply production/apply")
    assert (again.result, watched.minutes()) == ("failure", [300, 600]), again.log


def test_a_revert_is_a_change_like_any_other(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.hub.merge(pull, "squash")
    watched.hub.branch()
    git(watched.hub.clone, "revert", "--no-edit", "HEAD")
    pull, _ = watched.hub.propose("revert")
    run = watched.hub.merge(pull)
    assert (run.results, watched.minutes()) == (APPLIED, [600, 600]), run.log


def test_a_fork_is_no_special_case_but_for_the_comment(watched: Shop) -> None:
    change(watched, 300)
    pull, review = watched.hub.propose("of-a-fork", fork=True)
    assert (review.results, watched.hub.comments) == ({"review": "success"}, []), review.log
    assert "AccessTokenDuration" in review.jobs["review"].summary
    run = watched.hub.merge(pull)
    assert (run.results, watched.minutes()) == (APPLIED, [300, 300]), run.log


def test_a_merge_queue_plans_what_main_would_be(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    queued = watched.hub.queued(pull)
    assert (queued.results, len(watched.hub.comments)) == ({"review": "success"}, 1), queued.log
    run = watched.hub.merge(pull)
    assert run.results == APPLIED, run.log


def test_a_head_that_does_not_validate_replaces_the_comment_of_the_older_one(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.manifest(AccessTokenDurations=300)
    watched.hub.commit("worse", "shorter")
    review = watched.hub.review(pull)
    (comment,) = watched.hub.comments
    assert (review.results, "AccessTokenDurations" in comment) == ({"review": "failure"}, True), comment
    assert "600" not in comment
    (watched.place / "reconciler.yaml").write_text("apiVersion: [")
    watched.hub.commit("worst", "shorter")
    review = watched.hub.review(pull)
    assert (review.results, "Traceback" in review.log) == ({"review": "failure"}, False), review.log
    (comment,) = watched.hub.comments
    assert "reconciler.yaml" in comment


@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_the_comment_says_how_to_acknowledge_and_a_trailer_holds_after_the_merge(watched: Shop, how: str) -> None:
    watched.hub.limit_production(watched.folder)
    change(watched, 300)
    pull, review = watched.hub.propose("shorter")
    (comment,) = watched.hub.comments
    assert review.results == {"review": "failure"}
    line = next(line for line in comment.splitlines() if line.startswith("Reconciler-Ack: "))
    watched.hub.branch(f"origin/{pull.branch}")
    watched.hub.commit(f"I have seen it\n\n{line}", "shorter")
    assert watched.hub.review(pull).results == {"review": "success"}
    if how == "squash":
        watched.hub.merge_only(pull, how)
        git(watched.hub.clone, "commit", "--quiet", "--amend", "--message", f"squashed\n\n{line}")
        git(watched.hub.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/heads/main")
        state = watched.hub.state
        state["pulls"][0]["merge_commit_sha"] = watched.hub.tip
        watched.hub.keep(state)
        run = watched.hub.pushed()
    else:
        run = watched.hub.merge(pull, how)
    assert (run.results, watched.minutes()) == (APPLIED, [300, 300]), run.log


def test_what_was_not_acknowledged_is_refused_and_an_input_of_the_run_acknowledges_it(watched: Shop) -> None:
    watched.hub.limit_production(watched.folder)
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    run = watched.hub.merge(pull)
    assert (run.results["apply production/plan"], watched.minutes()) == ("failure", [300, 600]), run.log
    plan = json.loads((watched.hub.kept("api-clients-plan-production") / "production.json").read_text())
    digits = plan["changes_digest"][:12]
    assert digits in run.jobs["apply production/plan"].summary
    run = watched.hub.dispatch(environment="production", acknowledge=digits)
    assert (run.results["apply production/apply"], watched.minutes()) == ("success", [300, 300]), run.log


def test_an_environment_that_nobody_has_to_approve_lets_nothing_pass(watched: Shop) -> None:
    watched.hub.keep(watched.hub.state | {"rules": {}})
    change(watched, 300)
    watched.hub.commit("straight to main")
    run = watched.hub.pushed()
    run.approve("production")
    assert (run.results["apply production/approve"], watched.minutes()) == ("failure", [600, 600]), run.log


def test_line_ends_of_another_system_change_nothing(watched: Shop) -> None:
    watched.hub.gitconfig = "[core]\n\tautocrlf = true\n"
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    run = watched.hub.merge(pull)
    assert (run.results, watched.minutes()) == (APPLIED, [300, 300]), run.log


def test_a_folder_of_a_larger_repository_with_manifests_beside_it(watched: Shop) -> None:
    watched.hub.branch()
    watched.hub.move("teams/shop")
    watched.hub.inputs["working-directory"] = "teams/shop"
    change(watched, 300)
    pull, review = watched.hub.propose("shorter")
    assert "file=manifests/front.yaml,line=1" in review.log
    late = watched.hub.merge(pull)
    assert (late.results, watched.minutes()) == (APPLIED, [300, 300]), late.log
    change(watched, 400)
    watched.hub.commit("straight to main")
    late = watched.hub.pushed()
    change(watched, 300)
    watched.hub.commit("taken back")
    late.approve("staging")
    assert (late.results["apply staging/apply"], watched.minutes()) == ("failure", [300, 300]), late.log
