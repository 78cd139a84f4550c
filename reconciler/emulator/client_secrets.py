"""Secrets of an API client -> create, list, get, patch, delete; and whether a given value is valid now.

OrderCloud docs, "API client secrets": at most ten per client, the value is made by the service (base64 of 256 random
bytes) and shown only in the answer to the POST, an expiry in the past is refused, there is no PUT. Available since
1.0.368, so in both profiles. Guesses: expired secrets count towards the ten; a PATCH may not set a past expiry either.
"""

from __future__ import annotations

import base64
import hmac
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.emulator.calls import Answer
from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.fields import Field, parse_moment
from reconciler.emulator.resources import Operations, Resource
from reconciler.emulator.roles import readers, writers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from reconciler.emulator.calls import Call, Route
    from reconciler.emulator.marketplace import Marketplace
    from reconciler.emulator.store import Body

LIMIT = 10
_BYTES = 256


def _check(market: Marketplace, old: Body | None, new: Body) -> Iterator[Fault]:
    if old is None and len(_of(market, new["_parent"])) >= LIMIT:
        yield Fault("ApiClientSecret.MaximumClientSecretsReached")
    if new.get("Expiration") and new.get("Expiration") != (old or {}).get("Expiration"):
        moment = parse_moment(str(new["Expiration"]))
        if moment is not None and moment <= market.clock():
            yield Fault("ApiClientSecret.InvalidExpirationDate")


def _settle(_market: Marketplace, _old: Body | None, new: Body) -> Body:
    return {"ClientSecret": base64.b64encode(secrets.token_bytes(_BYTES)).decode()} | new


ROW = Resource(
    kind="ApiClientSecret",
    path="/v1/apiclients/{parent}/secrets",
    fields=(
        Field("ClientSecret", read_only=True, write_only=True),
        Field("Name", required=True),
        Field("Expiration", "datetime"),
    ),
    read_roles=readers("ApiClient"),
    write_roles=writers("ApiClient"),
    sortable=("ID",),
    searchable=("ID", "Name"),
    parent="ApiClient",
    check=_check,
    settle=_settle,
)


ROWS = (ROW,)


def routes() -> Sequence[Route]:
    """Give the five routes; the POST alone shows the value."""
    found = [route for route in Operations(ROW).routes() if route.method != "PUT"]
    return [replace(route, handler=_create) if route.method == "POST" else route for route in found]


def _create(call: Call) -> Answer:
    answer = Operations(ROW).created(call)
    stored = call.market.require(ROW.kind, call.params["parent"], answer.body["ID"])
    return Answer(answer.status, answer.body | {"ClientSecret": stored["ClientSecret"]}, answer.location)


def add(market: Marketplace, client_id: str, secret_id: str, name: str, value: str) -> None:
    """Store a secret whose value is known beforehand, as a seed and the built-in client need it."""
    body = {"ID": secret_id, "_parent": client_id.lower(), "Name": name, "Expiration": None, "ClientSecret": value}
    market.store.put(ROW.kind, f"{client_id}/{secret_id}".lower(), body)


def has_any(market: Marketplace, client: Body) -> bool:
    """Tell whether the client has any secret, expired or not, so that each login must bring a valid one."""
    return bool(client.get("ClientSecret") or _of(market, client["ID"].lower()))


def is_valid(market: Marketplace, client: Body, value: str) -> bool:
    """Tell whether a value is one of the client's secrets that have not expired."""
    now = market.clock()
    valid = [body["ClientSecret"] for body in _of(market, client["ID"].lower()) if not _is_over(body, now)]
    return any(
        hmac.compare_digest(value.encode(), each.encode()) for each in [*valid, client.get("ClientSecret")] if each
    )


def _is_over(body: Body, now: datetime) -> bool:
    moment = parse_moment(body["Expiration"]) if body.get("Expiration") else None
    return moment is not None and moment <= now


def _of(market: Marketplace, client_key: str) -> list[Body]:
    return market.store.children(ROW.kind, client_key)


def require_secret(market: Marketplace, client: Body, value: str | None) -> None:
    """Refuse a login that lacks a valid secret where the client has any.

    OrderCloud docs, "API clients": then a valid one is needed with every grant. Status 401 is documented for a missing
    secret; the error code is a guess.
    """
    if has_any(market, client) and not is_valid(market, client, value or ""):
        fault = Fault("Auth.OauthError", "The client secret is missing, wrong or expired.")
        raise ApiError(fault, status=401, oauth="invalid_client")
