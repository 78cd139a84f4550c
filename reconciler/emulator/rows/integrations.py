"""The resources for integration events, webhooks, message senders, identity providers and tracking events.

Sources: .NET SDK models (fields, lengths, required), its error codes (rules), OpenAPI document 1.0.260 (roles, and the
legacy generation, in which webhooks and message senders require a URL and a key). Guesses: the clients in a webhook
must exist; an event with elevated roles needs no client of the seller (switch: `elevated-needs-seller-client`).
"""

from collections.abc import Iterator
from dataclasses import replace

from reconciler.emulator import Profile
from reconciler.emulator.errors import ServiceError
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.resources import Resource
from reconciler.emulator.store import Body

EVENT_TYPES = ("OrderCheckout", "OpenIDConnect", "OrderReturn", "AddToCart")
EVENT_REF = Reference("IntegrationEvent", blocks="IntegrationEvent.CannotDeleteInUse")
DELIVERY_REF = Reference("DeliveryConfig", blocks="DeliveryConfig.CannotDeleteConfigInUse")
ELEVATED = Field("ElevatedRoles", "roles", default=[])
CONFIG_DATA = Field("ConfigData", "config")


def auth_header(only: Profile | None = "current", longest: int | None = None) -> tuple[Field, Field]:
    """The two fields of a custom authentication header; each requires the other."""
    name, value, code = "CustomAuthHeaderName", "CustomAuthHeaderValue", "Integration.{}Required"
    return (
        Field(name, requires=(value, code.format(value)), only=only),
        Field(value, write_only=True, maximum=longest, requires=(name, code.format(name)), only=only),
    )


def event_type_errors(market: Marketplace, event_id: object, event_type: str) -> Iterator[ServiceError]:
    """The error of a reference to an event of the wrong type."""
    event = market.find("IntegrationEvent", event_id) if isinstance(event_id, str) else None
    if event is not None and event.get("EventType") != event_type:
        yield ServiceError("IntegrationEvent.IncompatibleEventType", data={"ID": event["ID"], "Expected": event_type})


def _check_event(market: Marketplace, _old: Body | None, new: Body) -> Iterator[ServiceError]:
    clients = market.store.all("ApiClient").values()
    is_checked = "elevated-needs-seller-client" in market.settings.readings and new.get("ElevatedRoles")
    if is_checked and not any(client.get("Active") and client.get("AllowSeller") for client in clients):
        yield ServiceError("IntegrationEvent.AllowSellerApiClientRequired")


_EVENT = Resource(
    kind="IntegrationEvent",
    path="/v1/integrationevents",
    fields=(
        ELEVATED,
        CONFIG_DATA,
        Field(  # the default is a guess
            "EventType", default="OrderCheckout", choices=EVENT_TYPES, fixed="IntegrationEvent.CannotEditType"
        ),
        Field("CustomImplementationUrl", required=True),
        *auth_header(),
        Field("Name", required=True),
        Field("HashKey", required=True, maximum=50),
    ),
    sortable=("ID", "EventType", "Name"),
    check=_check_event,
)


def _check_webhook(_market: Marketplace, _old: Body | None, new: Body) -> Iterator[ServiceError]:
    if new.get("DeliveryConfigID"):
        if new.get("BeforeProcessRequest"):
            yield ServiceError("Webhook.InvalidDeliveryConfig")
        return
    if not str(new.get("Url") or "").startswith("https://"):
        yield ServiceError("Webhook.UrlSchemeHttps")
    if not new.get("HashKey"):
        yield ServiceError("Webhook.MissingHashKey")


_LISTED_CLIENT_REF = Reference("ApiClient", missing="ApiClient.InvalidClientID")
_WEBHOOK = Resource(
    kind="Webhook",
    path="/v1/webhooks",
    fields=(
        Field("Name", required=True),
        Field("Description", maximum=2000),
        Field("Url"),
        Field("HashKey", maximum=50),
        ELEVATED,
        CONFIG_DATA,
        Field("BeforeProcessRequest", "boolean", default=False),
        Field("ApiClientIDs", "strings", default=[], reference=_LISTED_CLIENT_REF),
        Field("WebhookRoutes", "objects", default=[], fields=(Field("Route"), Field("Verb"))),
        Field("DeliveryConfigID", reference=DELIVERY_REF, only="current"),
        *auth_header(),
    ),
    searchable=("ID", "Name", "Description", "Url"),
    check=_check_webhook,
)

