"""API clients -> one row for them and one for their secrets, and whether a given secret is valid now.

Sources: .NET SDK `ApiClient` (ranges, read-only fields), OrderCloud docs "API clients", OpenAPI document 1.0.260.

Guesses: a reference to something that does not exist is a `NotFound` of that thing; `AppName` need not be unique and
has no maximum length.

Secrets: OrderCloud docs, "API client secrets": at most ten per client, the value is made by the service (base64 of 256
random bytes) and shown only in the answer to the POST, an expiry in the past is refused, there is no PUT. Available
since 1.0.368, so in both profiles. Guesses: expired secrets count towards the ten; a PATCH may not set a past expiry
either.

Unkind on purpose. An ID is upper case here and lower case where others refer to it. The references to integration
events come in upper case in some places: in a list for clients whose ID ends with 8 to F, in single answers for the
others. `FutureFlag` is in no documentation: it is stored when sent and lost when a PUT leaves it out. So is
`EmulatorRevision`, which is read-only and grows with every write; it is shown on request only, for it would tell every
object that was written from one that was not.
"""

import base64
import hmac
import re
import secrets
import uuid
from collections.abc import Iterator

from reconciler.emulator.errors import ApiError, Fault, not_found
from reconciler.emulator.fields import Field, parse_moment
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.resources import Resource
from reconciler.emulator.rows.integrations import AN_EVENT, event_type_faults
from reconciler.emulator.store import Body, key_in

# field of the client -> EventType which the event must have
EVENT_REFERENCES = {
    "OrderCheckoutIntegrationEventID": "OrderCheckout",
    "OrderReturnIntegrationEventID": "OrderReturn",
    "AddToCartIntegrationEventID": "AddToCart",
}
_NAME_FIELDS = {name: name.removesuffix("ID") + "Name" for name in EVENT_REFERENCES}
ANONYMOUS_DEFAULT = 10080  # minutes, 7 days
REVISION = "EmulatorRevision"

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


# Durations are in minutes. Up to API version 1.0.454 `ClientSecret` is an ordinary field, which everybody who may read
# the client can read. From 1.0.470 it is gone: here it then stays in the store, neither read nor shown nor erased, and
# still lets its owner log in (a guess: whether stored secrets outlived the field is not known).
_FIELDS = (
    Field("ClientSecret", only="legacy"),
    Field("ClientSecret", read_only=True, write_only=True, only="current"),
    Field("AccessTokenDuration", "integer", required=True, minimum=10, maximum=600),
    Field("Active", "boolean", default=False),
    Field("AppName", required=True),
    Field("RefreshTokenDuration", "integer", default=0, minimum=0, maximum=524_160),
    # Documented as 7 to 60 days; that the bounds are these minutes is inferred.
    Field("AnonymousTokenDuration", "integer", default=ANONYMOUS_DEFAULT, minimum=10_080, maximum=86_400),
    Field("DefaultContextUserName"),
    Field("xp", "xp"),
    *(Field(name, "boolean", default=False) for name in ("AllowAnyBuyer", "AllowAnySupplier", "AllowSeller")),
    Field("IsAnonBuyer", "boolean", default=False),
    Field("AssignedBuyerCount", "integer", default=0, read_only=True),
    Field("AssignedSupplierCount", "integer", default=0, read_only=True),
    *(
        each
        for reference, name in _NAME_FIELDS.items()
        for each in (Field(reference, refers=AN_EVENT), Field(name, read_only=True))
    ),
    Field("MinimumRequiredRoles", "roles", default=[]),
    Field("MinimumRequiredCustomRoles", "strings", default=[]),
    Field("MaximumGrantedRoles", "roles", default=[]),
    Field("MaximumGrantedCustomRoles", "strings", default=[]),
    Field("FutureFlag", "any"),
    Field(REVISION, "integer", read_only=True),
)


def is_guid(text: str) -> bool:
    """Tell whether a text has the form of a client ID."""
    return _GUID.fullmatch(text) is not None


