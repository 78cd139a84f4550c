"""Weeks of a cluster: the CronJobs of ci/kubernetes/ with their own command lines against two marketplaces."""

import json
import re
import shutil
from pathlib import Path

import pytest

from tests.ci.cluster import CRON_JOBS, ROLL_BACK, SUSPEND, Cluster
from tests.ci.conftest import NAMES, Shop
from tests.cli.conftest import git

DRIFT = "api-clients-drift-production"
RESTORE = "api-clients-restore-staging"


@pytest.fixture
def cluster(shop: Shop, tmp_path: Path, tools: Path) -> Cluster:
    """Images of what is applied."""
    cluster = Cluster(tmp_path / "cluster", tools, shop.hub.secrets)
    for name in NAMES:
        cluster.build(name, shop.place)
    return cluster


def change(shop: Shop, minutes: int) -> None:
    shop.hub.branch()
    shop.manifest(AccessTokenDuration=minutes)
    shop.hub.commit("straight to main")


def state(cluster: Cluster) -> Path:
    (volume,) = cluster.volumes.iterdir()
    return volume


@pytest.mark.sweep
def test_drift_fails_the_job_once_each_night_and_is_told_once_and_so_is_its_end(
    shop: Shop, chat: list[str], cluster: Cluster
) -> None:
    assert cluster.run(DRIFT).codes == [0]
    shop.portal("production", AccessTokenDuration=60)
    for _ in range(2):
        night = cluster.run(DRIFT)
        assert (night.codes, "ApiClient/front" in night.log) == ([2], True), night.log
    assert [("production" in one, "ApiClient/front" in one) for one in chat] == [(True, True)], chat
    shop.portal("production", AccessTokenDuration=600)
    assert cluster.run(DRIFT).codes == [0]
    assert [json.loads(one)["state"] for one in chat] == ["drifted", "in-step"]
    assert cluster.run("api-clients-drift-staging").codes == [0]


@pytest.mark.sweep
def test_a_volume_that_cannot_be_written_to_is_named_and_the_service_is_left_alone(
    shop: Shop, chat: list[str], cluster: Cluster
) -> None:
    shutil.rmtree(state(cluster))
    (cluster.volumes / "api-clients-state").write_text("no folder, so that nobody can write to it, root included")
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    night, restore = cluster.run(DRIFT), cluster.run(RESTORE)
    assert ([*night.codes, *restore.codes], len(chat), shop.minutes()) == ([2, 1, 1], 1, [60, 60]), restore.log
    for log in (night.log, restore.log):
        assert "cannot write to" in log
        assert "in a container, mount a volume" in log


@pytest.mark.sweep
def test_the_restore_of_staging_is_put_back_unattended_and_recorded_and_production_is_left_alone(
    shop: Shop, cluster: Cluster
) -> None:
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    job = cluster.run(RESTORE)
    assert (job.codes, shop.minutes()) == ([0], [600, 60]), job.log
    assert len(list((state(cluster) / "runs").glob("*.jsonl"))) == 1
    assert cluster.run(RESTORE).codes == [0]


@pytest.mark.sweep
def test_the_restore_brings_nothing_that_was_merged_and_not_applied(shop: Shop, cluster: Cluster) -> None:
    change(shop, 300)
    shop.portal("staging", AccessTokenDuration=60)
    assert (cluster.run(RESTORE).codes, shop.minutes()) == ([0], [600, 600])
    assert [job.codes for job in cluster.build("staging", shop.place)] == [[0]]  # as the job does that has applied it
    assert shop.minutes() == [300, 600]


@pytest.mark.sweep
def test_an_older_image_is_refused_although_the_newer_one_had_nothing_to_do(shop: Shop, cluster: Cluster) -> None:
    old = cluster.image(RESTORE).name
    change(shop, 300)
    shop.portal("staging", AccessTokenDuration=300)  # by the job that applies main
    (first,) = cluster.build("staging", shop.place)
    assert (first.codes, "Nothing to do." in first.log) == ([0], True), first.log
    for name in NAMES:
        shop.portal(name, AccessTokenDuration=60)
    cluster.say(
        f"kubectl set image cronjob/{RESTORE} reconciler=registry.example.com/api-clients-staging@{old}", shop.place
    )
    job = cluster.run(RESTORE)
    assert (job.codes, shop.minutes(), "[older]" in job.log) == ([4, 4], [60, 60], True), job.log


