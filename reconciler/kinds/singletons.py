"""Kinds of which a marketplace has at most one object; EntitySync has one for each entity."""

from functools import partial
from typing import Any, Final

from reconciler.kinds.base import IdChoice, Kind
from reconciler.kinds.common import (
    TO_DELIVERY_CONFIG,
    auth_header,
    client_id,
    config_data,
    elevated_roles,
    flag,
    hash_key,
    number,
    reference,
    url,
    xp,
)
from reconciler.kinds.direction import grows
from reconciler.kinds.fields import Field, Whole

_single: Final = partial(Kind, id_choice=IdChoice.SINGLE)


def _delivery(what: str, **known: Any) -> Field:
    meaning = f"The ID of the delivery configuration that {what}."
    return reference("DeliveryConfigID", TO_DELIVERY_CONFIG, meaning, "event-hub", required=True, **known)


def _paused() -> Field:
    return flag("Paused", "Whether deliveries are paused.", since="1.0.399")


SUBSCRIPTION_INTEGRATION: Final = _single(
    name="SubscriptionIntegration",
    noun="subscription integration",
    description="The middleware that is called for orders of subscriptions.",
    path="/integrations/subscription",
    source='API reference, "Subscription Integrations"',
    since="1.0.276",
    table=(
        client_id(
            "ApiClientID",
            "The ID of the API client that places orders. It requires a DefaultContextUserName and must not have "
            "an OrderCheckoutIntegrationEventID.",
            source="error codes SubscriptionIntegration.DefaultContextUser, SubscriptionIntegration.CannotUseApiClient",
            required=True,
        ),
        flag("Active", "Whether orders are placed.", direction_of=grows),
        url("Url", "The URL that is called. null: none.", "https://middleware.example.com/subscriptions"),
        hash_key(required=True),
        *auth_header("Url", since="1.0.376"),
        elevated_roles("Roles of the token passed to the middleware. Empty: no token."),
        number("NotificationDays", Whole(1, None, "days"), "Number of days before an order to notify users.", 3),
        xp(),
    ),
    readers=("SubscriptionReader",),
    writers=("SubscriptionAdmin",),
)

PRODUCT_SYNC: Final = _single(
    name="ProductSync",
    noun="product sync",
    description="Which changes of products are delivered, and where.",
    path="/integrations/productsync",
    source='API reference, "Product Syncs"',
    since="1.0.297",
    table=(
        _delivery("delivers changes"),
        flag("SyncProductChanged", "Whether changed products are delivered.", required=True),
        flag("SyncProductDeleted", "Whether deleted products are delivered.", required=True),
        flag("ExcludePriceSchedules", "Whether price schedules are excluded.", since="1.0.407"),
        _paused(),
        config_data(),
    ),
    writers=("ProductSyncConfigAdmin",),
)

ENTITY_SYNC: Final = _single(
    name="EntitySync",
    noun="entity sync",
    description="Which changes of one entity are delivered, and where.",
    path="/integrations/entitysync",
    source='API reference, "Entity Syncs"',
    since="1.0.325",
    table=(
        _delivery("delivers changes"),
        flag("SyncEntityChanged", "Whether changed objects are delivered.", required=True, since="1.0.366"),
        flag("SyncEntityDeleted", "Whether deleted objects are delivered.", required=True, since="1.0.366"),
        _paused(),
    ),
    writers=("EntitySyncConfigAdmin",),
    entities=(
        *("adminusers", "buyers", "buyers/usergroups", "buyers/users", "catalogs", "categories"),
        *("products/inventoryrecords", "suppliers", "suppliers/users"),
    ),
    about_id="The entity (catalogs: since API 1.0.454). Default: metadata.name.",
)

ORDER_SYNC: Final = _single(
    name="OrderSync",
    noun="order sync",
    description="Where submitted orders are delivered.",
    path="/integrations/OrderSync",
    source='API reference, "Order Syncs"',
    since="1.0.304",
    table=(_delivery("delivers orders"), config_data()),
    writers=("OrderSyncConfigAdmin",),
)

ERROR_CONFIG: Final = _single(
    name="ErrorConfig",
    noun="error configuration",
    description="Where errors of deliveries are reported.",
    path="/integrations/ErrorConfig",
    source='API reference, "Error Configs"',
    since="1.0.315",
    table=(_delivery("reports errors"),),
    writers=("ErrorConfigAdmin",),
)

INVENTORY_INTEGRATION: Final = _single(
    name="InventoryIntegration",
    noun="inventory integration",
    description="Where notifications of low inventory are delivered.",
    path="/integrations/inventory",
    source='API reference, "Inventory Integrations"; error code InventoryIntegration.DeliveryConfigIDRequired',
    since="1.0.370",
    table=(
        _delivery("delivers notifications"),
        flag("LimitNotifications", "Whether only the first notification is sent.", since="1.0.377"),
    ),
    writers=(),
)

PROMOTION_INTEGRATION: Final = _single(
    name="PromotionIntegration",
    noun="promotion integration",
    description="The middleware that decides on promotions.",
    path="/integrations/promotion",
    source='API reference, "Promotion Integrations"',
    since="1.0.373",
    table=(
        url("Url", "The URL that is called. null: none.", "https://middleware.example.com/promotions"),
        hash_key(None, required=True),
        *auth_header("Url", since="1.0.376"),
    ),
    writers=(),
)
