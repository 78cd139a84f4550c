import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET
from reconciler.model.json import Json
from tests.cli.conftest import Project, Run, Runner
from tests.remote.test_http_sockets import closed_port


def checks(done: Run) -> dict[str, Any]:
    return {check["name"]: check for check in json.loads(done.out)["checks"]}


def silent(port: int, **auth: Json) -> Json:
    """An environment where nobody answers."""
    return {"url": f"http://127.0.0.1:{port}", "marketplace": "shop", "auth": auth}


def test_a_sound_environment_exits_with_0_and_needs_no_manifests(project: Project, run: Runner) -> None:
    shutil.rmtree(project.folder / "manifests")
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert "ok       marketplace           emulator, as configured\n" in done.out
    assert "ok       host                  127.0.0.1 is this machine, which is allowed by default\n" in done.out
    assert "  127.0.0.1 answers; TLS is not needed" in done.out
    assert done.out.endswith("Healthy: 1 with a warning, 13 ok, 4 for information.\n")
    assert project.writes() == []


def test_required_secrets_that_manifests_leave_out_are_named(project: Project, run: Runner) -> None:
    path = project.folder / "manifests" / "event.yaml"
    head = {"apiVersion": "reconciler/v1", "kind": "IntegrationEvent", "metadata": {"name": "checkout"}}
    spec = {"Name": "C", "EventType": "OrderCheckout", "CustomImplementationUrl": "https://a.example.com"}
    path.write_text(json.dumps(head | {"spec": spec | {"CustomAuthHeaderName": "x-key"}}))
    one = checks(run("doctor", "--format", "json"))["secrets-for-create"]
    assert (one["status"], one["found"].partition(": ")[2]) == (
        "warning",
        "IntegrationEvent/checkout: CustomAuthHeaderValue, IntegrationEvent/checkout: HashKey",
    )
    path.write_text(json.dumps(head | {"spec": spec | {"HashKey": {"fromEnv": "KEY"}}}))
    assert checks(run("doctor", "--format", "json"))["secrets-for-create"]["status"] == "ok"


def test_the_kinds_of_the_manifests_are_those_in_use(project: Project, run: Runner) -> None:
    path = project.folder / "manifests" / "staff.yaml"
    manifest = {"apiVersion": "reconciler/v1", "kind": "SecurityProfile", "metadata": {"name": "staff"}}
    path.write_text(json.dumps(manifest | {"spec": {"Name": "Staff"}, "assignments": {"seller": True}}))
    found = checks(run("doctor", "--format", "json"))["roles-for-plan"]["found"]
    assert found == "FullAccess; 3 API clients, 0 security profiles could be read"


def test_the_json_document_has_the_same_checks(project: Project, run: Runner) -> None:
    document = json.loads(run("doctor", "--env", "test", "--format", "json").out)
    assert (document["format_version"], document["ok"], document["environment"]) == ("1.0", True, "test")
    assert {check["status"] for check in document["checks"]} == {"ok", "info", "warning"}
    assert len(document["checks"]) == 18


def test_a_missing_credential_is_named_and_exits_with_1(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OC_SECRET")
    done = run("doctor")
    assert (done.code, done.err) == (1, "")
    assert "failed   credentials           the environment variable OC_SECRET is not set" in done.out
    assert "skipped  login                 needs credentials, which failed" in done.out
    assert project.writes() == []


def test_a_wrong_secret_is_not_shown(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_SECRET", "canary")
    done = run("doctor", "--format", "json")
    assert (done.code, done.err) == (1, "")
    assert checks(done)["login"]["status"] == "failed"
    assert "canary" not in done.out


def test_all_references_of_a_password_login_are_looked_up(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    password: dict[str, Json] = {"username": "ann", "password": {"fromFile": "pass.txt"}}
    project.configure(test=silent(closed_port(), clientId={"fromEnv": "OC_ID"}, **password))
    monkeypatch.setenv("OC_ID", "canary")
    found = checks(run("doctor", "--format", "json"))["credentials"]
    assert found["found"] == "the secret file pass.txt cannot be read: No such file or directory"
    (project.folder / "pass.txt").write_text("canary")
    found = checks(run("doctor", "--format", "json"))["credentials"]
    assert found["found"] == "set and not empty: clientId {fromEnv: OC_ID}, password {fromFile: pass.txt}"


def test_a_service_that_is_not_there_is_found_out_before_the_login(project: Project, run: Runner) -> None:
    port = closed_port()
    project.configure(test=silent(port, clientId="id", clientSecret={"fromEnv": "OC_SECRET"}))
    found = checks(run("doctor", "--format", "json"))
    assert found["network"]["found"] == f"no connection to 127.0.0.1:{port}: Connection refused"
    assert found["login"]["status"] == "skipped"


def test_the_wrong_marketplace_fails_and_exits_with_1(project: Project, run: Runner) -> None:
    text = (project.folder / "reconciler.yaml").read_text()
    (project.folder / "reconciler.yaml").write_text(text.replace('"emulator"', '"other"'))
    done = run("doctor", "--format", "json")
    assert done.code == 1
    found = checks(done)["marketplace"]["found"]
    assert "configured for marketplace other, but the credentials are for emulator" in found
    assert checks(done)["roles-for-plan"]["status"] == "skipped"


def test_an_embedded_emulator_is_examined_without_credentials(project: Project, run: Runner) -> None:
    project.configure(local={"emulator": {"seed": "seed.json", "profile": "legacy"}})
    done = run("doctor")
    assert (done.code, done.err) == (0, "")
    assert "legacy: API clients show their ClientSecret" in done.out
    assert ADMIN_CLIENT_SECRET not in done.out


def test_an_emulator_that_cannot_start_is_a_failed_login(project: Project, run: Runner) -> None:
    project.configure(local={"emulator": {"seed": "nowhere.json"}})
    done = run("doctor", "--format", "json")
    assert (done.code, checks(done)["login"]["status"]) == (1, "failed")
    assert "nowhere.json" in checks(done)["login"]["found"]


def test_faults_of_the_configuration_are_shown_as_ever(project: Project, run: Runner) -> None:
    project.configure(test={"url": "http://shop.example", "marketplace": "shop"})
    done = run("doctor")
    assert (done.code, done.out) == (1, "")
    assert "reconciler.yaml:1:" in done.err


def test_without_a_configuration_there_is_nothing_to_examine(
    run: Runner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run("doctor")
    assert (done.code, done.out) == (1, "")
    assert "there is no reconciler.yaml" in done.err


def test_a_plan_key_is_told_by_its_presence(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "canary")
    done = run("doctor", "--format", "json")
    assert checks(done)["plan-key"]["found"].startswith("RECONCILER_PLAN_KEY is set")
    assert "canary" not in done.out


def test_names_from_the_service_are_escaped(project: Project, run: Runner) -> None:
    own = project.ask("GET", f"/v1/apiclients/{ADMIN_CLIENT_ID}")
    project.ask("PUT", f"/v1/apiclients/{ADMIN_CLIENT_ID}", {**own, "AppName": "a\x1b[2J\u202e"})
    done = run("doctor")
    assert "a\\u001b[2J\\u202e (00000000-" in done.out
    assert done.out.replace("\n", "").isprintable()
