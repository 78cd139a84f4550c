"""The example of the documentation: one set of manifests takes three environments from empty to in step."""

import json
import shutil
import socket
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from reconciler.emulator import Emulator, Settings
from tests.cli.conftest import Run, Runner

EXAMPLE = Path(__file__).parents[2] / "docs" / "example"
NAMES = ("sandbox", "staging", "production")


@pytest.fixture(autouse=True)
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".reconciler"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # else each client loads all root certificates: 40 ms
    return tmp_path


def matrix(done: Run) -> dict[str, list[str]]:
    """The states of each resource, in the order of the environments."""
    return {address: list(row.values()) for address, row in json.loads(done.out)["matrix"].items()}


def test_the_example_is_valid_in_all_environments(run: Runner) -> None:
    done = run("validate")
    assert (done.code, done.out) == (0, "Valid: 6 documents in 6 files.\n")


@pytest.fixture
def no_network(example: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No socket can be opened, and production is a real one whose credentials are not at hand."""

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("the network was asked for")

    for owner, name in ((socket.socket, "connect"), (socket.socket, "connect_ex"), (socket, "getaddrinfo")):
        monkeypatch.setattr(owner, name, refuse)
    file = example / "reconciler.yaml"
    auth = "auth: {clientId: {fromEnv: OC_ID}, clientSecret: {fromEnv: OC_SECRET}}"
    embedded = "emulator: {seed: seeds/production.yaml, state: .reconciler/production.db}"
    real = f"region: us-west\n    stage: production\n    {auth}"
    file.write_text(file.read_text(encoding="utf-8").replace(embedded, real), encoding="utf-8")


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("command", [["validate"], ["show", "--resolved"], ["environments"]])
def test_what_is_said_to_be_offline_needs_neither_network_nor_credentials(run: Runner, command: list[str]) -> None:
    assert run(*command, "--env", "production").code == 0


@pytest.mark.usefixtures("no_network")
def test_a_plan_of_that_environment_would_need_both(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "OC_ID" in run("plan", "--env", "production").err
    monkeypatch.setenv("OC_ID", "id")
    monkeypatch.setenv("OC_SECRET", "secret")
    assert "AssertionError" in run("plan", "--env", "production").err


def ids(run: Runner, environment: str) -> dict[str, str]:
    """The live ids of all that is in step."""
    plan = json.loads(run("plan", "--env", environment, "--format", "json").out)
    return {one["name"]: one["id"] for one in plan["resource_changes"] if one["change"]["actions"] == ["no-op"]}


def test_one_set_of_manifests_takes_three_environments_from_empty_to_in_step(run: Runner) -> None:
    before = run("plan", "--env-all", "--format", "json", "--detailed-exitcode")
    assert before.code == 2
    assert matrix(before) == {
        "ApiClient/back-office": ["missing", "missing", "missing"],
        "ApiClient/kiosk": ["missing", "missing", "not-here"],
        "ApiClient/storefront": ["missing", "missing", "missing"],
    }
    assert [run("apply", "--env", name, "--auto-approve").code for name in NAMES] == [0, 0, 0]
    after = run("plan", "--env-all", "--format", "json", "--detailed-exitcode")
    assert after.code == 0
    assert {state for row in matrix(after).values() for state in row} == {"in-step", "not-here"}
    sandbox, staging, production = (ids(run, name) for name in NAMES)
    assert {name: staging[name] for name in ("back-office", "storefront")} == {
        name: production[name] for name in ("back-office", "storefront")
    }
    assert set(sandbox.values()).isdisjoint(staging.values())


def test_a_plan_names_the_overlay_that_sets_a_value(run: Runner) -> None:
    planned = run("plan", "--env", "production", "--only", "ApiClient/storefront").out
    assert "AccessTokenDuration              60  [widens]  (overlays/production/storefront.yaml:6)\n" in planned
    assert planned.count("(overlays/") == 1
    for name in ("markdown", "html"):
        shown = run("plan", "--env", "production", "--only", "ApiClient/storefront", "--format", name).out
        assert shown.count("overlays/production/storefront.yaml:6") == 1


def test_what_the_sunday_restore_takes_from_staging_is_put_back(run: Runner, example: Path) -> None:
    assert run("apply", "--env", "staging", "--auto-approve").code == 0
    with (
        closing(Emulator(Settings(state=example / ".reconciler" / "staging.db"))) as emulator,
        httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url="http://127.0.0.1") as http,
    ):
        assert http.post("/_emulator/staging-restore").is_success
    differing = run("plan", "--env-all", "--format", "json")
    assert {address: row[1] for address, row in matrix(differing).items()} == {
        "ApiClient/back-office": "in-step",
        "ApiClient/kiosk": "in-step",
        "ApiClient/storefront": "differs",
    }
    assert run("apply", "--env", "staging", "--auto-approve").code == 0
    assert run("plan", "--env", "staging", "--detailed-exitcode").code == 0


def test_the_page_shows_lines_that_the_program_prints(run: Runner) -> None:
    page = (EXAMPLE.parent / "overlays.md").read_text(encoding="utf-8")
    shown = next(block for block in page.split("```yaml\n") if block.startswith("spec:\n  AppName: Storefront  #"))
    printed = run("show", "--resolved", "--env", "production", "manifests/storefront.yaml").out.splitlines()
    assert [line for line in shown.partition("```")[0].splitlines() if line not in printed] == []


def test_the_page_has_the_overlay_of_the_example() -> None:
    page = (EXAMPLE.parent / "overlays.md").read_text(encoding="utf-8")
    assert (EXAMPLE / "overlays/production/storefront.yaml").read_text().partition("\n")[2] in page


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_resolved_is_valid_and_plans_the_same(name: str, run: Runner, tmp_path: Path) -> None:
    shown = run("show", "--resolved", "--env", name)
    (tmp_path / "all.yaml").write_text(shown.out, encoding="utf-8")
    plans = [json.loads(run("plan", *paths, "--env", name, "--format", "json").out) for paths in ([], ["all.yaml"])]
    assert plans[0]["changes_digest"] == plans[1]["changes_digest"]
    assert run("validate", "all.yaml", "--env", name).code == 0
