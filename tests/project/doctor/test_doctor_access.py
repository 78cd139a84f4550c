from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from reconciler.model.reports import Verdict
from tests.project.doctor.patient import (
    BRIEF,
    OPEN,
    SUBJECT,
    as_user,
    check,
    emulated,
    examined,
    examined_service,
    logging_in,
    requests,
    verdicts,
)
from tests.remote.service import Service, ok


@pytest.mark.parametrize("party", ["buyer", "supplier"])
def test_only_seller_users_will_do(tmp_path: Path, party: str) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, as_user(party))
    one = check(diagnosis, "user")
    assert one.verdict is Verdict.FAILED
    assert f"the login is a {party} user: {party}, through API client {OPEN.lower()}" in one.found
    assert "seller user" in one.fix
    assert check(diagnosis, "marketplace").verdict is Verdict.SKIPPED


def test_a_token_that_does_not_say_who_it_is_for_leaves_it_to_the_service(tmp_path: Path) -> None:
    service = logging_in()
    service.answer = lambda _: ok({"ID": "1", "Username": "ann", "Supplier": {"ID": "tools"}})
    one = check(examined_service(service), "user")
    assert "the login is a supplier user: ann, through API client the-client" in one.found


def test_in_the_wrong_marketplace_nothing_more_is_read(tmp_path: Path) -> None:
    with emulated(tmp_path, marketplace="other") as emulator:
        diagnosis = examined(emulator)
        assert set(requests(emulator)) == {"POST /oauth/token", "GET /v1/me"}
    one = check(diagnosis, "marketplace")
    assert "configured for marketplace shop, but the credentials are for other" in one.found
    assert one.fix == "correct `marketplace:` or `auth:` of this environment"
    assert verdicts(diagnosis)["roles-for-plan"] == verdicts(diagnosis)["roles-for-apply"] == "skipped"


def test_a_login_that_only_reads_is_fit_for_a_plan_job(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, as_user("reader"))
    assert diagnosis.is_healthy
    assert check(diagnosis, "roles-for-plan").found == "ApiClientReader; 3 API clients could be read"
    assert "this login can plan but not apply" in check(diagnosis, "roles-for-apply").found
    assert "sufficient for a job that only plans" in check(diagnosis, "roles-for-apply").fix


def test_each_lookup_that_a_login_cannot_make_is_named(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, as_user("reader")), "roles-for-references")
    assert one.verdict is Verdict.WARNING
    assert "IntegrationEventReader (integration events), SupplierReader (assignments to suppliers)" in one.found
    assert "assignments to buyers" not in one.found


def test_a_login_without_a_role_for_api_clients_cannot_plan(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, as_user("stranger"))
        assert "GET /v1/apiclients" not in requests(emulator)
    one = check(diagnosis, "roles-for-plan")
    assert one.found == (
        "the token has Shopper; reading API clients requires one of ApiClientReader, ApiClientAdmin, FullAccess"
    )
    assert "security profile" in one.fix
    assert check(diagnosis, "generation").verdict is Verdict.SKIPPED


PROFILES = {"SecurityProfile": True, "DeliveryConfig": False}


def test_the_roles_of_each_kind_in_use_are_asked_for_before_a_run(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, as_user("reader"), replace(SUBJECT, kinds=PROFILES))
    assert check(diagnosis, "roles-for-plan").found == (
        "the token has ApiClientReader, BuyerAdmin; reading delivery configurations requires one of "
        "DeliveryConfigAdmin, FullAccess; reading security profiles requires one of SecurityProfileReader, "
        "SecurityProfileAdmin, "
        "SetSecurityProfile, FullAccess; reading assignments of security profiles requires one of "
        "SecurityProfileAdmin, SetSecurityProfile, FullAccess"
    )
    assert "SetSecurityProfile, FullAccess (for assignments of security profiles)" in (
        check(diagnosis, "roles-for-apply").found
    )


def test_each_kind_in_use_is_read(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, subject=replace(SUBJECT, kinds=PROFILES))
        assert {"GET /v1/securityprofiles/assignments", "GET /v1/apiclients"} <= {*requests(emulator)}
    found = "FullAccess; 0 delivery configurations, 0 security profiles could be read"
    assert check(diagnosis, "roles-for-plan").found == found
    assert diagnosis.is_healthy


def test_without_a_role_for_api_clients_other_kinds_can_be_planned(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        diagnosis = examined(emulator, as_user("profiles"), replace(SUBJECT, kinds={"SecurityProfile": True}))
        assert "GET /v1/apiclients" not in requests(emulator)
    assert diagnosis.is_healthy
    assert check(diagnosis, "own-client").verdict is Verdict.WARNING


def test_a_token_that_names_no_roles_must_prove_itself(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, as_user("nobody")), "roles-for-plan")
    assert one.verdict is Verdict.FAILED
    assert "GET /v1/apiclients, answered 403, Auth.InsufficientRoles" in one.found


def test_many_roles_are_not_all_listed() -> None:
    service = logging_in(usrtype="admin", role=[f"role{n:02}" for n in range(12)])
    service.answer = lambda _: ok({"ID": "1", "Seller": {"ID": "shop"}})
    assert (
        "role09, and 2 more; reading API clients requires one of"
        in check(examined_service(service), "roles-for-plan").found
    )


