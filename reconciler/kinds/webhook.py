"""Webhook: a receiver that OrderCloud calls before or after requests of certain API clients."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import (
    TO_API_CLIENT,
    TO_DELIVERY_CONFIG,
    auth_header,
    chosen_id,
    data,
    description,
    elevated_roles,
    flag,
    hash_key,
    reference,
    text,
    title,
    url,
)
from reconciler.kinds.fields import Choice, Field, Many, Record, Restore, Text

_ROUTE: Final = Record(
    "WebhookRoute",
    (
        text(
            "Route",
            "The API path without a leading slash, with variables in braces.",
            "v1/buyers/{buyerID}/addresses",
            required=True,
        ),
        Field(
            "Verb", Choice(("POST", "PUT", "PATCH", "DELETE")), "The HTTP method.", examples=("POST",), required=True
        ),
    ),
)

WEBHOOK: Final = Kind(
    name="Webhook",
    noun="webhook",
    description="One webhook: a receiver that OrderCloud calls before or after requests of certain API clients.",
    path="/webhooks",
    source='API reference, "Webhooks"',
    table=(
        title("Validate buyer address", required=True),
        description("Checks the address with the carrier."),
        url(
            "Url",
            "The https URL that is called. Required without DeliveryConfigID. A staging restore may clear it.",
            "https://middleware.example.com/webhook/createaddress",
            ("https",),
            source='API reference, "Webhooks"; error code Webhook.UrlSchemeHttps',
            restore=Restore.MAY_CLEAR,
        ),
        hash_key(source='API reference, "Webhooks"; error code Webhook.MissingHashKey'),
        *auth_header("Url", since="1.0.376"),
        elevated_roles("Roles of the token passed to the receiver. Empty: no token."),
        data("ConfigData", "Custom data sent with each call.", {"carrier": "example"}),
        flag(
            "BeforeProcessRequest",
            "Whether it is called before the request is processed, and can refuse it. Not with DeliveryConfigID.",
        ),
        Field(
            "ApiClientIDs",
            Many(Text(100)),
            "The API clients whose requests it is called for. Empty: it is never called. A staging restore clears it.",
            examples=(["E5A05785-CAFF-4F7D-9CC3-758F13865FC3"],),
            default=[],
            refers_to=TO_API_CLIENT,
            restore=Restore.CLEARS,
        ),
        Field(
            "WebhookRoutes",
            Many(_ROUTE),
            "The requests that it is called for.",
            examples=([{"Route": "v1/buyers/{buyerID}/addresses", "Verb": "POST"}],),
            default=[],
        ),
        reference(
            "DeliveryConfigID",
            TO_DELIVERY_CONFIG,
            "The ID of the delivery configuration that delivers calls, instead of Url and HashKey. null: none.",
            "event-hub",
            since="1.0.304",
        ),
        chosen_id(),
    ),
    name_field="Name",
    readers=("WebhookReader",),
    writers=("WebhookAdmin",),
    can_veto=True,
)
