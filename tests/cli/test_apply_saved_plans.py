"""Every reason to refuse a saved plan: its exit code, its word, and nothing written."""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator import Emulator, Settings
from reconciler.planning import planfile
from reconciler.project import session
from tests.cli.conftest import Project, Run, Runner, Switchboard, git

PLAN = Path("plan.json")


@pytest.fixture
def saved(project: Project, run: Runner) -> Project:
    """A plan of a committed checkout, good for an hour."""
    (project.folder / ".gitignore").write_text("seed.json\n", encoding="utf-8")
    git(project.folder, "init", "--quiet")
    commit(project, "first")
    project.manifest("front", Active=False)
    commit(project, "second")
    assert run("plan", "--out", "plan.json", "--expires", "1h").code == 0
    project.writes()
    return project


def commit(project: Project, message: str) -> None:
    git(project.folder, "add", ".")
    git(project.folder, "commit", "--quiet", "--message", message)


def configured(project: Project) -> dict[str, Any]:
    return dict(json.loads((project.folder / "reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"])


def refused(project: Project, done: Run, reason: str, code: int = 4) -> None:
    assert (done.code, done.out, project.writes()) == (code, "", [])
    assert f"[{reason}]\n  hint: " in done.err


def test_a_plan_that_nothing_speaks_against_is_applied(saved: Project, run: Runner) -> None:
    assert run("apply", "plan.json").code == 0
    assert saved.writes() == ["PUT"]


def rewrite(change: Callable[[dict[str, Any]], object]) -> None:
    document = json.loads(PLAN.read_text(encoding="utf-8"))
    change(document)
    PLAN.write_text("".join(planfile.pieces_of(document)), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda plan: plan["resource_changes"][0].update(id="another"), "altered"),
        (lambda plan: plan.pop("digest"), "no-digest"),
        (lambda plan: plan.update(format_version="3.0"), "format"),
        (lambda plan: plan.update(signature="0" * 64), "no-key"),
    ],
)
def test_a_file_that_was_touched_is_refused(saved: Project, run: Runner, change: Any, reason: str) -> None:
    rewrite(change)
    refused(saved, run("apply", "plan.json"), reason)


def test_one_changed_byte_is_enough(saved: Project, run: Runner) -> None:
    PLAN.write_bytes(PLAN.read_bytes().replace(b"false", b"falsE", 1))
    refused(saved, run("apply", "plan.json"), "no-plan")
    PLAN.write_bytes(PLAN.read_bytes().replace(b"falsE", b"true ", 1))
    refused(saved, run("apply", "plan.json"), "altered")


def test_another_commit_is_refused(saved: Project, run: Runner) -> None:
    (saved.folder / "readme").write_text("new", encoding="utf-8")
    commit(saved, "third")
    refused(saved, run("apply", "plan.json"), "commit")


def test_uncommitted_changes_are_refused(saved: Project, run: Runner) -> None:
    (saved.folder / ".gitignore").write_text("*.tmp\n", encoding="utf-8")  # no input of the run
    manifest = saved.folder / "manifests" / "front.yaml"
    manifest.write_text(f"# a line more\n{manifest.read_text(encoding='utf-8')}", encoding="utf-8")
    refused(saved, run("apply", "plan.json"), "dirty")


def test_other_manifests_are_refused(saved: Project, run: Runner) -> None:
    saved.manifest("front", Active=False, AccessTokenDuration=60)
    refused(saved, run("apply", "plan.json"), "manifests")


def test_another_environment_is_refused(saved: Project, run: Runner) -> None:
    saved.configure(test=configured(saved), other=configured(saved))
    refused(saved, run("apply", "plan.json", "--env", "other"), "environment")
    saved.configure(other=configured_as(saved, "other"))
    refused(saved, run("apply", "plan.json"), "environment")


def configured_as(project: Project, name: str) -> dict[str, Any]:
    return dict(json.loads((project.folder / "reconciler.yaml").read_text(encoding="utf-8"))["environments"][name])


def test_another_base_url_is_refused(saved: Project, run: Runner) -> None:
    saved.configure(test=configured(saved) | {"url": configured(saved)["url"].replace("127.0.0.1", "localhost")})
    refused(saved, run("apply", "plan.json"), "base-url")


def test_another_marketplace_is_refused(saved: Project, run: Runner, served: tuple[Switchboard, str]) -> None:
    with closing(Emulator(Settings(seed=saved.folder / "seed.json", marketplace="other"))) as served[0].emulator:
        other = Project(saved.folder, served[0].emulator)
        saved.configure(test=configured(saved) | {"marketplace": "other"})
        refused(other, run("apply", "plan.json"), "marketplace")


