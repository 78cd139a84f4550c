"""An API generation -> the table of everything that an emulator answers to."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.emulator import client_secrets, control
from reconciler.emulator.calls import Answer, Call, Route
from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.grants import token
from reconciler.emulator.marketplace import PARTIES, User
from reconciler.emulator.resources import Operations
from reconciler.emulator.rows import kinds_of, rows_of, tables_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.settings import Profile

# What each profile says it is.
API_VERSIONS: dict[Profile, str] = {"current": "1.0.470", "legacy": "1.0.260"}


def all_routes(profile: Profile, *, revisions: bool = False) -> Iterator[Route]:
    """Give every route, those of the stand-in itself included."""
    yield Route("POST", "/oauth/token", token, public=True)
    yield Route("GET", "/oauth/certs/{id}", _certificate, public=True)
    yield Route("GET", "/v1/openapi/v3", lambda _call: Answer(200, _about(profile)), public=True)
    yield Route("GET", "/v1/me", _me)
    for table in tables_of(profile).values():
        yield from table.routes()
    for row in rows_of(profile, revisions=revisions):
        yield from client_secrets.routes() if row.kind == client_secrets.ROW.kind else Operations(row).routes()
    users = kinds_of(profile)["User"]
    everybody = Operations(replace(users, path="/v1/buyerusers", parent=None))
    yield Route("GET", everybody.row.path, everybody.listed, users.read_roles)
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
    row = call.market.rows[user.party.kind]
    body = row.viewer(call.market, row.show)(user.body)
    body.pop("FailedLoginAttempts", None)  # .NET SDK: a User has it, a MeUser has not
    return Answer(200, body | {"Seller": {"ID": call.market.settings.marketplace}} | _companies(call, user))


def _companies(call: Call, user: User) -> dict[str, Any]:
    """Give `Buyer` and `Supplier` of the .NET SDK's MeUser: the caller's own company, null for the other one."""
    mine: dict[str, Any] = {party.company: None for party in PARTIES.values() if party.company}
    if user.party.company and user.company:
        company = call.market.find(user.party.company, user.company) or {}
        mine[user.party.company] = {"ID": user.company, "DefaultCatalogID": company.get("DefaultCatalogID")}
    return mine
