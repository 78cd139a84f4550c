"""While a freeze window holds, nothing is applied: exit code 3, the next opening, and nothing written."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconciler.model.json import Json
from tests.cli.conftest import Project, Run, Runner


def freeze(project: Project, *windows: Json) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=document | {"freeze": list(windows)})


def days_from_now(days: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}"


@pytest.fixture
def holiday(project: Project) -> Project:
    """A change, and a window that began yesterday and ends in some days."""
    project.manifest("front", Active=False)
    freeze(project, {"from": days_from_now(-1), "to": days_from_now(3), "reason": "the Christmas trade"})
    return project


def refused(project: Project, done: Run) -> None:
    assert (done.code, done.out, project.writes()) == (3, "", [])
    assert "freeze: the environment is frozen: the Christmas trade (" in done.err
    assert f"the freeze ends at {days_from_now(4)} 00:00 UTC ({days_from_now(4)}T00:00Z)" in done.err
    assert "fix: wait until it ends, or change freeze: of the environment" in done.err


def test_nothing_is_applied_while_a_window_holds(holiday: Project, run: Runner) -> None:
    refused(holiday, run("apply", "--auto-approve"))


def test_a_plan_that_was_saved_before_the_freeze_waits_for_its_end(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    run("plan", "--out", "plan.json")
    freeze(project, {"from": days_from_now(-1), "to": days_from_now(3), "reason": "the Christmas trade"})
    refused(project, run("apply", "plan.json"))
    freeze(project)
    assert (run("apply", "plan.json").code, project.writes()) == (0, ["PUT"])


def test_a_plan_that_was_saved_in_the_freeze_is_applied_after_it(holiday: Project, run: Runner) -> None:
    run("plan", "--out", "plan.json")
    refused(holiday, run("apply", "plan.json"))
    freeze(holiday)
    assert (run("apply", "plan.json").code, holiday.writes()) == (0, ["PUT"])


def test_an_emergency_is_applied_with_the_digits_that_the_refusal_prints(holiday: Project, run: Runner) -> None:
    run("plan", "--out", "plan.json")
    digits = run("apply", "plan.json").err.rpartition("add --ack ")[2].strip()
    assert (run("apply", "plan.json", "--ack", digits).code, holiday.writes()) == (0, ["PUT"])


def test_what_is_in_step_is_not_frozen(project: Project, run: Runner) -> None:
    freeze(project, {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]})
    assert run("apply", "--auto-approve").code == 0
    project.manifest("front", Active=False)
    assert "no known end" in run("apply", "--auto-approve").err


def test_plan_and_drift_warn_of_it_and_exit_as_usual(holiday: Project, run: Runner) -> None:
    for arguments, code in ((["plan"], 0), (["drift"], 2)):
        done = run(*arguments)
        assert (done.code, "Warnings:\n    freeze: the environment is frozen" in done.out) == (code, True)


def test_an_acknowledgement_of_the_other_findings_does_not_lift_a_freeze(holiday: Project, run: Runner) -> None:
    for name in ("one", "two"):
        holiday.manifest(name, AccessTokenDuration=600)
    digits = run("plan").out.rpartition("--ack ")[2].split()[0]
    done = run("apply", "--auto-approve", "--ack", digits)
    assert (done.code, "limit-changes: " in done.err, "freeze: " in done.err) == (3, True, True)
