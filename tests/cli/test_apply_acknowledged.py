"""An acknowledgement is good for exactly these changes with these findings, whoever plans them and when."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BACK, Project, Runner, git


@pytest.fixture
def widened(project: Project, run: Runner) -> Project:
    """A change that needs an acknowledgement, in a repository."""
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=document | {"limits": {"widens": 0}}, other=document | {"limits": {"widens": 0}})
    project.manifest("front", AllowAnyBuyer=True, MaximumGrantedRoles=["Shopper"])
    git(project.folder, "init", "--quiet")
    commit(project, "first")
    return project


def commit(project: Project, message: str) -> None:
    git(project.folder, "add", ".")
    git(project.folder, "commit", "--quiet", "--message", message)


def planned(run: Runner, *arguments: str) -> dict[str, Any]:
    return dict(json.loads(run("plan", "--env", "test", "--format", "json", *arguments).out))


def digits(run: Runner, *arguments: str) -> str:
    return str(planned(run, *arguments)["changes_digest"][:12])


def test_what_was_accepted_before_the_merge_is_accepted_after_it(
    widened: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = planned(run)
    front = Path("manifests/front.yaml")
    front.write_text(f"# a line more\n\n{front.read_text()}", encoding="utf-8")
    widened.manifest("back", AccessTokenDuration=600)
    commit(widened, "merge")
    widened.ask("PATCH", f"/v1/apiclients/{BACK}", {"xp": {"note": "of another client"}})
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    after = planned(run)
    assert before["binding"]["git_commit"] != after["binding"]["git_commit"]
    assert before["digest"] != after["digest"]
    widened.writes()
    done = run("apply", "--env", "test", "--auto-approve", "--ack", before["changes_digest"][:12])
    assert (done.code, widened.writes()) == (0, ["PUT"])


def test_with_one_change_more_or_other_findings_it_is_void(widened: Project, run: Runner) -> None:
    accepted = digits(run)
    widened.manifest("back", AccessTokenDuration=60)
    assert run("apply", "--env", "test", "--auto-approve", "--ack", accepted).code == 3
    widened.manifest("back", AccessTokenDuration=600)
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    widened.configure(test=document | {"limits": {"widens": 0, "changes": 0}})
    assert run("apply", "--env", "test", "--auto-approve", "--ack", accepted).code == 3


def test_it_is_void_in_another_environment(widened: Project, run: Runner) -> None:
    assert run("apply", "--env", "other", "--auto-approve", "--ack", digits(run)).code == 3


def test_the_refusal_says_the_numbers_the_rule_and_what_to_add(widened: Project, run: Runner) -> None:
    done = run("apply", "--env", "test", "--auto-approve")
    assert "limit-widens: 1 " in done.err
    assert f"to accept exactly these changes and findings, add --ack {digits(run)}\n" in done.err


def test_plan_is_green_once_its_findings_are_accepted(widened: Project, run: Runner) -> None:
    accepted = digits(run)
    assert run("plan", "--env", "test", "--ack", accepted).code == 0
    assert run("plan", "--env", "test", "--ack", accepted, "--detailed-exitcode").code == 2
    assert run("plan", "--env", "test", "--ack", "0123456789ab").code == 3
    assert run("plan", "--env-all", "--ack", accepted).code == 3


def test_the_variable_holds_where_the_option_is_not_given(
    widened: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = digits(run)
    monkeypatch.setenv("RECONCILER_ACK", f"0123456789ab,{accepted}\n")
    assert run("plan", "--env", "test").code == 0
    assert run("plan", "--env", "test", "--ack", "0123456789ab").code == 3
    widened.writes()
    assert (run("apply", "--env", "test", "--auto-approve").code, widened.writes()) == (0, ["PUT"])


def test_an_empty_variable_accepts_nothing(widened: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_ACK", "")
    assert run("apply", "--env", "test", "--auto-approve").code == 3


def test_a_plan_from_a_snapshot_needs_the_same_digits(widened: Project, run: Runner) -> None:
    assert run("snapshot", "--env", "test", "--out", "snapshot.json").code == 0
    assert digits(run, "--from-snapshot", "snapshot.json") == digits(run)
