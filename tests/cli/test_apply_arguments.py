"""What apply takes for a plan, what it refuses, and what it says."""

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.cli.main import main
from reconciler.model.json import digest
from reconciler.planning import planfile
from reconciler.planning.planfile.reading import plan_of
from tests.cli.conftest import FRONT, Project, Run, Runner, git
from tests.cli.test_apply import sit_down
from tests.planning.test_planfile import rich_plan

MANIFEST = json.dumps(
    {
        "apiVersion": "reconciler/v1",
        "kind": "ApiClient",
        "metadata": {"name": "front"},
        "spec": {"AppName": "front", "Active": False},
    }
)
PLAN = Path("plan.json")


@pytest.fixture
def saved(project: Project, run: Runner) -> Project:
    project.manifest("front", Active=False)
    assert run("plan", "--out", "plan.json").code == 0
    project.writes()
    return project


def refused(project: Project, done: Run) -> None:
    assert (done.code, done.out, project.writes()) == (4, "", [])
    assert "--auto-approve" not in done.err


@pytest.mark.parametrize("name", ["plan.json", "plan", "plan.JSON", "plan.yaml.txt"])
@pytest.mark.parametrize("content", ["", MANIFEST, "{}", "apiVersion: reconciler/v1\n", "\ufeff{}"])
def test_a_file_that_is_not_called_as_a_manifest_is_a_plan_or_is_refused(
    project: Project, run: Runner, name: str, content: str
) -> None:
    Path(name).write_text(content, encoding="utf-8")
    refused(project, run("apply", name, "--auto-approve"))


@pytest.mark.parametrize("name", ["front.YAML", "front.Yml"])
def test_a_yaml_file_is_a_manifest_in_any_case(project: Project, run: Runner, name: str) -> None:
    Path(name).write_text(MANIFEST, encoding="utf-8")
    assert (run("apply", name, "--auto-approve").code, project.writes()) == (0, ["PUT"])


@pytest.mark.parametrize("argument", ["plan.json", "manifests", "manifests/front.yaml", "new.YML"])
def test_with_a_key_nothing_but_a_plan_is_applied(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, argument: str
) -> None:
    PLAN.mkdir()
    for path in (PLAN / "front.yaml", Path("new.YML")):
        path.write_text(MANIFEST, encoding="utf-8")
    project.manifest("front", Active=False)
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    refused(project, run("apply", argument, "--auto-approve"))
    assert (run("apply", "--auto-approve").code, project.writes()) == (0, ["PUT"])