def _check(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    for reference, event_type in EVENT_REFERENCES.items():
        yield from event_type_faults(market, new.get(reference), event_type)
    name = new.get("DefaultContextUserName")
    user = market.user_named(name) if isinstance(name, str) and name else None
    if isinstance(name, str) and name and user is None:
        yield not_found("User", name)
    if new.get("IsAnonBuyer") is True and (user is None or user.party.usrtype != "buyer"):
        yield Fault("ApiClient.RequiredNotAnonBuyer")


def _settle(market: Marketplace, old: Body | None, new: Body) -> Body:
    user = market.user_named(new.get("DefaultContextUserName") or "")
    return new | {
        "ID": new["ID"].upper(),
        REVISION: (old or {}).get(REVISION, 0) + 1,
        "DefaultContextUserName": user.name if user else None,
    }


def _guard(market: Marketplace, body: Body) -> Iterator[Fault]:
    clients = market.store.all("ApiClient").values()
    if market.has_full_access(body) and not any(market.has_full_access(each) for each in clients if each is not body):
        yield Fault("ApiClient.CannotDeleteLastFullAccess")


def _derived(market: Marketplace, body: Body, *, shouts: bool) -> Body:
    counts = {f"Assigned{each}Count": market.assigned(body["ID"], each) for each in ("Buyer", "Supplier")}
    shown = body | counts
    for reference, name in _NAME_FIELDS.items():
        event = market.find("IntegrationEvent", body[reference]) if body[reference] else None
        shown[name] = event["Name"] if event else None
        if event is not None:
            shown[reference] = event["ID"].upper() if shouts else event["ID"]
    return shown


SECRETS_LIMIT = 10
_SECRET_BYTES = 256


def _check_secret(market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    if old is None and len(_secrets_of(market, new["_parent"])) >= SECRETS_LIMIT:
        yield Fault("ApiClientSecret.MaximumClientSecretsReached")
    is_new = new.get("Expiration") != (old or {}).get("Expiration")
    if is_new and _is_past(market, new.get("Expiration")):
        yield Fault("ApiClientSecret.InvalidExpirationDate")


def _settle_secret(_market: Marketplace, _old: Body | None, new: Body) -> Body:
    return {"ClientSecret": base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()} | new


CLIENT_SECRETS = Resource(
    kind="ApiClientSecret",
    path="/v1/apiclients/{parent}/secrets",
    fields=(
        Field("ClientSecret", read_only=True, write_only=True),
        Field("Name", required=True),
        Field("Expiration", "datetime"),
    ),
    role="ApiClient",
    sortable=("ID",),
    searchable=("ID", "Name"),
    parent="ApiClient",
    check=_check_secret,
    settle=_settle_secret,
    shown_once=("ClientSecret",),
    has_put=False,
)


ROWS = (
    Resource(
        kind="ApiClient",
        path="/v1/apiclients",
        fields=_FIELDS,
        sortable=("ID", "AppName", "DefaultContextUserName"),
        client_may_choose_id=False,
        make_id=lambda: str(uuid.uuid4()).upper(),
        may_put_new=lambda market, object_id: market.settings.put_creates and is_guid(object_id),
        check=_check,
        settle=_settle,
        guard=_guard,
        show=lambda market, body: _derived(market, body, shouts=body["ID"][-1] < "8"),
        show_in_list=lambda market, body: _derived(market, body, shouts=body["ID"][-1] >= "8"),
    ),
    CLIENT_SECRETS,
)


def add_secret(market: Marketplace, client_id: str, secret_id: str, name: str, value: str) -> None:
    """Store a secret whose value is known beforehand, as the built-in client needs it."""
    body = {"ID": secret_id, "_parent": client_id.lower(), "Name": name, "Expiration": None, "ClientSecret": value}
    market.store.put(CLIENT_SECRETS.kind, key_in(body), body)


def has_any_secret(market: Marketplace, client: Body) -> bool:
    """Tell whether the client has any secret, expired or not, so that each login must bring a valid one."""
    return bool(client.get("ClientSecret") or _secrets_of(market, client["ID"].lower()))


def _is_valid_secret(market: Marketplace, client: Body, value: str) -> bool:
    """Tell whether a value is one of the client's secrets that have not expired."""
    stored = _secrets_of(market, client["ID"].lower())
    valid = [body["ClientSecret"] for body in stored if not _is_past(market, body.get("Expiration"))]
    known = filter(None, [*valid, client.get("ClientSecret")])
    return any(hmac.compare_digest(value.encode(), each.encode()) for each in known)


def _is_past(market: Marketplace, expiration: object) -> bool:
    moment = parse_moment(str(expiration)) if expiration else None
    return moment is not None and moment <= market.clock()


def _secrets_of(market: Marketplace, client_key: str) -> list[Body]:
    return market.store.children(CLIENT_SECRETS.kind, client_key)


def require_secret(market: Marketplace, client: Body, value: str | None) -> None:
    """Refuse a login that lacks a valid secret where the client has any.

    OrderCloud docs, "API clients": then a valid one is needed with every grant. Status 401 is documented for a missing
    secret; the error code is a guess.
    """
    if has_any_secret(market, client) and not _is_valid_secret(market, client, value or ""):
        fault = Fault("Auth.OauthError", "The client secret is missing, wrong or expired.")
        raise ApiError(fault, status=401, oauth="invalid_client")
