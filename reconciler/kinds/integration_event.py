"""IntegrationEvent: a middleware that OrderCloud calls in checkout, for returns, at login or when a cart changes."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import auth_header, chosen_id, data, elevated_roles, hash_key, title, url
from reconciler.kinds.fields import Choice, Field, Restore

INTEGRATION_EVENT: Final = Kind(
    name="IntegrationEvent",
    noun="integration event",
    description="One integration event: a middleware that OrderCloud calls.",
    path="/integrationEvents",
    source='API reference, "Integration Events"',
    since="1.0.152",
    table=(
        title("Checkout", required=True),
        Field(
            "EventType",
            Choice(("OrderCheckout", "OpenIDConnect", "OrderReturn", "AddToCart")),
            "When it is called. Cannot be changed after creation. Required to create one: the API's default is not "
            "documented.",
            examples=("OrderCheckout",),
            source='API reference, "Integration Events"; error code IntegrationEvent.CannotEditType',
            required=True,
            immutable=True,
        ),
        url(
            "CustomImplementationUrl",
            "The base URL of the middleware. OrderCloud adds the path of each call. A staging restore clears it.",
            "https://middleware.example.com/checkout",
            required=True,
            restore=Restore.CLEARS,
        ),
        hash_key(required=True),
        *auth_header("CustomImplementationUrl", since="1.0.374"),
        elevated_roles("Roles of the token passed to the middleware. Empty: no token."),
        data("ConfigData", "Custom data sent with each call.", {"excludePOProducts": True}),
        chosen_id(),
    ),
    name_field="Name",
    readers=("IntegrationEventReader",),
    writers=("IntegrationEventAdmin",),
    restore_removes=True,
)
