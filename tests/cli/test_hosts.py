"""Whom the commands talk to: the environment's host, if it may be sent credentials, and nobody else."""

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.conftest import Project, Runner
from tests.network import CONTACTED

if TYPE_CHECKING:
    from reconciler.model.json import Json

ONLINE = [
    ["plan", "--out", "plan.json"],
    ["apply", "--auto-approve"],
    ["drift"],
    ["adopt", "--write"],
    ["doctor"],
]
OFFLINE = [["validate"], ["show", "--resolved"], ["environments"], ["schema"], ["--help"], ["--version"]]


@pytest.mark.parametrize("arguments", ONLINE, ids=lambda arguments: str(arguments[0]))
def test_no_host_but_that_of_the_environment_is_contacted(
    project: Project, run: Runner, served: tuple[object, str], arguments: list[str]
) -> None:
    project.manifest("front", Active=False)
    CONTACTED.clear()
    assert run(*arguments).code in {0, 2}
    assert set(CONTACTED) == {re.sub("^http://", "", served[1])}


@pytest.mark.parametrize("arguments", OFFLINE, ids=lambda arguments: str(arguments[0]))
def test_what_is_done_offline_contacts_nobody(project: Project, run: Runner, arguments: list[str]) -> None:
    CONTACTED.clear()
    assert run(*arguments).code == 0
    assert not CONTACTED


def away(project: Project, url: str = "https://shop.example") -> None:
    auth: dict[str, Json] = {"clientId": "c", "clientSecret": {"fromEnv": "OC_SECRET"}}
    project.configure(far={"url": url, "marketplace": "m", "auth": auth})


@pytest.mark.parametrize("allowed", [("--allow-host", "shop.example"), ()])
def test_the_tests_would_notice(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, allowed: tuple[str, ...]
) -> None:
    if not allowed:
        monkeypatch.setenv("RECONCILER_ALLOWED_HOSTS", "other.example:8443, shop.example")
    away(project)
    CONTACTED.clear()
    assert run("plan", *allowed).code == 1
    assert set(CONTACTED) == {"shop.example:443"}


REACHING = [*ONLINE, ["export"], ["snapshot", "--out", "x"], ["secrets", "status"], ["plan", "--env-all"]]


@pytest.mark.parametrize("arguments", REACHING, ids=" ".join)
def test_a_host_that_only_the_repository_names_is_not_even_looked_up(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    away(project)
    CONTACTED.clear()
    done = run(*arguments)
    assert not CONTACTED
    assert done.code == (1 if arguments == ["doctor"] else 3)
    assert "credentials are not sent to shop.example" in done.out + done.err
    assert "--allow-host shop.example" in done.out + done.err


def test_doctor_explains_who_allows_a_host_and_goes_no_further_without(project: Project, run: Runner) -> None:
    away(project)
    refused, allowed = run("doctor"), run("doctor", "--allow-host", "shop.example")
    assert "failed   host                  credentials are not sent to shop.example" in refused.out
    assert "skipped  network               needs host, which failed" in refused.out
    assert "ok       host                  shop.example is allowed by --allow-host or RECONCILER_ALLOWED_HOSTS" in (
        allowed.out
    )


def test_a_name_that_is_none_is_refused_even_where_it_is_allowed(project: Project, run: Runner) -> None:
    away(project, "https://xn--a-.example")
    CONTACTED.clear()
    done = run("doctor", "--allow-host", "xn--a-.example")
    assert "failed   host                  the base URL must start with https:// and a host" in done.out
    assert "internal error" not in done.out
    assert not CONTACTED


def test_plain_http_is_allowed_by_scheme_and_port_only(project: Project, run: Runner) -> None:
    away(project, "http://emulator.example:8080")
    CONTACTED.clear()
    assert run("plan", "--allow-host", "emulator.example:8080").code == 3
    assert not CONTACTED
    assert run("plan", "--allow-host", "http://emulator.example:8080").code == 1
    assert set(CONTACTED) == {"emulator.example:8080"}


@pytest.mark.parametrize("entry", ["*", "https://shop.example", "shop.example/x"])
def test_an_entry_that_names_no_host_is_wrong_usage(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    away(project)
    monkeypatch.setenv("RECONCILER_ALLOWED_HOSTS", f"a.example,{entry}")
    done = run("plan")
    assert done.code == 64
    assert f"RECONCILER_ALLOWED_HOSTS: '{entry}' is not a host" in done.err


def test_a_redirect_to_another_host_is_not_followed(project: Project, run: Runner, served: tuple[Any, str]) -> None:
    def elsewhere(_environ: object, start_response: Any) -> list[bytes]:
        start_response("307 Temporary Redirect", [("Location", "https://shop.example/oauth/token")])
        return []

    project.manifest("front", Active=False)
    served[0].emulator = elsewhere
    CONTACTED.clear()
    assert run("plan").code == 1
    assert set(CONTACTED) == {re.sub("^http://", "", served[1])}


def test_the_repository_names_nobody_to_notify(project: Project, run: Runner) -> None:
    text = (project.folder / "reconciler.yaml").read_text()
    for at in ("notify", "drift"):
        (project.folder / "reconciler.yaml").write_text(
            text.replace('"manifests"', f'"{at}": {{"url": "https://evil.example"}}, "manifests"')
        )
        CONTACTED.clear()
        assert (run("drift").code, set(CONTACTED)) == (1, set())