def test_another_version_of_the_tool_is_refused(saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconciler.planning.comparison.__version__", "99.0")
    refused(saved, run("apply", "plan.json"), "tool-version")


class Tomorrow(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> "Tomorrow":
        return cls.fromtimestamp((datetime.now(UTC) + timedelta(days=1)).timestamp(), tz)


def test_an_expired_plan_is_refused(saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "datetime", Tomorrow)
    refused(saved, run("apply", "plan.json"), "expired")


def test_with_a_key_only_what_is_signed_with_it_is_applied(
    saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    refused(saved, run("apply", "plan.json"), "no-signature")
    assert run("show", "plan.json").code == 4
    run("plan", "--out", "plan.json")
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "another")
    refused(saved, run("apply", "plan.json"), "signature")
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    assert (run("show", "plan.json").code, run("apply", "plan.json").code) == (0, 0)


def test_a_signed_plan_can_be_looked_at_without_its_key(
    saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    run("plan", "--out", "plan.json")
    monkeypatch.delenv("RECONCILER_PLAN_KEY")
    assert run("show", "plan.json").code == 0
    refused(saved, run("apply", "plan.json"), "no-key")


def test_an_end_is_only_for_a_plan_that_is_saved(project: Project, run: Runner) -> None:
    done = run("plan", "--expires", "1h")
    assert (done.code, done.out) == (64, "")
    assert "--out FILE" in done.err
    assert json.loads(run("plan", "--expires", "1h", "--format", "json").out)["binding"]["expires_at"]


def test_plans_can_be_looked_at_where_nothing_else_is(
    saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert "1 to update" in run("show", str(saved.folder / "plan.json")).out
    assert saved.ask("GET", "/_emulator/requests")["requests"] == []


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_an_empty_plan_key_is_a_warning_where_something_would_be_signed(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, blank: str
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", blank)
    project.manifest("front", AccessTokenDuration=300)
    said = "RECONCILER_PLAN_KEY is set but empty: the {} is not signed"
    assert said.format("plan") in run("plan", "--out", "p.json").err
    assert said.format("snapshot") in run("snapshot", "--out", "s.json").err
    assert run("apply", "p.json", "--auto-approve").err.count(said.format("receipt")) == 1
    assert "RECONCILER_PLAN_KEY" not in run("plan").err
    for options in ([], ["--env-all"]):
        assert run("plan", "--format", "json", *options).err.count(said.format("plan")) == 1


def test_a_plan_key_that_a_ci_system_has_not_replaced_is_refused(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.manifest("front", AccessTokenDuration=300)
    for key in ("$(RECONCILER_PLAN_KEY)", "${RECONCILER_PLAN_KEY}", "${{ secrets.RECONCILER_PLAN_KEY }}"):
        monkeypatch.setenv("RECONCILER_PLAN_KEY", key)
        done = run("plan", "--out", "p.json")
        assert (done.code, "this CI job does not have that variable" in done.err) == (1, True)


LATER, EARLIER = "b" * 40, "a" * 64
"""Commits, the second under SHA-256."""


@pytest.fixture
def image(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """There is no git, but the commits of the manifests; something newer was applied."""
    monkeypatch.setenv("RECONCILER_COMMITS", "commits")
    (project.folder / "commits").write_text(f"{LATER}\n{EARLIER}\n", encoding="utf-8")
    return project


def apply_later(project: Project, run: Runner) -> None:
    """Apply the later commit, and be the earlier one again."""
    assert run("apply", "--auto-approve", "--receipt", "kept.json").code == 0
    project.writes()
    (project.folder / "commits").write_text(f"{EARLIER}\n", encoding="utf-8")


@pytest.mark.parametrize("options", [("--auto-approve",), ("--dry-run",)])
def test_what_is_older_than_what_was_applied_is_refused_also_where_that_changed_nothing(
    image: Project, run: Runner, options: tuple[str, ...]
) -> None:
    apply_later(image, run)
    image.manifest("front", Active=False)
    done = run("apply", *options, "--receipt", "kept.json")
    refused(image, done, "older")
    assert f"older than the applied commit {LATER[:12]}: see kept.json" in done.err
    Path("commits").write_text(f"{'c' * 40}\n{LATER}\n{EARLIER}\n", encoding="utf-8")
    assert (run("apply", *options, "--receipt", "kept.json").code, len(image.writes())) == (0, "approve" in options[0])


def test_the_journal_says_as_much_without_a_receipt_and_a_saved_plan_is_refused_too(
    image: Project, run: Runner
) -> None:
    image.manifest("front", Active=False)
    apply_later(image, run)
    image.manifest("front", Active=True)
    assert run("plan", "--out", "plan.json").code == 0
    assert json.loads(PLAN.read_text())["binding"]["git_commit"] == EARLIER
    refused(image, run("apply", "plan.json"), "older")


def test_a_newest_journal_that_cannot_be_read_is_an_error_and_one_that_was_not_begun_is_passed_over(
    image: Project, run: Runner
) -> None:
    image.manifest("front", Active=False)
    apply_later(image, run)
    image.manifest("front", Active=True)
    last = image.folder / ".reconciler" / "runs" / "9999-torn.jsonl"
    last.write_text("", encoding="utf-8")
    refused(image, run("apply", "--auto-approve"), "older")
    last.write_text("torn\n", encoding="utf-8")
    done = run("apply", "--auto-approve")
    assert (done.code, image.writes(), "9999-torn.jsonl:1: invalid journal line" in done.err) == (1, [], True)


def test_a_receipt_of_another_environment_or_one_that_was_altered_proves_nothing(image: Project, run: Runner) -> None:
    apply_later(image, run)
    text = Path("kept.json").read_text(encoding="utf-8")
    Path("kept.json").write_text(text.replace(LATER, EARLIER), encoding="utf-8")
    assert "was altered" in run("apply", "--auto-approve", "--receipt", "kept.json").err
    known = json.loads((image.folder / "reconciler.yaml").read_text(encoding="utf-8"))["environments"]
    image.configure(other=known["test"])
    Path("kept.json").write_text(text, encoding="utf-8")
    assert "of environment test, not of other" in run("apply", "--auto-approve", "--receipt", "kept.json").err
    assert image.writes() == []


@pytest.mark.parametrize("content", [None, "", "main\n", f"{LATER}\n\n", f"{LATER} first\n", LATER.upper()])
def test_something_else_than_a_list_of_commits_is_an_error_that_says_how_to_write_it(
    image: Project, run: Runner, content: str | None
) -> None:
    Path("commits").unlink() if content is None else Path("commits").write_text(content, encoding="utf-8")
    done = run("apply", "--auto-approve")
    assert (done.code, image.writes()) == (1, [])
    assert "RECONCILER_COMMITS: " in done.err
    assert "git rev-list HEAD > commits" in done.err
