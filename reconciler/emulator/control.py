"""Orders from a test to the stand-in itself, under `/_emulator`: restore, journal, faults, revocation. No login."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.emulator.calls import Answer, Call, Route
from reconciler.emulator.errors import ApiError, Fault, FaultSpecError, SeedError
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.rows.clients import EVENT_REFERENCES, REVISION
from reconciler.emulator.seed import add_administration, load_seed
from reconciler.emulator.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

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
    add_administration(market)


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


PREFIX = "/_emulator"


def routes() -> Iterator[Route]:
    """Give the control routes."""
    table = (
        ("POST", "/staging-restore", _staging_restore),
        ("POST", "/revoke-tokens", _revoke),
        ("GET", "/requests", _journal),
        ("DELETE", "/requests", _empty_journal),
        ("GET", "/faults", _faults),
        ("POST", "/faults", _add_fault),
        ("DELETE", "/faults", _clear_faults),
    )
    yield from (Route(method, PREFIX + path, handler, public=True) for method, path, handler in table)


def _revoke(call: Call) -> Answer:
    call.site.office.revoke_all()
    return Answer(204)


def _journal(call: Call) -> Answer:
    return Answer(200, {"requests": [asdict(entry) for entry in call.site.journal]})


def _empty_journal(call: Call) -> Answer:
    call.site.journal.clear()
    return Answer(204)


def _faults(call: Call) -> Answer:
    return Answer(200, {"faults": call.site.faults.specs()})


def _add_fault(call: Call) -> Answer:
    spec = call.body().get("spec")
    if not isinstance(spec, str):
        raise ApiError(Fault("RequiredField", "spec is required, a text."))
    try:
        call.site.faults.add(spec)
    except FaultSpecError as error:
        raise ApiError(Fault("ValidationFailure", str(error))) from error
    return Answer(204)


def _clear_faults(call: Call) -> Answer:
    call.site.faults.clear()
    return Answer(204)


def _staging_restore(call: Call) -> Answer:
    restore_staging(call.market, call.query)
    return Answer(204)
