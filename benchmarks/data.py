"""A number of clients -> the same clients as bodies of a service, as manifests and as a configuration."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from reconciler.kinds import KINDS, IdChoice, Kind
from reconciler.model.json import Json

MARKETPLACE: Final = "bench"
OWN_ID: Final = "FFFFFFFF-0000-4000-8000-00000000AD01"
"""The API client that benchmarks log in with; it is none of those that are managed."""
SECRET_VARIABLE: Final = "BENCH_SECRET"  # noqa: S105  # the name of a variable

_MANIFEST: Final = """\
apiVersion: reconciler/v1
kind: ApiClient
metadata:
  name: client-{number}
  labels: {{team: web}}
spec:
  AppName: Client {number}
  Active: true
  AccessTokenDuration: 60
  RefreshTokenDuration: {refresh}
  AllowAnyBuyer: false
  AllowSeller: true
  OrderCheckoutIntegrationEventID: null
  MaximumGrantedRoles: [MeAdmin, Shopper, OrderReader]
  MaximumGrantedCustomRoles: [support]
  xp: {{channel: web, region: eu, contact: {{team: web, phone: "0{number}"}}}}
policy:
  ignore: [/xp/lastRelease]
"""
_CONFIG: Final = """\
apiVersion: reconciler/v1
kind: Config
manifests: [manifests/]
environments:
  bench:
    url: {url}
    marketplace: bench
    auth: {{clientId: {own}, clientSecret: {{fromEnv: {variable}}}}}
    limits: {{deletes: 0}}
    concurrency: {concurrency}
"""

_REFRESH: Final = 60


def bodies(count: int) -> Iterator[dict[str, Any]]:
    """The clients as the service has them, every field included, roles in another order than in the manifests."""
    for number in range(count):
        yield {
            "ID": f"{number:08X}-0000-4000-8000-000000000000",
            "AppName": f"Client {number}",
            "Active": True,
            "AccessTokenDuration": 60,
            "RefreshTokenDuration": _REFRESH,
            "AnonymousTokenDuration": 10080,
            "DefaultContextUserName": None,
            "AllowAnyBuyer": False,
            "AllowAnySupplier": False,
            "AllowSeller": True,
            "IsAnonBuyer": False,
            "AssignedBuyerCount": 0,
            "AssignedSupplierCount": 0,
            "OrderCheckoutIntegrationEventID": None,
            "OrderCheckoutIntegrationEventName": None,
            "OrderReturnIntegrationEventID": None,
            "OrderReturnIntegrationEventName": None,
            "AddToCartIntegrationEventID": None,
            "AddToCartIntegrationEventName": None,
            "MinimumRequiredRoles": [],
            "MinimumRequiredCustomRoles": [],
            "MaximumGrantedRoles": ["Shopper", "OrderReader", "MeAdmin"],
            "MaximumGrantedCustomRoles": ["support"],
            "xp": {"channel": "web", "region": "eu", "contact": {"team": "web", "phone": f"0{number}"}},
        }


def write_manifests(folder: Path, count: int, changed: int = 0) -> None:
    """One file for each client; `changed` of them, spread over all, ask for something that the service has not."""
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    differing = {number * count // changed for number in range(changed)} if changed else set()
    for number in range(count):
        refresh = 2 * _REFRESH if number in differing else _REFRESH
        path = folder / "manifests" / f"{number:05}.yaml"
        path.write_text(_MANIFEST.format(number=number, refresh=refresh))


def others(count: int) -> Iterator[tuple[Kind, list[dict[str, Any]]]]:
    """Objects of every other kind that a marketplace has many of, as the service has them."""
    for kind in KINDS.values():
        if kind.id_choice is IdChoice.CHOSEN:
            known = {one.name: _without_secrets(one.examples[0]) for one in kind.fields.values() if not one.together}
            known |= dict.fromkeys(kind.initial_fields, 1)
            each = [{"ID": f"{kind.name}-{number}", **known} for number in range(count)]
            for number, body in enumerate(each if kind.unique else ()):
                body[kind.unique[0]] = f"{number:08X}-0000-4000-8000-000000000000"  # a client's
            yield kind, each


def _without_secrets(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {
            name: _without_secrets(one)
            for name, one in value.items()
            if "fromEnv" not in str(one) or name == "EventHub"
        }
    return value


def write_others(folder: Path, count: int) -> None:
    """One file for each of them, in step with the service."""
    for kind, bodies_of_kind in others(count):
        for body in bodies_of_kind:
            spec = {name: value for name, value in body.items() if name in kind.fields}
            manifest = {
                "apiVersion": "reconciler/v1",
                "kind": kind.name,
                "metadata": {"name": body["ID"].lower(), "id": body["ID"]},
            }
            (folder / "manifests" / f"{body['ID']}.yaml").write_text(json.dumps({**manifest, "spec": spec}, indent=1))


def write_config(folder: Path, url: str, concurrency: int = 8) -> None:
    """The reconciler.yaml next to the manifests."""
    text = _CONFIG.format(url=url, own=OWN_ID, variable=SECRET_VARIABLE, concurrency=concurrency)
    (folder / "reconciler.yaml").write_text(text)
