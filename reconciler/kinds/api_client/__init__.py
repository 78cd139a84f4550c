"""ApiClient: an OAuth client of a marketplace; who may log in through it, for how long, with which roles.

Source: the API reference of ``PUT /v1/apiclients/{apiClientID}``, and ``AnonymousTokenDuration`` of API 1.0.393.
"""

from typing import Final

from reconciler.kinds.assignments import Assignments, levels
from reconciler.kinds.base import Dependent, IdChoice, Kind
from reconciler.kinds.common import data, flag, reference, to_event
from reconciler.kinds.direction import DirectionOf, acts_as, granted, grows, required_roles
from reconciler.kinds.fields import (
    Field,
    Many,
    Restore,
    Role,
    Secrecy,
    Text,
    UserReference,
    Whole,
)
from reconciler.kinds.secrecy import NamedSecrets

DEFAULT_ANONYMOUS_TOKEN_MINUTES: Final = 10_080

_REFERENCE: Final = 'API reference, "API Clients"'
_ACCESS: Final = 'knowledge base, "Introduction to API Clients", "Defining User Access"'
_ROLES: Final = "release notes of API 1.0.196"


def _login_flag(name: str, meaning: str, source: str = _ACCESS) -> Field:
    """A flag that allows logins."""
    return flag(name, meaning, source=source, direction_of=grows)


def _event(event_type: str, called: str, example: str, since: str) -> Field:
    """A reference to an integration event, which must be of the type that the field is for."""
    return reference(
        f"{event_type}IntegrationEventID",
        to_event(event_type),
        f"The ID of the integration event that is called {called}; its EventType must be {event_type}. null: none. "
        "A staging restore clears it.",
        example,
        source=f"{_REFERENCE}; error code IntegrationEvent.IncompatibleEventType",
        restore=Restore.CLEARS,
        since=since,
    )


def _roles(name: str, meaning: str, direction_of: DirectionOf) -> Field:
    """A set of roles, or of custom roles."""
    of, example = (Text(), ["order-approver"]) if "Custom" in name else (Role(), ["Shopper", "MeAdmin"])
    return Field(
        name,
        Many(of),
        meaning,
        examples=(example,),
        source=_ROLES,
        default=[],
        direction_of=direction_of,
        since="1.0.196",
    )


def _event_name(event_type: str) -> Field:
    text = f"Read-only: the service looks it up from {event_type}IntegrationEventID."
    return Field(f"{event_type}IntegrationEventName", Text(), text, read_only=True)


