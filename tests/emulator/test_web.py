"""HTTP: case-insensitive routing, headers, unknown paths and methods, crashes."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import reconciler.emulator
from reconciler.emulator import Emulator, Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx


def test_a_response_has_the_headers_of_the_service(admin: httpx.Client) -> None:
    first, second = admin.get("/v1/me"), admin.get("/v1/me")
    assert first.headers["Content-Type"] == "application/json; charset=utf-8"
    assert first.headers["Cache-Control"] == "private"
    assert first.headers["X-oc-logid"] != second.headers["X-oc-logid"]
    assert "ETag" not in first.headers


def test_an_empty_response_has_no_body_and_no_length(admin: httpx.Client) -> None:
    answer = admin.delete("/v1/buyers/globex")
    assert (answer.status_code, answer.content, "Content-Length" in answer.headers) == (204, b"", False)


@pytest.mark.parametrize("path", ["/v1/ApiClients", "/V1/APICLIENTS/", "/v1/apiclients/"])
def test_a_path_matches_in_any_case_and_an_empty_id_returns_the_list(admin: httpx.Client, path: str) -> None:
    assert admin.get(path).json()["Meta"]["TotalCount"] == 3


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_an_empty_id_cannot_be_written_to(admin: httpx.Client, method: str) -> None:
    answer = admin.request(method, "/v1/apiclients/", json={"AppName": "A", "AccessTokenDuration": 10})
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD, POST, OPTIONS")
    assert answer.json()["Errors"][0]["ErrorCode"] == "MethodNotAllowed"


@pytest.mark.parametrize("path", ["/v1/me", "/v1/apiclients", "/v1/buyers/Acme"])
def test_a_head_is_a_get_without_its_body(admin: httpx.Client, path: str) -> None:
    head, get = admin.head(path), admin.get(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == get.headers["Content-Length"]
    assert head.headers["Content-Type"] == get.headers["Content-Type"]


def test_options_returns_the_methods_of_a_path_without_a_token(
    emulator: Emulator, visit: Callable[[Emulator], httpx.Client]
) -> None:
    answer = visit(emulator).options("/v1/apiclients")
    assert (answer.status_code, answer.headers["Allow"]) == (200, "GET, HEAD, POST")


def test_an_unknown_method_is_not_allowed(admin: httpx.Client) -> None:
    answer = admin.request("FETCH", "/v1/apiclients")
    assert (answer.status_code, answer.json()["Errors"][0]["ErrorCode"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize(("profile", "version"), [("current", "1.0.470"), ("legacy", "1.0.260")])
def test_the_version_of_the_api_needs_no_token(
    emulate: Callable[..., Emulator], visit: Callable[[Emulator], httpx.Client], profile: str, version: str
) -> None:
    assert visit(emulate(profile=profile)).get("/v1/openapi/v3").json()["info"]["version"] == version


def test_every_response_is_delayed_by_the_latency(
    emulate: Callable[..., Emulator], visit: Callable[[Emulator], httpx.Client], naps: list[float]
) -> None:
    guest = visit(emulate(latency_ms=50))
    guest.get("/v1/me")
    guest.get("/_emulator/requests")
    assert naps == [0.05]


@pytest.mark.parametrize(("page", "naps_taken"), [(1, []), (30, []), (31, [0.2]), (100, [0.2])])
def test_pages_beyond_the_thirtieth_are_slow(
    emulate: Callable[..., Emulator],
    visit: Callable[[Emulator], httpx.Client],
    naps: list[float],
    page: int,
    naps_taken: list[float],
) -> None:
    visit(emulate()).get("/v1/apiclients", params={"pageSize": 30, "page": page})
    assert naps == naps_taken


def test_importing_the_package_imports_no_framework() -> None:
    frameworks = {"falcon", "cheroot", "cryptography", "jwt", "ruamel"}
    script = f"import sys, reconciler.emulator; print({frameworks} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_the_package_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = reconciler.emulator.nonsense


@pytest.mark.parametrize("settings", [{"latency_ms": -1}, {"max_page_size": 0}])
def test_invalid_settings_are_rejected(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="got"):
        Settings(**settings)  # type: ignore[arg-type]  # the keys are of mixed types
