import json
from pathlib import Path

import pytest

from reconciler.applying import journal
from reconciler.applying.journal.write import Journal
from tests.cli.conftest import FRONT, Project, Runner
from tests.cli.test_apply import sit_down

RUNS = Path(".reconciler/runs")


@pytest.fixture
def applied(project: Project, run: Runner) -> str:
    """The id of a run that has deactivated `front`."""
    project.manifest("front", Active=False)
    done = run("apply", "--auto-approve", "--format", "json")
    project.writes()
    return str(json.loads(done.out)["run"])


def live(project: Project) -> dict[str, object]:
    return project.ask("GET", f"/v1/apiclients/{FRONT}")


def test_a_run_is_taken_back_and_that_is_a_run_as_well(project: Project, run: Runner, applied: str) -> None:
    done = run("rollback", applied[-4:], "--auto-approve")
    assert (done.code, live(project)["Active"], project.writes()) == (0, True, ["PUT"])
    assert "1 applied" in done.out
    shown = run("history", "show", "last").out
    assert "kind          rollback" in shown
    assert f"rolls back    {applied}" in shown
    again = run("rollback", "last", "--auto-approve")
    assert f"It rolled back run {applied}, so this makes the changes of that run again; " in again.err
    assert (again.code, live(project)["Active"]) == (0, False)


def test_a_dry_run_of_a_rollback_shows_its_plan_and_writes_nothing(project: Project, run: Runner, applied: str) -> None:
    shown = run("rollback", "last", "--dry-run", "--auto-approve")
    assert (shown.code, project.writes()) == (0, [])
    assert shown.err.startswith(f"Rollback of run {applied}: apply to test by ")
    assert "Active  false -> true" in shown.out
    assert f"\n    reconciler rollback {applied} --env test\n" in shown.out
    assert run("--quiet", "rollback", "last", "--dry-run").err == ""
    refused = run("rollback", "last", "--dry-run", "--format", "json")
    assert (refused.code, "format json is not available with --dry-run" in refused.err) == (64, True)


def test_a_rollback_shows_its_plan_and_asks(
    project: Project, run: Runner, applied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = sit_down(monkeypatch, "no\n")
    assert (run("rollback", "last").code, project.writes()) == (1, [])
    assert "0 to create, 1 to update, 0 to delete" in screen.getvalue()
    assert "Only 'yes' is accepted" in screen.getvalue()


def test_a_rollback_without_anybody_to_ask_refuses_and_names_the_flag(
    project: Project, run: Runner, applied: str
) -> None:
    done = run("rollback", "last")
    assert (done.code, project.writes()) == (1, [])
    assert "0 to create, 1 to update, 0 to delete" in done.out
    assert done.err.endswith("nothing was written\n  hint: add --auto-approve\n")


def test_what_somebody_has_changed_since_refuses_with_3_and_writes_nothing(
    project: Project, run: Runner, applied: str
) -> None:
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"Active": True})
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AllowAnyBuyer": True})
    project.writes()
    assert run("rollback", "last", "--auto-approve").code == 0  # what it touched is as before already
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"Active": False})
    project.manifest("front", AccessTokenDuration=60)
    run("apply", "--auto-approve")
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 61})
    project.writes()
    done = run("rollback", "last", "--auto-approve")
    assert (done.code, project.writes()) == (3, [])
    assert "rollback-moved: ApiClient/front cannot be rolled back" in done.err
    assert done.err.endswith("hint: these cannot be acknowledged\n")


def test_a_created_client_is_deleted_only_with_an_acknowledgement(project: Project, run: Runner) -> None:
    project.manifest("new", AccessTokenDuration=60)
    run("apply", "--auto-approve")
    project.writes()
    refused = run("rollback", "last", "--auto-approve")
    assert (refused.code, project.writes()) == (3, [])
    digits = refused.err.rpartition("--ack ")[2].split()[0]
    assert (run("rollback", "last", "--auto-approve", "--ack", digits).code, project.writes()) == (0, ["DELETE"])


def test_an_altered_journal_is_refused_with_4(project: Project, run: Runner, applied: str) -> None:
    path = journal.find(RUNS, "last")
    path.write_text(path.read_text().replace('"Active":true', '"Active":null'))
    done = run("rollback", "last", "--auto-approve")
    assert (done.code, project.writes()) == (4, [])
    assert ":2: this line was altered" in done.err


def test_a_run_that_applied_nothing_is_refused_with_4_and_is_not_the_last_one(project: Project, run: Runner) -> None:
    with Journal.start(RUNS, {"kind": "rotation"}) as other:
        other.append("end", {})
    refused = run("rollback", other.run_id, "--auto-approve")
    assert (refused.code, "a rotation cannot be rolled back" in refused.err) == (4, True)
    none = run("rollback", "last", "--auto-approve")
    assert (none.code, "wrote anything" in none.err) == (64, True)


