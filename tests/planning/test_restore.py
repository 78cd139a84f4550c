"""After a restore that copied production over staging: what points at production, and secrets that came along."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.plan import Change, Limits, Plan
from reconciler.model.resource import Address, DesiredState
from tests.events import Tap
from tests.service import NO_LIMITS, Shop, client_id, shop

HUB, BUS, LOGIN = Address("DeliveryConfig", "hub"), Address("DeliveryConfig", "bus"), Address("OpenIdConnect", "login")
KEYS = ("HASH_KEY", "RECEIVER", "BUS", "IDP")
TARGET = replace(NO_LIMITS, limits=Limits(changes=0, widens=0, restore=True))
MANIFESTS = """apiVersion: reconciler/v1
kind: IntegrationEvent
metadata: {name: cart}
spec:
  Name: Cart
  EventType: AddToCart
  CustomImplementationUrl: https://${values.host}/cart
  HashKey: {fromEnv: HASH_KEY}
---
apiVersion: reconciler/v1
kind: IntegrationEvent
metadata: {name: returns}
spec:
  Name: Returns
  EventType: OrderReturn
  CustomImplementationUrl: https://${values.host}/returns
  HashKey: {fromEnv: HASH_KEY}
---
apiVersion: reconciler/v1
kind: DeliveryConfig
metadata: {name: hub}
spec:
  Name: Hub
  DeliveryTargets: {Http: {Endpoint: "https://${values.host}/hub", Secret: {fromEnv: RECEIVER}}}
---
apiVersion: reconciler/v1
kind: DeliveryConfig
metadata: {name: bus}
spec:
  Name: Bus
  DeliveryTargets: {EventHub: {EventHubName: orders, ConnectionString: {fromEnv: BUS}}}
---
apiVersion: reconciler/v1
kind: OpenIdConnect
metadata: {name: login}
spec:
  OrderCloudApiClientID: CLIENT
  ConnectClientID: shop-${values.stage}
  ConnectClientSecret: {fromEnv: IDP}
  AppStartUrl: https://${values.host}/?token={0}
  AuthorizationEndpoint: https://idp.example.com/authorize
  TokenEndpoint: https://idp.example.com/token
---
apiVersion: reconciler/v1
kind: Webhook
metadata: {name: hook}
spec:
  Name: Hook
  Url: https://${values.host}/hook
  HashKey: {fromEnv: HASH_KEY}
  ApiClientIDs: [CLIENT]
"""


def wanted(folder: Path, stage: str) -> DesiredState:
    (folder / "manifests.yaml").write_text(MANIFESTS.replace("CLIENT", client_id(1)))
    values = {"host": f"{stage}.example.com", "stage": stage}
    return load([folder / "manifests.yaml"], LoadContext(values=values, allowed_secrets=frozenset(KEYS))).desired


def seed_of_production(folder: Path) -> Path:
    """What production has, as a restore brings it."""
    event = {"HashKey": "production", "ElevatedRoles": []}
    login = {"ID": "login", "OrderCloudApiClientID": client_id(1), "ConnectClientID": "shop-production"}
    objects: dict[str, Any] = {
        "ApiClients": [{"ID": client_id(1), "AppName": "Shop", "AccessTokenDuration": 60, "Active": True}],
        "IntegrationEvents": [
            event
            | {"ID": "cart", "Name": "Cart", "EventType": "AddToCart", "CustomImplementationUrl": "https://p/cart"},
            event | {"ID": "returns", "Name": "Returns", "EventType": "OrderReturn"},
        ],
        "DeliveryConfigs": [
            {"ID": "hub", "Name": "Hub"}
            | {"DeliveryTargets": {"Http": {"Endpoint": "https://production.example.com/hub", "Secret": "production"}}},
            {"ID": "bus", "Name": "Bus"}
            | {"DeliveryTargets": {"EventHub": {"EventHubName": "orders", "ConnectionString": "production"}}},
        ],
        "OpenIdConnects": [
            login
            | {"ConnectClientSecret": "production", "AppStartUrl": "https://production.example.com/?token={0}"}
            | {"AuthorizationEndpoint": "https://idp.example.com/authorize"}
            | {"TokenEndpoint": "https://idp.example.com/token"}
        ],
        "Webhooks": [
            {"ID": "hook", "Name": "Hook", "Url": "https://production.example.com/hook", "HashKey": "production"}
            | {"ApiClientIDs": [client_id(1)]}
        ],
    }
    file = folder / "production.json"
    file.write_text(json.dumps({"Objects": objects}))
    return file


@pytest.fixture
def staging(tmp_path: Path) -> Iterator[Shop]:
    client = {"ID": client_id(1), "AppName": "Shop", "AccessTokenDuration": 60, "Active": True}
    with shop(tmp_path, client) as opened:
        opened.secrets |= dict.fromkeys(KEYS, "staging")
        yield opened


def change_of(plan: Plan, address: Address) -> Change:
    return next(change for change in plan.changes if change.address == address)


@pytest.mark.parametrize("reading", ["url-null", "removed"])
def test_whatever_came_from_production_is_named_and_put_back_within_the_limits(
    staging: Shop, tmp_path: Path, reading: str
) -> None:
    desired = wanted(tmp_path, "staging")
    assert staging.converge(desired).is_complete
    parameters = {"events": reading, "from": str(seed_of_production(tmp_path))}
    staging.http.post("/_emulator/staging-restore", params=parameters).raise_for_status()
    staging.transport = tap = Tap(staging.transport, "/v1/integrations/deliveryconfig/bus")
    plan = staging.plan(desired, TARGET)
    told = "uses host production.example.com, but its manifest has staging.example.com"
    assert [text.split()[0] for text in plan.warnings if told in text] == [str(HUB), str(LOGIN)]
    assert [one.pointer for one in change_of(plan, BUS).fields] == ["/DeliveryTargets/EventHub/ConnectionString"]
    assert plan.guards == ()
    assert staging.apply(plan).is_complete
    assert [body["DeliveryTargets"]["EventHub"]["ConnectionString"] for _, body in tap.taken()] == ["staging"]
    assert not staging.plan(desired, TARGET).has_changes


def test_without_a_restore_a_host_that_somebody_changed_counts_and_no_secret_is_written(
    staging: Shop, tmp_path: Path
) -> None:
    desired = wanted(tmp_path, "staging")
    assert staging.converge(desired).is_complete
    with staging.writer() as writer:
        targets = {"Http": {"Endpoint": "https://elsewhere.example.com", "Secret": "other"}}
        writer.patch("/integrations/deliveryconfig", "hub", {"DeliveryTargets": targets})
    plan = staging.plan(desired, TARGET)
    assert not change_of(plan, BUS).fields
    assert {one.rule for one in plan.guards} == {"limit-changes", "limit-widens"}
