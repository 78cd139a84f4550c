"""Injected faults: their syntax, the requests that they apply to, and their effects."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator import DroppedConnection, FaultSpecError
from reconciler.emulator.faults import Rule, parse_fault

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

OFFICE = "/v1/apiclients/9DFE083F-A675-4A3A-A39A-521511DAC93D"
LEAST = {"AppName": "App", "AccessTokenDuration": 10}


@pytest.fixture
def inject(admin: httpx.Client) -> Callable[[str], None]:
    """Add a fault to the emulator of `admin`."""

    def post(spec: str) -> None:
        answer = admin.post("/_emulator/faults", json={"spec": spec})
        assert answer.status_code == 204, answer.text

    return post


def test_a_spec_is_parsed() -> None:
    spec = 'put /v1/apiclients/* status=503, retry-after=2,count=3 after=1 message="try, again" latency=5'
    assert parse_fault(spec) == Rule(
        spec, "PUT", "/v1/apiclients/*", status=503, retry_after=2, count=3, after=1, message="try, again", latency=5
    )


def test_an_edit_accepts_any_json() -> None:
    rule = parse_fault('* * edit=xp:{"a, b": [1, 2]} client=abc count=all')
    assert (rule.edit, rule.client, rule.count) == (("xp", {"a, b": [1, 2]}), "abc", None)


@pytest.mark.parametrize(
    ("spec", "column", "problem"),
    [
        ("", 1, "the method is missing"),
        ("FETCH /v1 status=500", 1, "the method must be one of"),
        ("GET", 4, "the path is missing"),
        ("GET v1 status=500", 5, "the path must start with"),
        ("GET /v1", 8, "no effect"),
        ("GET /v1 count=2", 16, "no effect"),
        ("GET /v1 stats=500", 9, "unknown key 'stats', did you mean 'status'?"),
        ("GET /v1 zzz=1", 9, "unknown key 'zzz'"),
        ("GET /v1 status", 15, "'=' is missing after status"),
        ("GET /v1 status=", 16, "the value of status is missing"),
        ("GET /v1 status=200", 16, "status must be a number from 400 to 599"),
        ("GET /v1 status=500 count=0", 26, "count must be a number from 1"),
        ("GET /v1 drop=maybe", 14, "drop must be one of before, after"),
        ("GET /v1 body=nice", 14, "body must be one of truncated"),
        ("GET /v1 status=500 status=501", 20, "duplicate key 'status'"),
        ("GET /v1 edit=Bogus:1", 14, "API clients have no writable field 'Bogus'"),
        ("GET /v1 edit=AppName", 21, "':' is missing"),
        ("GET /v1 edit=AppName:x", 22, "invalid JSON"),
        ('GET /v1 edit=xp:{"a":NaN}', 17, "invalid JSON"),
        ("GET /v1 edit=xp:" + "[" * 100_000, 17, "invalid JSON"),
        ("GET /v1 =5", 9, "a key is missing"),
        ('GET /v1 status="500', 16, "invalid JSON"),
    ],
)
def test_an_invalid_spec_is_rejected_with_its_column(spec: str, column: int, problem: str) -> None:
    with pytest.raises(FaultSpecError) as refused:
        parse_fault(spec)
    assert f"column {column}: {problem}" in str(refused.value)


@given(st.text(alphabet='GET /v1*=,:"{}[] statusdropeditcount0123456789AppName', max_size=60))
def test_any_string_is_parsed_or_rejected(spec: str) -> None:
    with contextlib.suppress(FaultSpecError):
        rule = parse_fault(spec)
        assert parse_fault(rule.spec) == rule


def test_invalid_specs_are_rejected_by_settings_and_endpoint(
    admin: httpx.Client, emulate: Callable[..., Emulator]
) -> None:
    with pytest.raises(FaultSpecError, match="column 5"):
        emulate(faults=("GET x",))
    answers = [admin.post("/_emulator/faults", json=body) for body in ({"spec": "GET x"}, {"spec": 5}, {})]
    codes = [answer.json()["Errors"][0]["ErrorCode"] for answer in answers]
    assert codes == ["ValidationFailure", "RequiredField", "RequiredField"]


@pytest.mark.parametrize(
    ("method", "path", "matches"),
    [
        ("PUT", "/v1/apiclients/x", True),
        ("PUT", "/V1/ApiClients/x/secrets/y", True),
        ("PUT", "/v1/apiclients", False),
        ("PATCH", "/v1/apiclients/x", False),
    ],
)
def test_a_rule_matches_by_method_and_path(method: str, path: str, *, matches: bool) -> None:
    assert parse_fault("PUT /v1/apiclients/* revoke").matches(method, path) is matches


def test_a_fault_skips_some_requests_affects_some_and_ends(admin: httpx.Client, inject: Callable[[str], None]) -> None:
    inject("GET /v1/me status=503 after=1 count=2")
    assert [admin.get("/v1/me").status_code for _ in range(5)] == [200, 503, 503, 200, 200]
    listed = admin.get("/_emulator/faults").json()["faults"]
    assert listed == [{"spec": "GET /v1/me status=503 after=1 count=2", "matched": 5}]


def test_faults_can_be_removed(admin: httpx.Client, inject: Callable[[str], None]) -> None:
    inject("* * status=500 count=all")
    assert [admin.get("/v1/me").status_code for _ in range(2)] == [500, 500]
    assert admin.delete("/_emulator/faults").status_code == 204
    assert admin.get("/v1/me").status_code == 200


def test_faults_can_be_in_the_settings(
    emulate: Callable[..., Emulator], visit: Callable[[Emulator], httpx.Client]
) -> None:
    guest = visit(emulate(faults=("POST /oauth/token status=429 retry-after=7",)))
    answer = guest.post("/oauth/token")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


@pytest.mark.parametrize(
    ("keys", "code", "message"),
    [
        ("status=401", "InvalidToken", "Access token is invalid or expired."),
        ("status=409", "IdExists", "Object already exists."),
        ("status=418", "ServerError", "An unknown error has occurred on the server."),
        ("status=503", "Api.Offline", "The API is down briefly for maintenance. Please try again in a few seconds."),
        ("status=599", "ServerError", "An unknown error has occurred on the server."),
        ("status=502 code=Odd", "Odd", "An injected fault."),
        ('status=500 code=Odd message="two words"', "Odd", "two words"),
    ],
)
def test_a_status_has_its_error_body(
    admin: httpx.Client, inject: Callable[[str], None], keys: str, code: str, message: str
) -> None:
    inject(f"PUT {OFFICE} {keys}")
    refused = admin.put(OFFICE, json=LEAST)
    error = refused.json()["Errors"][0]
    assert (error["ErrorCode"], error["Message"]) == (code, message)
    assert refused.headers["X-oc-logid"]
    assert admin.get(OFFICE).json()["AppName"] == "Back office"


@pytest.mark.parametrize("status", [502, 504])
def test_a_proxy_error_is_an_html_page(admin: httpx.Client, inject: Callable[[str], None], status: int) -> None:
    inject(f"GET /v1/me status={status}")
    answer = admin.get("/v1/me")
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "text/html; charset=utf-8")
    assert answer.text.startswith("<html>")


@pytest.mark.parametrize(("drop", "name"), [("before", "Back office"), ("after", "App")])
def test_a_dropped_connection_comes_before_or_after_the_write(
    admin: httpx.Client, inject: Callable[[str], None], drop: str, name: str
) -> None:
    inject(f"PUT /v1/apiclients/* drop={drop}")
    with pytest.raises(DroppedConnection):
        admin.put(OFFICE, json=LEAST)
    assert admin.get(OFFICE).json()["AppName"] == name
    statuses = [entry["status"] for entry in admin.get("/_emulator/requests").json()["requests"]]
    assert statuses == [200, None, 200]


def test_a_write_with_a_broken_response_takes_effect(admin: httpx.Client, inject: Callable[[str], None]) -> None:
    inject("PUT * body=truncated")
    answer = admin.put(OFFICE, json=LEAST)
    whole = admin.get(OFFICE)
    assert whole.json()["AppName"] == "App"
    assert answer.status_code == 200
    assert whole.content.startswith(answer.content)
    assert 0 < len(answer.content) < len(whole.content)


@pytest.mark.parametrize(
    ("body", "start", "kind"),
    [
        ("html", b"<html>", "text/html; charset=utf-8"),
        ("bom", b'\xef\xbb\xbf{"ID"', "application/json; charset=utf-8"),
        ("empty", b"", "application/json; charset=utf-8"),
        ("wrong-type", b'["unexpected"]', "application/json; charset=utf-8"),
    ],
)
def test_a_body_is_broken(
    admin: httpx.Client, inject: Callable[[str], None], body: str, start: bytes, kind: str
) -> None:
    inject(f"GET /v1/me body={body}")
    answer = admin.get("/v1/me")
    assert answer.content.startswith(start)
    assert bool(answer.content) is bool(start)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)


def test_an_empty_response_is_not_changed(admin: httpx.Client, inject: Callable[[str], None]) -> None:
    inject("DELETE * body=html")
    assert admin.delete("/v1/buyers/globex").content == b""


def test_a_status_can_have_a_broken_body(admin: httpx.Client, inject: Callable[[str], None]) -> None:
    inject("GET /v1/me status=500 body=html")
    answer = admin.get("/v1/me")
    assert (answer.status_code, answer.text[:6]) == (500, "<html>")


def test_an_edit_changes_the_client_just_before_the_request(admin: httpx.Client, inject: Callable[[str], None]) -> None:
    inject(f'PATCH {OFFICE} edit=xp:{{"by": "someone"}}')
    body = admin.patch(OFFICE, json={"xp": {"mine": 1}}).json()
    assert body["xp"] == {"by": "someone", "mine": 1}


def test_an_edit_changes_a_given_client_while_the_list_is_read(
    admin: httpx.Client, inject: Callable[[str], None]
) -> None:
    inject(f'GET /v1/apiclients edit=AppName:"Renamed" client={OFFICE[-36:].lower()} after=1')
    names = [[item["AppName"] for item in admin.get("/v1/apiclients").json()["Items"]] for _ in range(2)]
    assert ["Renamed" in each for each in names] == [False, True]


@pytest.mark.parametrize("path", ["/v1/me", "/v1/apiclients/unknown"])
def test_an_edit_without_a_client_does_nothing(admin: httpx.Client, inject: Callable[[str], None], path: str) -> None:
    inject('GET * edit=AppName:"Renamed"')
    before = admin.get(path).status_code
    assert admin.get(path).status_code == before


def test_a_token_is_revoked_in_the_middle_of_a_run(
    emulator: Emulator, admin: httpx.Client, inject: Callable[[str], None], login: Callable[..., httpx.Client]
) -> None:
    other = login(emulator)
    inject("GET /v1/me revoke after=1")
    assert [admin.get("/v1/me").status_code for _ in range(3)] == [200, 401, 401]
    assert other.get("/v1/me").status_code == 200


def test_latency_can_be_limited_to_some_requests(
    admin: httpx.Client, inject: Callable[[str], None], naps: list[float]
) -> None:
    inject("GET /v1/me latency=250")
    admin.get("/v1/apiclients")
    admin.get("/v1/me")
    assert naps == [0.25]
