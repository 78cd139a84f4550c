"""Orders from a test to the stand-in itself, under `/_emulator`: restore, journal, faults, revocation. No login."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from reconciler.emulator.calls import Answer, Call, Route
from reconciler.emulator.errors import ApiError, Fault, FaultSpecError
from reconciler.emulator.rows.clients import EVENT_REFERENCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from reconciler.emulator.marketplace import Marketplace

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
    restore_staging(call.market)
    return Answer(204)


def restore_staging(market: Marketplace) -> None:
    """Do what OrderCloud does to a staging marketplace every Sunday at 03:00 UTC, after copying production over it.

    OrderCloud docs, "Environments": API clients lose their references to integration events, webhooks their lists of
    clients, integration events their URL.
    """
    changes: tuple[tuple[str, dict[str, object]], ...] = (
        ("ApiClient", dict.fromkeys(EVENT_REFERENCES, None)),
        ("Webhook", {"ApiClientIDs": []}),
        ("IntegrationEvent", {"CustomImplementationUrl": None}),
    )
    for kind, change in changes:
        for key, body in list(market.store.all(kind).items()):
            bumped = {"EmulatorRevision": body["EmulatorRevision"] + 1} if "EmulatorRevision" in body else {}
            market.store.put(kind, key, body | change | bumped)
