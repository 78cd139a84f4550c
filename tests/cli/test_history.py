import json
import os
from pathlib import Path
from typing import Any

import pytest

from reconciler.applying import journal
from reconciler.applying.journal.write import Journal, exclusive
from tests.cli.conftest import FRONT, Project, Runner, git

RUNS = Path(".reconciler/runs")


@pytest.fixture
def applied(project: Project, run: Runner) -> str:
    """The id of a run that has deactivated `front`."""
    project.manifest("front", Active=False)
    document = json.loads(run("apply", "--auto-approve", "--format", "json").out)
    project.writes()
    return str(document["run"])


def cut(lines: int) -> None:
    """Leave so many lines of the newest journal, as a kill would."""
    path = journal.find(RUNS, "last")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))


def test_where_nothing_was_written_there_is_no_history(project: Project, run: Runner) -> None:
    assert run("apply", "--auto-approve").code == 0
    done = run("history")
    assert (done.code, done.out) == (0, "No runs.\n")


def test_a_run_is_listed_and_shown_by_a_part_of_its_id(project: Project, run: Runner, applied: str) -> None:
    listed = run("history")
    assert listed.code == 0
    assert listed.out.splitlines()[1].startswith(f"{applied}  20")
    assert listed.out.splitlines()[1].endswith("1 applied")
    shown = run("history", "show", applied[-4:])
    assert (shown.code, shown.out) == (0, run("history", "show", "last").out)
    assert f"applied        update ApiClient/front (id {FRONT}) [PUT /apiclients/{FRONT} answered]" in shown.out


def test_a_run_as_json_has_the_bodies_of_before_and_after(project: Project, run: Runner, applied: str) -> None:
    (listed,) = json.loads(run("history", "--format", "json").out)["runs"]
    assert (listed["id"], listed["environment"], listed["finished"]) == (applied, "test", True)
    shown = json.loads(run("history", "show", "last", "--format", "json").out)
    (change,) = shown["changes"]
    assert (change["before"]["Active"], change["after"]["Active"], change["status"]) == (True, False, "applied")


def test_the_runs_of_another_environment_are_left_out(project: Project, run: Runner, applied: str) -> None:
    assert applied in run("history", "--env", "test").out
    assert applied not in run("history", "--env", "other").out


def test_the_last_run_is_the_last_of_the_environment_that_is_named(project: Project, run: Runner, applied: str) -> None:
    with Journal.start(RUNS, {"kind": "other", "environment": "elsewhere"}) as other:
        other.append("secret-step-begun", {"step": "create"})
    assert "\n  environment   test\n" in run("history", "show", "last", "--env", "test").out
    assert "\n  environment   elsewhere\n" in run("history", "show", "last").out
    nowhere = run("history", "verify", "last", "--env", "nowhere")
    assert (nowhere.code, "there is no run last of nowhere" in nowhere.err) == (64, True)


def test_a_run_of_another_kind_is_listed_and_shown_by_its_events(project: Project, run: Runner) -> None:
    with Journal.start(RUNS, {"kind": "other", "environment": "test"}) as other:
        other.append("secret-step-begun", {"step": "create"})
    assert run("history").out.splitlines()[1].endswith("interrupted, or still running")
    shown = run("history", "show", "last")
    assert '"step": "create"' in shown.out
    events = json.loads(run("history", "show", "last", "--format", "json").out)["events"]
    assert [event["event"] for event in events] == ["start", "secret-step-begun"]


def test_a_run_that_is_not_there_is_wrong_usage(project: Project, run: Runner, applied: str) -> None:
    assert run("history", "show", "nothing").code == 64


def test_journals_that_are_as_they_were_written_are_verified(project: Project, run: Runner, applied: str) -> None:
    done = run("history", "verify")
    assert (done.code, done.out) == (0, "Verified: 1 journal read.\n")


def test_an_altered_line_is_named_with_file_and_line(project: Project, run: Runner, applied: str) -> None:
    path = journal.find(RUNS, "last")
    path.write_text(path.read_text().replace('"status":"applied"', '"status":"failed"'))
    done = run("history", "verify", "last")
    assert done.code == 1
    assert f"{applied}.jsonl:5: this line was altered" in done.out
    assert run("history", "verify").code == 1


def test_an_unreadable_journal_is_listed_as_such(project: Project, run: Runner, applied: str) -> None:
    path = journal.find(RUNS, "last")
    path.write_text("nonsense\n" + path.read_text())
    assert "unreadable: " in run("history").out
    path.write_text(path.read_text().replace("nonsense\n", "").replace('"number":1', '"number":[]'))
    assert "unreadable: " in run("history").out


def test_every_member_of_a_journal_is_in_its_schema(project: Project, run: Runner) -> None:
    schema = run("schema", "run").out
    spec: dict[str, Any] = {"AccessTokenDuration": 60, "Active": True, "AllowSeller": True}
    path = project.manifest("new", **spec, DefaultContextUserName="emulator-admin")
    secret = {"name": "primary", "deliver": [{"file": "../out/new"}]}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": [secret]}))
    project.manifest("front", Active=False)
    assert run("apply", "--auto-approve").code == 0
    assert run("secrets", "rotate", "ApiClient/new", "--auto-approve").code == 0
    entries = [json.loads(line) for path in RUNS.glob("*.jsonl") for line in path.read_text().splitlines()]
    plans = [change for entry in entries for change in entry["facts"].get("changes", ())]
    turns = [turn for entry in entries for turn in entry["facts"].get("turns", ())]
    steps = [step for turn in turns for step in turn["steps"]]
    found = [*entries, *(entry["facts"] for entry in entries), *plans, *turns, *steps]
    names = {name for one in found for name in one} | {entry["event"] for entry in entries}
    assert {name for name in names if f'"{name}": {{' not in schema and f"`{name}`" not in schema} == set()