def test_last_is_the_newest_run_that_has_written_to_the_environment(
    project: Project, run: Runner, applied: str
) -> None:
    project.manifest("front", Active=False, RefreshTokenDuration=5)
    project.ask("POST", "/_emulator/faults", {"spec": f"PUT /v1/apiclients/{FRONT} status=400 count=1"})
    assert run("apply", "--auto-approve").code == 1
    with Journal.start(RUNS, {"kind": "rotation", "environment": "test"}) as other:
        other.append("end", {})
    project.manifest("front", Active=False)
    project.writes()
    done = run("rollback", "last", "--auto-approve", "--env", "test")
    assert (done.code, project.writes()) == (0, ["PUT"])
    assert f"Rollback of run {applied}: apply to test by " in done.err


def with_a_secret(project: Project) -> None:
    path = project.manifest("front", Active=True)
    secrets = [{"name": "primary", "deliver": [{"file": "../secret"}]}]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": secrets}))


def test_last_is_no_run_whose_secret_was_refused(project: Project, run: Runner, applied: str) -> None:
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"Active": True})
    with_a_secret(project)
    project.ask("POST", "/_emulator/faults", {"spec": "POST /v1/apiclients/*/secrets status=403"})
    assert run("apply", "--auto-approve").code == 1
    assert f"Rollback of run {applied}: " in run("rollback", "last", "--dry-run").err


@pytest.mark.usefixtures("applied")
def test_last_is_also_a_run_that_has_only_created_a_named_secret(project: Project, run: Runner) -> None:
    project.manifest("front", Active=True)
    assert run("apply", "--auto-approve").code == 0
    with_a_secret(project)
    secret_run = json.loads(run("apply", "--auto-approve", "--format", "json").out)["run"]
    project.writes()
    done = run("rollback", "last", "--auto-approve")
    assert (done.code, project.writes()) == (0, [])
    assert f"Rollback of run {secret_run}: " in done.err
    assert "ApiClient/front: secrets are not rolled back; that run set or cleared primary" in done.err


@pytest.mark.parametrize(
    ("last_event", "certainty"), [("secret-step-begun", "uncertain"), ("secret-step-done", "written")]
)
def test_a_run_that_was_killed_while_it_made_a_secret_says_what_is_certain(
    project: Project, run: Runner, last_event: str, certainty: str
) -> None:
    with_a_secret(project)
    assert run("apply", "--auto-approve").code == 0
    path = journal.find(RUNS, "last")
    lines = path.read_text().splitlines(keepends=True)
    end = next(at for at, line in enumerate(lines) if json.loads(line)["event"] == last_event)
    path.write_text("".join(lines[: end + 1]))
    (change,) = json.loads(run("history", "show", "last", "--format", "json").out)["changes"]
    assert change["certainty"] == certainty
    told = "ApiClient/front: a secret was being written; secrets status shows the result"
    assert (told in run("plan").out + run("apply", "--auto-approve").err) is (certainty == "uncertain")


def test_a_rollback_says_that_the_manifests_still_ask_for_what_it_takes_back(
    project: Project, run: Runner, applied: str
) -> None:
    told = run("rollback", "last", "--auto-approve").err
    assert "manifests still declare the values that this rolls back: ApiClient/front; revert them too" in told


def test_a_client_that_goes_into_use_while_the_plan_is_read_is_not_deleted(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    document["environments"]["test"]["limits"] = {"deletes": 1}
    project.configure(**document["environments"])
    project.manifest("new", AccessTokenDuration=60)
    run("apply", "--auto-approve")
    sit_down(monkeypatch, "yes\n")
    (made,) = [one for one in project.ask("GET", "/v1/apiclients")["Items"] if one["AppName"] == "new"]

    class Slow:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            project.ask("POST", f"/v1/apiclients/{made['ID']}/secrets", {"Name": "of the portal"})
            project.writes()
            return "yes\n"

    monkeypatch.setattr("sys.stdin", Slow())
    assert (run("rollback", "last").code, project.writes()) == (3, [])
    monkeypatch.undo()
    assert project.ask("GET", f"/v1/apiclients/{made['ID']}")["AppName"] == "new"


def test_a_run_of_another_environment_is_refused_with_4(project: Project, run: Runner, applied: str) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    environments = document["environments"]
    project.configure(**environments, other=environments["test"])
    assert run("rollback", "last", "--auto-approve", "--env", "other").code == 64
    refused = run("rollback", applied, "--auto-approve", "--env", "other")
    assert refused.code == 4
    assert f"run {applied} was of environment test, not of other" in refused.err
    assert run("rollback", applied, "--auto-approve", "--env", "nowhere").code == 64
    assert project.writes() == []
    assert run("rollback", "last", "--auto-approve").code == 0  # the environment is that of the run


def test_a_run_whose_environment_is_gone_from_the_configuration_is_refused_with_4(
    project: Project, run: Runner, applied: str
) -> None:
    project.configure(other={"emulator": {}})
    refused = run("rollback", "last", "--auto-approve")
    assert (refused.code, "was of environment test, which is not in" in refused.err) == (4, True)


def test_a_run_that_is_not_there_is_wrong_usage(project: Project, run: Runner) -> None:
    assert run("rollback", "last", "--auto-approve").code == 64


def test_a_result_that_cannot_be_printed_leaves_the_code_that_of_the_changes(
    project: Project, run: Runner, applied: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr("sys.stdout", full)
        assert run("rollback", "last", "--auto-approve").code == 0
