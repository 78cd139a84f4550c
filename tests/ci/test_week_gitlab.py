"""A week of a repository on GitLab: the shell of ci/gitlab.yml against two marketplaces, with real git."""

import json

import pytest

from tests.ci.conftest import NAMES, Shop
from tests.ci.gitlab import GitLab

APPROVAL = 42


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
    manifest.write_text(json.dumps(document))


@pytest.mark.sweep
@pytest.mark.parametrize("how", ["merge", "squash", "rebase"])
def test_what_was_reviewed_is_applied_without_asking(shop: Shop, project: GitLab, how: str) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    code, log = project.review("shorter")
    assert code == 0, log
    assert "To apply it, merge: " in (project.artifacts["reconciler:review"] / "plan.md").read_text()
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
def test_nothing_is_known_of_reviews_without_a_token_for_the_api(shop: Shop, project: GitLab) -> None:
    change(project, 300)
    project.commit("shorter", "shorter")
    project.review("shorter")
    project.merge("shorter")
    code, log = project.protected("reconciler:apply", "staging", RECONCILER_API_TOKEN="")
    assert (code, "RECONCILER_API_TOKEN is not set" in log) == (APPROVAL, True), log


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
    snapshot = project.folder / "api" / "packages/generic/reconciler-snapshot/production/snapshot.json"
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
