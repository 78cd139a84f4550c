"""What calls out and logs in from outside -> one row each: events, webhooks, message senders, identity providers.

Sources: .NET SDK models (fields, lengths, required), its error codes (rules), OpenAPI document 1.0.260 (roles, and the
older generation, in which webhooks and message senders need a URL and a key). Guesses: a webhook may list only clients
that exist; when an event is checked for a client of the seller (switch: `elevated-needs-seller-client`).
"""

from collections.abc import Iterator
from dataclasses import replace

from reconciler.emulator import Profile
from reconciler.emulator.errors import Fault
from reconciler.emulator.fields import Field, Reference
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.resources import Resource
from reconciler.emulator.store import Body

EVENT_TYPES = ("OrderCheckout", "OpenIDConnect", "OrderReturn", "AddToCart")
AN_EVENT = Reference("IntegrationEvent", blocks="IntegrationEvent.CannotDeleteInUse")
A_DELIVERY = Reference("DeliveryConfig", blocks="DeliveryConfig.CannotDeleteConfigInUse")
ELEVATED = Field("ElevatedRoles", "roles", default=[])
CONFIG_DATA = Field("ConfigData", "config")


def auth_header(only: Profile | None = "current", longest: int | None = None) -> tuple[Field, Field]:
    """Give the two fields of a header that authenticates a call: both or neither."""
    name, value, code = "CustomAuthHeaderName", "CustomAuthHeaderValue", "Integration.{}Required"
    return (
        Field(name, needs=(value, code.format(value)), only=only),
        Field(value, write_only=True, maximum=longest, needs=(name, code.format(name)), only=only),
    )


def event_type_faults(market: Marketplace, event_id: object, event_type: str) -> Iterator[Fault]:
    """Find out whether a reference to an event is one to an event of another type."""
    event = market.find("IntegrationEvent", event_id) if isinstance(event_id, str) else None
    if event is not None and event.get("EventType") != event_type:
        yield Fault("IntegrationEvent.IncompatibleEventType", data={"ID": event["ID"], "Expected": event_type})


def _check_event(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    clients = market.store.all("ApiClient").values()
    is_checked = "elevated-needs-seller-client" in market.settings.readings and new.get("ElevatedRoles")
    if is_checked and not any(client.get("Active") and client.get("AllowSeller") for client in clients):
        yield Fault("IntegrationEvent.AllowSellerApiClientRequired")


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


def _check_webhook(_market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    if new.get("DeliveryConfigID"):
        if new.get("BeforeProcessRequest"):
            yield Fault("Webhook.InvalidDeliveryConfig")
        return
    if not str(new.get("Url") or "").startswith("https://"):
        yield Fault("Webhook.UrlSchemeHttps")
    if not new.get("HashKey"):
        yield Fault("Webhook.MissingHashKey")


_LISTED = Reference("ApiClient", missing="ApiClient.InvalidClientID")
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
        Field("ApiClientIDs", "strings", default=[], refers=_LISTED),
        Field("WebhookRoutes", "objects", default=[], fields=(Field("Route"), Field("Verb"))),
        Field("DeliveryConfigID", refers=A_DELIVERY, only="current"),
        *auth_header(),
    ),
    searchable=("ID", "Name", "Description", "Url"),
    check=_check_webhook,
)

_OLD_MESSAGES = (
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
MESSAGES: dict[Profile, tuple[str, ...]] = {"legacy": _OLD_MESSAGES, "current": (*_OLD_MESSAGES, *_NEW_MESSAGES)}


def _check_sender(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    if market.settings.profile == "legacy":
        codes = {"URL": "MessageSenders.UrlRequired", "SharedKey": "MessageSenders.SharedKeyRequired"}
        yield from (Fault(code) for name, code in codes.items() if not new.get(name))


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
        Field("DeliveryConfigID", required=True, refers=A_DELIVERY, only="current"),
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
        Field("OrderCloudApiClientID", required=True, refers=Reference("ApiClient")),
        *(Field(name, required=True) for name in ("ConnectClientID", "ConnectClientSecret", "AppStartUrl")),
        *(Field(name, required=True) for name in ("AuthorizationEndpoint", "TokenEndpoint")),
        Field("UrlEncoded", "boolean", default=False),
        Field("IntegrationEventID", refers=AN_EVENT),
        Field("CallSyncUserIntegrationEvent", "boolean", default=False),
        Field("IntegrationEventName", read_only=True),
        Field("AdditionalIdpScopes", "strings", default=[]),
        Field("CustomErrorUrl"),
    ),
    role="OpenIDConnect",
    sortable=("ID",),
    check=lambda market, _old, new: event_type_faults(market, new.get("IntegrationEventID"), "OpenIDConnect"),
    show=_show_provider,
)

TRACKED = ("UserLoggedIn", "LineItemAdded", "LineItemUpdated", "OrderSubmitted")
_TRACKED_CLIENT = Reference("ApiClient", missing="TrackingEvent.InvalidClientID")
_TRACKED_TO = replace(A_DELIVERY, missing="TrackingEvent.InvalidDeliveryConfigID")
_FIXED = "TrackingEvent.CannotUpdateProperty"


def _check_tracking(market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    if market.is_taken("TrackingEvent", ("EventType", "ClientID"), old, new):
        yield Fault("TrackingEvent.CannotCreateMultipleEventsOfSameType")


_TRACKING = Resource(
    kind="TrackingEvent",
    path="/v1/integrations/trackingevents",
    fields=(
        Field("EventType", required=True, choices=TRACKED, fixed=_FIXED),
        Field("ClientID", required=True, refers=_TRACKED_CLIENT, fixed=_FIXED),
        Field("Name", required=True),
        CONFIG_DATA,
        Field("DeliveryConfigID", required=True, refers=_TRACKED_TO),
    ),
    sortable=("ID", "EventType"),
    only="current",
    check=_check_tracking,
)

ROWS = (_EVENT, _WEBHOOK, _SENDER, _PROVIDER, _TRACKING)