_FIELDS: Final = (
    Field(
        "AppName",
        Text(trimmed=True),
        "The client's name shown in the portal. A manifest without a known id is matched with the only live client "
        "that has exactly this name, so keep names unique. Required.",
        examples=("Storefront App",),
        required=True,
    ),
    flag(
        "Active",
        "Whether users can log in through this client. false ends all access immediately. null: the API's default, "
        "false.",
        direction_of=grows,
    ),
    Field(
        "AccessTokenDuration",
        Whole(10, 600, "minutes"),
        "How long an access token is valid, in minutes: 10 to 600. Required to create a client; if omitted, an "
        "existing client keeps its value. For tokens of anonymous shoppers, AnonymousTokenDuration applies instead.",
        examples=(600, 60),
        source='.NET SDK, ApiClient: "between 10 and 600"',
        direction_of=grows,
        required=True,
    ),
    Field(
        "RefreshTokenDuration",
        Whole(0, 524_160, "minutes"),
        "How long a refresh token is valid, in minutes: 0 to 524160 (364 days). 0 (default): no refresh tokens are "
        "issued.",
        examples=(0, 5760),
        source=".NET SDK, ApiClient; the default is inferred",
        default=0,
        direction_of=grows,
    ),
    Field(
        "AnonymousTokenDuration",
        Whole(10_080, 86_400, "minutes"),
        "How long an anonymous shopper's token is valid, in minutes: 10080 to 86400 (7 to 60 days). Only used with "
        "anonymous shopping. The default is 10080. Available since API 1.0.393.",
        examples=(10_080, 43_200),
        source='API 1.0.393; developer documentation, "Anonymous shopping": 7 to 60 days, in minutes by inference',
        default=DEFAULT_ANONYMOUS_TOKEN_MINUTES,
        direction_of=grows,
        since="1.0.393",
    ),
    Field(
        "DefaultContextUserName",
        Text(100, trimmed=True),
        "The username (not the ID) of the user that this client acts as: with the client-credentials grant, and for "
        "anonymous shoppers. The user must exist. null: none.",
        examples=("anonymous-shopper",),
        direction_of=acts_as,
        refers_to=UserReference(buyer_flag="IsAnonBuyer"),
    ),
    _login_flag(
        "AllowAnyBuyer",
        "Whether the users of every buyer may log in through this client. If true, assignments of buyers have no "
        "effect.",
    ),
    _login_flag(
        "AllowAnySupplier",
        "Whether the users of every supplier may log in through this client. If true, assignments of suppliers "
        "have no effect.",
    ),
    _login_flag(
        "AllowSeller",
        "Whether the users of the seller (the marketplace's own administrators) may log in through this client. "
        "Without one such active client, integration events get no elevated tokens.",
    ),
    _login_flag(
        "IsAnonBuyer",
        "Whether anonymous shopping is enabled. Requires a buyer user as DefaultContextUserName.",
        'knowledge base, "Anonymous Shopping"; error code ApiClient.RequiredNotAnonBuyer',
    ),
    _event("OrderCheckout", "in checkout", "checkout-commerce-integrations", since="1.0.152"),
    _event("OrderReturn", "for order returns", "order-returns", since="1.0.238"),
    _event("AddToCart", "when something is added to a cart", "add-to-cart", since="1.0.246"),
    _roles(
        "MinimumRequiredRoles",
        "Roles that a user must have to log in through this client. Empty: no requirement. Order is ignored. "
        "null: the API's default, empty.",
        required_roles,
    ),
    _roles(
        "MinimumRequiredCustomRoles",
        "Custom roles that a user must have to log in through this client. Empty: no requirement. Order is ignored.",
        required_roles,
    ),
    _roles(
        "MaximumGrantedRoles",
        "Upper limit of a token's roles: a token has the user's roles that are also in this list. Empty: no limit. "
        "Order is ignored. null: the API's default, empty.",
        granted,
    ),
    _roles(
        "MaximumGrantedCustomRoles",
        "Upper limit of a token's custom roles: a token has the user's custom roles that are also in this list. "
        "Empty: no limit. Order is ignored.",
        granted,
    ),
    data(
        "xp",
        "Extended properties: any mapping of at most 8000 characters as JSON. It is one field: if set, the manifest "
        "owns all its keys except those under policy.ignore. null: none, the same as {}.",
        {"channel": "web"},
        source='knowledge base, "Extended Properties"; developer documentation, "Limits"',
    ),
    # The legacy generation (up to 1.0.454) has the secret on the client; later ones have them below /secrets.
    Field(
        "ClientSecret",
        Text(),
        "The OAuth client secret, on OrderCloud up to 1.0.454; later versions store secrets separately and do not "
        "have this field. Only a reference is allowed, never the secret itself. If omitted, the live secret is kept. "
        "null: it is cleared, and the client requires no secret.",
        examples=({"fromEnv": "STOREFRONT_SECRET"}, {"generate": True, "deliver": [{"file": "secrets/storefront"}]}),
        source='knowledge base, "API Client Secrets"; removed from the API by 1.0.470',
        secret=Secrecy.READABLE,
        can_be_generated=True,
        until="1.0.454",
    ),
    Field(
        "ID",
        Text(),
        "Read-only: assigned by the service. To bind this manifest to an existing client, use metadata.id, or ids in "
        "reconciler.yaml.",
        read_only=True,
    ),
    *(
        Field(
            f"Assigned{party}Count",
            Whole(),
            f"Read-only: the service counts the assigned {party.lower()}s.",
            read_only=True,
        )
        for party in ("Buyer", "Supplier")
    ),
    _event_name("OrderCheckout"),
    _event_name("OrderReturn"),
    _event_name("AddToCart"),
)

_IMPERSONATION: Final = Dependent(
    "impersonation configuration", "/impersonationconfig", "ClientID", "SetSecurityProfile"
)
_SUBSCRIPTION: Final = Dependent(
    "subscription integration", "/integrations/subscription", "ApiClientID", "ApiClientAdmin", is_single=True
)
"""The role that reads it is not documented. Source of both: error codes ``ApiClient.UsedByImpersonationConfig`` and
``ApiClient.UsedByIntegration``."""

API_CLIENT: Final = Kind(
    name="ApiClient",
    noun="API client",
    description="One API client (OAuth client) of a Sitecore OrderCloud marketplace.",
    path="/apiclients",
    source=_REFERENCE,
    table=_FIELDS,
    name_field="AppName",
    readers=("ApiClientReader",),
    writers=("ApiClientAdmin",),
    id_choice=IdChoice.SERVICE,
    about_id="The client ID, if all environments share it (production and its staging copy). For an environment with "
    "a different ID, use ids in reconciler.yaml, which takes precedence. Without either, the manifest matches the only "
    "live client with this AppName.",
    active_field="Active",
    lifetime_field="AccessTokenDuration",
    label_field="xp",
    # Since 1.0.368, from API 1.0.470 on the only secrets. Source: "API Client Secrets" of the knowledge base.
    named_secrets=NamedSecrets(
        "secrets",
        value_field="ClientSecret",
        limit=10,
        login_flags=("AllowSeller", "AllowAnyBuyer", "AllowAnySupplier"),
        open_field="IsAnonBuyer",
    ),
    dependents=(_IMPERSONATION, _SUBSCRIPTION),
    assignments=Assignments(
        tuple(
            level
            for name in ("buyer", "supplier")
            for level in levels(
                "/apiclients/assignments",
                "ApiClientID",
                f"/{name}s/{{{name.capitalize()}ID}}/ApiClients/Assignments/{{ApiClientID}}",
                f"{name}s",
                everyone={f"{name}s": f"AllowAny{name.capitalize()}"},
            )
        ),
        "The parties whose users may log in through this client, by level.",
    ),
)
