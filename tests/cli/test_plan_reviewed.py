"""What was reviewed on a pull request, and what is planned after the merge."""

import json
from pathlib import Path

import pytest

from reconciler.emulator import ADMIN_CLIENT_SECRET
from tests.cli.conftest import BACK, FRONT, Project, Runner


@pytest.fixture
def reviewed(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A change of `front` that was planned from a snapshot, without credentials and without a key."""
    Path("snapshots").mkdir()
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "k")
    assert run("snapshot", "--out", "snapshots/test.json").code == 0
    project.manifest("front", AccessTokenDuration=300)
    monkeypatch.delenv("OC_SECRET")
    monkeypatch.delenv("RECONCILER_PLAN_KEY")
    assert run("plan", "--env-all", "--from-snapshot", "snapshots", "--out", "reviewed").code == 0
    monkeypatch.setenv("OC_SECRET", ADMIN_CLIENT_SECRET)
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "k")
    return project


def test_the_live_plan_is_the_one_that_was_reviewed_although_the_service_shows_more(
    reviewed: Project, run: Runner
) -> None:
    assert run("plan", "--out", "plan.json").code == 0
    done = run("show", "plan.json", "--reviewed", "reviewed/test.json")
    assert done.code == 0
    assert done.out.startswith("Reviewed: the changes match the reviewed plan, ")


def test_a_portal_edit_in_between_is_shown_and_needs_approval(reviewed: Project, run: Runner) -> None:
    reviewed.manifest("back", AccessTokenDuration=600)
    reviewed.ask("PATCH", f"/v1/apiclients/{BACK}", {"AccessTokenDuration": 60})
    run("plan", "--out", "plan.json")
    done = run("show", "plan.json", "--reviewed", "reviewed/test.json", "--into", "markdown=difference.md")
    assert done.code == 2
    assert "Not reviewed: the changes differ from the reviewed plan." in done.out
    assert "AccessTokenDuration  60 -> 600" in done.out
    assert "update ApiClient/front" not in done.out
    assert "## `test`: differs from what was reviewed" in Path("difference.md").read_text()


def test_what_was_reviewed_and_is_no_longer_planned_is_named(reviewed: Project, run: Runner) -> None:
    reviewed.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 299})
    run("plan", "--out", "plan.json")
    done = run("show", "plan.json", "--reviewed", "reviewed/test.json")
    assert done.code == 2
    assert "Reviewed, and no longer planned: update ApiClient/front" in done.out


def test_nothing_to_do_needs_no_review(reviewed: Project, run: Runner) -> None:
    reviewed.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 300})
    run("plan", "--out", "plan.json")
    done = run("show", "plan.json", "--reviewed", "nowhere.json")
    assert (done.code, done.out) == (0, "Reviewed: there is nothing to do.\n")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "cannot read reviewed/test.json"),
        ("{}", "is not a receipt"),
        ('{"resource_changes": []}', "not a plan"),
        ("\N{SNOWMAN}", "is not a receipt"),
    ],
)
def test_what_cannot_be_read_was_not_reviewed(reviewed: Project, run: Runner, content: str | None, reason: str) -> None:
    run("plan", "--out", "plan.json")
    file = Path("reviewed/test.json")
    file.unlink()
    if content is not None:
        file.write_text(content)
    done = run("show", "plan.json", "--reviewed", "reviewed/test.json")
    assert done.code == 2
    assert "Not reviewed: " in done.out
    assert reason in done.out
    assert "AccessTokenDuration  600 -> 300" in done.out


def test_a_plan_of_another_environment_was_not_reviewed(reviewed: Project, run: Runner) -> None:
    config = json.loads(Path("reconciler.yaml").read_text())["environments"]
    reviewed.configure(**config, other=config["test"])
    run("plan", "--env", "other", "--out", "plan.json")
    done = run("show", "plan.json", "--reviewed", "reviewed/test.json")
    assert done.code == 2
    assert "the reviewed plan is for environment test" in done.out


def test_other_findings_of_the_guards_need_approval(reviewed: Project, run: Runner) -> None:
    config = json.loads(Path("reconciler.yaml").read_text())["environments"]
    reviewed.configure(test=config["test"] | {"limits": {"changes": 0}})
    assert run("plan", "--out", "plan.json").code == 3
    done = run("show", "plan.json", "--reviewed", "reviewed/test.json")
    assert done.code == 2
    assert "the guard findings differ from the reviewed plan" in done.out
    assert "limit-changes" in done.out


def test_the_manifests_of_the_last_apply_were_reviewed_whatever_the_service_has_now(
    reviewed: Project, run: Runner
) -> None:
    assert run("apply", "--auto-approve", "--receipt", "receipt.json").code == 0
    reviewed.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 60})
    run("plan", "--out", "plan.json")
    done = run("show", "plan.json", "--reviewed", "receipt.json")
    assert done.code == 0
    assert "only the service has changed" in done.out
    reviewed.manifest("front", AccessTokenDuration=200)
    run("plan", "--out", "plan.json")
    assert run("show", "plan.json", "--reviewed", "receipt.json").code == 2


def test_a_receipt_that_was_not_signed_with_the_key_says_nothing(
    reviewed: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RECONCILER_PLAN_KEY")
    run("apply", "--auto-approve", "--receipt", "receipt.json")
    reviewed.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 60})
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "k")
    run("plan", "--out", "plan.json")
    done = run("show", "plan.json", "--reviewed", "receipt.json")
    assert done.code == 2
    assert "is not signed" in done.out


@pytest.mark.parametrize("words", [["--format", "html"], ["--resolved"]])
def test_a_comparison_has_two_formats(reviewed: Project, run: Runner, words: list[str]) -> None:
    run("plan", "--out", "plan.json")
    assert run("show", "plan.json", "--reviewed", "reviewed/test.json", *words).code == 64


# ------------------------------------------------------------------------------------------- snapshots of several


def test_each_environment_is_planned_from_its_own_snapshot_and_saved(reviewed: Project, run: Runner) -> None:
    config = json.loads(Path("reconciler.yaml").read_text())["environments"]
    reviewed.configure(**config, new=config["test"])
    Path("reviewed/new.json").write_text(Path("reviewed/test.json").read_text())
    done = run("plan", "--env-all", "--from-snapshot", "snapshots", "--out", "reviewed")
    assert done.code == 1
    assert "there is no snapshot of environment new in snapshots" in done.out
    assert "reconciler snapshot --env new --out snapshots/new.json" in done.out
    assert [path.name for path in Path("reviewed").iterdir()] == ["test.json"]
    assert json.loads(Path("reviewed/test.json").read_text())["snapshot"]


def test_a_folder_of_plans_cannot_take_the_place_of_a_file(reviewed: Project, run: Runner) -> None:
    done = run("plan", "--env-all", "--from-snapshot", "snapshots", "--out", "reconciler.yaml")
    assert done.code != 0
    assert "reconciler.yaml" in done.err


def test_the_comment_names_the_merge_as_the_way_and_every_document_the_line_that_acknowledges(
    reviewed: Project, run: Runner
) -> None:
    config = json.loads(Path("reconciler.yaml").read_text())["environments"]
    reviewed.configure(test=config["test"] | {"limits": {"changes": 0}})
    command = ["plan", "--env-all", "--from-snapshot", "snapshots", "--out", "plans"]
    done = run(*command, "--into", "markdown=plan.md", "--into", "html=several.html")
    assert done.code == 3
    run("show", "plans/test.json", "--into", "html=plan.html")
    comment, page, several = (Path(name).read_text() for name in ("plan.md", "plan.html", "several.html"))
    assert "To apply it, merge: " in comment
    assert ("Plan of 1 environment" in several, "snapshot taken at 20" in several) == (True, True)
    digits = json.loads(Path("plans/test.json").read_text())["changes_digest"][:12]
    for text in (done.out, comment, page, several):
        assert (f"Reconciler-Ack: {digits}" in text, "reconciler apply" in text) == (True, False)
    assert run(*command, "--ack", digits).code == 0


def test_in_a_ci_job_no_document_names_a_command_or_a_file_of_the_runner(
    reviewed: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TF_BUILD", "True")
    into = [word for name in ("markdown", "html") for word in ("--into", f"{name}={name}.txt")]
    done = run("plan", "--out", str(tmp_path / "plan.json"), *into)
    shown = run("show", str(tmp_path / "plan.json"), "--reviewed", "none.json", "--into", "markdown=difference.txt")
    files = [Path(f"{name}.txt").read_text() for name in ("markdown", "html", "difference")]
    for text in (done.out, shown.out, *files):
        assert "let this pipeline continue: its next job applies exactly this plan, or waits for approval" in text
        assert ("reconciler apply" in text, str(tmp_path) in text) == (False, False)


def test_in_a_ci_job_a_refused_plan_says_what_to_acknowledge(
    reviewed: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    config = json.loads(Path("reconciler.yaml").read_text())["environments"]
    reviewed.configure(test=config["test"] | {"limits": {"changes": 0}})
    done = run("plan", "--out", "plan.json", "--into", "markdown=plan.md")
    digits = json.loads(Path("plan.json").read_text())["changes_digest"][:12]
    for text in (done.out, Path("plan.md").read_text()):
        assert "To accept the guard findings, run the pipeline again with these digits as input acknowledge" in text
        assert (digits in text, "reconciler apply" in text) == (True, False)


def test_in_a_ci_job_drift_names_the_pipeline_and_the_patch_that_the_job_keeps(
    reviewed: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    done = run("drift", "--into", "markdown=drift.md", "--into", "html=drift.html")
    assert done.code == 2
    for text in (done.out, Path("drift.md").read_text(), Path("drift.html").read_text()):
        assert "To restore the state in git, run the apply pipeline" in text
        assert ("git apply write-back.patch" in text, "reconciler " in text) == (True, False)


@pytest.mark.parametrize(("ci", "told"), [("true", True), ("", False)])
def test_a_secret_that_would_be_lost_with_the_machine_of_a_ci_job_is_a_warning_before_the_first_write(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, ci: str, told: bool
) -> None:
    monkeypatch.setenv("CI", ci)
    manifest = project.manifest("front")
    document = json.loads(manifest.read_text())
    document["secrets"] = [{"name": "primary", "deliver": [{"file": "../front.secret"}]}]
    manifest.write_text(json.dumps(document))
    done = run("apply", "--auto-approve", "--format", "json")
    assert done.code == 0, done.err
    warning = "warning: ApiClient/front: a new secret is delivered to file front.secret on the machine of this CI job"
    assert (warning in done.err) is told
    assert not told or done.err.index(warning) < done.err.index("applied")


@pytest.mark.parametrize("output", [["--out", "snapshots"], ["--into", "json=snapshots/test.json"]])
def test_no_output_overwrites_a_snapshot_in_the_folder_that_is_read(
    reviewed: Project, run: Runner, output: list[str]
) -> None:
    snapshot = Path("snapshots/test.json")
    before = snapshot.read_text()
    done = run("plan", "--env-all", "--from-snapshot", "snapshots", *output)
    assert (done.code, snapshot.read_text()) == (64, before)
    assert "snapshots/test.json is an input of this run and would be overwritten" in done.err


def test_no_snapshot_is_removed_where_no_environment_can_be_planned(reviewed: Project, run: Runner) -> None:
    (reviewed.folder / "manifests" / "front.yaml").write_text("not: a manifest")
    done = run("plan", "--env-all", "--from-snapshot", "snapshots", "--out", "snapshots")
    assert (done.code, Path("snapshots/test.json").exists()) == (64, True)


def test_the_plan_of_one_environment_is_saved_in_a_folder_as_those_of_several_are(
    reviewed: Project, run: Runner
) -> None:
    Path("plans").mkdir()
    done = run("plan", "--env", "test", "--from-snapshot", "snapshots", "--out", "plans")
    assert done.err == "Saved the plan to plans/test.json.\n"
    assert json.loads(Path("plans/test.json").read_text())["binding"]["environment"] == "test"
    done = run("plan", "--env", "test", "--from-snapshot", "snapshots", "--out", "snapshots")
    assert (done.code, "snapshots/test.json" in done.err) == (64, True), done.err
