import json
from pathlib import Path

import pytest

from reconciler.model.json import Json
from tests.cli.conftest import Project, Runner


def auth_of(project: Project, **auth: Json) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    environment = document["environments"]["test"]
    project.configure(test=environment | {"auth": auth})


def test_credentials_may_come_from_files_and_variables(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    monkeypatch.setenv("OC_ID", str(document["environments"]["test"]["auth"]["clientId"]))
    (project.folder / "secret").write_text("emulator-admin-secret\n", encoding="utf-8")
    auth_of(project, clientId={"fromEnv": "OC_ID"}, clientSecret={"fromFile": "secret"})
    assert run("plan").code == 0


def test_all_credentials_that_are_missing_are_named_with_what_they_are_for(project: Project, run: Runner) -> None:
    auth_of(project, clientId={"fromEnv": "OC_ID"}, username="u", password={"fromFile": "none"})
    assert run("plan").err == (
        "error: environment test is missing credentials: auth.clientId: the environment variable OC_ID is not set; "
        "auth.password: the secret file none cannot be read: No such file or directory\n"
        "  hint: set them where this runs; in CI, pass them to the step\n"
    )


def test_a_user_may_log_in_with_a_password(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OC_PASSWORD", "wrong")
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    auth = document["environments"]["test"]["auth"]
    auth_of(project, **auth, username="robot", password={"fromEnv": "OC_PASSWORD"})
    done = run("plan")
    assert done.code == 1
    grants = [one for one in project.ask("GET", "/_emulator/requests")["requests"] if one["path"] == "/oauth/token"]
    assert grants[0]["status"] in {400, 401}
    assert "wrong" not in done.err


def test_a_scope_narrows_what_the_token_may_do(project: Project, run: Runner) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))
    auth_of(project, **document["environments"]["test"]["auth"], scope="ApiClientReader")
    project.manifest("front", AccessTokenDuration=60)
    assert run("plan", "--detailed-exitcode").code == 2
    done = run("apply", "--auto-approve")
    assert done.code in {1, 5}
    assert "InsufficientRoles" in done.out


def test_a_plan_knows_a_secret_by_its_fingerprint_only(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded: Json = {"seed": "seed.json", "state": "state.db", "profile": "legacy"}
    project.configure(old={"emulator": embedded, "secrets": {"allow": ["SHOP_SECRET"]}})
    project.manifest("front", AccessTokenDuration=600, ClientSecret={"fromEnv": "SHOP_SECRET"})
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "key")
    monkeypatch.setenv("SHOP_SECRET", "first-s3cret")
    planned = run("plan", "--out", "plan.json")
    monkeypatch.setenv("SHOP_SECRET", "second-s3cret")
    refused = run("apply", "plan.json")
    assert refused.code == 4
    assert "has changed since the plan was made" in refused.err
    monkeypatch.setenv("SHOP_SECRET", "first-s3cret")
    assert run("apply", "plan.json").code == 0
    assert "ClientSecret  (secret, will be set)" in planned.out
    assert "s3cret" not in planned.out + refused.err + Path("plan.json").read_text(encoding="utf-8")


def test_a_secret_file_is_found_from_any_folder(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    project.configure(old={"emulator": {"seed": "seed.json", "profile": "legacy"}})
    project.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": "../shop.secret"})
    (project.folder / "shop.secret").write_text("s3cret\n", encoding="utf-8")
    monkeypatch.chdir(project.folder / "manifests")
    done = run("plan")
    assert done.code == 0
    assert "(secret, will be set)" in done.out


def test_an_embedded_emulator_is_the_marketplace_that_its_environment_names(project: Project, run: Runner) -> None:
    project.configure(one={"emulator": {}, "marketplace": "shop-one"}, two={"emulator": {}, "marketplace": "shop-two"})
    plans = [json.loads(run("plan", "--env", name, "--format", "json").out) for name in ("one", "two")]
    assert [plan["binding"]["marketplace"] for plan in plans] == ["shop-one", "shop-two"]
    ids = {change["id"] for plan in plans for change in plan["resource_changes"] if change["name"] == "front"}
    assert len(ids) == len(plans)