# -------------------------------------------------------------------------------------- after a crash, and locks


def test_after_a_crash_the_next_apply_says_what_is_certain_and_looks_at_the_rest(
    project: Project, run: Runner, applied: str
) -> None:
    cut(3)
    done = run("apply", "--auto-approve")
    assert (done.code, project.writes()) == (0, [])
    assert f"An earlier run was interrupted: {applied} of " in done.err
    assert "uncertain: update ApiClient/front: PUT /apiclients/" in done.err
    assert "the object shows that it was applied" in done.err
    assert "An earlier run" not in run("apply", "--auto-approve").err
    assert run("history").out.splitlines()[1].endswith(f"; continued by {journal.find(RUNS, 'last').stem}")
    assert f"continues     {applied}" in run("history", "show", "last").out


def test_a_crash_before_the_write_was_sent_is_made_good(project: Project, run: Runner, applied: str) -> None:
    cut(3)
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"Active": True})
    project.writes()
    done = run("apply", "--auto-approve")
    assert (done.code, project.writes()) == (0, ["PUT"])
    assert "the object shows that it was not applied" in done.err


def test_a_crash_in_mid_line_is_made_good(project: Project, run: Runner, applied: str) -> None:
    path = journal.find(RUNS, "last")
    path.write_bytes(path.read_bytes()[:-30])
    done = run("apply", "--auto-approve")
    assert "certain: 1 finished: ApiClient/front" in done.err
    assert "the journal is incomplete" in run("history", "show", applied).out


def test_a_crash_before_anything_was_announced_is_told_as_such(project: Project, run: Runner, applied: str) -> None:
    cut(1)
    assert "certain: nothing was written" in run("apply", "--auto-approve").err
    cut(1)
    assert run("apply", "--auto-approve", "--quiet").err == ""


def test_an_object_that_cannot_be_read_stays_uncertain_until_the_plan_fails_too(
    project: Project, run: Runner, applied: str
) -> None:
    cut(3)
    project.ask("POST", "/_emulator/faults", {"spec": f"GET /v1/apiclients/{FRONT} status=403"})
    assert "it could not be read: GET /v1/apiclients/" in run("apply", "--auto-approve").err


def test_a_journal_that_cannot_be_read_stops_nobody(project: Project, run: Runner, applied: str) -> None:
    path = journal.find(RUNS, "last")
    path.write_text(path.read_text().replace('"number":1', '"number":[]'))
    assert run("apply", "--auto-approve").code == 0


def test_two_applies_to_one_environment_exclude_each_other(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    with exclusive(RUNS, "test"):
        done = run("apply", "--auto-approve")
    assert (done.code, project.writes()) == (1, [])
    assert f"another run is writing to environment test: process {os.getpid()} of " in done.err
    assert run("apply", "--auto-approve").code == 0


def test_a_journal_that_cannot_be_written_keeps_the_service_as_it_is(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    Path("reconciler.yaml").write_text(json.dumps(document | {"journal": {"folder": "seed.json"}}), encoding="utf-8")
    done = run("apply", "--auto-approve")
    assert (done.code, project.writes()) == (1, [])
    assert "journal.folder in reconciler.yaml" in done.err


def test_a_journal_that_git_tracks_is_neither_shown_nor_used_and_each_command_says_so(
    project: Project, run: Runner, applied: str
) -> None:
    git(project.folder, "init", "--quiet")
    planted = RUNS / "29990101T000000.000000Z-ffff.jsonl"
    planted.write_bytes((RUNS / f"{applied}.jsonl").read_bytes())
    git(project.folder, "add", "--force", str(planted))
    assert f"{RUNS.resolve()}/{planted.name} is not used: git tracks it" in run("history").out
    for arguments in (("history", "show", planted.stem), ("rollback", "2999", "--auto-approve")):
        done = run(*arguments)
        assert (done.code, project.writes()) == (1, [])
        assert f"{planted.name} is not used: git tracks it" in done.err
        assert f"run git rm --cached :/{RUNS}/{planted.name}" in done.err
    verified = run("history", "verify")
    assert (verified.code, "is not used: git tracks it" in verified.out) == (1, True)
    assert run("history", "show", "last").out == run("history", "show", applied).out
    again = run("apply", "--auto-approve")
    assert (again.code, again.err.count("is not used: git tracks it")) == (0, 1)
    assert (run("rollback", "last", "--auto-approve").code, project.writes()) == (0, ["PUT"])


def test_where_git_refuses_the_checkout_no_journal_is_believed(project: Project, run: Runner, applied: str) -> None:
    (project.folder / ".git").write_text("gitdir: nowhere\n")
    for command in (("rollback", applied, "--auto-approve"), ("rollback", "last"), ("history", "show", "last")):
        done = run(*command)
        assert (done.code, project.writes()) == (1, [])
        assert f"{applied}.jsonl is not used, because git may track it: git failed" in done.err
