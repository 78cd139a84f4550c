"""`secrets rotate` is as guarded and as well recorded as apply; `--due` rotates what is due, and nothing twice."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BACK, FRONT, Completer, Project, Runner
from tests.cli.test_apply import sit_down
from tests.cli.test_secrets import OPEN, SECRET, delivered, expire, list_secrets, logs_in, names
from tests.cli.test_secrets import shop as shop  # noqa: PLC0414  # the fixture, under its own name

ROTATE = ("secrets", "rotate", "ApiClient/front")
DUE = ("secrets", "rotate", "--due")


def configure(project: Project, **fields: Any) -> None:
    document = json.loads((project.folder / "reconciler.yaml").read_text())
    document["environments"]["test"] |= fields
    (project.folder / "reconciler.yaml").write_text(json.dumps(document))


def soon() -> str:
    return (datetime.now(UTC) + timedelta(hours=5)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def two(shop: Project, run: Runner) -> Project:
    """The clients `front` and `back`, each with a secret that apply made; that of `front` expires soon."""
    path = shop.manifest("back", **OPEN)
    wanted = SECRET | {"deliver": [{"file": "../out/back"}]}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": [wanted]}))
    assert run("apply", "--auto-approve", "--quiet").code == 0
    expire(shop, "primary", soon())
    shop.writes()
    return shop


# ------------------------------------------------------------------------------------------------------------- consent


def test_it_shows_its_steps_and_asks(shop: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = sit_down(monkeypatch, "no\n")
    assert (run(*ROTATE).code, shop.writes()) == (1, [])
    assert "  create a new secret primary" in screen.getvalue()
    assert f"ApiClient/front, secret primary (client {FRONT})" in screen.getvalue()
    assert "Only 'yes' is accepted" in screen.getvalue()
    sit_down(monkeypatch, "yes\n")
    assert (run(*ROTATE).code, names(shop)) == (0, ["primary", "primary.retired"])


def test_without_a_terminal_it_needs_auto_approve(shop: Project, run: Runner) -> None:
    refused = run(*ROTATE)
    assert (refused.code, shop.writes()) == (1, [])
    assert "  create a new secret primary" in refused.out
    assert "cannot ask for approval: not a terminal; nothing was written\n  hint: add --auto-approve" in refused.err


def test_what_is_due_by_the_time_of_the_answer_is_what_was_shown(
    shop: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    sit_down(monkeypatch, "")

    class Slow:
        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            (made,) = shop.ask("GET", f"/v1/apiclients/{FRONT}/secrets")["Items"]
            shop.ask("PATCH", f"/v1/apiclients/{FRONT}/secrets/{made['ID']}", {"Name": "other"})
            shop.writes()
            return "yes\n"

    monkeypatch.setattr("sys.stdin", Slow())
    assert (run(*ROTATE).code, shop.writes()) == (1, [])


# -------------------------------------------------------------------------------------------------------------- guards


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("fields", "secret", "rule"),
    [
        ({"freeze": [{"from": "2020-01-01", "to": "2999-01-01", "reason": "closing"}]}, {}, "freeze"),
        ({"limits": {"changes": 0}}, {}, "limit-changes"),
        ({"limits": {"changesPercent": 10}}, {}, "limit-changes-percent"),
        ({"protected": ["front"]}, {"overlap": "0"}, "protected"),
    ],
    ids=["freeze", "changes", "percent", "protected"],
)
def test_what_the_guards_of_apply_refuse_is_refused_and_can_be_acknowledged(
    shop: Project, run: Runner, fields: dict[str, Any], secret: dict[str, Any], rule: str
) -> None:
    configure(shop, **fields)
    list_secrets(shop, SECRET | secret)
    refused = run(*ROTATE, "--auto-approve")
    assert (refused.code, shop.writes(), f"{rule}: " in refused.err) == (3, [], True)
    digits = refused.err.rpartition("--ack ")[2].split()[0]
    assert run(*ROTATE, "--auto-approve", "--ack", "0" * 12).code == 3
    shown = run(*ROTATE, "--dry-run")
    assert (shown.code, f"--ack {digits}" in shown.out) == (0 if rule == "freeze" else 3, True)
    assert run(*ROTATE, "--auto-approve", "--ack", digits).code == 0


def test_a_protected_client_is_rotated_with_an_overlap(shop: Project, run: Runner) -> None:
    configure(shop, protected=["front"])
    assert run(*ROTATE, "--auto-approve").code == 0


# ----------------------------------------------------------------------------------------------------------------- due


def test_due_rotates_exactly_what_is_due_and_nothing_twice(two: Project, run: Runner) -> None:
    status = run("secrets", "status")
    assert (status.code, "1 secret is due for rotation" in status.out) == (2, True)
    first = run(*DUE, "--auto-approve", "--format", "json")
    (rotation,) = json.loads(first.out)["rotations"]
    assert (first.code, rotation["address"], rotation["status"]) == (0, "ApiClient/front", "completed")
    assert names(two) == ["primary", "primary.retired"]
    assert run("secrets", "status").code == 0
    two.writes()
    for _ in range(3):
        again = run(*DUE, "--auto-approve")
        assert (again.code, two.writes(), "no secret is due" in again.out) == (0, [], True)
    assert logs_in(two, delivered(two))


def test_due_of_what_is_selected_or_addressed_alone(two: Project, run: Runner) -> None:
    for arguments in (("ApiClient/back",), ("--only", "ApiClient/b*"), ("--selector", "team=web")):
        shown = run(*DUE, *arguments, "--dry-run")
        assert (shown.code, "ApiClient/front" in shown.out) in {(0, False), (64, False)}
    assert "ApiClient/front" in run(*DUE, "apiclient/FRONT", "--dry-run").out
    assert run(*DUE, "ApiClient/front", "--only", "x").code == 64
    assert run("secrets", "rotate").code == 64
    assert run(*DUE, "--secret", "primary").code == 64


def test_one_that_cannot_be_rotated_does_not_keep_the_others_from_it(two: Project, run: Runner) -> None:
    for one in two.ask("GET", f"/v1/apiclients/{BACK}/secrets")["Items"]:
        two.ask("PATCH", f"/v1/apiclients/{BACK}/secrets/{one['ID']}", {"Expiration": soon()})
    path = two.folder / "manifests" / "back.yaml"
    path.write_text(path.read_text().replace('"file": "../out/back"', '"command": ["false"]'))
    done = run(*DUE, "--auto-approve")
    assert (done.code, "Rotation: 1 completed, 1 failed." in done.out) == (5, True)
    assert names(two) == ["primary", "primary.retired"]


def test_a_login_that_is_refused_never_looks_like_due(
    two: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OC_SECRET", "wrong")
    for arguments in (("secrets", "status"), (*DUE, "--auto-approve")):
        assert run(*arguments).code == 1


def test_what_else_needs_somebody_is_not_due(shop: Project, run: Runner) -> None:
    shop.ask("POST", f"/v1/apiclients/{FRONT}/secrets", {"Name": "stranger"})
    status = run("secrets", "status")
    assert (status.code, "1 secret needs attention" in status.out) == (0, True)
    assert "no secret is due" in run(*DUE, "--auto-approve").out


# ------------------------------------------------------------------------------------------------------------- history


def test_history_tells_a_failed_rotation_from_a_good_one_and_names_the_client(shop: Project, run: Runner) -> None:
    list_secrets(shop, SECRET | {"deliver": [{"command": ["false"]}]})
    assert run(*ROTATE, "--auto-approve").code == 5
    list_secrets(shop, SECRET)
    assert run(*ROTATE, "--auto-approve").code == 0
    _, _, failed, good = run("history").out.splitlines()
    assert failed.endswith("1 failed (ApiClient/front primary)")
    assert good.endswith("1 completed (ApiClient/front primary)")
    _, first, second = json.loads(run("history", "--format", "json").out)["runs"]
    (turn,) = first["rotations"]
    assert (turn["address"], turn["client_id"], turn["status"]) == ("ApiClient/front", FRONT, "failed")
    assert "exited with 1" in turn["message"]
    assert second["rotations"][0]["status"] == "completed"


def test_a_rotation_is_shown_step_by_step(shop: Project, run: Runner) -> None:
    list_secrets(shop, SECRET | {"deliver": [{"command": ["false"]}]})
    run(*ROTATE, "--auto-approve")
    shown = run("history", "show", "last").out
    assert "marketplace   emulator at http://127.0.0.1:" in shown
    assert f"failed         ApiClient/front, secret primary (client {FRONT}): command false exited with 1" in shown
    assert "  done   create a new secret primary, valid until 20" in shown
    assert "  begun  deliver it to command false" in shown
    assert "  left   confirm it as primary" in shown
    steps = json.loads(run("history", "show", "last", "--format", "json").out)["rotations"][0]["steps"]
    assert [step["state"] for step in steps] == ["done", "done", "begun", "left", "left"]


def test_a_rotation_that_was_cut_off_is_told_as_such(shop: Project, run: Runner) -> None:
    run(*ROTATE, "--auto-approve")
    path = max(Path(".reconciler/runs").glob("*.jsonl"), key=lambda one: one.name)
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:4]))
    assert "1 interrupted, or still running (ApiClient/front primary)" in run("history").out
    assert "interrupted, or still running  ApiClient/front" in run("history", "show", "last").out
    path.write_text(path.read_text().replace('"turns":[', '"turns":[1,'))
    assert "is not in the format of this version" in run("history").out


def test_the_timeline_of_a_page_tells_them_apart(shop: Project, run: Runner) -> None:
    list_secrets(shop, SECRET | {"deliver": [{"command": ["false"]}]})
    run(*ROTATE, "--auto-approve")
    page = run("drift", "--format", "html").out
    assert "1 failed (ApiClient/front primary)" in page


def test_a_rotation_is_completed_for_history_and_not_for_rollback_which_cannot_undo_it(
    shop: Project, run: Runner, completed: Completer
) -> None:
    assert run(*ROTATE, "--auto-approve").code == 0
    offered = {"history show": 2, "rollback": 1}  # the first run is an apply
    assert {name: completed("reconciler", *name.split(), "2").count("plain,2") for name in offered} == offered
