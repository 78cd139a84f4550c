"""Authorisation of calls."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.emulator.test_tokens import ANONYMOUS, OFFICE, READER, code
from tests.emulator.test_tokens import guest as guest  # noqa: PLC0414  # the fixture, under its own name

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from reconciler.emulator import Emulator


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x.y.z", "Basic abc"])
def test_a_request_without_a_valid_token_is_rejected(guest: httpx.Client, header: str) -> None:
    answer = guest.get("/v1/me", headers={"Authorization": header} if header else {})
    assert (answer.status_code, code(answer)) == (401, "InvalidToken")


def test_only_the_seller_may_use_api_clients(emulator: Emulator, login: Callable[..., httpx.Client]) -> None:
    answer = login(emulator, **ANONYMOUS).get("/v1/apiclients")
    assert (answer.status_code, code(answer)) == (403, "Auth.UserNotAuthorizedToAdmin")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/apiclients", 200),
        ("GET", f"/v1/apiclients/{OFFICE}", 200),
        ("GET", f"/v1/apiclients/{OFFICE}/secrets", 200),
        ("GET", "/v1/apiclients/assignments", 200),
        ("GET", "/v1/me", 200),
        ("PUT", f"/v1/apiclients/{OFFICE}", 403),
        ("POST", "/v1/apiclients", 403),
        ("DELETE", f"/v1/apiclients/{OFFICE}", 403),
        ("POST", "/v1/apiclients/assignments", 403),
        ("POST", f"/v1/apiclients/{OFFICE}/secrets", 403),
        ("GET", "/v1/webhooks", 403),
        ("GET", "/v1/integrationEvents", 403),
        ("GET", "/v1/integrations/subscription", 403),
    ],
)
def test_a_reader_cannot_write(
    emulator: Emulator, login: Callable[..., httpx.Client], method: str, path: str, status: int
) -> None:
    assert login(emulator, **READER).request(method, path, json={}).status_code == status


def test_a_missing_role_is_reported(emulator: Emulator, login: Callable[..., httpx.Client]) -> None:
    error = login(emulator, **READER).post("/v1/apiclients", json={}).json()["Errors"][0]
    assert error["ErrorCode"] == "Auth.InsufficientRoles"
    assert error["Data"] == {"SufficientRoles": ["FullAccess", "ApiClientAdmin"], "AssignedRoles": ["ApiClientReader"]}
