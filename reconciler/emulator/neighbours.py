"""The resources around API clients -> one row each; the subscription integration, which is a singleton, as routes.

They exist as far as references to and from API clients need them. Sources: .NET SDK models (fields, lengths, required),
OpenAPI document 1.0.260 (roles). Guesses: a webhook may list only clients that exist; deleting a buyer or supplier also
deletes its users and client assignments; the roles of the subscription integration (any seller with ApiClientAdmin).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.emulator.assignments import forget_company
from reconciler.emulator.calls import Answer, Route
from reconciler.emulator.clients import EVENT_REFERENCES
from reconciler.emulator.errors import Fault, not_found, refuse_if
from reconciler.emulator.fields import Field, faults_of, merged, replaced
from reconciler.emulator.marketplace import PARTIES, User
from reconciler.emulator.profiles import IMPERSONATION, SECURITY_PROFILE
from reconciler.emulator.resources import Operations, Resource
from reconciler.emulator.roles import readers, writers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.calls import Call
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

EVENT_TYPES = ("OrderCheckout", "OpenIDConnect", "OrderReturn", "AddToCart")

_XP = Field("xp", "xp")
_CREATED = Field("DateCreated", read_only=True)
_AUTH_HEADER = (Field("CustomAuthHeaderName"), Field("CustomAuthHeaderValue", write_only=True))


def _check_event(_market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    if old is not None and old.get("EventType") != new.get("EventType"):
        yield Fault("IntegrationEvent.CannotEditType")


def _guard_event(market: Marketplace, event: Body) -> Iterator[Fault]:
    clients = market.store.all("ApiClient").values()
    if any((client.get(name) or "").lower() == event["ID"].lower() for client in clients for name in EVENT_REFERENCES):
        yield Fault("IntegrationEvent.CannotDeleteInUse")


EVENT = Resource(
    kind="IntegrationEvent",
    path="/v1/integrationevents",
    fields=(
        Field("ElevatedRoles", "roles", default=[]),
        Field("ConfigData", "config"),
        Field("EventType", default="OrderCheckout", choices=EVENT_TYPES),  # the default is a guess
        Field("CustomImplementationUrl", required=True),
        *_AUTH_HEADER,
        Field("Name", required=True),
        Field("HashKey", required=True, maximum=50),
    ),
    read_roles=readers("IntegrationEvent"),
    write_roles=writers("IntegrationEvent"),
    sortable=("ID", "EventType", "Name"),
    searchable=("ID", "EventType", "Name"),
    check=_check_event,
    guard=_guard_event,
)


def _check_webhook(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    if not new.get("DeliveryConfigID"):
        if not str(new.get("Url") or "").startswith("https://"):
            yield Fault("Webhook.UrlSchemeHttps")
        if not new.get("HashKey"):
            yield Fault("Webhook.MissingHashKey")
    clients = new["ApiClientIDs"] if isinstance(new["ApiClientIDs"], list) else []
    yield from (Fault("ApiClient.InvalidClientID") for each in clients if market.find("ApiClient", str(each)) is None)


def _settle_webhook(_market: Marketplace, _old: Body | None, new: Body) -> Body:
    return new | {"ApiClientIDs": [each.lower() for each in new["ApiClientIDs"]]}


WEBHOOK = Resource(
    kind="Webhook",
    path="/v1/webhooks",
    fields=(
        Field("Name", required=True),
        Field("Description", maximum=2000),
        Field("Url"),
        Field("HashKey"),
        Field("ElevatedRoles", "roles", default=[]),
        Field("ConfigData", "config"),
        Field("BeforeProcessRequest", "boolean", default=False),
        Field("ApiClientIDs", "strings", default=[]),
        Field("WebhookRoutes", "objects", default=[]),
        Field("DeliveryConfigID"),
        *_AUTH_HEADER,
    ),
    read_roles=readers("Webhook"),
    write_roles=writers("Webhook"),
    searchable=("ID", "Name", "Description", "Url"),
    check=_check_webhook,
    settle=_settle_webhook,
)


def _settle_created(market: Marketplace, old: Body | None, new: Body) -> Body:
    return new if old else new | {"DateCreated": market.clock().isoformat()}


def _is_default_user(market: Marketplace, user: Body) -> bool:
    clients = market.store.all("ApiClient").values()
    name = str(user["Username"]).lower()
    return any((client.get("DefaultContextUserName") or "").lower() == name for client in clients)


def _company_row(company: str, user_kind: str, *fields: Field) -> Resource:
    """Describe buyers or suppliers, whose deletion takes their users and assignments along."""

    def members(market: Marketplace, owner: Body) -> list[tuple[str, Body]]:
        users = market.store.all(user_kind).items()
        return [(key, user) for key, user in users if user["_parent"] == owner["ID"].lower()]

    def guard(market: Marketplace, owner: Body) -> Iterator[Fault]:
        if any(_is_default_user(market, user) for _, user in members(market, owner)):
            yield Fault("User.CannotDeleteDefaultContextUser")

    def forget(market: Marketplace, owner: Body) -> None:
        forget_company(market, company, owner["ID"])
        for key, _ in members(market, owner):
            market.store.delete(user_kind, key)

    return Resource(
        kind=company,
        path=f"/v1/{company.lower()}s",
        fields=(
            Field("Name", required=True, maximum=100),
            Field("Active", "boolean", default=False),
            *fields,
            _CREATED,
            _XP,
        ),
        read_roles=readers(company),
        write_roles=writers(company),
        sortable=("ID", "Name", "DateCreated"),
        settle=_settle_created,
        guard=guard,
        forget=forget,
    )


BUYER = _company_row("Buyer", "User", Field("DefaultCatalogID"))
SUPPLIER = _company_row("Supplier", "SupplierUser", Field("AllBuyersCanOrder", "boolean", default=False))

_USER_FIELDS = (
    Field("CompanyID", read_only=True),
    Field("Username", required=True, maximum=100),
    Field("Password", write_only=True),
    Field("FirstName", required=True, maximum=100),
    Field("LastName", required=True, maximum=100),
    Field("Email", required=True, maximum=200),
    Field("Phone", maximum=100),
    Field("TermsAccepted", "datetime"),
    Field("Active", "boolean", required=True),
    _XP,
    Field("AvailableRoles", "strings", read_only=True),
    Field("Locale", "object", read_only=True),
    _CREATED,
    Field("PasswordLastSetDate", "datetime", read_only=True),
    Field("LastActive", "datetime", read_only=True),
    Field("FailedLoginAttempts", "integer", default=0, read_only=True),
)


def _check_user(market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    other = market.user_named(str(new.get("Username") or ""))
    if other is not None and other.body is not old:
        yield Fault("User.UsernameMustBeUnique")


def _guard_user(market: Marketplace, user: Body) -> Iterator[Fault]:
    if _is_default_user(market, user):
        yield Fault("User.CannotDeleteDefaultContextUser")


def _user_row(kind: str, path: str, role: str) -> Resource:
    """Describe the users of one party."""
    party = PARTIES[kind]

    def settle(market: Marketplace, old: Body | None, new: Body) -> Body:
        owner = market.find(party.company, new["_parent"]) if party.company else None
        return _settle_created(market, old, new) | {"CompanyID": owner["ID"] if owner else market.settings.marketplace}

    return Resource(
        kind=kind,
        path=path,
        fields=_USER_FIELDS,
        read_roles=readers(role),
        write_roles=writers(role),
        sortable=("ID", "Username", "LastName", "FirstName", "Email", "DateCreated", "PasswordLastSetDate"),
        searchable=("ID", "Username", "LastName", "FirstName", "Email"),
        parent=party.company,
        check=_check_user,
        settle=settle,
        guard=_guard_user,
        show=lambda market, user: user | {"AvailableRoles": sorted(market.roles_of(User(party, user)))},
    )


ADMIN_USER = _user_row("AdminUser", "/v1/adminusers", "AdminUser")
BUYER_USER = _user_row("User", "/v1/buyers/{parent}/users", "BuyerUser")
SUPPLIER_USER = _user_row("SupplierUser", "/v1/suppliers/{parent}/users", "SupplierUser")

ROWS = (EVENT, WEBHOOK, BUYER, SUPPLIER, ADMIN_USER, BUYER_USER, SUPPLIER_USER, SECURITY_PROFILE, IMPERSONATION)

_SUBSCRIPTION = "SubscriptionIntegration"
_SUBSCRIPTION_FIELDS = (
    Field("ApiClientID", required=True),
    Field("HashKey", required=True),
    Field("ElevatedRoles", "roles", default=[]),
    Field("Active", "boolean", default=False),
    Field("NotificationDays", "integer", minimum=1),
    Field("Url"),
    _XP,
    *_AUTH_HEADER,
)


def routes() -> Iterator[Route]:
    """Give the routes of all rows, of the users across buyers, and of the subscription integration."""
    for row in ROWS:
        yield from Operations(row).routes()
    everybody = replace(BUYER_USER, path="/v1/buyerusers", parent=None)
    yield Route("GET", everybody.path, Operations(everybody).listed, BUYER_USER.read_roles)
    path, roles = "/v1/integrations/subscription", writers("ApiClient")
    for method, handler in (("GET", _got), ("PUT", _saved), ("PATCH", _patched), ("DELETE", _deleted)):
        yield Route(method, path, handler, roles, seller_only=True)


def _subscription(call: Call) -> Body:
    return call.market.require(_SUBSCRIPTION, _SUBSCRIPTION)


def _got(call: Call) -> Answer:
    return Answer(200, _shown(_subscription(call)))


def _saved(call: Call) -> Answer:
    return _keep(call, replaced(_SUBSCRIPTION_FIELDS, call.body()))


def _patched(call: Call) -> Answer:
    return _keep(call, merged(_SUBSCRIPTION_FIELDS, _subscription(call), call.body()))


def _deleted(call: Call) -> Answer:
    _subscription(call)
    call.market.store.delete(_SUBSCRIPTION, _SUBSCRIPTION.lower())
    return Answer(204)


def _keep(call: Call, new: Body) -> Answer:
    refuse_if([*faults_of(_SUBSCRIPTION_FIELDS, new), *_check_subscription(call.market, new)])
    settled = new | {"ApiClientID": new["ApiClientID"].lower()}
    call.market.store.put(_SUBSCRIPTION, _SUBSCRIPTION.lower(), settled)
    return Answer(200, _shown(settled))


def _check_subscription(market: Marketplace, new: Body) -> Iterator[Fault]:
    if not isinstance(new["ApiClientID"], str):
        return
    client = market.find("ApiClient", new["ApiClientID"])
    if client is None:
        yield not_found("ApiClient", new["ApiClientID"])
    else:
        if client.get("OrderCheckoutIntegrationEventID"):
            yield Fault("SubscriptionIntegration.CannotUseApiClient")
        if not client.get("DefaultContextUserName"):
            yield Fault("SubscriptionIntegration.DefaultContextUser")


def _shown(body: Body) -> Body:
    return {field.name: body.get(field.name) for field in _SUBSCRIPTION_FIELDS if not field.write_only}