@pytest.mark.sweep
def test_the_image_of_another_branch_and_one_of_a_shallow_clone_are_refused(
    shop: Shop, cluster: Cluster, tmp_path: Path
) -> None:
    start = shop.hub.tip
    change(shop, 300)
    cluster.build("staging", shop.place)
    git(shop.place, "checkout", "--quiet", start)
    shop.manifest(AccessTokenDuration=400)
    shop.hub.commit("a side", "side")
    assert [job.codes for job in cluster.build("staging", shop.place)] == [[4, 4]]
    for minutes in (500, 600):
        change(shop, minutes)
    git(tmp_path, "clone", "--quiet", "--depth", "1", f"file://{shop.hub.origin}", "shallow")
    (job,) = cluster.build("staging", tmp_path / "shallow")
    assert (job.codes, "complete clone" in job.log, shop.minutes()) == ([4, 4], True, [300, 600]), job.log
    assert [job.codes for job in cluster.build("staging", shop.place)] == [[0]]


@pytest.mark.sweep
def test_a_suspended_restore_waits_until_the_image_is_renewed(shop: Shop, cluster: Cluster) -> None:
    cluster.say(SUSPEND, shop.place)
    shop.portal("staging", AccessTokenDuration=60)
    assert (cluster.run(RESTORE).codes, shop.minutes()) == ([], [60, 600])
    cluster.build("staging", shop.place)
    assert (cluster.run(RESTORE).codes, shop.minutes()) == ([0], [600, 600])


@pytest.mark.sweep
def test_a_run_of_the_cluster_is_taken_back_once(shop: Shop, cluster: Cluster) -> None:
    shop.portal("staging", AccessTokenDuration=60)
    assert cluster.run(RESTORE).codes == [0]
    (listed,) = cluster.say(re.sub(r'\["rollback".*\]', '["history"]', ROLL_BACK), shop.place)
    (run,) = (one.stem for one in (state(cluster) / "runs").glob("*.jsonl"))
    assert (listed.codes, run in listed.log) == ([0], True), listed.log
    for _ in range(2):
        (job,) = cluster.say(ROLL_BACK.replace("RUN", run), shop.place)
        assert (job.codes, shop.minutes()) == ([0], [60, 600]), job.log


@pytest.mark.sweep
def test_a_restore_that_fails_is_tried_again_and_its_journals_are_kept(shop: Shop, cluster: Cluster) -> None:
    shop.portal("staging", AccessTokenDuration=60)
    shop.markets["staging"].ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400"})
    job = cluster.run(RESTORE)
    assert (job.codes, shop.minutes()) == ([1, 0], [600, 600]), job.log
    assert len(list((state(cluster) / "runs").glob("*.jsonl"))) == 2


@pytest.mark.sweep
def test_credentials_can_be_files_of_a_mounted_secret(shop: Shop, cluster: Cluster) -> None:
    """Kubernetes mounts each key as a link to a file of a folder that it replaces when the Secret changes."""
    image = cluster.image(DRIFT)
    config = json.loads((image / "reconciler.yaml").read_text())
    config["environments"]["production"]["auth"]["clientSecret"] = {"fromFile": "secrets/OC_CLIENT_SECRET"}
    (image / "reconciler.yaml").write_text(json.dumps(config))
    (image / "secrets" / "..2026").mkdir(parents=True)
    (image / "secrets" / "..data").symlink_to("..2026")
    (image / "secrets" / "OC_CLIENT_SECRET").symlink_to("..data/OC_CLIENT_SECRET")
    secrets = dict(cluster.secrets["production"])
    (image / "secrets" / "..data" / "OC_CLIENT_SECRET").write_text(secrets.pop("OC_CLIENT_SECRET"))
    cluster.secrets["production"] = secrets
    job = cluster.run(DRIFT)
    assert job.codes == [0], job.log


def test_every_environment_is_watched_at_a_time_of_its_own() -> None:
    watched = {name: spec["schedule"] for name, spec in CRON_JOBS.items() if "-drift-" in name}
    assert (len(watched), len(set(watched.values()))) == (len(NAMES), len(NAMES))
