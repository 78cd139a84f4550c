"""A marketplace -> the same after OrderCloud restored staging from production, in the reading that is asked for.

OrderCloud docs, "Environments": every Sunday at 03:00 UTC production is copied over staging, API clients lose their
references to integration events, webhooks their lists of clients, message senders their URL and assignments. Of events
the older page says that they lose their URL, the newer one that they are removed; of the URL of webhooks only the older
one says that it goes. Nothing is said of other kinds, so they are copies of production. Guesses: with the events go the
references of OpenID Connect to them, and with the assignments of senders the listeners that get copies.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.emulator import builtin
from reconciler.emulator.errors import ApiError, Fault, SeedError
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.rows.clients import EVENT_REFERENCES, REVISION
from reconciler.emulator.seed import load_seed
from reconciler.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from reconciler.emulator.store import Body

_CHOICES = {"events": ("url-null", "removed"), "webhookUrl": ("kept", "null"), "from": ()}
_EMPTIED = ("MessageSenderAssignment", "MessageCCListenerAssignment")


def restore_staging(market: Marketplace, query: Iterable[tuple[str, str]]) -> None:
    """Do what the restore does; `query` may have `events`, `webhookUrl` and `from`, the file of a production seed.

    Raises:
        ApiError: a parameter is wrong, or the seed cannot be loaded; nothing was changed.
    """
    asked = dict(query)
    for name, value in asked.items():
        if name not in _CHOICES or (_CHOICES[name] and value not in _CHOICES[name]):
            known = "; ".join(f"{each}={'|'.join(values) or 'FILE'}" for each, values in _CHOICES.items())
            raise ApiError(Fault("ValidationFailure", f"{name}={value} is not understood; known are {known}."))
    if "from" in asked:
        _copy(Path(asked["from"]), market)
    webhook: dict[str, object] = {"ApiClientIDs": []} | ({"Url": None} if asked.get("webhookUrl") == "null" else {})
    _change(market, "ApiClient", dict.fromkeys(EVENT_REFERENCES))
    _change(market, "Webhook", webhook)
    _change(market, "MessageSender", {"URL": None})
    if asked.get("events") == "removed":
        _empty(market, ("IntegrationEvent",))
        _change(market, "OpenIdConnect", {"IntegrationEventID": None})
    else:
        _change(market, "IntegrationEvent", {"CustomImplementationUrl": None})
    _empty(market, _EMPTIED)


def _copy(seed: Path, market: Marketplace) -> None:
    """Replace all objects by those of a seed; logins stay, and so does the administration of the emulator."""
    production = Marketplace(Store(None), market.settings, market.clock, market.rows, market.tables)
    try:
        load_seed(seed, production)
    except SeedError as error:
        raise ApiError(Fault("ValidationFailure", str(error))) from error
    written = {key: body[REVISION] for key, body in market.store.all("ApiClient").items()}
    kinds = [*market.rows, *market.tables]
    _empty(market, kinds)
    for kind in kinds:
        for key, body in production.store.all(kind).items():
            market.store.put(kind, key, body | ({REVISION: written.get(key, 0)} if kind == "ApiClient" else {}))
    builtin.ensure(market)


def _empty(market: Marketplace, kinds: Iterable[str]) -> None:
    for kind in kinds:
        for key in list(market.store.all(kind)):
            market.store.delete(kind, key)


def _change(market: Marketplace, kind: str, change: Mapping[str, object]) -> None:
    """Set the fields that a kind has in this generation."""
    row = market.rows.get(kind)
    known = {field.name for field in row.fields} if row else set()
    for key, body in list(market.store.all(kind).items()):
        changed: Body = body | {name: value for name, value in change.items() if name in known}
        market.store.put(kind, key, changed | ({REVISION: body[REVISION] + 1} if kind == "ApiClient" else {}))