_LEGACY_MESSAGES = (
    *("OrderDeclined", "OrderSubmitted", "ShipmentCreated", "ForgottenPassword", "OrderSubmittedForYourApproval"),
    *("OrderSubmittedForApproval", "OrderApproved", "OrderSubmittedForYourApprovalHasBeenApproved"),
    *("OrderSubmittedForYourApprovalHasBeenDeclined", "NewUserInvitation", "OrderReturnDeclined"),
    *("OrderReturnSubmitted", "OrderReturnSubmittedForYourApproval", "OrderReturnSubmittedForApproval"),
    *("OrderReturnApproved", "OrderReturnSubmittedForYourApprovalHasBeenApproved"),
    *("OrderReturnSubmittedForYourApprovalHasBeenDeclined", "OrderReturnCompleted"),
)
_NEW_MESSAGES = (
    *("ForgottenUsername", "SubscriptionReminder", "ProductCollectionInvitationAccepted"),
    *("ProductCollectionInvitationDeclined", "OneTimePassword"),
)
MESSAGES: dict[Profile, tuple[str, ...]] = {"legacy": _LEGACY_MESSAGES, "current": (*_LEGACY_MESSAGES, *_NEW_MESSAGES)}


def _check_sender(market: Marketplace, _old: Body | None, new: Body) -> Iterator[ServiceError]:
    if market.settings.profile == "legacy":
        codes = {"URL": "MessageSenders.UrlRequired", "SharedKey": "MessageSenders.SharedKeyRequired"}
        yield from (ServiceError(code) for name, code in codes.items() if not new.get(name))


_SENDER = Resource(
    kind="MessageSender",
    path="/v1/messagesenders",
    fields=(
        Field("Name", required=True),
        *(Field("MessageTypes", "strings", required=True, choices=each, only=only) for only, each in MESSAGES.items()),
        Field("Description"),
        Field("URL", only="legacy"),
        ELEVATED,
        Field("SharedKey", only="legacy"),
        Field("xp", "xp"),
        Field("DeliveryConfigID", required=True, reference=DELIVERY_REF, only="current"),
        Field("AllowAllBuyers", "boolean", default=False, only="current"),
    ),
    sortable=("ID", "Name", "URL"),
    check=_check_sender,
)


def _show_provider(market: Marketplace, provider: Body) -> Body:
    event = market.find("IntegrationEvent", provider.get("IntegrationEventID") or "")
    return provider | {"IntegrationEventName": event["Name"] if event else None}


_PROVIDER = Resource(
    kind="OpenIdConnect",
    path="/v1/openidconnects",
    fields=(
        Field("OrderCloudApiClientID", required=True, reference=Reference("ApiClient")),
        *(Field(name, required=True) for name in ("ConnectClientID", "ConnectClientSecret", "AppStartUrl")),
        *(Field(name, required=True) for name in ("AuthorizationEndpoint", "TokenEndpoint")),
        Field("UrlEncoded", "boolean", default=False),
        Field("IntegrationEventID", reference=EVENT_REF),
        Field("CallSyncUserIntegrationEvent", "boolean", default=False),
        Field("IntegrationEventName", read_only=True),
        Field("AdditionalIdpScopes", "strings", default=[]),
        Field("CustomErrorUrl"),
    ),
    role="OpenIDConnect",
    sortable=("ID",),
    check=lambda market, _old, new: event_type_errors(market, new.get("IntegrationEventID"), "OpenIDConnect"),
    show=_show_provider,
)

TRACKED = ("UserLoggedIn", "LineItemAdded", "LineItemUpdated", "OrderSubmitted")
_TRACKED_CLIENT_REF = Reference("ApiClient", missing="TrackingEvent.InvalidClientID")
_TRACKING_DELIVERY_REF = replace(DELIVERY_REF, missing="TrackingEvent.InvalidDeliveryConfigID")
_IMMUTABLE = "TrackingEvent.CannotUpdateProperty"


def _check_tracking(market: Marketplace, old: Body | None, new: Body) -> Iterator[ServiceError]:
    if market.is_taken("TrackingEvent", ("EventType", "ClientID"), old, new):
        yield ServiceError("TrackingEvent.CannotCreateMultipleEventsOfSameType")


_TRACKING = Resource(
    kind="TrackingEvent",
    path="/v1/integrations/trackingevents",
    fields=(
        Field("EventType", required=True, choices=TRACKED, fixed=_IMMUTABLE),
        Field("ClientID", required=True, reference=_TRACKED_CLIENT_REF, fixed=_IMMUTABLE),
        Field("Name", required=True),
        CONFIG_DATA,
        Field("DeliveryConfigID", required=True, reference=_TRACKING_DELIVERY_REF),
    ),
    sortable=("ID", "EventType"),
    only="current",
    check=_check_tracking,
)

ROWS = (_EVENT, _WEBHOOK, _SENDER, _PROVIDER, _TRACKING)
