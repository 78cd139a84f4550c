"""Several documents in one run, and what is in their place where there is none."""

import json
import re
from pathlib import Path
from typing import Final

import click
import pytest

from reconciler.cli.documents import PLANS
from reconciler.cli.options import Common
from reconciler.cli.outputs import Outputs, outputs_option
from tests.cli.conftest import Project, Runner

OLDER: Final = '{"format_version": "1.0"}\n<!-- reconciler:plan:test -->\n'


def into(*formats: str) -> list[str]:
    return [word for name in formats for word in ("--into", f"{name}=out.{name}")]


def read(project: Project, name: str) -> str:
    return (project.folder / f"out.{name}").read_text(encoding="utf-8")


def test_one_run_gives_every_format_and_stdout_is_as_without_them(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    names = ["text", "json", "jsonl", "markdown", "github"]
    done = run("plan", *into(*names))
    assert done.out == run("plan").out == read(project, "text")
    assert json.loads(read(project, "json"))["summary"]["update"] == 1
    assert [json.loads(line)["type"] for line in read(project, "jsonl").splitlines()] == [
        "version",
        "planned_change",
        "diagnostic",
        "change_summary",
    ]
    assert read(project, "markdown").startswith("<!-- reconciler:plan:test -->\n")
    assert "title=update ApiClient/front" in read(project, "github")
    assert {path.stat().st_mode & 0o777 for path in project.folder.glob("out.*")} == {0o600}


def test_the_apply_command_of_a_comment_names_the_plan_that_was_saved(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    run("plan", "--out", "my plan.json", *into("markdown"))
    assert "\nreconciler apply 'my plan.json'\n" in read(project, "markdown")
    assert run("show", "my plan.json", "--format", "markdown").out == read(project, "markdown")
    assert "\nreconciler apply --env test\n" in run("plan", "--format", "markdown").out


def test_the_command_of_a_plan_that_guards_refuse_acknowledges_that_very_plan(project: Project, run: Runner) -> None:
    for name in "abc":
        project.manifest(name, AccessTokenDuration=600)
    run("plan", "--out", "plan.json", *into("markdown"))
    digest = json.loads((project.folder / "plan.json").read_text())["changes_digest"]
    assert f"\nreconciler apply plan.json --ack {digest[:12]}\n" in read(project, "markdown")


@pytest.mark.parametrize("command", ["plan", "drift", "validate"])
def test_faults_are_in_every_file_though_there_is_no_document(project: Project, run: Runner, command: str) -> None:
    project.manifest("front", AccessTokenDuratio=700)
    names = ["text", "json", "jsonl", "markdown", "github"] + ["junit", "sarif"] * (command != "plan")
    (project.folder / "out.markdown").write_text(OLDER)
    assert run(command, *into(*names)).code == 1
    assert {name: "AccessTokenDuratio" in read(project, name) for name in names} == dict.fromkeys(names, True)


def test_a_refusal_to_apply_is_a_document(project: Project, run: Runner) -> None:
    for name in "abc":
        project.manifest(name, AccessTokenDuration=600)
    assert run("apply", "--auto-approve", *into("json", "markdown", "junit")).code == 3
    error = json.loads(read(project, "json"))["error"]
    assert (error["exit_code"], [one["rule"] for one in error["guards"]]) == (
        3,
        ["limit-changes"],
    )
    assert "## Apply for `test`: refused by a guard" in read(project, "markdown")
    assert 'failures="1"' in read(project, "junit")


def test_a_stream_ends_with_the_error_on_stdout_too(project: Project, run: Runner) -> None:
    done = run("plan", "--env", "nowhere", "--format", "jsonl")
    assert [json.loads(line)["type"] for line in done.out.splitlines()] == ["version", "diagnostic"]
    done = run("plan", "--env", "nowhere", "--format", "github")
    assert done.out.startswith("::error title=plan failed::")
    assert run("plan", "--env", "nowhere", "--format", "json").out == ""


def test_a_result_is_given_in_every_format(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    names = ["json", "jsonl", "markdown", "junit", "github"]
    assert run("apply", "--auto-approve", *into(*names)).code == 0
    assert "## Apply to `test`: 1 change applied" in read(project, "markdown")
    assert 'tests="1" failures="0"' in read(project, "junit")
    assert read(project, "github") == "test: 1 change applied\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--into", "json=no/such/folder.json"], "does not exist"),
        (["--into", "json=a", "--into", "markdown=./a"], "is given for two documents"),
    ],
)
def test_files_that_cannot_be_written_are_refused_before_anything_is_contacted(
    project: Project, run: Runner, arguments: list[str], said: str
) -> None:
    done = run("plan", *arguments)
    assert (done.code, done.out) == (64, "")
    assert said in done.err
    assert project.ask("GET", "/_emulator/requests")["requests"] == []


