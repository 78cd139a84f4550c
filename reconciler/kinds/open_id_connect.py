"""OpenIdConnect: logins through an identity provider."""

from typing import Final

from reconciler.kinds.base import Kind
from reconciler.kinds.common import chosen_id, client_id, flag, reference, secret, text, texts, to_event, url
from reconciler.kinds.direction import acts_as
from reconciler.kinds.fields import Field, Restore, Text

OPEN_ID_CONNECT: Final = Kind(
    name="OpenIdConnect",
    noun="OpenID Connect configuration",
    description="One OpenID Connect configuration: logins through an identity provider. Its ID is part of login URLs.",
    path="/openidconnects",
    source='API reference, "OpenID Connects"',
    table=(
        client_id(
            "OrderCloudApiClientID",
            "The ID of the API client that users log in through.",
            direction_of=acts_as,
            required=True,
        ),
        text(
            "ConnectClientID",
            "The client ID at the identity provider.",
            "ordercloud",
            required=True,
            restore=Restore.COPIES,
        ),
        secret(
            "ConnectClientSecret",
            "The client secret at the identity provider.",
            "IDP_SECRET",
            required=True,
            sent_to="TokenEndpoint",
            restore=Restore.COPIES,
        ),
        url(
            "AppStartUrl",
            "Where users are sent after the login. {0} is replaced by the OrderCloud token, {1} by the token of the "
            "identity provider, {2} by the path to start with, {3} by the refresh token, {4} by that of the identity "
            "provider.",
            "https://shop.example.com/?token={0}",
            schemes=(),
            required=True,
            restore=Restore.COPIES,
        ),
        url(
            "AuthorizationEndpoint",
            "The authorization endpoint of the identity provider.",
            "https://idp.example.com/authorize",
            required=True,
            restore=Restore.COPIES,
        ),
        url(
            "TokenEndpoint",
            "The token endpoint of the identity provider.",
            "https://idp.example.com/token",
            required=True,
            restore=Restore.COPIES,
        ),
        flag("UrlEncoded", "Whether requests for tokens are form-encoded."),
        reference(
            "IntegrationEventID",
            to_event("OpenIDConnect"),
            "The ID of the integration event that is called at the login; its EventType must be OpenIDConnect. null: "
            "none.",
            "login",
            restore=Restore.MAY_CLEAR,
            since="1.0.152",
        ),
        flag(
            "CallSyncUserIntegrationEvent",
            "Whether the event is called at each login, not only once.",
            since="1.0.165",
        ),
        texts(
            "AdditionalIdpScopes", "Additional scopes to request from the identity provider.", "email", since="1.0.152"
        ),
        url(
            "CustomErrorUrl",
            "Where users are sent after an error; {0} is replaced by its text. null: none.",
            "https://shop.example.com/error?text={0}",
            schemes=(),
            restore=Restore.COPIES,
            since="1.0.257",
        ),
        chosen_id(),
        Field(
            "IntegrationEventName",
            Text(),
            "Read-only: the service looks it up from IntegrationEventID.",
            read_only=True,
            since="1.0.152",
        ),
    ),
    name_field="ConnectClientID",
    readers=("OpenIDConnectReader",),
    writers=("OpenIDConnectAdmin",),
)
