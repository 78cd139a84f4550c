"""The error bodies of the API."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    import httpx


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/products", "/v1/apiclients/a/b/c", "/v1/apiclients//secrets/x/y"])
def test_an_unknown_path_is_not_found(admin: httpx.Client, path: str) -> None:
    answer = admin.get(path)
    (error,) = answer.json()["Errors"]
    assert (answer.status_code, error["ErrorCode"], error["Data"].keys()) == (
        404,
        "NotFound",
        {"ObjectType", "ObjectID"},
    )


@pytest.mark.parametrize("path", ["/v1/apiclients", "/v1/integrations/subscription", "/oauth/certs/none"])
def test_every_404_names_the_missing_object(admin: httpx.Client, path: str) -> None:
    admin.post("/_emulator/faults", json={"spec": "GET /v1/apiclients status=404"})
    (error,) = admin.get(path).json()["Errors"]
    assert all(isinstance(error["Data"][name], str) for name in ("ObjectType", "ObjectID"))


def test_a_crash_is_a_500_with_an_error_body_and_is_logged(
    visit: Callable[[Emulator], httpx.Client], caplog: pytest.LogCaptureFixture
) -> None:
    def broken_clock() -> datetime:
        raise RuntimeError("the clock is broken")

    guest = visit(Emulator(Settings(), clock=broken_clock))
    form = {"grant_type": "client_credentials", "client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET}
    answer = guest.post("/oauth/token", data=form)
    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (500, "ServerError")
    assert [(record.name, record.levelno) for record in caplog.records] == [("reconciler.emulator", logging.ERROR)]
