from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.config.settings import Auth, Environment
from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.errors import ReconcilerError
from reconciler.model.reports import Verdict
from reconciler.model.secret import Secret, SecretReference, SecretSource
from reconciler.project.doctor import Subject, examine
from reconciler.remote.auth import ClientCredentials
from reconciler.remote.client import ReadClient
from reconciler.remote.network import Reached
from tests.project.doctor.patient import (
    NOW,
    SUBJECT,
    URL,
    WATCHED,
    check,
    emulated,
    examined,
    examined_service,
    logging_in,
    missing,
    requests,
    tools,
    verdicts,
)
from tests.remote.service import Service, ok


def credentials(*names: str) -> Subject:
    client_id, secret, username = (SecretReference(SecretSource.ENVIRONMENT, name) for name in names)
    return replace(SUBJECT, environment=replace(WATCHED, auth=Auth(client_id, secret, username)))


def test_all_missing_credentials_are_named_at_once_and_nobody_logs_in(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, subject=credentials("OC_ID", "OC_SECRET", "OC_ID"), resolve=missing)
        assert requests(emulator) == []
    assert "OC_ID is not set; the environment variable OC_SECRET is not set" in check(diagnosis, "credentials").found
    assert check(diagnosis, "network").verdict is Verdict.OK
    assert check(diagnosis, "login").found == "needs credentials, which failed"
    assert check(diagnosis, "own-client").found == "needs roles-for-plan, which was skipped"
    assert "no request was sent" in check(diagnosis, "rate").found


def test_credentials_that_are_there_are_named_without_their_values(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, subject=SUBJECT, resolve=lambda _: "canary")
    assert check(diagnosis, "credentials").found == "set and not empty: clientSecret {fromEnv: OC_SECRET}"
    assert "canary" not in str(diagnosis)


@pytest.mark.parametrize(("has_key", "said"), [(True, "is set"), (False, "is not set")])
def test_whether_there_is_a_plan_key_is_said(tmp_path: Path, has_key: bool, said: str) -> None:
    subject = replace(SUBJECT, has_plan_key=has_key)
    with emulated(tmp_path) as emulator:
        assert f"RECONCILER_PLAN_KEY {said}:" in check(examined(emulator, subject=subject), "plan-key").found


@pytest.mark.parametrize(
    ("reached", "verdict", "found"),
    [
        (Reached("a.example", addresses=("192.0.2.1", "192.0.2.2")), "ok", "a.example is 192.0.2.1, 192.0.2.2, and"),
        (Reached("a.example", "", ("::1",), "TLSv1.3", NOW.timestamp() + 86_400), "ok", "TLSv1.3, the certificate is"),
        (Reached("a.example", "", ("::1",), "TLSv1.3", NOW.timestamp() + 86_400), "ok", "valid for 1 day"),
        (Reached("a.example", "", ("::1",), "TLSv1.3"), "ok", "and answers; TLSv1.3"),
        (Reached("a.example", proxy="proxy:3128"), "info", "through the proxy proxy:3128"),
        (Reached("a.example", proxy="proxy:3128"), "info", "a.example was not contacted directly"),
    ],
)
def test_what_stands_at_the_other_end_is_said(tmp_path: Path, reached: Reached, verdict: str, found: str) -> None:
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, reach=lambda _url: reached), "network")
    assert one.verdict == verdict
    assert found in one.found


def unreachable(_url: str) -> Reached:
    raise ReconcilerError("the name a.example cannot be resolved", hint="check the base URL")


def broken(_url: str) -> Reached:
    raise RuntimeError("canary")


def test_a_host_out_of_reach_is_not_logged_in_to(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, reach=unreachable)
    one = check(diagnosis, "network")
    assert (one.verdict, one.fix) == (Verdict.FAILED, "check the base URL")
    assert check(diagnosis, "login").found == "needs network, which failed"


def test_a_bug_in_one_check_is_its_failure_and_shows_no_text(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, reach=broken)
    one = check(diagnosis, "network")
    assert (one.verdict, one.found, one.fix) == (
        Verdict.FAILED,
        "internal error: RuntimeError",
        "please report it",
    )
    assert check(diagnosis, "rate").verdict is Verdict.INFO


