"""A number of clients -> the same clients as bodies of a service, as manifests and as a configuration."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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


def write_config(folder: Path, url: str, concurrency: int = 8) -> None:
    """The reconciler.yaml beside the manifests."""
    text = _CONFIG.format(url=url, own=OWN_ID, variable=SECRET_VARIABLE, concurrency=concurrency)
    (folder / "reconciler.yaml").write_text(text)
