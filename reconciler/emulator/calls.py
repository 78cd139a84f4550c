"""A parsed HTTP request -> a response that is not yet encoded: the types of handlers, and authorisation."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.emulator.errors import ApiError, ServiceError
from reconciler.emulator.store import Body

if TYPE_CHECKING:
    from reconciler.emulator.faults import FaultInjector
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.tokens import TokenIssuer


JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """An encoded response; Content-Length is added when it is sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def dumps(value: object) -> bytes:
    """Encode JSON as the service does: compact UTF-8; a lone surrogate stays escaped."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def _reject_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


DECODER = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_finite_float)  # strict: no NaN or infinity


@dataclass(frozen=True, slots=True)
class Caller:
    """The caller according to the access token, which is not checked against the data again.

    `expires` is in seconds since the epoch.
    """

    client: str
    username: str
    usrtype: str
    roles: tuple[str, ...]
    expires: float


UNAUTHENTICATED = Caller("", "", "", (), 0)  # the caller of a route that requires no token


@dataclass(frozen=True, slots=True)
class Entry:
    """A request in the journal; `status` is None if no response was sent, `client` is the client ID in its token."""

    method: str
    path: str
    query: str
    status: int | None
    client: str | None


@dataclass(frozen=True, slots=True)
class Backend:
    """The components of one emulator that handlers use."""

    market: "Marketplace"
    issuer: "TokenIssuer"
    faults: "FaultInjector"
    journal: list[Entry]


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `params` are the variable path segments, `query` the query parameters in order, `raw` is the body."""

    backend: Backend
    params: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    raw: bytes
    content_type: str
    caller: Caller

    @property
    def market(self) -> "Marketplace":
        """The data of the emulator."""
        return self.backend.market

    def body(self) -> Body:
        """Decode the body, which must be a JSON object.

        Raises:
            ApiError: `Request.InvalidRequestBody`.
        """
        try:
            body = DECODER.decode(self.raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ApiError(ServiceError("Request.InvalidRequestBody")) from error
        if not isinstance(body, dict):
            raise ApiError(ServiceError("Request.InvalidRequestBody"))
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """The result of a handler; None as `body` means an empty response. `location` is a path on this server."""

    status: int
    body: Any = None
    location: str | None = None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """An operation. Variable segments of `path` are in braces, the others match case-insensitively.

    The caller needs one of `roles`; if there are none, any valid token is sufficient. `seller_only` rejects buyer and
    supplier users regardless of their roles. `public` routes require no token.
    """

    method: str
    path: str
    handler: Handler
    roles: tuple[str, ...] = ()
    seller_only: bool = False
    public: bool = False


def authorise(route: Route, caller: Caller) -> None:
    """Reject a caller of the wrong party, or without any of the roles.

    Sources: OrderCloud release notes 1.0.185 (only seller users may use API clients), .NET Catalyst (fields of `Data`).

    Raises:
        ApiError: the caller is not authorised.
    """
    if route.seller_only and caller.usrtype != "admin":
        raise ApiError(ServiceError("Auth.UserNotAuthorizedToAdmin"))
    if route.roles and not set(route.roles) & set(caller.roles):
        data = {"SufficientRoles": list(route.roles), "AssignedRoles": list(caller.roles)}
        raise ApiError(ServiceError("Auth.InsufficientRoles", data=data))


# The enum ApiRole of API version 1.0.470, and the `security` entries of Sitecore's OpenAPI document.
FULL_ACCESS = "FullAccess"

_API_ROLE_NAMES = """
    ApiClientAdmin ApiClientReader AddressAdmin AddressReader AdminAddressAdmin AdminAddressReader AdminUserAdmin
    AdminUserGroupAdmin AdminUserGroupReader AdminUserReader ApprovalRuleAdmin ApprovalRuleReader BulkReader
    BundleAdmin BundleAssignmentAdmin BundleReader BuyerAdmin BuyerImpersonation BuyerReader BuyerUserAdmin
    BuyerUserReader CatalogAdmin CatalogReader CategoryAdmin CategoryReader CostCenterAdmin CostCenterReader
    CreditCardAdmin CreditCardReader EntitySyncConfigAdmin FullAccess IncrementorAdmin IncrementorReader
    LocaleReader LocaleAdmin MeAddressAdmin MeAdmin MeCreditCardAdmin MessageConfigAssignmentAdmin
    MeSubscriptionAdmin MeXpAdmin OrderAdmin OrderEditAfterSubmit OrderReader OverrideShipping OverrideTax
    OverrideUnitPrice PasswordReset PriceScheduleAdmin PriceScheduleReader ProductAdmin ProductAssignmentAdmin
    ProductCollectionReader ProductFacetAdmin ProductFacetReader ProductReader ProductSyncConfigAdmin PromotionAdmin
    PromotionReader SecurityProfileAdmin SecurityProfileReader SetSecurityProfile ShipmentAdmin ShipmentReader
    Shopper SpendingAccountAdmin SpendingAccountReader SubscriptionAdmin SubscriptionReader SupplierAddressAdmin
    SupplierAddressReader SupplierAdmin SupplierReader SupplierUserAdmin SupplierUserGroupAdmin
    SupplierUserGroupReader SupplierUserReader UnsubmittedOrderReader UserGroupAdmin UserGroupReader
    OpenIDConnectReader OpenIDConnectAdmin MessageSenderReader MessageSenderAdmin XpIndexAdmin WebhookReader
    WebhookAdmin IntegrationEventReader IntegrationEventAdmin TrackingEventReader TrackingEventAdmin
    DeliveryConfigAdmin OrderSyncConfigAdmin ErrorConfigAdmin
"""
API_ROLES = frozenset(_API_ROLE_NAMES.split())


def readers(*names: str) -> tuple[str, ...]:
    """The roles that allow reading: FullAccess, and the Admin and Reader role of each name."""
    return (FULL_ACCESS, *(name + suffix for name in names for suffix in ("Admin", "Reader")))


def writers(*names: str) -> tuple[str, ...]:
    """The roles that allow writing: FullAccess, and the Admin role of each name."""
    return (FULL_ACCESS, *(name + "Admin" for name in names))
