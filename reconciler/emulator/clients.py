"""API clients: field table, references, derived fields, delete guards -> the row of the resource.

Sources: .NET SDK `ApiClient` (ranges, read-only fields), OrderCloud docs "API clients", OpenAPI document 1.0.260.

Guesses: a reference to something that does not exist is a `NotFound` of that thing; `AppName` need not be unique and
has no maximum length; deleting a client also deletes its assignments and secrets and takes it off the webhooks' lists.

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

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.settings import Profile
    from reconciler.emulator.store import Body

# field of the client -> EventType which the event must have
EVENT_REFERENCES = {
    "OrderCheckoutIntegrationEventID": "OrderCheckout",
    "OrderReturnIntegrationEventID": "OrderReturn",
    "AddToCartIntegrationEventID": "AddToCart",
}
_NAME_FIELDS = {name: name.removesuffix("ID") + "Name" for name in EVENT_REFERENCES}
ANONYMOUS_DEFAULT = 10080  # minutes, 7 days

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def fields_for(profile: Profile, *, revisions: bool = False) -> tuple[Field, ...]:
    """Give the table of fields for one API generation.

    Durations are in minutes. Up to API version 1.0.454 `ClientSecret` is an ordinary field, readable by everybody who
    may read the client. From 1.0.470 it is gone: here it then stays in the store, neither read nor shown nor erased,
    and still lets its owner log in (a guess: whether stored secrets outlived the field is not known).
    """
    is_gone = profile == "current"
    return (
        Field("ClientSecret", read_only=is_gone, write_only=is_gone),
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
        *(each for pair in _NAME_FIELDS.items() for each in (Field(pair[0]), Field(pair[1], read_only=True))),
        Field("MinimumRequiredRoles", "roles", default=[]),
        Field("MinimumRequiredCustomRoles", "strings", default=[]),
        Field("MaximumGrantedRoles", "roles", default=[]),
        Field("MaximumGrantedCustomRoles", "strings", default=[]),
        Field("FutureFlag", "any"),
        *((Field("EmulatorRevision", "integer", read_only=True),) if revisions else ()),
    )


def client_row(profile: Profile, *, revisions: bool = False) -> Resource:
    """Describe the resource for one API generation."""
    return Resource(
        kind="ApiClient",
        path="/v1/apiclients",
        fields=fields_for(profile, revisions=revisions),
        read_roles=readers("ApiClient"),
        write_roles=writers("ApiClient"),
        sortable=("ID", "AppName", "DefaultContextUserName"),
        searchable=("ID", "AppName", "DefaultContextUserName"),
        seller_only=True,
        client_may_choose_id=False,
        make_id=lambda: str(uuid.uuid4()).upper(),
        may_put_new=lambda market, object_id: market.settings.put_creates and is_guid(object_id),
        check=_check,
        settle=_settle,
        guard=_guard,
        forget=_forget,
        show=_show,
        show_in_list=_show_in_list,
    )


def is_guid(text: str) -> bool:
    """Tell whether a text has the form of a client ID."""
    return _GUID.fullmatch(text) is not None


def _check(market: Marketplace, _old: Body | None, new: Body) -> Iterator[Fault]:
    for reference, event_type in EVENT_REFERENCES.items():
        yield from _check_event(market, new.get(reference), event_type)
    name = new.get("DefaultContextUserName")
    user = market.user_named(name) if isinstance(name, str) and name else None
    if isinstance(name, str) and name and user is None:
        yield not_found("User", name)
    if new.get("IsAnonBuyer") is True and (user is None or user.party.usrtype != "buyer"):
        yield Fault("ApiClient.RequiredNotAnonBuyer")


def _check_event(market: Marketplace, event_id: object, event_type: str) -> Iterator[Fault]:
    if not isinstance(event_id, str) or not event_id:
        return
    event = market.find("IntegrationEvent", event_id)
    if event is None:
        yield not_found("IntegrationEvent", event_id)
    elif event.get("EventType") != event_type:
        yield Fault("IntegrationEvent.IncompatibleEventType", data={"ID": event["ID"], "Expected": event_type})


def _settle(market: Marketplace, old: Body | None, new: Body) -> Body:
    settled = new | {"ID": new["ID"].upper(), "EmulatorRevision": (old or {}).get("EmulatorRevision", 0) + 1}
    for reference in EVENT_REFERENCES:
        event = market.find("IntegrationEvent", new.get(reference) or "")
        settled[reference] = event["ID"] if event else None
    user = market.user_named(new.get("DefaultContextUserName") or "")
    settled["DefaultContextUserName"] = user.name if user else None
    return settled


def _guard(market: Marketplace, body: Body) -> Iterator[Fault]:
    clients = market.store.all("ApiClient").values()
    if market.has_full_access(body) and not any(market.has_full_access(each) for each in clients if each is not body):
        yield Fault("ApiClient.CannotDeleteLastFullAccess")
    if _names(market, "SubscriptionIntegration", "ApiClientID", body["ID"]):
        yield Fault("ApiClient.UsedByIntegration")
    if _names(market, "ImpersonationConfig", "ClientID", body["ID"]):
        yield Fault("ApiClient.UsedByImpersonationConfig")


def _names(market: Marketplace, kind: str, reference: str, client_id: str) -> bool:
    return any((row.get(reference) or "").upper() == client_id for row in market.store.all(kind).values())


def _forget(market: Marketplace, body: Body) -> None:
    prefix = body["ID"].lower() + "/"
    for kind in ("ApiClientAssignment", "ApiClientSecret"):
        for key in [key for key in market.store.all(kind) if key.startswith(prefix)]:
            market.store.delete(kind, key)
    for key, hook in list(market.store.all("Webhook").items()):
        others = [each for each in hook["ApiClientIDs"] if each.upper() != body["ID"]]
        if others != hook["ApiClientIDs"]:
            market.store.put("Webhook", key, hook | {"ApiClientIDs": others})


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
