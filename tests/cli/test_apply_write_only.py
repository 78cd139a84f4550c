"""A write-only secret from the command line: written again when it is another one, or when somebody asks."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Project, Runner

VALUE = "CustomAuthHeaderValue"
NAME = f"IntegrationEvent/gateway#{VALUE}"


@pytest.fixture
def events(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """One event whose manifest names both of its secrets."""
    spec = {
        "Name": "Gateway",
        "EventType": "AddToCart",
        "CustomImplementationUrl": "https://shop.example/cart",
        "HashKey": {"fromEnv": "HASH_KEY"},
        "CustomAuthHeaderName": "x-key",
        VALUE: {"fromEnv": "GATEWAY"},
    }
    document = {"apiVersion": "reconciler/v1", "kind": "IntegrationEvent", "metadata": {"name": "gateway"}}
    (project.folder / "manifests/gateway.yaml").write_text(json.dumps(document | {"spec": spec}))
    config: Any = json.loads((project.folder / "reconciler.yaml").read_text())
    for environment in config["environments"].values():
        environment["secrets"] = {"allow": ["HASH_KEY", "GATEWAY"]}
    project.configure(**config["environments"])
    for name, value in (("HASH_KEY", "key"), ("GATEWAY", "first"), ("RECONCILER_PLAN_KEY", "k" * 32)):
        monkeypatch.setenv(name, value)
    return project


def applied(run: Runner, folder: Project, *options: str) -> Any:
    file = folder.folder / "plan.json"
    assert run("plan", "--out", str(file), *options).code == 0
    assert run("apply", str(file), "--auto-approve").code == 0
    return json.loads(file.read_text())


def names(document: Any) -> list[str]:
    return [one["field"] for change in document["resource_changes"] for one in change["secrets"]]


def test_another_value_than_the_last_one_is_written(
    events: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(run, events)
    same = run("plan", "--format", "json")
    assert names(json.loads(same.out)) == []
    assert "unknown: no receipt" not in same.out
    monkeypatch.setenv("GATEWAY", "second")
    assert names(applied(run, events)) == [VALUE]
    assert names(json.loads(run("plan", "--format", "json").out)) == []


def test_what_was_not_written_is_known_from_the_receipt_before(events: Project, run: Runner) -> None:
    applied(run, events)
    events.manifest("other", AccessTokenDuration=60)
    applied(run, events)
    assert "unknown: no receipt" not in run("plan").out


def test_without_a_receipt_the_plan_says_that_nobody_knows(events: Project, run: Runner) -> None:
    applied(run, events)
    for receipt in (events.folder / ".reconciler").rglob("*.receipt.json"):
        receipt.unlink()
    assert f"(unknown: no receipt): {NAME}" in run("plan").out


def test_a_value_is_written_again_on_demand(events: Project, run: Runner) -> None:
    applied(run, events)
    document = applied(run, events, "--write-secret", NAME)
    shown = run("plan", "--write-secret", NAME).out
    assert (f"{VALUE}  (secret, will be written again)" in shown, "differs" in shown) == (True, False)
    assert names(document) == [VALUE]
    assert document["selection"]["write_secrets"] == [NAME]
    assert f"--write-secret '{NAME}'" in run("plan", "--write-secret", NAME).out


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (f"IntegrationEvent/gatway#{VALUE}", "did you mean IntegrationEvent/gateway?"),
        ("IntegrationEvent/gateway#HashKey", "it is not a write-only secret"),
        ("IntegrationEvent/gateway", "it is not a write-only secret"),
    ],
)
def test_what_is_no_write_only_secret_cannot_be_asked_for(events: Project, run: Runner, asked: str, said: str) -> None:
    done = run("plan", "--write-secret", asked)
    assert (done.code, said in done.err) == (64, True), done.err


def statuses(run: Runner) -> dict[str, tuple[str, str, str]]:
    rows = json.loads(run("secrets", "status", "--format", "json").out)["secrets"]
    return {row["name"]: (row["sort"], row["standing"], row["note"]) for row in rows if "Event" in row["address"]}


def test_the_status_of_secrets_says_what_is_known_of_each(
    events: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    applied(run, events)
    assert statuses(run) == {
        "HashKey": ("readable", "in-step", None),
        VALUE: ("write-only", "unverifiable", "the last apply wrote this value"),
    }
    monkeypatch.setenv("GATEWAY", "second")
    assert statuses(run)[VALUE] == ("write-only", "differs", "the last apply wrote another value")
    monkeypatch.delenv("RECONCILER_PLAN_KEY")
    assert statuses(run)[VALUE] == ("write-only", "unverifiable", "unknown: no receipt")
    assert run("secrets", "status").out.splitlines()[2].split()[:4] == ["RESOURCE", "SECRET", "TYPE", "STATUS"]
