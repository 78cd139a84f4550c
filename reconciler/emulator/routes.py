"""An API generation -> the table of everything that an emulator answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from reconciler.emulator import assignments, client_secrets, control, neighbours
from reconciler.emulator.calls import Answer, Call, Route
from reconciler.emulator.clients import client_row
from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.grants import token
from reconciler.emulator.marketplace import PARTIES, User
from reconciler.emulator.resources import Operations

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.settings import Profile

# What each profile says it is; the newest API version known to have, and the oldest known to lack, ClientSecret.
API_VERSIONS: dict[Profile, str] = {"current": "1.0.470", "legacy": "1.0.454"}


def all_routes(profile: Profile, *, revisions: bool = False) -> Iterator[Route]:
    """Give every route, those of the stand-in itself included."""
    yield Route("POST", "/oauth/token", token, public=True)
    yield Route("GET", "/oauth/certs/{id}", _certificate, public=True)
    yield Route("GET", "/v1/openapi/v3", lambda _call: Answer(200, _about(profile)), public=True)
    yield Route("GET", "/v1/me", _me)
    yield from assignments.routes()
    yield from Operations(client_row(profile, revisions=revisions)).routes()
    yield from client_secrets.routes()
    yield from neighbours.routes()
    yield from control.routes()


def _certificate(call: Call) -> Answer:
    return Answer(200, call.site.office.certificate(call.params["id"]))


def _about(profile: Profile) -> dict[str, Any]:
    info = {"title": "OrderCloud (emulated in part)", "version": API_VERSIONS[profile]}
    return {"openapi": "3.0.0", "info": info, "paths": {}}


def _me(call: Call) -> Answer:
    user = call.market.user_named(call.caller.username)
    if user is None:
        raise ApiError(Fault("InvalidToken"))
    row = next(row for row in neighbours.ROWS if row.kind == user.party.kind)
    body = row.viewer(call.market, row.show)(user.body)
    del body["FailedLoginAttempts"]  # .NET SDK: a User has it, a MeUser has not
    return Answer(200, body | {"Seller": {"ID": call.market.settings.marketplace}} | _companies(call, user))


def _companies(call: Call, user: User) -> dict[str, Any]:
    """Give `Buyer` and `Supplier` of the .NET SDK's MeUser: the caller's own company, null for the other one."""
    mine: dict[str, Any] = {party.company: None for party in PARTIES.values() if party.company}
    if user.party.company and user.company:
        company = call.market.find(user.party.company, user.company) or {}
        mine[user.party.company] = {"ID": user.company, "DefaultCatalogID": company.get("DefaultCatalogID")}
    return mine