def test_the_client_of_the_login_is_found_whatever_the_case_of_its_id(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, as_user("reader", OPEN.lower())), "own-client")
    assert (one.verdict, one.found) == (Verdict.OK, f"open ({OPEN}); its tokens last 600 minutes")


def test_a_token_of_a_short_life_is_worth_a_warning(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        one = check(examined(emulator, as_user("reader", BRIEF)), "own-client")
    assert (one.verdict, one.found) == (Verdict.WARNING, f"brief ({BRIEF}); its tokens last 29 minutes")
    assert "AccessTokenDuration" in one.fix


def listing(*clients: dict[str, Any], secrets: Any = ()) -> Service:
    """A service with these clients, and these secrets of each."""

    def page(items: Any) -> httpx.Response:
        meta = {"Page": 1, "PageSize": 100, "TotalCount": len(items), "TotalPages": 1}
        return ok({"Meta": meta, "Items": items})

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/me"):
            return ok({"ID": "1", "Seller": {"ID": "shop"}})
        if request.url.path.endswith("/secrets"):
            return page([{"ID": str(at), "Name": "a", "Expiration": one} for at, one in enumerate(secrets)])
        return page(list(clients))

    service = logging_in(role="FullAccess", usrtype="admin")
    service.answer = answer
    return service


OWN: Final = {"ID": "THE-CLIENT", "AppName": "mine"}


@pytest.mark.parametrize(
    ("secrets", "verdict", "found"),
    [
        ([], "ok", "mine (THE-CLIENT)"),
        ([None, "2026-10-04T12:00:00+00:00", "some day"], "ok", "mine (THE-CLIENT)"),
        (["2027-01-01", "2026-10-12T12:00:00Z"], "ok", "mine (THE-CLIENT); one of its secrets expires on 2026-10-12"),
        (["9999-12-31T23:59:59.9999999Z"], "ok", "mine (THE-CLIENT); one of its secrets expires on 9999-12-31"),
        (["0001-01-01T00:00:00+14:00"], "ok", "mine (THE-CLIENT)"),
        (["2026-10-05T12:05:00.5+00:00"], "warning", "mine (THE-CLIENT); one of its secrets expires on 2026-10-05"),
    ],
)
def test_a_secret_that_ends_soon_is_worth_a_warning(secrets: list[str | None], verdict: str, found: str) -> None:
    one = check(examined_service(listing(OWN, secrets=secrets)), "own-client")
    assert (one.verdict, one.found) == (verdict, found)


def test_thousands_are_written_as_in_other_documents() -> None:
    service = logging_in(role="FullAccess", usrtype="admin", nbf=0, exp=120_000)
    service.answer = listing(OWN).answer
    assert check(examined_service(service), "own-client").found == "mine (THE-CLIENT); its tokens last 2,000 minutes"


def test_a_login_through_a_client_that_is_not_there_is_worth_a_warning() -> None:
    one = check(examined_service(listing({"ID": "other", "AppName": "x"})), "own-client")
    assert one.verdict is Verdict.WARNING
    assert "API client the-client of this login is not among those" in one.found


def test_secrets_that_cannot_be_read_are_left_out(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=("GET /v1/apiclients/*/secrets status=403 count=all",)) as emulator:
        assert check(examined(emulator), "own-client").verdict is Verdict.OK


def test_without_clients_the_generation_is_unknown() -> None:
    assert check(examined_service(listing()), "generation").found.startswith("unknown")


def test_a_list_that_cannot_be_read_fails_the_plan_and_what_is_read_from_it(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=("GET /v1/apiclients status=503 count=all",)) as emulator:
        diagnosis = examined(emulator)
    assert "answered 503, Api.Offline" in check(diagnosis, "roles-for-plan").found
    assert [verdicts(diagnosis)[name] for name in ("own-client", "generation")] == ["skipped", "skipped"]
    assert check(diagnosis, "roles-for-apply").verdict is Verdict.OK


@pytest.mark.parametrize("fault", ["GET /v1/me body=html count=all", "GET /v1/me drop=before count=all"])
def test_faults_of_the_service_are_findings(tmp_path: Path, fault: str) -> None:
    with emulated(tmp_path, faults=(fault,)) as emulator:
        one = check(examined(emulator), "user")
    assert one.verdict is Verdict.FAILED
    assert one.found.startswith("GET /v1/me")
    assert one.fix


def test_how_the_requests_went_is_counted(tmp_path: Path) -> None:
    with emulated(tmp_path) as emulator:
        found = check(examined(emulator), "rate").found
    assert "concurrency is 8; 5 requests, 0 of them retries, 0 answered 429; median" in found


def test_a_service_that_throttles_is_worth_a_warning(tmp_path: Path) -> None:
    with emulated(tmp_path, faults=("GET /v1/apiclients status=429 count=2",)) as emulator:
        one = check(examined(emulator), "rate")
    assert one.verdict is Verdict.WARNING
    assert "7 requests, 2 of them retries, 2 answered 429" in one.found
    assert one.fix == "lower `concurrency` of this environment"
