"""TrackingEvent: what an API client reports to a delivery configuration, such as logins and orders."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import TO_DELIVERY_CONFIG, chosen_id, client_id, config_data, reference, title
from reconciler.kinds.fields import Choice, Field

TRACKING_EVENT: Final = Kind(
    name="TrackingEvent",
    noun="tracking event",
    description="One tracking event: what an API client reports to a delivery configuration. One for each client and "
    "type.",
    path="/integrations/trackingEvents",
    source='API reference, "Tracking Events"',
    since="1.0.267",
    table=(
        title("Logins", required=True),
        Field(
            "EventType",
            Choice(("UserLoggedIn", "LineItemAdded", "LineItemUpdated", "OrderSubmitted")),
            "What is reported. Cannot be changed after creation.",
            examples=("UserLoggedIn",),
            source='API reference, "Tracking Events"; error code TrackingEvent.CannotUpdateProperty',
            required=True,
            immutable=True,
        ),
        client_id(
            "ClientID",
            "The ID of the API client. Cannot be changed after creation.",
            required=True,
            immutable=True,
        ),
        config_data(),
        reference(
            "DeliveryConfigID",
            TO_DELIVERY_CONFIG,
            "The ID of the delivery configuration that receives it.",
            "send",
            required=True,
            since="1.0.293",
        ),
        chosen_id(),
    ),
    name_field="Name",
    unique=("ClientID", "EventType"),
    readers=("TrackingEventReader",),
    writers=("TrackingEventAdmin",),
)