def test_with_a_key_paths_beside_a_plan_are_refused_as_well(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    project.manifest("front", Active=False)
    run("plan", "manifests", "--out", "plan.json")
    project.writes()
    refused(project, run("apply", "plan.json", "manifests"))


# ------------------------------------------------------------------------------------------------------ altered plans


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


MUTATIONS = st.sampled_from(["replace", "insert", "remove", "repeat", "cut", "append"])


@given(MUTATIONS, st.integers(0, 10**6), st.binary(min_size=1, max_size=3), st.sampled_from([None, "key"]))
@settings(max_examples=3 * settings().max_examples)
def test_a_plan_of_which_any_byte_was_changed_is_refused_with_4(
    folder: Path, how: str, place: int, other: bytes, key: str | None
) -> None:
    written = planfile.dumps(rich_plan(), key.encode() if key else None).encode()
    at = place % len(written)
    mutated = {
        "replace": written[:at] + other[:1] + written[at + 1 :],
        "insert": written[:at] + other + written[at:],
        "remove": written[:at] + written[at + 1 :],
        "repeat": written[: at + 1] + written[at:],
        "cut": written[:at],
        "append": written + other,
    }[how]
    if mutated == written:
        return
    file = folder / "plan.json"
    file.write_bytes(mutated)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("RECONCILER_PLAN_KEY", key or "")
        assert main(["apply", str(file), "--auto-approve", "--quiet"]) == 4


@pytest.mark.parametrize("surrogate", ["\\ud800", "\\udfff x", "x \\uDBFF"])
def test_half_a_character_makes_a_plan_an_altered_one(saved: Project, run: Runner, surrogate: str) -> None:
    text = PLAN.read_text(encoding="utf-8")
    PLAN.write_text(text.replace('"warnings": []', f'"warnings": [\n"{surrogate}"\n]'), encoding="utf-8")
    done = run("apply", "plan.json")
    refused(saved, done)
    assert "[altered]" in done.err
    assert run("show", "plan.json").code == 4


def test_deliveries_come_from_the_manifests_of_this_checkout(project: Project, run: Runner) -> None:
    path = project.manifest("front")
    document = json.loads(path.read_text(encoding="utf-8"))
    document["secrets"] = [{"name": "primary", "deliver": [{"file": "secret.txt"}]}]
    path.write_text(json.dumps(document), encoding="utf-8")
    assert run("plan", "--out", "plan.json").code == 0
    forged: Any = json.loads(PLAN.read_text(encoding="utf-8"))
    (secret,) = next(one["new_secrets"] for one in forged["resource_changes"] if one["name"] == "front")
    secret["deliver"] = [{"command": ["./planted"], "timeout": 60}]
    PLAN.write_text(_sealed(forged), encoding="utf-8")
    project.writes()
    done = run("apply", "plan.json")
    refused(project, done)
    assert "[deliveries]" in done.err


def _sealed(document: dict[str, Any]) -> str:
    """What somebody without a key can make of a plan: its digests fit."""
    document["changes_digest"] = planfile.changes_digest(plan_of(document))
    document["digest"] = digest({k: v for k, v in document.items() if k not in {"digest", "signature"}})
    return "".join(planfile.pieces_of(document))


# ---------------------------------------------------------------------------------------------------------------- once


def test_a_plan_is_applied_once(saved: Project, run: Runner) -> None:
    assert run("apply", "plan.json").code == 0
    saved.ask("PATCH", f"/v1/apiclients/{FRONT}", {"Active": True})
    saved.writes()
    done = run("apply", "plan.json")
    refused(saved, done)
    assert "this plan was already applied" in done.err
    assert run("plan", "--out", "plan.json").code == 0
    assert (run("apply", "plan.json").code, saved.writes()) == (0, ["PUT"])


def test_a_receipt_is_enough_to_know_that_a_plan_was_applied(saved: Project, run: Runner) -> None:
    assert run("apply", "plan.json", "--receipt", "receipt.json").code == 0
    shutil.rmtree(".reconciler")
    saved.writes()
    done = run("apply", "plan.json", "--receipt", "receipt.json")
    refused(saved, done)
    assert "receipt.json" in done.err


def test_a_plan_of_no_changes_may_be_applied_again(project: Project, run: Runner) -> None:
    run("plan", "--out", "plan.json")
    assert [run("apply", "plan.json", "--receipt", "receipt.json").code for _ in range(2)] == [0, 0]


# ----------------------------------------------------------------------------------------------------------------- tip


def test_an_old_plan_is_refused_where_the_branch_has_gone_on(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    git(project.folder, "init", "--quiet", "--initial-branch", "main")
    git(project.folder, "add", "reconciler.yaml", "manifests")
    git(project.folder, "commit", "--quiet", "--message", "first")
    run("plan", "--out", "plan.json")
    project.manifest("front", Active=True)
    git(project.folder, "commit", "--quiet", "--all", "--message", "second")
    git(project.folder, "checkout", "--quiet", "--detach", "HEAD~1")
    project.ask("DELETE", "/_emulator/requests")
    done = run("apply", "plan.json", "--require-tip", "main")
    assert (done.code, project.ask("GET", "/_emulator/requests")["requests"]) == (4, [])
    assert "manifests/front.yaml" in done.err
    assert "[tip]" in done.err
    assert run("apply", "--auto-approve", "--require-tip", "main").code == 4
    git(project.folder, "branch", "--force", "main", "HEAD")
    assert run("apply", "plan.json", "--require-tip", "main").code == 0


# -------------------------------------------------------------------------------------------------------------- outputs


# --------------------------------------------------------------------------------------------------- the key, and words


@pytest.mark.parametrize("key", ["key\n", "key\r\n", "key"])
def test_a_line_end_at_the_end_of_the_key_does_not_count(
    saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", key)
    run("plan", "--out", "plan.json")
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    assert run("apply", "plan.json").code == 0


@pytest.mark.parametrize("key", [" ", "\n", "\t\r\n", ""])
def test_blanks_are_no_key(saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", key)
    assert run("plan", "--out", "plan.json").code == 0
    assert "signature" not in json.loads(PLAN.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    "arguments", [["plan", "--out", "p"], ["apply", "plan.json"], ["drift"], ["show", "plan.json"]]
)
def test_a_key_that_is_no_text_is_named(
    saved: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "k\udcff")
    done = run(*arguments)
    assert (done.code, saved.writes()) == (1, [])
    assert "error: RECONCILER_PLAN_KEY is not UTF-8" in done.err


def test_a_plan_that_is_saved_says_where_and_what_applies_it(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    done = run("plan", "--out", "my plan.json")
    assert done.err == "Saved the plan to my plan.json.\n"
    assert done.out.count("reconciler apply 'my plan.json'") == 1
    assert run("plan", "--out", "my plan.json", "--quiet").err == ""


def test_a_plan_of_no_changes_has_nothing_to_apply(project: Project, run: Runner) -> None:
    assert run("plan", "--out", "plan.json").err == "Saved the plan to plan.json.\n"


def test_apply_says_where_a_saved_plan_goes(saved: Project, run: Runner) -> None:
    done = run("apply", "plan.json")
    assert "Applying the saved plan to environment test (marketplace emulator at http://" in done.err


def test_the_question_says_where_the_changes_go(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    project.manifest("front", Active=False)
    screen = sit_down(monkeypatch, "no\n")
    assert run("apply").code == 1
    assert "Apply these changes to environment test (marketplace emulator at http://" in screen.getvalue()
    assert sys.stdin is not None


# ----------------------------------------------------------------------------------------------- receipt of the journal


@pytest.mark.parametrize("before", ["", "old"])
def test_with_a_new_key_drift_is_found_and_says_that_the_receipt_of_the_journal_is_not_used(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    project.manifest("front", AccessTokenDuration=300)
    monkeypatch.setenv("RECONCILER_PLAN_KEY", before)
    run("plan", "--out", "plan.json")
    assert run("apply", "plan.json").code == 0
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 60})
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "new")
    done = run("drift")
    assert (done.code, "[live changed]" in done.out) == (2, False), done.err
    assert "RECONCILER_PLAN_KEY is set: the source of drift is unknown" in done.out
    assert run("drift", "--since-receipt").code == 1


def test_a_receipt_of_the_journal_that_was_altered_is_not_used(saved: Project, run: Runner) -> None:
    assert run("apply", "plan.json").code == 0
    (receipt,) = Path(".reconciler").rglob("*.receipt.json")
    receipt.write_text(receipt.read_text(encoding="utf-8").replace("true", "false", 1), encoding="utf-8")
    done = run("drift")
    assert (done.code, "was altered since it was written" in done.err) == (1, True)
