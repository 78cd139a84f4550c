"""A command that a document tells somebody to type does what the document says: it is typed here."""

import json
import re
import shlex
from pathlib import Path

import pytest

from reconciler.applying import journal
from tests.cli.conftest import BACK, Project, Runner


def printed(text: str, verb: str = "apply") -> list[str]:
    """The words of the one command of this name in a document, less the program's."""
    (found,) = set(re.findall(rf"(?<![\w`])reconciler {verb}[^\n<]*", text))
    return shlex.split(found)[1:]


@pytest.fixture
def elsewhere(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The same, with the configuration under another name, and a change to a manifest with a label."""
    (project.folder / "reconciler.yaml").rename(project.folder / "other config.yaml")
    path = project.manifest("front", AccessTokenDuration=500)
    document = json.loads(path.read_text())
    document["metadata"]["labels"] = {"team": "web shop"}
    path.write_text(json.dumps(document))
    project.manifest("back", AccessTokenDuration=600, AllowSeller=True)
    return project


@pytest.mark.parametrize("name", ["text", "markdown", "html"])
@pytest.mark.parametrize("command", ["plan", "drift"])
def test_the_command_of_a_document_applies_what_it_shows(
    elsewhere: Project, run: Runner, command: str, name: str
) -> None:
    about = [
        "manifests/front.yaml",
        "--only",
        "*/fr?nt",
        "--selector",
        "team=web shop",
        "--config",
        "other config.yaml",
    ]
    shown = run(command, *about, "--allow-unknown-roles", "--format", name).out
    words = printed(shown.replace("&#x27;", "'"))
    only = ["--only", "*/fr?nt", "--selector", "team=web shop"]
    options = ["--config", "other config.yaml", "--allow-unknown-roles"]
    assert words == ["apply", "manifests/front.yaml", "--env", "test", *only, *options]
    assert run(*words, "--auto-approve").code == 0
    assert run(command, *about, "--detailed-exitcode" if command == "plan" else "--quiet").code == 0


def test_a_saved_plan_is_applied_with_the_paths_that_it_was_made_of(elsewhere: Project, run: Runner) -> None:
    made = ["--config", "other config.yaml", "--out", "my plan.json"]
    words = printed(run("plan", "manifests/front.yaml", *made).out)
    assert words == ["apply", "my plan.json", "manifests/front.yaml", "--config", "other config.yaml"]
    assert printed(run("show", "my plan.json", "--config", "other config.yaml").out) == words
    assert run(*words).code == 0


def test_pruning_is_part_of_the_command_and_of_no_saved_plan(project: Project, run: Runner) -> None:
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(test=target | {"limits": {"deletes": 1}})
    assert printed(run("plan", "--prune").out) == ["apply", "--env", "test", "--prune"]
    assert printed(run("plan", "--prune", "--out", "p.json").out) == ["apply", "p.json"]


def test_what_guards_refuse_is_accepted_by_the_command_that_they_print(project: Project, run: Runner) -> None:
    for name in "abc":
        project.manifest(name, AccessTokenDuration=600)
    words = printed(run("plan").out)
    assert words[:-1] == ["apply", "--env", "test", "--ack"]
    assert words == printed(run("apply", "--auto-approve").err)
    assert run(*words, "--auto-approve").code == 0


def test_a_rollback_that_guards_refuse_prints_a_rollback(project: Project, run: Runner) -> None:
    for name in "ab":
        project.manifest(name, AccessTokenDuration=600)
    run_id = json.loads(run("apply", "--auto-approve", "--format", "json").out)["run"]
    refused = run("rollback", "last", "--only", "ApiClient/a", "--auto-approve")
    assert refused.code == 3
    words = printed(refused.err, "rollback")
    assert words[:-1] == ["rollback", run_id, "--env", "test", "--only", "ApiClient/a", "--ack"]
    assert run(*words, "--auto-approve").code == 0


def test_with_paths_what_no_loaded_manifest_claims_is_not_called_unmanaged(project: Project, run: Runner) -> None:
    for command in ("plan", "drift"):
        shown = run(command, "manifests/front.yaml")
        assert BACK not in shown.out
        assert "2 live objects are not loaded: no manifest in the given PATHs claims them" in shown.out
        assert "unmanaged" not in shown.out
        assert BACK in run(command).out


def test_a_comment_without_room_says_which_command_shows_all_of_it(project: Project, run: Runner) -> None:
    for number in range(9):
        project.manifest(f"new-{number}", AccessTokenDuration=600, xp={"notes": "x" * 7_900})
    assert "`reconciler plan --only '*/new*'`" in run("plan", "--only", "*/new*", "--format", "markdown").out
    comment = run("plan", "--out", "my plan.json", "--format", "markdown").out
    assert comment.splitlines()[1].endswith("Full output: `reconciler show 'my plan.json'`.")
    assert Path("my plan.json").exists()


def without_limits(project: Project, **more: object) -> None:
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(test=target | {"limits": {"changes": 20, "deletes": 20, "changesPercent": 100}} | more)


def test_the_journal_of_a_failed_run_is_shown_by_the_command_that_it_prints(project: Project, run: Runner) -> None:
    without_limits(project)
    (project.folder / "reconciler.yaml").rename(project.folder / "other config.yaml")
    project.manifest("front", AccessTokenDuration=500)
    project.ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400 count=all"})
    options = ["--config", "other config.yaml", "--allow-unknown-roles", "--auto-approve", "--prune"]
    words = printed(run("apply", *options).out, "history")
    assert (words[:2], words[3:]) == (["history", "show"], ["--config", "other config.yaml"])
    assert run(*words).code == 0


def test_manifests_of_what_is_unmanaged_are_exported_with_the_same_configuration(project: Project, run: Runner) -> None:
    without_limits(project, drift={"unmanaged": "fail"})
    (project.folder / "reconciler.yaml").rename(project.folder / "other config.yaml")
    words = printed(run("drift", "--config", "other config.yaml").out, "export")
    assert words[-3:] == ["--config", "other config.yaml", "--write"]
    assert run(*words).code == 0


def test_no_document_names_a_command_that_writes_to_show_all_of_it(project: Project, run: Runner) -> None:
    without_limits(project)
    for number in range(11):
        project.manifest(f"new-{number:02}", AccessTokenDuration=600)
    (preview,) = re.findall("full output: (.*)", run("apply", "--dry-run", "--format", "github").out)
    assert preview == "reconciler apply --dry-run"
    project.ask("POST", "/_emulator/faults", {"spec": "PUT /v1/apiclients/* status=400 count=all"})
    failed = run("apply", "--auto-approve", "--keep-going", "--format", "github").out
    (words,) = re.findall("full output: reconciler (.*)", failed)
    assert words.startswith("history show ")
    assert run(*shlex.split(words)).out.count("failed") > 10


def test_the_command_that_shows_plans_again_does_not_save_them(project: Project, run: Runner) -> None:
    for number in range(11):
        project.manifest(f"new-{number:02}", AccessTokenDuration=600)
    (project.folder / "plans").mkdir()
    several = run("plan", "--env-all", "--out", "plans", "--format", "github").out
    assert re.findall("full output: (.*)", several) == ["reconciler plan --env-all"]


def test_the_command_that_shows_a_rollback_or_drift_again_is_about_the_same(project: Project, run: Runner) -> None:
    without_limits(project)
    for number in range(11):
        project.manifest(f"new-{number:02}", AccessTokenDuration=600)
    assert run("apply", "--auto-approve", "--receipt", "receipt.json").code == 0
    preview = run("rollback", "last", "--dry-run", "--only", "*/new*", "--format", "github").out
    run_id = journal.find(Path(".reconciler/runs"), "last").stem
    assert re.findall("full output: (.*)", preview) == [f"reconciler rollback {run_id} --only '*/new*' --dry-run"]
    for number in range(11):
        project.manifest(f"new-{number:02}", AccessTokenDuration=500)
    drift = run("drift", "--receipt", "receipt.json", "--format", "github").out
    assert re.findall("full output: (.*)", drift) == ["reconciler drift --receipt receipt.json"]
