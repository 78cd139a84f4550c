"""apply --dry-run: what apply would do, over a connection that cannot write, whatever else is asked for."""

import json

import pytest

from tests.cli.conftest import Project, Runner


def test_a_dry_run_shows_the_plan_and_writes_nothing_even_if_it_is_approved(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    planned = run("plan")
    done = run("apply", "--dry-run", "--auto-approve")
    assert (done.code, done.out) == (0, planned.out)
    assert project.writes() == []
    assert not (project.folder / ".reconciler" / "journal").exists()


def test_a_dry_run_of_a_saved_plan_checks_it_and_leaves_it_to_be_applied(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    run("plan", "--out", "plan.json")
    done = run("apply", "plan.json", "--dry-run", "--format", "json")
    assert (done.code, json.loads(done.out)["summary"]["update"]) == (0, 1)
    assert project.writes() == []
    assert run("apply", "plan.json").code == 0
    assert run("apply", "plan.json", "--dry-run").code == 4  # it was applied


def test_a_dry_run_says_what_the_guards_refuse(project: Project, run: Runner) -> None:
    project.configure(
        test=json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
        | {"limits": {"changes": 0}}
    )
    project.manifest("front", Active=False)
    done = run("apply", "--dry-run")
    assert done.code == 3
    digits = json.loads(run("plan", "--format", "json").out)["changes_digest"][:12]
    assert run("apply", "--dry-run", "--ack", digits).code == 0
    assert project.writes() == []


def test_a_dry_run_in_a_freeze_window_is_refused_as_apply_would_be(project: Project, run: Runner) -> None:
    environment = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(test=environment | {"freeze": [{"from": "2020-01-01", "to": "9999-12-31", "reason": "closed"}]})
    project.manifest("front", Active=False)
    done = run("apply", "--dry-run")
    assert (done.code, "~ update ApiClient/front" in done.out, "closed" in done.err) == (3, True, True)


@pytest.mark.parametrize("arguments", [["--format", "junit"], ["plan.json", "--format", "junit"]])
def test_a_format_that_no_plan_has_is_wrong_usage(project: Project, run: Runner, arguments: list[str]) -> None:
    run("plan", "--out", "plan.json")
    done = run("apply", "--dry-run", *arguments)
    assert (done.code, done.out) == (64, "")
    assert "format junit is not available with --dry-run" in done.err
