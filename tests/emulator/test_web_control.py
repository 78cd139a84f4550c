"""The control endpoints: journal, revocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator

ADMIN = "00000000-0000-0000-0000-00000000ad01"


def test_the_journal_has_client_request_and_status(admin: httpx.Client) -> None:
    admin.delete("/_emulator/requests")
    admin.get("/v1/ApiClients", params={"pageSize": 1000, "AppName": "a b"})
    admin.get("/v1/apiclients/ключ", headers={"Authorization": "none"})
    entries = admin.get("/_emulator/requests").json()["requests"]
    query = "pageSize=1000&AppName=a%20b"
    assert [entry | {"query": entry["query"].replace("+", "%20")} for entry in entries] == [
        {"method": "GET", "path": "/v1/ApiClients", "query": query, "status": 400, "client": ADMIN},
        {"method": "GET", "path": "/v1/apiclients/ключ", "query": "", "status": 401, "client": None},
    ]


def test_the_journal_has_no_control_requests_and_no_client_for_an_invalid_token(
    emulator: Emulator, visit: Callable[[Emulator], httpx.Client]
) -> None:
    guest = visit(emulator)
    guest.get("/v1/me", headers={"Authorization": "Bearer a.b.c"})
    guest.get("/_emulator/requests")
    assert [entry["client"] for entry in guest.get("/_emulator/requests").json()["requests"]] == [None]
    assert guest.delete("/_emulator/requests").status_code == 204
    assert guest.get("/_emulator/requests").json() == {"requests": []}


def test_revoked_tokens_are_rejected_and_new_ones_accepted(
    emulator: Emulator, admin: httpx.Client, login: Callable[..., httpx.Client]
) -> None:
    assert admin.post("/_emulator/revoke-tokens").status_code == 204
    answer = admin.get("/v1/me")
    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (401, "Auth.TokenRevoked")
    assert login(emulator).get("/v1/me").status_code == 200


def test_a_control_path_that_does_not_exist_is_not_found(admin: httpx.Client) -> None:
    assert [admin.get("/_emulator").status_code, admin.get("/_emulator/x").status_code] == [404, 404]