def test_a_failure_to_write_one_file_is_told_and_the_others_are_written(project: Project, run: Runner) -> None:
    (project.folder / "folder").mkdir()
    arguments = ["--into", "json=folder", *into("markdown")]
    done = run("plan", "--env", "nowhere", *arguments)
    assert done.code == 64
    assert "cannot write folder" in done.err
    assert "nowhere" in read(project, "markdown")


def test_several_environments_are_one_document_in_every_format(project: Project, run: Runner) -> None:
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(good=target, wrong=target | {"marketplace": "another"})
    project.manifest("front", AccessTokenDuration=500)
    names = ["jsonl", "markdown", "junit", "sarif", "github"]
    assert run("drift", "--env-all", *into(*names)).code == 3
    comment = read(project, "markdown")
    head = "<!-- reconciler:drift:good%2Cwrong -->\n## Drift of 2 environments: 1 with drift, 1 failed"
    assert comment.startswith(f"{head}\n\n### `wrong`\n\n#### Drift for `wrong`")
    assert comment.count("<!-- reconciler:") == 1
    assert not comment[-2:].isspace()
    assert [run["automationDetails"]["id"] for run in json.loads(read(project, "sarif"))["runs"]] == ["good/", "wrong/"]
    assert 'failures="2"' in read(project, "junit").splitlines()[1]
    assert "good: 1 resource drifted" in read(project, "github")
    assert Path("out.jsonl").read_text().count('"type": "version"') == 2


def test_a_page_of_drift_has_the_runs_of_the_journal(project: Project, run: Runner) -> None:
    assert "Runs in the journal" not in run("drift", "--format", "html").out
    project.manifest("front", AccessTokenDuration=500)
    assert run("apply", "--auto-approve").code == 0
    text = run("drift", "--format", "html").out
    assert "Runs in the journal" in text
    assert re.search(r'<li class="good"><time datetime="[^"]+">[^<]+Z</time><b>apply test: 1 applied</b>', text)
    journal = next((project.folder / ".reconciler" / "runs").glob("*.jsonl"))
    journal.write_text("no journal")
    assert '<li class="bad">' in run("drift", "--format", "html").out


def test_the_option_of_each_format_that_was_there_before_still_works_and_is_hidden(
    project: Project, run: Runner
) -> None:
    assert run("plan", "--json-into", "out.json", *into("markdown")).code == 0
    assert json.loads(read(project, "json"))["summary"]
    assert read(project, "markdown")
    assert "-into" not in run("plan", "--help").out.replace("--into", "")


@pytest.mark.parametrize("value", ["json", "=x", "yaml=x", "json=", ""])
def test_into_takes_a_known_format_and_a_file(project: Project, run: Runner, value: str) -> None:
    done = run("plan", "--into", value)
    assert (done.code, done.out) == (64, "")
    assert project.writes() == []


WRONG = (
    ["plan", "--into", "json=out.json", "--no-such-option"],
    ["plan", "--into=json=out.json", "--env", "a", "--env"],
    ["drift", "--json-into", "out.json", "--only"],
    ["plna", "--into", "json=out.json"],
    ["doctor", "--format", "nothing", "--into", "json=out.json"],
)


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_command_line_leaves_no_older_document(project: Project, run: Runner, arguments: list[str]) -> None:
    (project.folder / "out.json").write_text(OLDER)
    assert run(*arguments).code == 64
    assert json.loads(read(project, "json"))["error"]["exit_code"] == 64


