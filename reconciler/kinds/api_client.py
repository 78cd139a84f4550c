"""ApiClient: an OAuth client of a marketplace; who may log in through it, for how long, with which roles.

Source: the API reference of ``PUT /v1/apiclients/{apiClientID}``, and ``AnonymousTokenDuration`` of API 1.0.393.
"""

from typing import Any, Final

from reconciler.kinds.base import (
    Assignments,
    Dependent,
    Field,
    Kind,
    NamedSecrets,
    Party,
    Reference,
    UserReference,
    as_id,
    as_set,
)
from reconciler.kinds.direction import acts_as, demanded, granted, grows
from reconciler.kinds.moments import with_moments
from reconciler.kinds.roles import API_ROLES

DEFAULT_ANONYMOUS_TOKEN_MINUTES: Final = 10_080
_UNASSIGN: Final = "ApiClients/Assignments"  # the case is the API's own


def _event(event_type: str) -> Field:
    """A reference to an integration event, which must be of the type that the field is for."""
    name = f"{event_type}IntegrationEventID"
    events = Reference("integration event", "/integrationEvents", "IntegrationEventReader", ("EventType", event_type))
    return Field(name, str, canonical=as_id, refers_to=events)


_FIELDS = (
    Field("AppName", str),
    Field("Active", bool, default=False, judge=grows),
    Field("AccessTokenDuration", int, judge=grows),
    Field("RefreshTokenDuration", int, default=0, judge=grows),
    Field("AnonymousTokenDuration", int, default=DEFAULT_ANONYMOUS_TOKEN_MINUTES, judge=grows),
    Field(
        "DefaultContextUserName", str, canonical=as_id, judge=acts_as, refers_to=UserReference(buyer_flag="IsAnonBuyer")
    ),
    Field("AllowAnyBuyer", bool, default=False, judge=grows),
    Field("AllowAnySupplier", bool, default=False, judge=grows),
    Field("AllowSeller", bool, default=False, judge=grows),
    Field("IsAnonBuyer", bool, default=False, judge=grows),
    _event("OrderCheckout"),
    _event("OrderReturn"),
    _event("AddToCart"),
    Field("MinimumRequiredRoles", list[str], default=[], canonical=as_set, judge=demanded),
    Field("MinimumRequiredCustomRoles", list[str], default=[], canonical=as_set, judge=demanded),
    Field("MaximumGrantedRoles", list[str], default=[], canonical=as_set, judge=granted),
    Field("MaximumGrantedCustomRoles", list[str], default=[], canonical=as_set, judge=granted),
    Field("xp", dict[str, Any], default={}, canonical=with_moments),
)

_IMPERSONATION: Final = Dependent(
    "impersonation configuration", "/impersonationconfig", "ClientID", "SetSecurityProfile"
)
_SUBSCRIPTION: Final = Dependent(
    "subscription integration", "/integrations/subscription", "ApiClientID", "ApiClientAdmin", is_single=True
)
"""Which role reads it is documented nowhere. Source of both: error codes ``ApiClient.UsedByImpersonationConfig`` and
``ApiClient.UsedByIntegration``."""

API_CLIENT: Final = Kind(
    name="ApiClient",
    path="/apiclients",
    schema="api-client.v1.schema.json",
    name_field="AppName",
    fields={field.name: field for field in _FIELDS},
    required=frozenset({"AppName", "AccessTokenDuration"}),
    read_only=frozenset(
        {
            "ID",
            "AssignedBuyerCount",
            "AssignedSupplierCount",
            "OrderCheckoutIntegrationEventName",
            "OrderReturnIntegrationEventName",
            "AddToCartIntegrationEventName",
        }
    ),
    active_field="Active",
    # The legacy generation (up to 1.0.454) has the secret on the client; later ones keep it below /secrets.
    secret_fields=frozenset({"ClientSecret"}),
    label_field="xp",
    # Since 1.0.368, from API 1.0.470 on the only secrets. Source: "API Client Secrets" of the knowledge base.
    named_secrets=NamedSecrets(
        "secrets",
        value_field="ClientSecret",
        limit=10,
        doors=("AllowSeller", "AllowAnyBuyer", "AllowAnySupplier"),
        open_field="IsAnonBuyer",
    ),
    role_fields=frozenset({"MinimumRequiredRoles", "MaximumGrantedRoles"}),
    roles=API_ROLES,
    dependents=(_IMPERSONATION, _SUBSCRIPTION),
    assignments=Assignments(
        path="/apiclients/assignments",
        object_field="ApiClientID",
        parties=(
            Party("buyers", "BuyerID", "/buyers", "ApiClients/Assignments", "BuyerReader", "AllowAnyBuyer"),
            Party(
                "suppliers", "SupplierID", "/suppliers", "ApiClients/Assignments", "SupplierReader", "AllowAnySupplier"
            ),
        ),
    ),
)
