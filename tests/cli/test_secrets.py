"""`secrets rotate` as a user runs it, and where secrets come from, against an emulator behind a socket."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.secrets.rotation import Done, RotationTools
from tests.cli.conftest import FRONT, Project, Runner

OPEN: dict[str, Any] = {"AccessTokenDuration": 600, "AllowSeller": True, "DefaultContextUserName": "emulator-admin"}
SECRET = {"name": "primary", "maxAge": "90d", "overlap": "1d", "deliver": [{"file": "../out/front"}]}


@pytest.fixture
def shop(project: Project, run: Runner) -> Project:
    """The client `front` with a secret that apply made and delivered."""
    project.manifest("front", **OPEN)
    list_secrets(project, SECRET)
    assert run("apply", "--auto-approve", "--quiet").code == 0
    project.writes()
    return project


def list_secrets(project: Project, *secrets: Any) -> None:
    path = project.folder / "manifests" / "front.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": list(secrets)}))


def delivered(project: Project) -> str:
    return (project.folder / "out" / "front").read_text()


def logs_in(project: Project, value: str) -> bool:
    config = json.loads((project.folder / "reconciler.yaml").read_text())
    login = {"grant_type": "client_credentials", "client_id": FRONT, "client_secret": value}
    return httpx.post(f"{config['environments']['test']['url']}/oauth/token", data=login).is_success


def names(project: Project) -> list[str]:
    return sorted(one["Name"] for one in project.ask("GET", f"/v1/apiclients/{FRONT}/secrets")["Items"])


def expire(project: Project, name: str, moment: str) -> None:
    for one in project.ask("GET", f"/v1/apiclients/{FRONT}/secrets")["Items"]:
        if one["Name"] == name:
            project.ask("PATCH", f"/v1/apiclients/{FRONT}/secrets/{one['ID']}", {"Expiration": moment})


# -------------------------------------------------------------------------------------------------------------- rotate


def test_a_new_secret_logs_in_after_a_rotation_and_so_does_the_old_one(shop: Project, run: Runner) -> None:
    old = delivered(shop)
    done = run("secrets", "rotate", "ApiClient/front", "--auto-approve", "--secret", "primary")
    assert (done.code, done.err.count("  would  ")) == (0, 5)
    assert done.out.count("  done   ") == 5
    assert "In overlap: run it again after 20" in done.out
    assert delivered(shop) != old
    assert logs_in(shop, delivered(shop))
    assert logs_in(shop, old)
    assert names(shop) == ["primary", "primary.retired"]
    again = run("secrets", "rotate", "apiclient/front", "--auto-approve")
    assert (again.code, "wait" in again.out, names(shop)) == (0, True, ["primary", "primary.retired"])


def test_a_dry_run_shows_the_steps_and_writes_nothing(shop: Project, run: Runner) -> None:
    shown = run("secrets", "rotate", "ApiClient/front", "--dry-run")
    assert (shown.code, shown.out.count("would"), shop.writes()) == (0, 5, [])
    assert "Dry run: nothing was written." in shown.out
    assert not list((shop.folder / ".reconciler").glob("runs/*rotation*"))


def test_a_rotation_is_in_the_journal_and_its_value_is_not(shop: Project, run: Runner) -> None:
    run("secrets", "rotate", "ApiClient/front", "--auto-approve")
    (journal,) = [
        text
        for path in (shop.folder / ".reconciler" / "runs").iterdir()
        if '"kind":"rotation"' in (text := path.read_text())
    ]
    assert journal.count("secret-step-begun") == journal.count("secret-step-done") == 5
    assert delivered(shop) not in journal
    assert '"event":"end"' in journal


def test_as_json_it_says_which_steps_were_taken_and_when_to_come_again(shop: Project, run: Runner) -> None:
    document = json.loads(run("secrets", "rotate", "ApiClient/front", "--auto-approve", "--format", "json").out)
    (rotation,) = document["rotations"]
    assert [step["kind"] for step in rotation["steps"]] == ["create", "prove", "deliver", "confirm", "expire"]
    assert all(step["done"] for step in rotation["steps"])
    assert (rotation["client_id"], rotation["status"]) == (FRONT, "completed")
    assert rotation["again_after"].endswith("Z")
    assert document["run"] == json.loads(run("history", "--format", "json").out)["runs"][-1]["id"]


def test_a_failing_delivery_is_a_partial_run_that_the_next_one_makes_good(shop: Project, run: Runner) -> None:
    old = delivered(shop)
    list_secrets(shop, SECRET | {"deliver": [{"command": ["true"]}, {"command": ["false"]}]})
    failed = run("secrets", "rotate", "ApiClient/front", "--auto-approve")
    assert (failed.code, "Rotation: 1 failed." in failed.out) == (5, True)
    assert "Failed: command false exited with 1" in failed.out
    assert logs_in(shop, old)
    status = run("secrets", "status")
    assert (status.code, "a rotation did not finish" in status.out) == (2, True)
    list_secrets(shop, SECRET)
    assert run("secrets", "rotate", "ApiClient/front", "--auto-approve").code == 0
    assert (names(shop), logs_in(shop, delivered(shop))) == (["primary", "primary.retired"], True)


def test_what_fails_before_anything_is_written_is_an_error(shop: Project, run: Runner) -> None:
    list_secrets(shop, SECRET | {"deliver": [{"githubOutput": "x"}]})
    failed = run("secrets", "rotate", "ApiClient/front", "--auto-approve")
    assert (failed.code, shop.writes()) == (1, [])
    assert "GITHUB_OUTPUT is not set" in failed.out


def test_a_github_job_masks_the_value_before_it_hands_it_on(
    shop: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shop.folder / "output").touch()
    monkeypatch.setenv("GITHUB_OUTPUT", str(shop.folder / "output"))
    list_secrets(shop, SECRET | {"deliver": [{"githubOutput": "front-secret"}]})
    done = run("secrets", "rotate", "ApiClient/front", "--auto-approve")
    value = (shop.folder / "output").read_text().splitlines()[1]
    assert (done.code, f"::add-mask::{value}\n" in done.err, logs_in(shop, value)) == (0, True, True)


def test_ctrl_c_stops_between_steps_and_says_how_to_go_on(
    shop: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_subject: Any, _steps: Any, tools: RotationTools) -> Done:
        os.kill(os.getpid(), signal.SIGINT)
        return Done(interrupted=tools.should_stop())

    monkeypatch.setattr("reconciler.project.rotate.rotate_secret", interrupted)
    stopped = run("secrets", "rotate", "ApiClient/front", "--auto-approve")
    assert (stopped.code, "Interrupted: 0 of 5" in stopped.out) == (130, True)


@pytest.mark.parametrize(
    "arguments", [("secrets",), ("secrets", "rotate"), ("secrets", "turn"), ("secrets", "rotate", "x")]
)
def test_wrong_usage_contacts_nobody(shop: Project, run: Runner, arguments: tuple[str, ...]) -> None:
    shop.writes()
    assert run(*arguments).code == 64
    assert shop.ask("GET", "/_emulator/requests")["requests"] == []


# -------------------------------------------------------------------------------------------------------------- legacy


def legacy(project: Project, live: str | None, reference: Any) -> None:
    """An embedded marketplace of the older generation with one client."""
    client = {"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 600, "ClientSecret": live}
    seed = {"Objects": {"ApiClients": [client]}}
    (project.folder / "legacy.json").write_text(json.dumps(seed), encoding="utf-8")
    emulator: Any = {"seed": "legacy.json", "profile": "legacy"}
    project.configure(test={"emulator": emulator, "secrets": {"allow": ["FRONT_SECRET"]}})
    project.manifest(
        "front", AccessTokenDuration=600, **({} if reference == "left out" else {"ClientSecret": reference})
    )


def test_the_older_field_cannot_be_rotated_and_the_way_is_shown(project: Project, run: Runner) -> None:
    legacy(project, "old", {"fromEnv": "FRONT_SECRET"})
    refused = run("secrets", "rotate", "ApiClient/front", "--auto-approve")
    assert refused.code == 1
    assert "ClientSecret has a single value, so the old one cannot stay valid" in refused.err


def test_a_kind_without_named_secrets_is_not_rotated_and_the_message_says_how_to_replace_its_secret(
    project: Project, run: Runner
) -> None:
    legacy(project, "old", {"fromEnv": "FRONT_SECRET"})
    hook = {"apiVersion": "reconciler/v1", "kind": "Webhook", "metadata": {"name": "hook"}}
    routes = [{"Route": "v1/orders", "Verb": "POST"}]
    spec = {"Name": "Hook", "Url": "https://hook.example.com", "HashKey": {"fromEnv": "FRONT_SECRET"}}
    text = json.dumps({**hook, "spec": spec | {"WebhookRoutes": routes}})
    (project.folder / "manifests" / "hook.yaml").write_text(text, encoding="utf-8")
    refused = run("secrets", "rotate", "Webhook/hook", "--auto-approve")
    assert "error: Webhook/hook has no named secrets, and rotate only replaces those" in refused.err
    assert "hint: to replace HashKey, change the value behind its reference and run reconciler apply" in refused.err
    assert refused.code == 1


def test_a_plan_goes_on_without_a_secret_and_an_apply_does_not(project: Project, run: Runner) -> None:
    legacy(project, "old", {"fromEnv": "FRONT_SECRET"})
    plan = run("plan")
    assert (plan.code, "FRONT_SECRET is not set" in plan.out) == (0, True)
    applied = run("apply", "--auto-approve")
    assert (applied.code, "FRONT_SECRET is not set" in applied.err) == (1, True)
    assert "hint: set it where this runs" in applied.err


def test_our_own_credentials_are_refused_from_files_too(project: Project, run: Runner, tmp_path: Path) -> None:
    (tmp_path / "own").write_text("emulator-admin-secret")
    config = json.loads((tmp_path / "reconciler.yaml").read_text())
    config["environments"]["test"]["auth"]["clientSecret"] = {"fromFile": "own"}
    (tmp_path / "reconciler.yaml").write_text(json.dumps(config))
    (tmp_path / "link").symlink_to("own")
    for name in ("own", "link"):
        project.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": f"../{name}"})
        refused = run("plan")
        assert (refused.code, "own credentials" in refused.err) == (1, True)


def test_a_secret_file_that_others_may_read_is_a_warning(project: Project, run: Runner, tmp_path: Path) -> None:
    (tmp_path / "front").write_text("s3cret")
    project.manifest("front", AccessTokenDuration=600, ClientSecret={"fromFile": "../front"})
    (tmp_path / "front").chmod(0o644)
    assert "[readable-secret]" in run("validate").out
    (tmp_path / "front").chmod(0o600)
    assert "[readable-secret]" not in run("validate").out


def test_a_file_in_a_folder_that_the_environment_allows_may_be_used(
    project: Project, run: Runner, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("secrets")
    (elsewhere / "front").write_text("s3cret\n")
    (elsewhere / "front").chmod(0o600)
    legacy(project, "old", {"fromFile": str(elsewhere / "front")})
    assert "to allow another folder" in run("plan").err
    config = json.loads((project.folder / "reconciler.yaml").read_text())
    config["environments"]["test"]["secrets"]["folders"] = [str(elsewhere)]
    (project.folder / "reconciler.yaml").write_text(json.dumps(config))
    assert "(secret, differs)" in run("plan").out
