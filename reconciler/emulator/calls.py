"""One HTTP request, taken apart -> one answer, not yet put on the wire. What handlers take and give, and who may."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.store import Body

if TYPE_CHECKING:
    from reconciler.emulator.faults import FaultBox
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.tokens import TokenIssuer


JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body; Content-Length is added when it is sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def dumps(value: object) -> bytes:
    """Encode JSON as the service does: UTF-8, compact; a lone surrogate stays an escape."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number


DECODER = json.JSONDecoder(parse_constant=_no_number, parse_float=_finite)  # JSON alone: no NaN, nothing infinite


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, as the access token says, and until when (seconds since 1970); nothing in it is looked up again."""

    client: str
    username: str
    usrtype: str
    roles: tuple[str, ...]
    expires: float


NOBODY = Caller("", "", "", (), 0)  # who calls a route that needs no token


@dataclass(frozen=True, slots=True)
class Entry:
    """One request in the journal; `status` is None when no answer was sent, `client` the client ID of its token."""

    method: str
    path: str
    query: str
    status: int | None
    client: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """The parts of one emulator."""

    market: "Marketplace"
    office: "TokenIssuer"
    faults: "FaultBox"
    journal: list[Entry]


@dataclass(frozen=True, slots=True)
class Call:
    """One request: `params` are the variable segments of its path, `query` its parameters in order, `raw` its body."""

    site: Site
    params: Mapping[str, str]
    query: tuple[tuple[str, str], ...]
    raw: bytes
    content_type: str
    caller: Caller

    @property
    def market(self) -> "Marketplace":
        """The data that the request is about."""
        return self.site.market

    def body(self) -> Body:
        """Read the JSON object that was sent; anything else is `Request.InvalidRequestBody`."""
        try:
            body = DECODER.decode(self.raw.decode("utf-8-sig"))
        except (ValueError, RecursionError) as error:
            raise ApiError(Fault("Request.InvalidRequestBody")) from error
        if not isinstance(body, dict):
            raise ApiError(Fault("Request.InvalidRequestBody"))
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: no body at all when `body` is None; `location` is a path of this server."""

    status: int
    body: Any = None
    location: str | None = None


Handler = Callable[[Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One operation: variable segments of `path` stand in braces, fixed ones match in any case.

    `roles` of which the caller needs one; none means that any valid token will do. `seller_only` keeps buyers and
    suppliers out whatever their roles. `public` needs no token at all.
    """

    method: str
    path: str
    handler: Handler
    roles: tuple[str, ...] = ()
    seller_only: bool = False
    public: bool = False


def authorise(route: Route, caller: Caller) -> None:
    """Refuse a caller of the wrong party, or without any of the roles.

    OrderCloud release notes 1.0.185: only seller users may use API clients. .NET Catalyst: the fields of `Data`.
    """
    if route.seller_only and caller.usrtype != "admin":
        raise ApiError(Fault("Auth.UserNotAuthorizedToAdmin"))
    if route.roles and not set(route.roles) & set(caller.roles):
        data = {"SufficientRoles": list(route.roles), "AssignedRoles": list(caller.roles)}
        raise ApiError(Fault("Auth.InsufficientRoles", data=data))


# The enumeration ApiRole of API version 1.0.470, and the `security` entries of Sitecore's OpenAPI document.
FULL_ACCESS = "FullAccess"

_NAMES = """
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
API_ROLES = frozenset(_NAMES.split())


def readers(*names: str) -> tuple[str, ...]:
    """Give the roles that may read: FullAccess, and for each name its Admin and its Reader role."""
    return (FULL_ACCESS, *(name + suffix for name in names for suffix in ("Admin", "Reader")))


def writers(*names: str) -> tuple[str, ...]:
    """Give the roles that may write: FullAccess, and for each name its Admin role."""
    return (FULL_ACCESS, *(name + "Admin" for name in names))
