"""What would end the access of the login client: refused with 3, and nothing written."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, Emulator, Settings
from reconciler.planning.diff.identity import derived_id
from tests.cli.conftest import BACK, Project, Run, Runner, Switchboard

NAME = "Emulator Administration"
SECRET = {"ClientSecret": {"fromEnv": "NEW"}}


def tool(project: Project, policy: dict[str, Any] | None = None, **spec: Any) -> None:
    """The manifest of the client that the tests log in with."""
    path = project.manifest("tool", **{"AppName": NAME} | spec)
    path.write_text(json.dumps(json.loads(path.read_text()) | {"policy": policy or {}}), encoding="utf-8")


def refused(project: Project, done: Run) -> None:
    assert (done.code, done.out, project.writes()) == (3, "", [])
    assert "own-client: ApiClient/tool is the login client" in done.err
    assert "fix: run this change with the credentials of another client" in done.err
    assert "add --ack " in done.err


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    "spec",
    [
        {"Active": False},
        {"AllowSeller": False},
        {"DefaultContextUserName": None},
        {"DefaultContextUserName": "somebody-else"},
        {"IsAnonBuyer": True, "DefaultContextUserName": "emulator-admin"},
        {"MaximumGrantedRoles": ["Shopper"]},
        {"MaximumGrantedRoles": ["ApiClientReader", "IntegrationEventReader"]},
        {"MinimumRequiredRoles": ["OrderAdmin"]},
        {"MinimumRequiredCustomRoles": ["not-held"]},
        {"AccessTokenDuration": 10},
        {"policy": {"fields": "exclusive"}, "AccessTokenDuration": 600},
        {"policy": {"state": "absent"}},
    ],
    ids=str,
)
def test_no_run_takes_its_own_access_away(project: Project, run: Runner, spec: dict[str, Any]) -> None:
    tool(project, **spec)
    refused(project, run("apply", "--auto-approve"))


@pytest.fixture
def legacy(project: Project, served: tuple[Switchboard, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The same marketplace in the generation that has the secret on the client."""
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=document | {"secrets": {"allow": ["NEW"]}})
    monkeypatch.setenv("NEW", "another-secret-of-thirty-two-characters")
    with closing(Emulator(Settings(seed=project.folder / "seed.json", profile="legacy"))) as served[0].emulator:
        yield Project(project.folder, served[0].emulator)


@pytest.mark.parametrize("spec", [{"ClientSecret": None}, SECRET], ids=["cleared", "replaced"])
def test_the_secret_of_the_run_stays(legacy: Project, run: Runner, spec: dict[str, Any]) -> None:
    tool(legacy, **spec)
    refused(legacy, run("apply", "--auto-approve"))


def test_a_client_that_only_its_name_binds_is_not_renamed(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = derived_id("emulator", "tool")
    spec: dict[str, Any] = {"AppName": "Tool", "AccessTokenDuration": 600, "Active": True, "AllowSeller": True}
    project.ask("PUT", f"/v1/apiclients/{own}", spec | {"DefaultContextUserName": "emulator-admin"})
    secret = project.ask("POST", f"/v1/apiclients/{own}/secrets", {"Name": "tests"})["ClientSecret"]
    project.ask("DELETE", "/_emulator/requests")
    monkeypatch.setenv("OC_SECRET", secret)
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    document["auth"]["clientId"] = own
    project.configure(test=document)
    tool(project, **spec | {"AppName": "Tool 2"})
    refused(project, run("apply", "--auto-approve"))
    project.configure(test=document | {"ids": {"tool": own}})
    assert run("apply", "--auto-approve").code == 0


def test_plan_and_drift_show_the_objection(project: Project, run: Runner) -> None:
    tool(project, Active=False)
    for arguments, code in ((["plan"], 3), (["plan", "--detailed-exitcode"], 3), (["drift"], 2)):
        done = run(*arguments)
        assert done.code == code
        assert "own-client: ApiClient/tool" in done.out


def test_what_leaves_the_access_as_it_is_is_applied(project: Project, run: Runner) -> None:
    tool(project, xp={"team": "platform"}, MaximumGrantedRoles=["FullAccess"], AccessTokenDuration=60)
    assert run("apply", "--auto-approve").code == 0
    assert project.ask("GET", f"/v1/apiclients/{ADMIN_CLIENT_ID}")["AccessTokenDuration"] == 60


def test_plan_show_and_drift_say_which_unmanaged_client_the_run_is_logged_in_with(
    project: Project, run: Runner
) -> None:
    line = f'ApiClient/{ADMIN_CLIENT_ID} "{NAME}" (this run is logged in with it)\n'
    documents = [run("plan", "--out", "plan.json").out, run("show", "plan.json").out, run("drift").out]
    for form in ("markdown", "html"):
        documents += [run("plan", "--format", form).out, run("show", "plan.json", "--format", form).out]
    assert [text.count("this run is logged in with it") for text in documents] == [1] * 7
    assert all(line in text for text in documents[:3])


def test_drift_says_which_unmanaged_objects_are_drift(project: Project, run: Runner) -> None:
    path = project.folder / "reconciler.yaml"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"drift": {"unmanaged": "fail"}}))
    done = run("drift")
    assert done.code == 2
    assert f'ApiClient/{BACK} "back" (drift)\n' in done.out
    assert f'ApiClient/{ADMIN_CLIENT_ID} "{NAME}" (this run is logged in with it)\n' in done.out
    for form in ("markdown", "html"):
        assert run("drift", "--format", form).out.count("(drift)") == 1
