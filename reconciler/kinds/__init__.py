"""The managed kinds, in the order in which messages and schemas list them.

A new kind is one file here, one line below, a generated schema in ``schemas/``, and a row in the emulator.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any, Final

from reconciler.kinds.assignments import Assignments
from reconciler.kinds.base import Dependent, IdChoice, Kind, naming_roles
from reconciler.kinds.fields import Field, Reference, UserReference
from reconciler.kinds.secrecy import NamedSecrets
from reconciler.model.resource import Address, ObjectKey

DEFAULT_KIND: Final = "ApiClient"
"""The kind that is read if no manifest names a kind, and the kind of a name without one."""

TABLES: Final[dict[str, str]] = {
    "ApiClient": "reconciler.kinds.api_client:API_CLIENT",
    "IntegrationEvent": "reconciler.kinds.integration_event:INTEGRATION_EVENT",
    "Webhook": "reconciler.kinds.webhook:WEBHOOK",
    "DeliveryConfig": "reconciler.kinds.delivery_config:DELIVERY_CONFIG",
    "SecurityProfile": "reconciler.kinds.security_profile:SECURITY_PROFILE",
    "MessageSender": "reconciler.kinds.message_sender:MESSAGE_SENDER",
    "OpenIdConnect": "reconciler.kinds.open_id_connect:OPEN_ID_CONNECT",
    "ImpersonationConfig": "reconciler.kinds.impersonation_config:IMPERSONATION_CONFIG",
    "AdminUserGroup": "reconciler.kinds.admin_user_group:ADMIN_USER_GROUP",
    "TrackingEvent": "reconciler.kinds.tracking_event:TRACKING_EVENT",
    "Locale": "reconciler.kinds.locale:LOCALE",
    "SellerApprovalRule": "reconciler.kinds.seller_approval_rule:SELLER_APPROVAL_RULE",
    "ProductFacet": "reconciler.kinds.product_facet:PRODUCT_FACET",
    "Incrementor": "reconciler.kinds.incrementor:INCREMENTOR",
    "XpIndex": "reconciler.kinds.xp_index:XP_INDEX",
    "ProductSync": "reconciler.kinds.singletons:PRODUCT_SYNC",
    "EntitySync": "reconciler.kinds.singletons:ENTITY_SYNC",
    "OrderSync": "reconciler.kinds.singletons:ORDER_SYNC",
    "ErrorConfig": "reconciler.kinds.singletons:ERROR_CONFIG",
    "SubscriptionIntegration": "reconciler.kinds.singletons:SUBSCRIPTION_INTEGRATION",
    "InventoryIntegration": "reconciler.kinds.singletons:INVENTORY_INTEGRATION",
    "PromotionIntegration": "reconciler.kinds.singletons:PROMOTION_INTEGRATION",
}
"""Kind -> the module of its table, and the table's name in it."""

_WITH_CHECKS: Final = ("ApiClient",)
"""Kinds with modules `rules` and `guards` next to their table."""

LOGIN_KIND: Final = "ApiClient"
"""The kind of the object that a run logs in with."""

__all__ = [
    "DEFAULT_KIND",
    "KINDS",
    "LOGIN_KIND",
    "Assignments",
    "Dependent",
    "Field",
    "IdChoice",
    "Kind",
    "NamedSecrets",
    "Reference",
    "UserReference",
    "address_of",
    "login_key",
    "naming_roles",
    "own_checks",
    "secret_fields",
    "short",
]


class _Kinds(Mapping[str, Kind]):
    """Every kind by name. A table is imported on first use, because a run needs only the kinds in use."""

    def __getitem__(self, name: str) -> Kind:
        return _table(TABLES[name])

    def __contains__(self, name: object) -> bool:
        return name in TABLES

    def __iter__(self) -> Iterator[str]:
        return iter(TABLES)

    def __len__(self) -> int:
        return len(TABLES)


@cache
def _table(place: str) -> Kind:
    module, _, name = place.partition(":")
    found: Kind = getattr(import_module(module), name)
    return found


KINDS: Final[Mapping[str, Kind]] = _Kinds()


def own_checks(part: str) -> Iterator[tuple[str, Any]]:
    """Each kind with a module of that name, and the module: `rules` has `RULES`, `guards` has `GUARDS`."""
    for kind in _WITH_CHECKS:
        yield kind, import_module(f"{TABLES[kind].partition(':')[0]}.{part}")


@cache
def secret_fields() -> frozenset[str]:
    """The names of the secret fields of all kinds, whose values no message quotes."""
    return frozenset(one.name for kind in KINDS.values() for one in kind.secret_rows.values())


def address_of(text: str) -> Address:
    """The address that ``KIND/NAME`` or a bare name means."""
    kind, slash, name = text.partition("/")
    return Address(kind, name) if slash else Address(DEFAULT_KIND, text)


def short(address: Address) -> str:
    """The shortest text for an address."""
    return address.name if address.kind == DEFAULT_KIND else str(address)


def login_key(client_id: str) -> ObjectKey:
    """The object that a run is logged in with."""
    return ObjectKey(LOGIN_KIND, client_id)
