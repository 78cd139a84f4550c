import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import FRONT, Project, Runner, git


def test_a_plan_without_changes_says_so_and_exits_with_0(project: Project, run: Runner) -> None:
    done = run("plan", "--detailed-exitcode")
    assert done.code == 0
    assert "No changes. 1 resource is in step, 2 unmanaged." in done.out
    assert done.err == ""


def test_a_plan_shows_what_would_change_and_writes_nothing(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("plan")
    assert done.code == 0
    assert f"~ update ApiClient/front (id {FRONT}, manifests/front.yaml:1:1)" in done.out
    assert "    Active  true -> false\n" in done.out
    assert project.writes() == []


@pytest.mark.parametrize("arguments", [["plan", "--detailed-exitcode"], ["drift"]])
def test_changes_exit_with_2_where_asked_for(project: Project, run: Runner, arguments: list[str]) -> None:
    project.manifest("front", Active=False)
    assert run(*arguments).code == 2


def test_drift_is_told_from_the_side_of_the_service(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("drift")
    assert "Active  live true, desired false" in done.out
    assert "Drift: 0 missing, 1 differs, 0 surplus; 0 in step, 2 unmanaged." in done.out
    assert project.writes() == []


def test_no_drift_exits_with_0(project: Project, run: Runner) -> None:
    assert run("drift").code == 0


def test_the_json_of_a_plan_is_the_plan_file(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    printed = json.loads(run("plan", "--format", "json").out)
    run("plan", "--out", "plan.json")
    saved = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    assert printed["changes_digest"] == saved["changes_digest"]
    assert saved["summary"] == {"create": 0, "update": 1, "delete": 0, "no_op": 0, "unmanaged": 2}


def test_one_run_gives_text_a_saved_plan_and_its_json(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=60)
    done = run("plan", "--out", "a.plan", "--into", "json=b.json")
    assert done.out.endswith("To apply it:\n    reconciler apply a.plan\n")
    assert done.err == "Saved the plan to a.plan.\n"
    assert Path("a.plan").read_bytes() == Path("b.json").read_bytes()
    assert stat.S_IMODE(Path("a.plan").stat().st_mode) == 0o600


def test_a_plan_that_cannot_be_saved_is_an_error(project: Project, run: Runner) -> None:
    done = run("plan", "--out", "no/folder/plan.json")
    assert (done.code, done.out) == (1, "")
    assert "cannot write no/folder/plan.json" in done.err


def test_an_older_plan_does_not_stay_where_there_is_no_new_one(project: Project, run: Runner) -> None:
    assert run("plan", "--out", "plan.json").code == 0
    Path("notes.txt").write_text("mine")
    (project.folder / "manifests" / "front.yaml").write_text("not: a manifest")
    for name in ("plan.json", "notes.txt"):
        done = run("plan", "--out", name)
        assert (done.code, done.out) == (1, "")
    assert [Path(name).exists() for name in ("plan.json", "notes.txt")] == [False, True]


def test_a_saved_plan_is_shown_as_it_was_planned(project: Project, run: Runner) -> None:
    planned = run("plan", "--out", "plan.json").out
    project.configure()
    assert run("show", "plan.json").out == planned
    assert run("show", "plan.json", "--format", "json").out == Path("plan.json").read_text(encoding="utf-8")


def test_a_saved_plan_with_raw_characters_is_not_one_that_was_written_here(project: Project, run: Runner) -> None:
    project.manifest("front", xp={"note": "a\u202eb"})
    run("plan", "--out", "plan.json")
    saved = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    Path("plan.json").write_text(json.dumps(saved, ensure_ascii=False), encoding="utf-8")
    done = run("show", "plan.json", "--format", "json")
    assert (done.code, done.out) == (4, "")


def test_an_altered_plan_is_not_shown(project: Project, run: Runner) -> None:
    run("plan", "--out", "plan.json")
    text = Path("plan.json").read_text(encoding="utf-8")
    Path("plan.json").write_text(text.replace('"emulator"', '"another"', 1), encoding="utf-8")
    done = run("show", "plan.json")
    assert (done.code, done.out) == (4, "")
    assert "was altered" in done.err


def test_paths_narrow_a_plan_down(project: Project, run: Runner) -> None:
    path = project.manifest("back", Active=False)
    assert "ApiClient/back" in run("plan", str(path)).out
    assert "0 to create, 1 to update, 0 to delete; 0 in step, 0 unmanaged" in run("plan", str(path)).out


def test_the_wrong_marketplace_stops_a_plan_with_3(project: Project, run: Runner) -> None:
    text = Path("reconciler.yaml").read_text(encoding="utf-8")
    Path("reconciler.yaml").write_text(text.replace('"emulator"', '"another"'), encoding="utf-8")
    done = run("plan")
    assert (done.code, done.out) == (3, "")
    assert "is configured for marketplace another" in done.err


def test_a_plan_shows_what_guards_object_to_and_how_to_accept_it(project: Project, run: Runner) -> None:
    for name in ("one", "two", "three"):
        project.manifest(name, AccessTokenDuration=600)
    done = run("plan", "--out", "plan.json")
    digits = json.loads(Path("plan.json").read_text(encoding="utf-8"))["changes_digest"][:12]
    assert done.code == 3
    assert "limit-changes: 3 resources would change; limits.changes allows 2" in done.out
    assert f"--ack {digits}" in done.out


def test_faults_of_manifests_are_all_shown_before_anything_is_contacted(project: Project, run: Runner) -> None:
    project.manifest("front", Activ=True)
    project.manifest("back", AccessTokenDuration="long")
    done = run("plan")
    assert (done.code, done.out) == (1, "")
    assert "unknown field Activ" in done.err
    assert "AccessTokenDuration must be" in done.err
    assert "error: 2 errors found" in done.err
    assert project.ask("GET", "/_emulator/requests")["requests"] == []


@pytest.mark.parametrize("command", [["plan"], ["drift"], ["apply", "--auto-approve"]])
def test_warnings_go_to_stderr_unless_quiet(project: Project, run: Runner, command: list[str]) -> None:
    project.manifest("front", MaximumGrantedRoles=["NewRole"])
    assert run(*command).code == 1
    assert run(*command, "--allow-unknown-roles", "--quiet").err == ""
    loud = run(*command, "--allow-unknown-roles")
    assert "warning: " in loud.err
    assert "NewRole" in loud.err


def test_a_plan_is_bound_to_the_commit_that_is_checked_out(project: Project, run: Runner) -> None:
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", ".")
    git(project.folder, "commit", "--quiet", "--message", "first")
    clean = json.loads(run("plan", "--format", "json").out)["binding"]
    project.manifest("front", AccessTokenDuration=600, Active=True)
    dirty = json.loads(run("plan", "--format", "json").out)["binding"]
    assert clean["git_commit"] == dirty["git_commit"] == git(project.folder, "rev-parse", "HEAD")
    assert (clean["git_dirty"], dirty["git_dirty"]) == (False, True)


def test_verbose_says_what_is_used(project: Project, run: Runner) -> None:
    done = run("--verbose", "plan")
    assert f"configuration {project.folder}/reconciler.yaml, environment test, manifests: 1" in done.err


def test_a_service_that_is_down_is_named(project: Project, run: Runner) -> None:
    project.ask("POST", "/_emulator/faults", {"spec": "GET /v1/apiclients status=403 count=all"})
    done = run("plan")
    assert (done.code, done.out) == (1, "")
    assert "GET /v1/apiclients, answered 403" in done.err


def test_credentials_that_are_not_there_are_named(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OC_SECRET")
    done = run("plan")
    assert done.code == 1
    assert "the environment variable OC_SECRET is not set" in done.err


def test_at_80_columns_no_word_of_a_plan_is_broken(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = f"https://evil.example/{'path/' * 30}end"
    project.manifest("front", AccessTokenDuration=500, xp={"notes": f"{'some words ' * 30}{link}"})
    plain = run("plan").out
    monkeypatch.setenv("COLUMNS", "80")
    shown = run("plan").out
    assert shown.split() == plain.split()
    assert link in shown
    assert [line for line in shown.splitlines() if len(line) > 80 and len(line.split()) > 1] == []
