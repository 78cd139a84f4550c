import io
import json
import os
import re
import signal
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.applying import journal
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from tests.cli.conftest import FRONT, Project, Run, Runner


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def live(project: Project) -> dict[str, object]:
    return project.ask("GET", f"/v1/apiclients/{FRONT}")


def test_an_approved_apply_shows_its_plan_on_stderr_and_its_result_on_stdout(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("apply", "--auto-approve")
    assert done.code == 0
    assert "Plan: 0 to create, 1 to update" in done.err
    assert done.out.startswith(f"applied        update ApiClient/front (id {FRONT})\n")
    assert "applied  " not in done.err  # once is enough
    assert "Apply: 1 resource planned: 1 applied" in done.out
    assert (project.writes(), live(project)["Active"]) == (["PUT"], False)


def test_an_apply_of_what_is_in_step_writes_nothing(project: Project, run: Runner) -> None:
    done = run("apply", "--auto-approve")
    assert (done.code, done.out, done.err) == (0, "Nothing to do. 1 resource is in step.\n", "")
    assert project.writes() == []


def test_applying_twice_is_applying_once(project: Project, run: Runner) -> None:
    project.manifest("new", AccessTokenDuration=600)
    assert run("apply", "--auto-approve").code == 0
    assert run("apply", "--auto-approve").out == "Nothing to do. 2 resources are in step.\n"
    assert project.writes() == ["PUT"]


def test_the_result_as_json_is_all_that_stdout_holds(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("apply", "--auto-approve", "--format", "json", "--quiet")
    document = json.loads(done.out)
    assert document["summary"]["applied"] == document["summary"]["planned"] == 1
    assert document["outcomes"][0]["address"] == "ApiClient/front"
    assert done.err == ""


def sit_down(monkeypatch: pytest.MonkeyPatch, answer: str) -> Terminal:
    """Somebody sits at a terminal and types an answer; gives their screen."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    return screen


def test_a_yes_on_the_terminal_applies(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    project.manifest("front", Active=False)
    screen = sit_down(monkeypatch, "yes\n")
    assert run("apply").code == 0
    assert "Only 'yes' is accepted" in screen.getvalue()
    assert project.writes() == ["PUT"]


def test_anything_else_on_the_terminal_writes_nothing(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest("front", Active=False)
    screen = sit_down(monkeypatch, "y\n")
    assert run("apply").code == 1
    assert "not approved; nothing was written" in screen.getvalue()
    assert project.writes() == []


def test_a_question_is_never_asked_without_its_plan(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest("front", Active=False)
    screen = sit_down(monkeypatch, "yes\n")
    assert run("apply", "--quiet").code == 0
    assert re.search(r"Plan:.* 0 to create, 1 to update", screen.getvalue())


def test_nothing_to_do_asks_nothing(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = sit_down(monkeypatch, "yes\n")
    assert run("apply").code == 0
    assert "Only 'yes'" not in screen.getvalue()


# ---------------------------------------------------------------------------------------------------------- saved plans


@pytest.fixture
def saved(project: Project, run: Runner) -> str:
    """A saved plan that deactivates `front`."""
    project.manifest("front", Active=False)
    assert run("plan", "--out", "plan.json").code == 0
    project.writes()
    return "plan.json"


def test_a_saved_plan_is_applied_without_a_question(project: Project, run: Runner, saved: str) -> None:
    assert run("apply", saved).code == 0
    assert (project.writes(), live(project)["Active"]) == (["PUT"], False)


def test_a_saved_plan_knows_its_environment(project: Project, run: Runner, saved: str) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    project.configure(**document["environments"], other={"emulator": {}})
    refused = run("apply", saved, "--env", "other")
    assert (refused.code, project.ask("GET", "/_emulator/requests")["requests"]) == (4, [])
    assert "made for environment test, but other was requested" in refused.err
    assert run("apply", saved).code == 0
    project.configure(other={"emulator": {}})
    assert run("apply", saved).code == 4


def test_a_plan_of_paths_is_applied_with_these_paths(project: Project, run: Runner) -> None:
    path = str(project.manifest("back", Active=True, AccessTokenDuration=60))
    run("plan", path, "--out", "plan.json")
    assert run("apply", "plan.json").code == 4
    assert run("apply", "plan.json", path).code == 0
    assert project.writes() == ["PUT"]


def test_a_plan_is_refused_when_the_manifests_moved_on(project: Project, run: Runner, saved: str) -> None:
    project.manifest("front", Active=False, AccessTokenDuration=60)
    done = run("apply", saved)
    assert (done.code, done.out, project.writes()) == (4, "", [])
    assert "the plan was made for manifests " in done.err


def test_an_altered_plan_is_refused(project: Project, run: Runner, saved: str) -> None:
    text = Path(saved).read_text(encoding="utf-8")
    Path(saved).write_text(text.replace("false", "true", 1), encoding="utf-8")
    assert (run("apply", saved).code, project.writes()) == (4, [])


def test_a_plan_file_comes_first_and_alone(project: Project, run: Runner, saved: str) -> None:
    assert run("apply", "manifests", saved).code == 64
    assert run("apply", saved, saved).code == 64
    assert project.writes() == []


@pytest.mark.parametrize("name", ["missing.json", "missing", "x" * 5000])
def test_a_plan_that_is_not_there_is_refused(project: Project, run: Runner, name: str) -> None:
    done = run("apply", name, "--auto-approve")
    assert (done.code, project.writes()) == (4, [])
    assert f"{name[:100]}" in done.err


# --------------------------------------------------------------------------------------------------------------- guards


@pytest.fixture
def too_much(project: Project, run: Runner) -> str:
    """Three changes where two are allowed; gives the digits that acknowledge them."""
    for name in ("one", "two", "three"):
        project.manifest(name, AccessTokenDuration=600)
    run("plan", "--out", "plan.json")
    project.writes()
    return str(json.loads(Path("plan.json").read_text(encoding="utf-8"))["changes_digest"][:12])


def test_a_refusal_shows_numbers_and_way_out_and_writes_nothing(project: Project, run: Runner, too_much: str) -> None:
    done = run("apply", "plan.json")
    assert (done.code, done.out, project.writes()) == (3, "", [])
    assert "limit-changes: 3 resources would change; limits.changes allows 2" in done.err
    assert f"--ack {too_much}" in done.err


def test_an_acknowledged_plan_is_applied(project: Project, run: Runner, too_much: str) -> None:
    assert run("apply", "plan.json", "--ack", too_much).code == 0
    assert project.writes() == ["PUT", "PUT", "PUT"]


def test_an_acknowledgement_is_good_for_these_changes_only(project: Project, run: Runner, too_much: str) -> None:
    project.manifest("four", AccessTokenDuration=600)
    done = run("apply", "--auto-approve", "--ack", too_much)
    assert (done.code, project.writes()) == (3, [])
    assert f"--ack {too_much} is for other changes or findings" in done.err


def test_what_is_refused_anyway_is_not_asked_about(
    project: Project, run: Runner, too_much: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = sit_down(monkeypatch, "yes\n")
    assert (run("apply").code, project.writes()) == (3, [])
    assert "Only 'yes'" not in screen.getvalue()


# ------------------------------------------------------------------------------------------------- what can go wrong


def fault(project: Project, spec: str) -> None:
    project.ask("POST", "/_emulator/faults", {"spec": spec})


def two_changes(project: Project) -> None:
    project.manifest("front", Active=False)
    project.manifest("new", AccessTokenDuration=600)


def refused_writes(run: Run) -> list[str]:
    return [line for line in run.out.splitlines() if line.startswith("failed")]


def test_a_change_that_is_refused_stops_the_rest_and_nothing_was_written(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    fault(project, "PUT /v1/apiclients/* status=400 count=all")
    done = run("apply", "--auto-approve")
    assert done.code == 1
    assert "answered 400" in refused_writes(done)[0]
    assert live(project)["Active"] is True


def test_some_refused_changes_among_others_exit_with_5(project: Project, run: Runner) -> None:
    two_changes(project)
    fault(project, f"PUT /v1/apiclients/{FRONT} status=400 count=all")
    done = run("apply", "--auto-approve", "--keep-going", "--format", "json")
    summary = json.loads(done.out)["summary"]
    assert done.code == 5
    assert (summary["planned"], summary["applied"], summary["failed"]) == (2, 1, 1)


def test_what_the_service_does_not_keep_exits_with_6(project: Project, run: Runner, saved: str) -> None:
    plan = reading.read(Path(saved))
    dreams = [replace(one, after={**one.after, "NotAField": 1}) if one.after else one for one in plan.changes]
    Path(saved).write_text(planfile.dumps(replace(plan, changes=tuple(dreams))), encoding="utf-8")
    done = run("apply", saved)
    assert done.code == 6
    assert "NotAField  sent 1, stored (not set)" in done.out


def test_a_result_that_cannot_be_printed_leaves_the_code_that_of_the_changes(
    project: Project, run: Runner, saved: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        done = run("apply", saved)
    assert (done.code, project.writes()) == (0, ["PUT"])
    assert "cannot write to stdout: No space left on device" in done.err


def test_an_object_that_moved_since_the_plan_is_left_alone(project: Project, run: Runner, saved: str) -> None:
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 77})
    project.writes()
    done = run("apply", saved)
    assert (done.code, project.writes()) == (1, [])
    assert "conflict       update ApiClient/front" in done.out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_finishes_what_has_begun_and_exits_with_130(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    two_changes(project)
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    project.configure(test=document["environments"]["test"] | {"concurrency": 1})
    listen(monkeypatch, number)
    done = run("apply", "--auto-approve", "--format", "json")
    assert done.code == 130
    result = json.loads(done.out)
    assert (result["interrupted"], result["summary"]["applied"], result["summary"]["skipped"]) == (True, 1, 1)
    assert project.writes() == ["PUT"]


def listen(monkeypatch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """Send the signal as soon as the first outcome is printed, and go on when it has been noticed."""
    noticed = threading.Event()

    class Interrupting(io.StringIO):
        def write(self, text: str) -> int:
            if text.startswith("stopping"):
                noticed.set()
            elif text.startswith("applied") and not noticed.is_set():
                os.kill(os.getpid(), number)
                assert noticed.wait(timeout=30)
            return super().write(text)

    monkeypatch.setattr(sys, "stderr", Interrupting())


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_second_signal_ends_the_process_at_once_and_leaves_a_whole_journal(project: Project, run: Runner) -> None:
    two_changes(project)
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    project.configure(test=document["environments"]["test"] | {"concurrency": 1})
    child = os.fork()
    if child == 0:
        sys.stderr = Impatient()
        run("apply", "--auto-approve", "--format", "json")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    assert project.writes() == ["PUT"]
    assert journal.check_all(Path(".reconciler/runs")) == ()
    again = run("apply", "--auto-approve")
    assert (again.code, project.writes()) == (0, ["PUT"])
    assert "certain: 1 finished: ApiClient/new" in again.err
    assert "certain: 1 not started: ApiClient/front" in again.err


class Impatient(io.StringIO):
    """Somebody who stops the run as soon as the first outcome is printed, and again when that has been noticed."""

    def write(self, text: str) -> int:
        if text.startswith("applied"):
            os.kill(os.getpid(), signal.SIGTERM)
            threading.Event().wait(timeout=30)  # for the end
            os._exit(0)
        elif text.startswith("stopping"):
            os.kill(os.getpid(), signal.SIGTERM)
        return super().write(text)


def test_without_anybody_to_ask_stdout_shows_the_plan(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("apply")
    assert (done.code, project.writes()) == (1, [])
    assert "0 to create, 1 to update, 0 to delete" in done.out
    assert done.err == (
        "error: cannot ask for approval: not a terminal; nothing was written\n  hint: add --auto-approve\n"
    )


def test_without_anybody_to_ask_stdout_stays_free_for_a_document(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("apply", "--format", "json")
    assert (done.code, done.out, project.writes()) == (1, "", [])
    assert "0 to create, 1 to update, 0 to delete" in done.err