def test_a_wrong_secret_is_told_in_the_services_words_and_not_shown(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, ClientCredentials(ADMIN_CLIENT_ID, Secret("canary")))
    one = check(diagnosis, "login")
    assert one.verdict is Verdict.FAILED
    assert "Auth.OauthError" in one.found
    assert "check clientId and clientSecret" in one.fix
    assert "1 request, 0 of them retries" in check(diagnosis, "rate").found
    assert "canary" not in str(diagnosis)


def test_after_a_refused_login_all_that_needs_one_is_skipped(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        found = verdicts(examined(emulator, ClientCredentials(ADMIN_CLIENT_ID, Secret("wrong"))))
    unaffected = {
        "configuration",
        "credentials",
        "plan-key",
        "drift-coverage",
        "secrets-for-create",
        "host",
        "network",
        "login",
        "put-creates",
        "rate",
    }
    assert {name for name, verdict in found.items() if verdict != "skipped"} == unaffected


def test_a_connection_that_cannot_be_opened_is_a_failed_login() -> None:
    def refuse() -> ReadClient:
        raise ReconcilerError("the emulator needs falcon")

    one = check(examine(SUBJECT, tools(refuse)), "login")
    assert (one.verdict, one.found) == (Verdict.FAILED, "the emulator needs falcon")
    assert one.fix == "fix this, then run doctor again"


def test_an_opaque_token_is_not_what_the_api_promises() -> None:
    service = Service(login=lambda _: ok({"access_token": "opaque", "expires_in": 600}))
    one = check(examined_service(service), "login")
    assert one.verdict is Verdict.FAILED
    assert "expected the access token to be a JWT" in one.found


@pytest.mark.parametrize(
    ("ahead", "verdict", "found"),
    [
        (60, "ok", "within 60 s of the service's, by the token's nbf"),
        (-60, "ok", "within 60 s"),
        (61, "warning", "61 s ahead of the service's, by the token's nbf"),
        (-300, "warning", "300 s behind the service's"),
        (301, "failed", "301 s ahead of"),
        (40_000, "failed", "40000 s ahead of the service's, by the token's nbf"),
    ],
)
def test_the_clock_is_compared_with_the_token(tmp_path: Path, ahead: int, verdict: str, found: str) -> None:
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, now=lambda: NOW.timestamp() + ahead), "clock")
    assert one.verdict == verdict
    assert found in one.found
    assert bool(one.fix) == (verdict != "ok")


def test_the_clock_is_compared_with_the_date_of_the_answer() -> None:
    one = check(examined_service(logging_in("Mon, 05 Oct 2026 11:58:00 GMT", nbf=NOW.timestamp())), "clock")
    assert (one.verdict, one.found) == (
        Verdict.WARNING,
        "this machine's clock is 120 s ahead of the service's, by the response's Date",
    )


def test_sources_that_agree_are_both_named() -> None:
    one = check(examined_service(logging_in("Mon, 05 Oct 2026 11:59:58 GMT", nbf=NOW.timestamp())), "clock")
    assert one.found == "within 60 s of the service's, by the response's Date and the token's nbf"


@pytest.mark.parametrize(("exp", "verdict"), [(NOW.timestamp() + 600, "info"), (NOW.timestamp() - 400, "failed")])
def test_an_end_alone_tells_the_time_only_when_it_is_past(exp: float, verdict: str) -> None:
    assert check(examined_service(logging_in(exp=exp)), "clock").verdict == verdict


def test_what_nobody_watches_is_a_warning_that_says_how_to_change_over(tmp_path: Path) -> None:
    subject = replace(SUBJECT, environment=Environment("test", URL, marketplace="shop"))
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, subject=subject), "drift-coverage")
    assert (one.verdict, one.found) == (
        Verdict.WARNING,
        "changes that do not count as drift: fields that a manifest does not name; objects in no manifest",
    )
    assert one.fix.startswith("run reconciler export --write first, or the next apply resets")
