"""What runs on GitHub keep for later ones and for people: journals, what was notified, patches, receipts, secrets."""

import json
import shutil

import pytest

from tests.ci.conftest import NAMES, Shop
from tests.ci.test_week import APPLIED, change
from tests.cli.conftest import FRONT, git


@pytest.mark.sweep
def test_a_failed_apply_keeps_its_journal_and_the_next_run_finishes(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.markets["production"].ask("POST", "/_emulator/faults", {"spec": f"PUT /v1/apiclients/{FRONT} status=400"})
    run = watched.hub.merge(pull)
    assert run.results["apply production/apply"] == "failure", run.log
    assert list((watched.hub.kept("api-clients-runs-production") / "runs").glob("*.jsonl"))
    assert watched.hub.kept("api-clients-snapshot-production").parent.name == str(run.github["run_id"])
    watched.markets["production"].ask("DELETE", "/_emulator/faults")
    run = watched.hub.pushed()
    assert (run.waiting, watched.minutes()) == (set(), [300, 300]), run.log


@pytest.mark.sweep
def test_drift_is_told_once_although_the_job_is_red_every_night(watched: Shop, chat: list[str]) -> None:
    watched.portal("production", AccessTokenDuration=60)
    for _ in range(2):
        night = watched.hub.nightly()
        assert (night.results["drift production"], night.results["drift staging"]) == ("failure", "success"), night.log
    assert [("production" in one, "ApiClient/front" in one) for one in chat] == [(True, True)], chat
    watched.portal("production", AccessTokenDuration=600)
    night = watched.hub.nightly()
    assert night.results == {"environments": "success", **{f"drift {name}": "success" for name in NAMES}}, night.log
    assert len(chat) == 2


@pytest.mark.sweep
def test_the_night_keeps_a_patch_that_takes_the_live_values_over_and_honours_a_baseline(watched: Shop) -> None:
    watched.portal("production", AccessTokenDuration=60)
    watched.portal("staging", AccessTokenDuration=60)
    night = watched.hub.nightly()
    assert night.results["drift production"] == "failure", night.log
    patch = watched.hub.kept("api-clients-watch-production") / "write-back.patch"
    watched.hub.branch()
    git(watched.hub.clone, "apply", str(patch))
    watched.hub.commit("as in the portal")
    night = watched.hub.nightly()
    assert {night.results[f"drift {name}"] for name in NAMES} == {"success"}, night.log


@pytest.mark.sweep
def test_known_drift_is_left_out_by_a_baseline(watched: Shop) -> None:
    watched.portal("production", AccessTokenDuration=60)
    code, log = watched.hub.by_hand("drift", "--env", "production", "--into", "json=known.json")
    assert code == 2, log
    watched.hub.commit("known")
    watched.hub.inputs["baseline"] = "known.json"
    assert watched.hub.nightly().results["drift production"] == "success"
    watched.portal("production", AccessTokenDuration=61)
    assert watched.hub.nightly().results["drift production"] == "failure"


@pytest.mark.sweep
def test_a_pull_request_cannot_give_protected_jobs_a_state(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("main", fork=True)
    planted = watched.hub.folder / "artifacts" / str(len(watched.hub.state["runs"])) / "api-clients-watch-production"
    planted.mkdir(parents=True)
    (planted / "notified.json").write_text("planted")
    night = watched.hub.nightly()
    assert "no artifact api-clients-watch-production on branch main" in night.jobs["drift production"].log
    assert pull.fork


RESTORED = {"OrderCheckoutIntegrationEventID": "checkout"}


@pytest.fixture
def restorable(watched: Shop) -> Shop:
    """`front` names an integration event, as the restore takes away."""
    for name in NAMES:
        event = {"ID": "checkout", "Name": "c", "EventType": "OrderCheckout", "HashKey": "k"}
        event |= {"CustomImplementationUrl": "https://shop.example.com"}
        watched.markets[name].ask("POST", "/v1/integrationEvents", event)
    watched.hub.branch()
    watched.manifest(AccessTokenDuration=600, **RESTORED)
    pull, _ = watched.hub.propose("event")
    run = watched.hub.merge(pull)
    assert run.results == APPLIED, run.log
    watched.markets["staging"].ask("POST", "/_emulator/staging-restore")
    assert watched.live("staging").get("OrderCheckoutIntegrationEventID") is None
    return watched


@pytest.mark.sweep
def test_the_restore_of_staging_is_put_back_unattended_and_production_is_left_alone(restorable: Shop) -> None:
    restorable.portal("production", AccessTokenDuration=60)
    run = restorable.hub.restored()
    expected = {name: result for name, result in APPLIED.items() if "production" not in name}
    assert (run.results, run.waiting) == (expected, set()), run.log
    assert restorable.live("staging")["OrderCheckoutIntegrationEventID"].casefold() == "checkout"
    assert restorable.minutes() == [600, 60]


@pytest.mark.sweep
def test_the_restore_brings_nothing_that_was_merged_and_not_approved(restorable: Shop) -> None:
    change(restorable, 300)
    restorable.hub.commit("straight to main")
    run = restorable.hub.restored()
    assert (run.waiting, restorable.minutes()) == ({"staging"}, [600, 600]), run.log
    assert "the manifests differ from those of the last apply" in run.jobs["apply staging/plan"].summary


@pytest.mark.sweep
def test_a_run_is_taken_back_from_ci_and_told_of_in_a_fresh_clone(watched: Shop) -> None:
    change(watched, 300)
    pull, _ = watched.hub.propose("shorter")
    watched.hub.merge(pull)
    run = watched.hub.dispatch(command="rollback", environment="production")
    assert (run.waiting, watched.minutes()) == ({"production"}, [300, 300]), run.log
    shown = run.jobs["apply production/plan"].summary
    assert ("ApiClient/front" in shown, "environment   production" in shown) == (True, True), shown
    run.approve("production")
    assert watched.minutes() == [300, 600], run.log
    assert run.again("apply production/apply").result == "success"
    assert watched.minutes() == [300, 600], run.log
    shutil.copytree(watched.hub.kept("api-clients-runs-production"), watched.place / ".reconciler", dirs_exist_ok=True)
    code, log = watched.hub.by_hand("history")
    assert (code, len(log.splitlines()) >= 3) == (0, True), log


@pytest.mark.sweep
def test_a_secret_made_by_an_apply_reaches_the_next_step_of_the_job(watched: Shop) -> None:
    watched.hub.branch()
    watched.manifest(AccessTokenDuration=600)
    path = watched.place / "manifests" / "front.yaml"
    document = json.loads(path.read_text())
    document["secrets"] = [{"name": "primary", "deliver": [{"githubOutput": "front-secret"}]}]
    path.write_text(json.dumps(document))
    watched.hub.commit("a secret")
    run = watched.hub.pushed()
    run.approve("staging")
    assert run.results["apply staging/apply"] == "success", run.log
    delivered = json.loads(run.jobs["apply staging/apply"].delivered)
    assert len(delivered["front-secret"]) > 20
    assert f"::add-mask::{delivered['front-secret']}" in run.log
