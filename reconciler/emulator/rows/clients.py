"""API clients and their secrets: two resources, and the validation of secrets at login.

Sources: .NET SDK `ApiClient` (ranges, read-only fields), OrderCloud docs "API clients", OpenAPI document 1.0.260.

Guesses: a reference to an object that does not exist is a `NotFound` of that object; `AppName` need not be unique and
has no maximum length.

Secrets: OrderCloud docs, "API client secrets": at most ten per client; the service generates the value (base64 of 256
random bytes) and returns it only in the response to the POST; an expiry in the past is rejected; there is no PUT.
Available since 1.0.368, so in both profiles. Guesses: expired secrets count towards the ten; a PATCH cannot set an
expiry in the past either.

Deliberately inconvenient, to expose bugs: An ID is upper case here and lower case in references to it. References to
integration events are upper case in some responses: in lists for clients whose ID ends with 8 to F, in single objects
for the others. `FutureFlag` is undocumented: it is stored if sent, and lost if a PUT omits it. `EmulatorRevision` is
undocumented too; it is read-only, increases with every write, and is returned only if enabled, because it reveals
which objects were written.
"""

import base64
import hmac
import re
import secrets
import uuid
from collections.abc import Iterator

from reconciler.emulator.errors import ApiError, ServiceError, not_found
from reconciler.emulator.fields import Field, parse_datetime
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.resources import Resource
from reconciler.emulator.rows.integrations import EVENT_REF, event_type_errors
from reconciler.emulator.store import Body, key_in

# field of the client -> required EventType of the event
EVENT_REFERENCES = {
    "OrderCheckoutIntegrationEventID": "OrderCheckout",
    "OrderReturnIntegrationEventID": "OrderReturn",
    "AddToCartIntegrationEventID": "AddToCart",
}
_NAME_FIELDS = {name: name.removesuffix("ID") + "Name" for name in EVENT_REFERENCES}
ANONYMOUS_DEFAULT = 10080  # minutes, 7 days
REVISION = "EmulatorRevision"

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


# Durations are in minutes. Up to API version 1.0.454, `ClientSecret` is an ordinary field, readable with the client.
# 1.0.470 has removed it: here it stays in the store, cannot be read or changed, and is still valid for logins (a guess:
# it is unknown whether stored secrets still work without the field).
_FIELDS = (
    Field("ClientSecret", only="legacy"),
    Field("ClientSecret", read_only=True, write_only=True, only="current"),
    Field("AccessTokenDuration", "integer", required=True, minimum=10, maximum=600),
    Field("Active", "boolean", default=False),
    Field("AppName", required=True),
    Field("RefreshTokenDuration", "integer", default=0, minimum=0, maximum=524_160),
    # Documented as 7 to 60 days; the limits in minutes are inferred.
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
        for each in (Field(reference, reference=EVENT_REF), Field(name, read_only=True))
    ),
    Field("MinimumRequiredRoles", "roles", default=[]),
    Field("MinimumRequiredCustomRoles", "strings", default=[]),
    Field("MaximumGrantedRoles", "roles", default=[]),
    Field("MaximumGrantedCustomRoles", "strings", default=[]),
    Field("FutureFlag", "any"),
    Field(REVISION, "integer", read_only=True),
)


def is_guid(text: str) -> bool:
    """Whether a string has the format of a client ID."""
    return _GUID.fullmatch(text) is not None


def _check(market: Marketplace, _old: Body | None, new: Body) -> Iterator[ServiceError]:
    for reference, event_type in EVENT_REFERENCES.items():
        yield from event_type_errors(market, new.get(reference), event_type)
    name = new.get("DefaultContextUserName")
    user = market.user_named(name) if isinstance(name, str) and name else None
    if isinstance(name, str) and name and user is None:
        yield not_found("User", name)
    if new.get("IsAnonBuyer") is True and (user is None or user.party.usrtype != "buyer"):
        yield ServiceError("ApiClient.RequiredNotAnonBuyer")