@pytest.mark.parametrize("arguments", [["--no-such"], []])
def test_what_is_no_document_is_not_written_over_before_it_is_known_what_is_read(
    project: Project, run: Runner, arguments: list[str]
) -> None:
    (project.folder / "notes.txt").write_text("mine")
    run("plan", "--env", "nowhere", *arguments, "--into", "json=seed.json", "--into", "text=manifests/front.yaml")
    assert "Objects" in (project.folder / "seed.json").read_text() or not arguments
    assert "apiVersion" in (project.folder / "manifests" / "front.yaml").read_text()
    run("show", "notes.txt", "--into", "json=notes.txt")
    assert (project.folder / "notes.txt").read_text() == "mine"


READ = {
    "baseline.json": ["drift", "--write", "--baseline", "baseline.json"],
    "plan.json": ["show", "plan.json", "--resolved"],
    "another.json": ["show", "plan.json", "another.json", "--reviewed", "plan.json"],
    "reviewed.json": ["show", "plan.json", "--reviewed", "reviewed.json", "--format", "html"],
    "named.json": ["validate", "--env", "nowhere", "named.json"],
    "snapshot.json": ["plan", "--config", "none.yaml", "--from-snapshot", "snapshot.json"],
    "snapshots/test.json": ["plan", "--env", "nowhere", "--from-snapshot", "snapshots"],
    "attached.json": ["drift", "--baseline=attached.json", "--no-such"],
    "snapshots/new.json": ["plan", "--from-snapshot=snapshots", "--no-such"],
}
"""An input, and a command line that fails before it is read."""


@pytest.mark.parametrize(
    ("name", "output"),
    [(name, "--into") for name in READ]
    + [(name, "--metrics") for name, words in READ.items() if words[0] in {"plan", "drift"}],
)
def test_an_input_is_not_written_over_where_the_run_fails_before_it_is_read(
    project: Project, run: Runner, name: str, output: str
) -> None:
    (project.folder / "snapshots").mkdir()
    (project.folder / name).write_text('{"format_version": "2.0"}')
    done = run(*READ[name], output, name if output == "--metrics" else f"json={name}")
    assert (done.code, (project.folder / name).read_text()) == (64, '{"format_version": "2.0"}')


def test_an_imported_file_is_not_written_over_by_the_report(project: Project, run: Runner) -> None:
    before = (project.folder / "seed.json").read_text()
    assert run("import", "seed.json", "--into", "json=seed.json").code == 64
    assert (project.folder / "seed.json").read_text() == before


def test_an_older_document_does_not_stay_where_another_cannot_be_written(project: Project, run: Runner) -> None:
    assert run("plan", "--into", "json=old.json").code == 0
    done = run("plan", "--into", "json=old.json", "--into", "text=no/folder.txt")
    assert done.code == 64
    assert "no/folder.txt" in json.loads((project.folder / "old.json").read_text())["error"]["message"]


def test_a_wrong_command_line_makes_no_new_file(project: Project, run: Runner) -> None:
    assert run("plan", "--into", "json=out.json", "--no-such-option").code == 64
    assert not (project.folder / "out.json").exists()


def test_while_a_run_goes_on_an_older_document_says_that_it_has_not_finished(project: Project, run: Runner) -> None:
    (project.folder / "out.markdown").write_text(OLDER)
    seen = []

    @click.command()
    @outputs_option("plan", PLANS)
    def running(outputs: Outputs) -> None:
        seen.append((outputs.noun, read(project, "markdown")))

    running.main(["--into", "markdown=out.markdown"], standalone_mode=False, obj=Common())
    assert "the run has not finished" in dict(seen)["plan"]
    assert run("plan", *into("markdown")).code == 0
    assert "not finished" not in read(project, "markdown")


WITH_JSON = (
    ["doctor"],
    ["adopt"],
    ["environments"],
    ["history"],
    ["history", "show", "last"],
    ["history", "verify"],
    ["secrets", "status"],
    ["export"],
    ["import", "seed.json"],
    ["validate"],
    ["plan"],
    ["drift"],
    ["show", "plan.json"],
)


@pytest.mark.sample(5)
@pytest.mark.parametrize("arguments", WITH_JSON, ids=" ".join)
def test_every_command_that_prints_a_document_gives_it_as_json_and_into_a_file(
    project: Project, run: Runner, arguments: list[str]
) -> None:
    project.manifest("front", AccessTokenDuration=500)
    run("plan", "--out", "plan.json")
    run("apply", "--auto-approve")
    shown = run(*arguments, "--format", "json", "--into", "text=out.text")
    assert "format_version" in json.loads(shown.out)
    assert read(project, "text").strip()
