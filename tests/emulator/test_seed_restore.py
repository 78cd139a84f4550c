"""The staging restore, in each reading of the documents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.emulator.conftest import ASSIGNMENTS, OBJECTS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import httpx

    from reconciler.emulator import Emulator

RESTORE = "/_emulator/staging-restore"
STOREFRONT = "/v1/apiclients/E5A05785-CAFF-4F7D-9CC3-758F13865FC3"
OWN = {
    "IntegrationEvents": [
        *OBJECTS["IntegrationEvents"],
        {"ID": "login", "Name": "l", "EventType": "OpenIDConnect", "CustomImplementationUrl": "https://x.example"},
    ],
    "Webhooks": [{"ID": "hook", "Name": "h", "Url": "https://x.example", "ApiClientIDs": [STOREFRONT[-36:]]}],
    "DeliveryConfigs": [
        {
            "ID": "mail",
            "Name": "Mail",
            "Enabled": True,
            "DeliveryTargets": {"MessageSender": {"Endpoint": "https://mail.example", "Secret": "s"}},
        }
    ],
    "MessageSenders": [
        {"ID": "mails", "Name": "m", "MessageTypes": ["OrderSubmitted"], "DeliveryConfigID": "mail"}
        | {"URL": "https://x.example", "SharedKey": "k"}
    ],
    "OpenIdConnects": [{"ID": "oidc", "OrderCloudApiClientID": STOREFRONT[-36:], "IntegrationEventID": "login"}],
}
SENDING = {"MessageSenderAssignments": [{"MessageSenderID": "mails"}, {"MessageSenderID": "mails", "BuyerID": "Acme"}]}
PATHS = (
    *("/v1/apiclients", "/v1/apiclients/assignments", "/v1/integrationevents", "/v1/webhooks", "/v1/openidconnects"),
    *("/v1/securityprofiles", "/v1/securityprofiles/assignments", "/v1/messagesenders"),
    *("/v1/messagesenders/assignments", "/v1/adminusers", "/v1/buyers", "/v1/suppliers"),
)


def contents(admin: httpx.Client) -> dict[str, Any]:
    """The contents of all lists, by path."""
    found = {path: admin.get(path, params={"pageSize": 100}).raise_for_status().json()["Items"] for path in PATHS}
    return {path: {json.dumps(item, sort_keys=True) for item in items} for path, items in found.items()}


def changed(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {path.removeprefix("/v1/") for path in PATHS if before[path] != after[path]}


@pytest.fixture
def market(tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]) -> Any:
    """Start an emulator with every kind that a restore changes; keywords are settings."""

    def start(**settings: Any) -> httpx.Client:
        seed = tmp_path / "staging.json"
        seed.write_text(json.dumps({"Objects": OBJECTS | OWN, "Assignments": ASSIGNMENTS | SENDING}))
        return login(emulate(seed=seed, **settings))

    return start


def test_by_the_older_page_urls_and_lists_are_cleared_and_the_rest_is_copied(market: Any) -> None:
    admin = market()
    before = contents(admin)
    assert admin.post(RESTORE).status_code == 204
    touched = {"apiclients", "integrationevents", "webhooks", "messagesenders/assignments"}
    assert changed(before, contents(admin)) == touched
    assert {one["CustomImplementationUrl"] for one in admin.get("/v1/integrationevents").json()["Items"]} == {None}
    hook = admin.get("/v1/webhooks/hook").json()
    assert (hook["ApiClientIDs"], hook["Url"]) == ([], "https://x.example")
    assert admin.get(STOREFRONT).json()["OrderCheckoutIntegrationEventID"] is None
    assert admin.get("/v1/messagesenders/assignments").json()["Items"] == []


def test_by_the_newer_page_events_and_references_to_them_are_removed(market: Any) -> None:
    admin = market()
    assert admin.post(f"{RESTORE}?events=removed&webhookUrl=null").status_code == 204
    assert admin.get("/v1/integrationevents").json()["Items"] == []
    assert admin.get("/v1/webhooks/hook").json()["Url"] is None
    assert admin.get(STOREFRONT).json()["OrderCheckoutIntegrationEventID"] is None
    assert admin.get("/v1/openidconnects/oidc").json()["IntegrationEventID"] is None


def test_legacy_senders_lose_their_url(market: Any) -> None:
    admin = market(profile="legacy")
    admin.post(RESTORE)
    sender = admin.get("/v1/messagesenders/mails").json()
    assert (sender["URL"], sender["SharedKey"]) == (None, "k")


def test_production_replaces_all_objects(market: Any, tmp_path: Path) -> None:
    admin = market(revisions=True)
    revision = admin.get(STOREFRONT).json()["EmulatorRevision"]
    admin.put("/v1/webhooks/ours", json={"Name": "o", "Url": "https://staging.example", "HashKey": "h"})
    admin.patch("/v1/buyers/acme", json={"Name": "Changed"})
    production = tmp_path / "production.json"
    hooks = [{"ID": "hook", "Name": "h", "Url": "https://production.example", "ApiClientIDs": [STOREFRONT[-36:]]}]
    production.write_text(json.dumps({"Objects": OBJECTS | {"Webhooks": hooks}, "Assignments": ASSIGNMENTS}))
    assert admin.post(RESTORE, params={"from": str(production)}).status_code == 204
    assert [one["Url"] for one in admin.get("/v1/webhooks").json()["Items"]] == ["https://production.example"]
    assert admin.get("/v1/webhooks/hook").json()["ApiClientIDs"] == []
    assert admin.get("/v1/buyers/acme").json()["Name"] == "Acme"
    assert admin.get(STOREFRONT).json()["EmulatorRevision"] == revision + 1
    assert len(admin.get("/v1/securityprofiles/assignments").json()["Items"]) == 2


def test_a_copy_of_production_persists_after_a_restart(
    tmp_path: Path, emulate: Callable[..., Emulator], login: Callable[..., httpx.Client]
) -> None:
    first = emulate(state=tmp_path / "state.db")
    production = tmp_path / "production.json"
    production.write_text(json.dumps({"Objects": {"Buyers": [{"ID": "only", "Name": "Only"}]}}))
    login(first).post(RESTORE, params={"from": str(production)})
    first.close()
    admin = login(emulate(state=tmp_path / "state.db"))
    assert [one["ID"] for one in admin.get("/v1/buyers").json()["Items"]] == ["only"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("events=gone", "choose from events=url-null|removed; webhookUrl=kept|null; from=FILE"),
        ("event=removed", "event=removed is not supported"),
        ("from=no-such.json", "no-such.json: cannot read the seed"),
        ("from=%00", "cannot read the seed"),
    ],
)
def test_an_invalid_restore_changes_nothing(market: Any, query: str, words: str) -> None:
    admin = market()
    before = contents(admin)
    answer = admin.post(f"{RESTORE}?{query}")
    assert answer.status_code == 400
    assert words in answer.json()["Errors"][0]["Message"]
    assert contents(admin) == before
