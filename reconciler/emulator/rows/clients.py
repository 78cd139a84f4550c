"""API clients: field table, references, derived fields, delete guards -> the row of the resource.

Sources: .NET SDK `ApiClient` (ranges, read-only fields), OrderCloud docs "API clients", OpenAPI document 1.0.260.

Guesses: a reference to something that does not exist is a `NotFound` of that thing; `AppName` need not be unique and
has no maximum length.

Unkind on purpose. An ID is upper case here and lower case where others refer to it. The references to integration
events come in upper case in some places: in a list for clients whose ID ends with 8 to F, in single answers for the
others. `FutureFlag` is in no documentation: it is stored when sent and lost when a PUT leaves it out. So is
`EmulatorRevision`, which is read-only and grows with every write; it is shown on request only, for it would tell every
object that was written from one that was not.
"""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from reconciler.emulator.errors import Fault, not_found
from reconciler.emulator.fields import Field
from reconciler.emulator.resources import Resource
from reconciler.emulator.roles import readers, writers
from reconciler.emulator.rows.integrations import AN_EVENT, event_type_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

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


def _show(market: Marketplace, body: Body) -> Body:
    return _derived(market, body, shouts=body["ID"][-1] < "8")


def _show_in_list(market: Marketplace, body: Body) -> Body:
    return _derived(market, body, shouts=body["ID"][-1] >= "8")


def _derived(market: Marketplace, body: Body, *, shouts: bool) -> Body:
    shown = body | {
        "AssignedBuyerCount": market.assigned(body["ID"], "Buyer"),
        "AssignedSupplierCount": market.assigned(body["ID"], "Supplier"),
    }
    for reference, name in _NAME_FIELDS.items():
        event = market.find("IntegrationEvent", body[reference]) if body[reference] else None
        shown[name] = event["Name"] if event else None
        if event is not None:
            shown[reference] = event["ID"].upper() if shouts else event["ID"]
    return shown


ROWS = (
    Resource(
        kind="ApiClient",
        path="/v1/apiclients",
        fields=_FIELDS,
        read_roles=readers("ApiClient"),
        write_roles=writers("ApiClient"),
        sortable=("ID", "AppName", "DefaultContextUserName"),
        searchable=("ID", "AppName", "DefaultContextUserName"),
        client_may_choose_id=False,
        make_id=lambda: str(uuid.uuid4()).upper(),
        may_put_new=lambda market, object_id: market.settings.put_creates and is_guid(object_id),
        check=_check,
        settle=_settle,
        guard=_guard,
        show=_show,
        show_in_list=_show_in_list,
    ),
)
