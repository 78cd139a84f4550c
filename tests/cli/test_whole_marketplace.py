"""The example of a whole marketplace: in step in one apply, healed after the restore, promoted, and pruned."""

import json
import shutil
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from reconciler.emulator import Emulator, Settings
from tests.cli.conftest import Runner

EXAMPLE = Path(__file__).parents[2] / "docs" / "example" / "marketplace"
FIRST_CLASS = {
    *("ApiClient", "IntegrationEvent", "Webhook", "SecurityProfile", "DeliveryConfig", "MessageSender"),
    *("OpenIdConnect", "ImpersonationConfig", "AdminUserGroup"),
}


@pytest.fixture(autouse=True)
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to work in."""
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".reconciler"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))  # else each client loads all root certificates: 40 ms
    for name in ("MIDDLEWARE_KEY", "RECEIVER_KEY", "SEARCH_KEY", "IDP_SECRET"):
        monkeypatch.setenv(name, "planted")
    return tmp_path


def is_in_step(run: Runner, environment: str) -> bool:
    return run("plan", "--env", environment, "--detailed-exitcode").code == 0


def apply(run: Runner, environment: str, *options: str) -> list[str]:
    """The addresses that an apply has written, all of them with success."""
    done = run("apply", "--env", environment, "--auto-approve", "--format", "json", *options)
    outcomes = json.loads(done.out)["outcomes"]
    assert (done.code, {one["status"] for one in outcomes}) == (0, {"applied"}), done.err
    assert "planted" not in done.out + done.err
    return [one["address"] for one in outcomes]


def restored(folder: Path, reading: str) -> None:
    """The Sunday restore of staging."""
    with (
        closing(Emulator(Settings(state=folder / ".reconciler" / "staging.db"))) as emulator,
        httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url="http://127.0.0.1") as http,
    ):
        assert http.post("/_emulator/staging-restore", params={"events": reading}).is_success


def test_an_empty_marketplace_comes_in_step_in_one_apply(run: Runner) -> None:
    written = apply(run, "sandbox")
    assert {address.partition("/")[0] for address in written} >= FIRST_CLASS
    assert is_in_step(run, "sandbox")
    exported = run("export", "--env", "sandbox", "--kinds", "all")
    assert (exported.code, "planted" in exported.out) == (0, False), exported.err


@pytest.mark.sample(1)
@pytest.mark.parametrize("reading", ["url-null", "removed"])
def test_one_apply_heals_staging_after_its_restore(run: Runner, example: Path, reading: str) -> None:
    apply(run, "staging")
    restored(example, reading)
    assert run("drift", "--env", "staging").code == 2
    healed = apply(run, "staging")
    assert {"IntegrationEvent/checkout", "ApiClient/storefront", "MessageSender/order-mails"} <= set(healed)
    assert is_in_step(run, "staging")


def test_a_change_is_tried_in_the_sandbox_and_promoted_to_production(run: Runner, example: Path) -> None:
    for environment in ("sandbox", "production"):
        apply(run, environment)
    file = example / "manifests" / "integrations.yaml"
    file.write_text(file.read_text().replace("/messages", "/messages/v2"))
    assert apply(run, "sandbox") == ["DeliveryConfig/receiver"]
    assert run("plan", "--env", "production", "--out", "plan.json").code == 0
    assert "receiver.shop.example.com/messages/v2" in run("show", "plan.json").out
    assert run("apply", "plan.json", "--auto-approve").code == 0
    assert is_in_step(run, "production")


def test_a_changed_target_is_taken_back_with_its_secret(run: Runner, example: Path) -> None:
    apply(run, "sandbox")
    file = example / "manifests" / "integrations.yaml"
    file.write_text(file.read_text().replace("/messages", "/messages/v2"))
    apply(run, "sandbox")
    newest = max(one.stem for one in (example / ".reconciler" / "runs").glob("*.jsonl"))
    assert run("rollback", newest, "--env", "sandbox", "--auto-approve").code == 0
    file.write_text(file.read_text().replace("/messages/v2", "/messages"))
    assert is_in_step(run, "sandbox")


def test_what_somebody_changes_beside_a_secret_is_brought_back_without_it(run: Runner, example: Path) -> None:
    file = example / "manifests" / "integrations.yaml"
    text = file.read_text()
    file.write_text(text.replace("123456789", "987654321"))
    apply(run, "sandbox")
    file.write_text(text)
    assert run("drift", "--env", "sandbox", "--write-back", "--write").code in {0, 2}
    assert file.read_text() == text.replace("123456789", "987654321")
    assert is_in_step(run, "sandbox")


def test_an_integration_whose_manifest_is_gone_is_pruned(run: Runner, example: Path) -> None:
    apply(run, "sandbox")
    (example / "manifests" / "loyalty.yaml").unlink()
    assert apply(run, "sandbox", "--prune") == ["Webhook/loyalty"]
    assert is_in_step(run, "sandbox")
