"""The resources for delivery configurations and the singletons that use them.

Sources: .NET SDK 0.18.13 and JavaScript SDK 12 (targets and their fields), their error codes; the roles are inferred
from their names. All of them are newer than 1.0.260. Guesses: inventory and promotion integrations, for which no role
is known, need FullAccess; a target that is not set is null in responses; it is not checked which integrations support
which targets, nor whether promotions need the promotion integration, because promotions are not emulated.
"""

from collections.abc import Iterator
from typing import Any

from reconciler.emulator.calls import FULL_ACCESS, readers, writers
from reconciler.emulator.errors import ServiceError
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.resources import Resource
from reconciler.emulator.rows.integrations import CONFIG_DATA, DELIVERY_REF, ELEVATED, auth_header
from reconciler.emulator.store import Body

ENTITIES = (
    *("adminusers", "buyers", "buyers/usergroups", "buyers/users", "catalogs", "categories"),
    *("products/inventoryrecords", "suppliers", "suppliers/users"),
)
_CONNECTION = Field("ConnectionString", required=True, write_only=True)


def _required(*names: str) -> tuple[Field, ...]:
    return tuple(Field(name, required=True) for name in names)


def _secret(name: str, longest: int | None = None) -> Field:
    return Field(name, required=True, write_only=True, maximum=longest)


_CONTENT = (
    Field("Locales", "strings", required=True),
    Field("Http", "object", fields=(*_required("Endpoint"), *auth_header())),
)
TARGETS = {
    "Kafka": (*_required("BootstrapServers", "SaslUsername"), _secret("SaslPassword"), *_required("Topic")),
    "Http": (*_required("Endpoint"), _secret("Secret", 50), *auth_header(longest=50)),
    "SearchIngestion": (
        *_required("Domain", "Source", "Endpoint", "Entity"),
        _secret("ApiKey"),
        Field("Content", "object", fields=_CONTENT),
    ),
    "SendEvent": _required("SiteID", "ServiceEndpoint"),
    "DiscoverEvent": (*_required("ClientID"), _secret("ApiKey"), *_required("ServiceEndpoint")),
    "EventHub": (*_required("EventHubName"), _CONNECTION),
    "AzureBlob": (_CONNECTION, Field("OverrideContainerName")),
    "AzureTable": (_CONNECTION, Field("OverrideTableName")),
    "CosmosDb": (_CONNECTION, Field("OverrideDatabaseName")),
    "Mailchimp": (Field("ApiKey", write_only=True),),
    "MessageSender": (_secret("Secret", 50), *_required("Endpoint")),
    "ContentHub": (_secret("ApiKey", 50), *_required("Endpoint", "TargetSchemaName"), Field("ConfigData", "object")),
}

_TARGET_FIELDS = tuple(Field(name, "object", fields=fields) for name, fields in TARGETS.items())
_CONFIG = Resource(
    kind="DeliveryConfig",
    path="/v1/integrations/deliveryconfig",
    fields=(
        Field("Name", required=True, maximum=128),
        Field("Enabled", "boolean", default=False),
        Field("DeliveryTargets", "object", required=True, fields=_TARGET_FIELDS),
    ),
    read_roles=writers("DeliveryConfig"),
    only="current",
)


def _singleton(kind: str, path: str, *fields: Field, role: str = "", **rest: Any) -> Resource:  # noqa: ANN401 - other fields of a resource
    """The resource of a singleton; its read roles are the write roles, unless given in `rest`."""
    roles = writers(role) if role else (FULL_ACCESS,)
    return Resource(
        kind=kind,
        path=f"/v1/integrations/{path}",
        fields=fields,
        singleton=path.removeprefix("entitysync/") if kind == "EntitySync" else kind,
        only="current",
        **{"read_roles": roles, "write_roles": roles, **rest},
    )


def _check_subscription(market: Marketplace, _old: Body | None, new: Body) -> Iterator[ServiceError]:
    client = market.find("ApiClient", str(new.get("ApiClientID")))
    if client is not None and client.get("OrderCheckoutIntegrationEventID"):
        yield ServiceError("SubscriptionIntegration.CannotUseApiClient")
    if client is not None and not client.get("DefaultContextUserName"):
        yield ServiceError("SubscriptionIntegration.DefaultContextUser")


_DELIVERY_CONFIG_ID = Field("DeliveryConfigID", required=True, reference=DELIVERY_REF)
_PAUSED = Field("Paused", "boolean", default=False)
_SUBSCRIPTION = _singleton(
    "SubscriptionIntegration",
    "subscription",
    Field("ApiClientID", required=True, reference=Reference("ApiClient", blocks="ApiClient.UsedByIntegration")),
    Field("HashKey", required=True, maximum=50),
    ELEVATED,
    Field("Active", "boolean", default=False),
    Field("NotificationDays", "integer", minimum=1),
    Field("Url"),
    Field("xp", "xp"),
    *auth_header(),
    role="Subscription",
    read_roles=readers("Subscription"),
    check=_check_subscription,
)


def _entity_row(entity: str) -> Resource:
    changed = (Field(f"SyncEntity{each}", "boolean", required=True) for each in ("Changed", "Deleted"))
    return _singleton(
        "EntitySync", f"entitysync/{entity}", _DELIVERY_CONFIG_ID, *changed, _PAUSED, role="EntitySyncConfig"
    )


ROWS = (
    _CONFIG,
    _SUBSCRIPTION,
    _singleton(
        "ProductSync",
        "productsync",
        *(Field(f"SyncProduct{each}", "boolean", required=True) for each in ("Changed", "Deleted")),
        _DELIVERY_CONFIG_ID,
        CONFIG_DATA,
        _PAUSED,
        Field("ExcludePriceSchedules", "boolean", default=False),
        role="ProductSyncConfig",
    ),
    *map(_entity_row, ENTITIES),
    _singleton("OrderSync", "ordersync", _DELIVERY_CONFIG_ID, CONFIG_DATA, role="OrderSyncConfig"),
    _singleton("ErrorConfig", "errorconfig", _DELIVERY_CONFIG_ID, role="ErrorConfig"),
    _singleton(
        "InventoryIntegration", "inventory", _DELIVERY_CONFIG_ID, Field("LimitNotifications", "boolean", default=False)
    ),
    _singleton("PromotionIntegration", "promotion", Field("HashKey", required=True), Field("Url"), *auth_header()),
)