def _finalize(market: Marketplace, old: Body | None, new: Body) -> Body:
    user = market.user_named(new.get("DefaultContextUserName") or "")
    return new | {
        "ID": new["ID"].upper(),
        REVISION: (old or {}).get(REVISION, 0) + 1,
        "DefaultContextUserName": user.name if user else None,
    }


def _guard(market: Marketplace, body: Body) -> Iterator[ServiceError]:
    clients = market.store.all("ApiClient").values()
    if market.has_full_access(body) and not any(market.has_full_access(each) for each in clients if each is not body):
        yield ServiceError("ApiClient.CannotDeleteLastFullAccess")


def _derived(market: Marketplace, body: Body, *, uppercase: bool) -> Body:
    counts = {f"Assigned{each}Count": market.assignment_count(body["ID"], each) for each in ("Buyer", "Supplier")}
    shown = body | counts
    for reference, name in _NAME_FIELDS.items():
        event = market.find("IntegrationEvent", body[reference]) if body[reference] else None
        shown[name] = event["Name"] if event else None
        if event is not None:
            shown[reference] = event["ID"].upper() if uppercase else event["ID"]
    return shown


SECRETS_LIMIT = 10
_SECRET_BYTES = 256


def _check_secret(market: Marketplace, old: Body | None, new: Body) -> Iterator[ServiceError]:
    if old is None and len(_secrets_of(market, new["_parent"])) >= SECRETS_LIMIT:
        yield ServiceError("ApiClientSecret.MaximumClientSecretsReached")
    is_new = new.get("Expiration") != (old or {}).get("Expiration")
    if is_new and _is_past(market, new.get("Expiration")):
        yield ServiceError("ApiClientSecret.InvalidExpirationDate")


def _finalize_secret(_market: Marketplace, _old: Body | None, new: Body) -> Body:
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
    finalize=_finalize_secret,
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
        put_may_create=lambda market, object_id: market.settings.put_creates and is_guid(object_id),
        check=_check,
        finalize=_finalize,
        guard=_guard,
        show=lambda market, body: _derived(market, body, uppercase=body["ID"][-1] < "8"),
        show_in_list=lambda market, body: _derived(market, body, uppercase=body["ID"][-1] >= "8"),
    ),
    CLIENT_SECRETS,
)


def add_secret(market: Marketplace, client_id: str, secret_id: str, name: str, value: str) -> None:
    """Store a secret with a given value, for the built-in client."""
    body = {"ID": secret_id, "_parent": client_id.lower(), "Name": name, "Expiration": None, "ClientSecret": value}
    market.store.put(CLIENT_SECRETS.kind, key_in(body), body)


def has_any_secret(market: Marketplace, client: Body) -> bool:
    """Whether the client has any secret, even an expired one: then every login requires a valid secret."""
    return bool(client.get("ClientSecret") or _secrets_of(market, client["ID"].lower()))


def _is_valid_secret(market: Marketplace, client: Body, value: str) -> bool:
    """Whether a value is one of the client's unexpired secrets."""
    stored = _secrets_of(market, client["ID"].lower())
    valid = [body["ClientSecret"] for body in stored if not _is_past(market, body.get("Expiration"))]
    known = filter(None, [*valid, client.get("ClientSecret")])
    return any(hmac.compare_digest(value.encode(), each.encode()) for each in known)


def _is_past(market: Marketplace, expiration: object) -> bool:
    moment = parse_datetime(str(expiration)) if expiration else None
    return moment is not None and moment <= market.clock()


def _secrets_of(market: Marketplace, client_key: str) -> list[Body]:
    return market.store.children(CLIENT_SECRETS.kind, client_key)


def require_secret(market: Marketplace, client: Body, value: str | None) -> None:
    """Reject a login without a valid secret if the client has any.

    OrderCloud docs, "API clients": a client with secrets requires a valid one for every grant. Status 401 is documented
    for a missing secret; the error code is a guess.

    Raises:
        ApiError: the secret is missing, wrong or expired.
    """
    if has_any_secret(market, client) and not _is_valid_secret(market, client, value or ""):
        error = ServiceError("Auth.OauthError", "The client secret is missing, wrong or expired.")
        raise ApiError(error, status=401, oauth="invalid_client")
