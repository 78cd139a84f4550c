"""Several marketplaces, one set of manifests: what differs in one of them becomes its overlays."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.config import load_config
from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.model.json import Json
from tests.builders import by_address
from tests.cli.conftest import BACK, FRONT, Runner
from tests.service import client_id

KIOSK = client_id(0xC)
FIRST: list[dict[str, Any]] = [
    {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600, "RefreshTokenDuration": 900}
    | {"xp": {"a": {"b": 1, "c": 2}, "gone": True}, "DefaultContextUserName": "guest"},
    {"ID": BACK, "AppName": "back", "Active": True, "AccessTokenDuration": 60},
]
SECOND: list[dict[str, Any]] = [
    {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 300}
    | {"xp": {"a": {"b": 1, "c": 3}, "new": "${x}"}, "MaximumGrantedRoles": ["Shopper"]},
    {"ID": KIOSK, "AppName": "kiosk", "Active": True, "AccessTokenDuration": 60},
]
USERS: list[dict[str, Any]] = [
    {"ID": "u", "Username": "guest", "BuyerID": "b", "FirstName": "A", "LastName": "B", "Email": "a@b.example"}
]
WATCHING: dict[str, Json] = {
    "defaults": {"policy": {"fields": "exclusive", "assignments": "watch"}},
    "drift": {"unmanaged": "fail"},
}


def seed(name: str, clients: list[dict[str, Any]], *buyers: str) -> Json:
    """An environment whose marketplace has these clients, the buyers assigned to the first."""
    rows = [{"ApiClientID": clients[0]["ID"], "BuyerID": buyer} for buyer in buyers]
    objects = {
        "ApiClients": clients,
        "Buyers": [{"ID": one, "Name": one, "Active": True} for one in ("b", "c")],
        "Users": [{**one, "Active": True} for one in USERS],
    }
    Path(f"{name}.json").write_text(
        json.dumps({"Objects": objects, "Assignments": {"ApiClientAssignments": rows}}), encoding="utf-8"
    )
    return {"marketplace": f"shop-{name}", "emulator": {"seed": f"{name}.json"}}


@pytest.fixture
def shops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two marketplaces that differ, and manifests of the first."""
    monkeypatch.chdir(tmp_path)
    environments = {"first": seed("first", FIRST, "b"), "second": seed("second", SECOND, "b", "c")}
    document: dict[str, Json] = {
        "apiVersion": "reconciler/v1",
        "kind": "Config",
        "manifests": ["manifests/"],
        **WATCHING,
    }
    config = tmp_path / "reconciler.yaml"
    config.write_text(json.dumps({**document, "environments": environments}, indent=2), encoding="utf-8")
    return tmp_path


def in_step(run: Runner, environment: str) -> None:
    done = run("plan", "--env", environment, "--detailed-exitcode")
    assert (done.code, done.err) == (0, ""), done.out
    drift = run("drift", "--env", environment)
    assert (drift.code, drift.err) == (0, ""), drift.out


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}


def test_what_differs_becomes_overlays_and_both_environments_are_in_step(shops: Path, run: Runner) -> None:
    assert run("export", "--env", "first", "--write").code == 0
    before = contents(shops / "manifests")
    done = run("export", "--into-overlay", "second", "--write")
    assert (done.code, done.err) == (0, "")
    assert "Only in second: ApiClient/kiosk. " in done.out
    after = contents(shops / "manifests")
    assert "# Exists only in environments whose overlay sets state: present." in after["kiosk.yaml"].splitlines()
    assert {name: after[name] for name in before} == before
    assert sorted(contents(shops / "overlays" / "second")) == ["back.yaml", "front.yaml", "kiosk.yaml"]
    assert contents(shops / "overlays" / "second")["front.yaml"] == (
        "# From marketplace shop-second: what differs in second.\n"
        "apiVersion: reconciler/v1\n"
        "kind: ApiClient\n"
        "metadata:\n"
        "  name: front\n"
        "spec:\n"
        "  AccessTokenDuration: 300\n"
        "  RefreshTokenDuration: 0\n"
        "  DefaultContextUserName: null\n"
        "  MaximumGrantedRoles: [Shopper]\n"
        "  xp:\n"
        "    a:\n"
        "      c: 3\n"
        '    new: "$${x}"\n'
        "    gone: null\n"
        "assignments:\n"
        "  buyers: [b, c]\n"
    )
    environments = load_config(shops / "reconciler.yaml").environments
    assert environments["second"].overlays == (shops / "overlays" / "second",)
    assert environments["first"].ids == by_address({"front": FRONT, "back": BACK})
    assert environments["second"].ids == by_address({"front": FRONT, "kiosk": KIOSK})
    in_step(run, "first")
    in_step(run, "second")
    assert "Nothing to write." in run("export", "--into-overlay", "second", "--write").out
    assert "Nothing to write." in run("export", "--env", "first").out


