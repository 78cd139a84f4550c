"""`--metrics FILE`, read back by the parser of Prometheus' own client library."""

import json
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconciler.render.monitoring import Measured, metrics
from tests.cli.conftest import Project, Runner
from tests.hostile import PAYLOADS

Samples = dict[tuple[str, ...], float]


def samples(text: str) -> Samples:
    """Name and labels other than the command -> value."""
    return {
        (
            one.name.removeprefix("reconciler_"),
            *(value for label, value in one.labels.items() if label != "command"),
        ): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def read(project: Project) -> Samples:
    return samples((project.folder / "m.prom").read_text(encoding="utf-8"))


def test_a_plan_counts_resources_by_action_and_what_it_cost(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    assert run("plan", "--metrics", "m.prom").code == 0
    found = read(project)
    assert {action: found["resources", "test", action] for action in ("create", "update", "unmanaged")} == {
        "create": 0,
        "update": 1,
        "unmanaged": 2,
    }
    assert (found["run_success", "test"], found["run_retries", "test"]) == (1, 0)
    assert found["run_requests", "test"] == 3
    assert found["last_success_timestamp_seconds", "test"] == found["run_timestamp_seconds", "test"] > 1_700_000_000
    assert 0 < found["run_duration_seconds", "test"] < found["run_timestamp_seconds", "test"]
    assert Path("m.prom").stat().st_mode & 0o777 == 0o644


def test_drift_is_counted_by_kind_and_is_a_success(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    project.manifest("new", AccessTokenDuration=500)
    assert run("drift", "--metrics", "m.prom").code == 2
    found = read(project)
    kinds = {kind: found["drift_resources", "test", kind] for kind in ("changed", "missing", "surplus", "unmanaged")}
    assert kinds == {"changed": 1, "missing": 1, "surplus": 0, "unmanaged": 2}
    assert found["run_success", "test"] == 1


def test_a_failure_keeps_the_time_of_the_last_success(project: Project, run: Runner) -> None:
    run("drift", "--metrics", "m.prom")
    before = read(project)
    project.manifest("front", AccessTokenDuratio=1)
    assert run("drift", "--metrics", "m.prom").code == 1
    after = read(project)
    assert (after["run_success", "test"], after["run_requests", "test"]) == (0, 0)
    assert after["last_success_timestamp_seconds", "test"] == before["last_success_timestamp_seconds", "test"]
    assert ("drift_resources", "test", "changed") not in after


def test_an_apply_counts_outcomes(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    assert run("apply", "--auto-approve", "--metrics", "m.prom").code == 0
    assert read(project)["outcomes", "test", "applied"] == 1
    for name in "abc":
        project.manifest(name, AccessTokenDuration=600)
    assert run("apply", "--auto-approve", "--metrics", "m.prom").code == 3
    assert read(project)["run_success", "test"] == 0


def test_several_environments_have_series_of_their_own(project: Project, run: Runner) -> None:
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(good=target, wrong=target | {"marketplace": "another"})
    for command in ("plan", "drift"):
        assert run(command, "--env-all", "--metrics", "m.prom").code == 3
        found = read(project)
        assert (found["run_success", "good"], found["run_success", "wrong"]) == (1, 0)
        assert found["run_requests", "wrong"] == 2


def test_metrics_that_cannot_be_written_change_no_exit_code(project: Project, run: Runner) -> None:
    done = run("plan", "--metrics", "no/such/folder/m.prom")
    assert done.code == 0
    assert "cannot write no/such/folder/m.prom" in done.err


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_label_says_what_it_was_given_and_no_more(payload: str) -> None:
    run = Measured(payload, "plan", succeeded=True, ended_at=1, seconds=1, requests=1, retries=0, actions={payload: 7})
    found = list(text_string_to_metric_families(metrics([run])))
    (sample,) = found[0].samples
    assert set(sample.labels) == {"environment", "command", "action"}
    assert sample.value == 7
    assert sample.labels["action"].isprintable()
