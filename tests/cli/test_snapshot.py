import json
import socket
import stat
from pathlib import Path
from typing import NoReturn

import pytest

from tests.cli.conftest import FRONT, Project, Runner


@pytest.fixture
def offline(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A snapshot of the marketplace, and then a machine without credentials on which any connection fails the test."""
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"xp": {"a": 1}, "RefreshTokenDuration": 5})
    assert run("snapshot", "--out", "snapshot.json").code == 0

    def refuse(*_: object) -> NoReturn:
        raise AssertionError("a connection was opened")

    monkeypatch.delenv("OC_SECRET")
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    return project


def test_a_snapshot_is_for_its_owner_and_says_how_much_it_has(project: Project, run: Runner) -> None:
    done = run("snapshot", "--out", "snapshot.json")
    assert (done.code, done.out, done.err) == (0, "", "Saved 3 objects of test to snapshot.json.\n")
    assert stat.S_IMODE(Path("snapshot.json").stat().st_mode) == 0o600
    assert project.writes() == []
    assert run("snapshot", "--out", "snapshot.json", "--quiet").err == ""


def test_a_snapshot_in_a_folder_is_named_after_its_environment(project: Project, run: Runner) -> None:
    Path("snapshots").mkdir()
    assert run("snapshot", "--out", "snapshots").err == "Saved 3 objects of test to snapshots/test.json.\n"
    assert run("plan", "--from-snapshot", "snapshots").code == 0


def test_a_snapshot_holds_known_fields_and_no_secret(project: Project, run: Runner) -> None:
    body = {"AppName": "legacy", "AccessTokenDuration": 60, "ClientSecret": "planted-secret"}
    project.ask("POST", "/v1/apiclients", body)  # type: ignore[arg-type]  # JSON
    run("snapshot", "--out", "snapshot.json")
    text = Path("snapshot.json").read_text(encoding="utf-8")
    assert "planted-secret" not in text
    assert "ClientSecret" not in text
    fields = {name for one in json.loads(text)["resources"] for name in one["body"]}
    assert "Undocumented" not in fields
    assert "AssignedBuyerCount" not in fields
    assert "AppName" in fields


def test_a_plan_from_a_snapshot_contacts_nobody_and_is_the_same(offline: Project, run: Runner) -> None:
    offline.manifest("front", AccessTokenDuration=300, xp={"a": 2})
    done = run("plan", "--from-snapshot", "snapshot.json", "--detailed-exitcode")
    assert done.code == 2, done.err
    assert f"~ update ApiClient/front (id {FRONT}, manifests/front.yaml:1:1)" in done.out
    assert "AccessTokenDuration  600 -> 300" in done.out
    assert "xp/a                 1 -> 2" in done.out
    assert "to watch it, add to spec: Active: true, RefreshTokenDuration: 5\n" in done.out
    assert done.out.count("snapshot") == 2
    assert "created from a snapshot of 20" in done.out
    assert "secrets were not compared, and references were not looked up" in done.out


def test_a_plan_from_a_snapshot_is_marked_and_apply_refuses_it_with_4(offline: Project, run: Runner) -> None:
    offline.manifest("front", AccessTokenDuration=300)
    assert run("plan", "--from-snapshot", "snapshot.json", "--out", "plan.json").code == 0
    saved = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    taken = json.loads(Path("snapshot.json").read_text(encoding="utf-8"))["taken_at"]
    assert (saved["applyable"], saved["snapshot"]) == (False, taken)
    done = run("apply", "plan.json")
    assert (done.code, done.out) == (4, "")
    assert f"plan.json was made from a snapshot taken at {taken}, not from the service" in done.err
    assert run("show", "plan.json", "--format", "json").out == Path("plan.json").read_text(encoding="utf-8")


def test_what_would_be_created_is_judged_by_the_rules(offline: Project, run: Runner) -> None:
    offline.manifest("new", AccessTokenDuration=60, Active=True)
    done = run("plan", "--from-snapshot", "snapshot.json", "--format", "json")
    assert "[nobody-can-log-in]" in json.loads(done.out)["warnings"][-1]


def test_guards_judge_a_plan_from_a_snapshot(offline: Project, run: Runner) -> None:
    for name in ("one", "two", "three"):
        offline.manifest(name, AccessTokenDuration=60)
    assert "limit-changes: 3 resources would change" in run("plan", "--from-snapshot", "snapshot.json").out


def test_secrets_are_not_needed_and_not_compared(offline: Project, run: Runner) -> None:
    target = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    offline.configure(test=target | {"secrets": {"allow": ["FRONT_SECRET"]}})
    offline.manifest("front", AccessTokenDuration=600, ClientSecret={"fromEnv": "FRONT_SECRET"})
    assert "No changes." in run("plan", "--from-snapshot", "snapshot.json").out


def test_assignments_are_in_a_snapshot(project: Project, run: Runner) -> None:
    project.ask("PUT", "/v1/buyers/shop", {"Name": "shop", "Active": True})
    project.ask("POST", "/v1/apiclients/assignments", {"ApiClientID": FRONT, "BuyerID": "shop"})
    run("snapshot", "--out", "snapshot.json")
    path = project.manifest("front", AccessTokenDuration=600)
    document = json.loads(path.read_text(encoding="utf-8")) | {"assignments": {"buyers": ["Shop", "other"]}}
    path.write_text(json.dumps(document), encoding="utf-8")
    planned = run("plan", "--from-snapshot", "snapshot.json").out
    assert "      + other\n" in planned
    assert "shop" not in planned.casefold()


@pytest.mark.parametrize(
    ("member", "value", "code", "words"),
    [
        ("marketplace", "another", 3, "but the snapshot is of emulator at http"),
        ("url", "https://other.example.com", 1, "the snapshot is of base URL"),
    ],
)
def test_a_snapshot_of_something_else_is_refused(
    offline: Project, run: Runner, member: str, value: str, code: int, words: str
) -> None:
    target = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    offline.configure(test=target | {member: value})
    done = run("plan", "--from-snapshot", "snapshot.json")
    assert (done.code, done.out) == (code, "")
    assert words in done.err


def test_a_snapshot_of_another_environment_is_refused(offline: Project, run: Runner) -> None:
    target = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    offline.configure(other=target)
    done = run("plan", "--from-snapshot", "snapshot.json")
    assert (done.code, done.err) == (1, "error: the snapshot is of environment test, not other\n")


def test_an_altered_or_unsigned_snapshot_is_refused(
    offline: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path("snapshot.json").read_text(encoding="utf-8")
    Path("altered.json").write_text(text.replace('"RefreshTokenDuration": 5', '"RefreshTokenDuration": 6'))
    assert "altered.json was altered since it was written" in run("plan", "--from-snapshot", "altered.json").err
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    assert "snapshot.json is not signed, but RECONCILER_PLAN_KEY" in run("plan", "--from-snapshot", "snapshot.json").err


def test_a_snapshot_is_signed_where_there_is_a_key(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    run("snapshot", "--out", "snapshot.json")
    assert run("plan", "--from-snapshot", "snapshot.json").code == 0
    monkeypatch.delenv("RECONCILER_PLAN_KEY")
    assert run("plan", "--from-snapshot", "snapshot.json").code == 0


def test_the_wrong_marketplace_is_not_kept(project: Project, run: Runner) -> None:
    text = Path("reconciler.yaml").read_text(encoding="utf-8")
    Path("reconciler.yaml").write_text(text.replace('"emulator"', '"another"'), encoding="utf-8")
    assert run("snapshot", "--out", "snapshot.json").code == 3
    assert not Path("snapshot.json").exists()


def test_a_snapshot_needs_a_file(project: Project, run: Runner) -> None:
    assert run("snapshot").code == 64