def test_overlays_that_are_there_get_what_differs_by_now(shops: Path, run: Runner) -> None:
    run("export", "--env", "first", "--write")
    run("export", "--into-overlay", "second", "--write")
    overlay = shops / "overlays" / "second" / "front.yaml"
    overlay.write_text(overlay.read_text(encoding="utf-8").replace("300\n", "300   # agreed\n"), encoding="utf-8")
    seed(
        "second", [SECOND[0] | {"RefreshTokenDuration": 500, "xp": {"a": {"b": 2, "c": 3}}}, *SECOND[1:], FIRST[1]], "c"
    )
    shown = run("export", "--into-overlay", "second")
    assert "Nothing was written." in shown.out
    assert "+  RefreshTokenDuration: 500\n" in shown.out
    assert run("export", "--into-overlay", "second", "--write").code == 0
    in_step(run, "second")
    in_step(run, "first")
    assert "300   # agreed\n" in overlay.read_text(encoding="utf-8")


def test_a_value_of_the_environment_is_overlaid_like_any_other(shops: Path, run: Runner) -> None:
    run("export", "--env", "first", "--write")
    config = json.loads((shops / "reconciler.yaml").read_text(encoding="utf-8"))
    for environment in config["environments"].values():
        environment["values"] = {"minutes": 600}
    (shops / "reconciler.yaml").write_text(json.dumps(config), encoding="utf-8")
    front = shops / "manifests" / "front.yaml"
    text = front.read_text(encoding="utf-8")
    front.write_text(
        text.replace("AccessTokenDuration: 600", "AccessTokenDuration: ${values.minutes}"), encoding="utf-8"
    )
    assert run("export", "--into-overlay", "second", "--write").code == 0
    in_step(run, "second")


def test_null_in_xp_stays_where_it_is_and_is_left_out_where_an_overlay_would_have_to_say_it(
    shops: Path, run: Runner
) -> None:
    seed("first", [FIRST[0] | {"xp": {"a": {"n": None, "b": 1}}}])
    seed("second", [FIRST[0] | {"xp": {"a": {"n": None, "b": 2}}}])
    run("export", "--env", "first", "--write")
    assert "an overlay cannot express" not in run("export", "--into-overlay", "second", "--write").out
    in_step(run, "second")
    seed("second", [FIRST[0] | {"xp": {"a": {"n": None, "b": None}}}])
    assert "ApiClient/front xp.a.b: the live value contains null, which an overlay cannot express" in (
        run("export", "--into-overlay", "second").out
    )


def test_an_import_fills_overlays_too(shops: Path, run: Runner) -> None:
    run("import", "first.json", "--env", "first", "--write")
    assert run("import", "second.json", "--into-overlay", "second", "--write").code == 0
    in_step(run, "first")
    in_step(run, "second")


def test_a_protected_manifest_cannot_be_absent_and_that_is_said(shops: Path, run: Runner) -> None:
    run("export", "--env", "first", "--write")
    back = shops / "manifests" / "back.yaml"
    back.write_text(back.read_text(encoding="utf-8") + "policy: {protected: true}\n", encoding="utf-8")
    done = run("export", "--into-overlay", "second", "--write")
    assert "ApiClient/back everything: it does not exist here, but is protected" in done.out
    assert not (shops / "overlays" / "second" / "back.yaml").exists()


def test_only_what_is_asked_for_is_exported(shops: Path, run: Runner) -> None:
    assert run("export", "--env", "first", "--only", "ApiClient/fr*", "--write").code == 0
    assert sorted(contents(shops / "manifests")) == ["front.yaml"]
    run("export", "--env", "first", "--only", "back", "--write")
    assert sorted(contents(shops / "manifests")) == ["back.yaml", "front.yaml"]
    missing = run("export", "--env", "first", "--only", "frnt", "--write")
    assert missing.code == 1
    assert "--only frnt matches no live object\n  hint: did you mean" in missing.err


def test_a_client_is_exported_by_the_id_that_drift_lists_but_no_pattern_matches_an_id(shops: Path, run: Runner) -> None:
    run("export", "--env", "first", "--only", f"ApiClient/{FRONT.lower()}", "--write")
    assert sorted(contents(shops / "manifests")) == ["front.yaml"]
    assert run("export", "--env", "first", "--only", f"ApiClient/{FRONT[:4]}*").code == 1


def test_the_client_of_the_login_is_left_out_unless_asked_for(shops: Path, run: Runner) -> None:
    done = run("export", "--env", "first", "--write")
    named = f'ApiClient/{ADMIN_CLIENT_ID} "Emulator Administration"'
    assert f"{named} everything: this run logs in with it; to export it, add" in done.out
    assert done.out.count(ADMIN_CLIENT_ID) == 1
    assert sorted(contents(shops / "manifests")) == ["back.yaml", "front.yaml"]
    run("export", "--env", "first", "--own-client", "--write")
    assert sorted(contents(shops / "manifests")) == ["back.yaml", "emulator-administration.yaml", "front.yaml"]


def test_an_overlay_is_of_the_environment_that_is_read(shops: Path, run: Runner) -> None:
    done = run("export", "--env", "first", "--into-overlay", "second")
    assert (done.code, "--into-overlay selects second, but --env selects first" in done.err) == (64, True)
    assert run("export", "--into-overlay", "none").code == 64
    assert shops.joinpath("manifests").exists() is False
