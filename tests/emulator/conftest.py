"""A small seed -> in-process emulators, and httpx clients logged in as their administrator."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PERSON = {"FirstName": "A", "LastName": "B", "Email": "a@example.com", "Active": True}
OBJECTS: dict[str, list[dict[str, Any]]] = {
    "Buyers": [{"ID": "Acme", "Name": "Acme", "Active": True}, {"ID": "globex", "Name": "Globex", "Active": True}],
    "Suppliers": [{"ID": "tools", "Name": "Tools", "Active": True}],
    "SecurityProfiles": [
        {"ID": "shopping", "Name": "Shopping", "Roles": ["Shopper", "MeAdmin"], "CustomRoles": ["vip"]},
        {"ID": "reading", "Name": "Reading", "Roles": ["ApiClientReader"]},
    ],
    "AdminUsers": [{"ID": "reader", "Username": "reader", "Password": "pw-reader", **PERSON}],
    "Users": [{"ID": "shopper", "Username": "shopper", "Password": "pw-shopper", "BuyerID": "Acme", **PERSON}],
    "SupplierUsers": [{"ID": "vendor", "Username": "vendor", "Password": "pw", "SupplierID": "tools", **PERSON}],
    "IntegrationEvents": [
        {"ID": each + "-Event", "Name": each, "EventType": each, "CustomImplementationUrl": "https://x.example/y"}
        | {"HashKey": "h"}
        for each in ("OrderCheckout", "OrderReturn", "AddToCart")
    ],
    "ApiClients": [
        {
            "ID": "e5a05785-caff-4f7d-9cc3-758f13865fc3",
            "AppName": "Storefront",
            "AccessTokenDuration": 600,
            "Active": True,
            "IsAnonBuyer": True,
            "DefaultContextUserName": "shopper",
            "OrderCheckoutIntegrationEventID": "OrderCheckout-Event",
        },
        {
            "ID": "9dfe083f-a675-4a3a-a39a-521511dac93d",
            "AppName": "Back office",
            "AccessTokenDuration": 60,
            "RefreshTokenDuration": 120,
            "Active": True,
            "AllowSeller": True,
        },
    ],
}
ASSIGNMENTS = {
    "ApiClientAssignments": [{"ApiClientID": "E5A05785-CAFF-4F7D-9CC3-758F13865FC3", "BuyerID": "Acme"}],
    "SecurityProfileAssignments": [
        {"SecurityProfileID": "shopping", "BuyerID": "acme"},
        {"SecurityProfileID": "reading", "UserID": "reader"},
    ],
}


@pytest.fixture
def now() -> list[datetime]:
    """The current time, in a list so that a test can change it."""
    return [datetime(2026, 10, 5, 12, tzinfo=UTC)]


@pytest.fixture
def naps() -> list[float]:
    """The delays of an emulator, in seconds, instead of sleeping."""
    return []


@pytest.fixture
def emulate(tmp_path: Path, now: list[datetime], naps: list[float]) -> Iterator[Callable[..., Emulator]]:
    """Make an emulator; keywords are settings, `objects` are merged into the seed, `seed=None` leaves it empty."""
    made: list[Emulator] = []

    def make(objects: dict[str, Any] | None = None, **settings: Any) -> Emulator:
        seed = tmp_path / "seed.json"
        seed.write_text(json.dumps({"Objects": OBJECTS | (objects or {}), "Assignments": ASSIGNMENTS}))
        chosen = Settings(**{"seed": seed, **settings})
        made.append(Emulator(chosen, clock=lambda: now[0], sleep=naps.append))
        return made[-1]

    yield make
    for emulator in made:
        emulator.close()


@pytest.fixture
def visit() -> Iterator[Callable[[Emulator], httpx.Client]]:
    """A factory of httpx clients without a token."""
    made: list[httpx.Client] = []

    def make(emulator: Emulator) -> httpx.Client:
        made.append(httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url="http://emulator"))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def login(visit: Callable[[Emulator], httpx.Client]) -> Callable[..., httpx.Client]:
    """A factory of httpx clients logged in as the administrator, or as given by the form."""

    def make(emulator: Emulator, **form: str) -> httpx.Client:
        client = visit(emulator)
        default = {"client_id": ADMIN_CLIENT_ID, "client_secret": ADMIN_CLIENT_SECRET}
        answer = client.post("/oauth/token", data={"grant_type": "client_credentials", **(form or default)})
        client.headers["Authorization"] = "Bearer " + answer.raise_for_status().json()["access_token"]
        return client

    return make


@pytest.fixture
def emulator(emulate: Callable[..., Emulator]) -> Emulator:
    """An emulator with the seed above and all defaults."""
    return emulate()


@pytest.fixture
def admin(emulator: Emulator, login: Callable[..., httpx.Client]) -> httpx.Client:
    """The administrator of that emulator."""
    return login(emulator)


@pytest.fixture
def legacy(emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]) -> httpx.Client:
    """The administrator of an emulator of the legacy API generation."""
    return login(emulate(profile="legacy"))
