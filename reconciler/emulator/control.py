"""Orders from a test to the stand-in itself, under `/_emulator`: restore, journal, faults, revocation. No login."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from reconciler.emulator.calls import Answer, Call, Route
from reconciler.emulator.errors import ApiError, Fault, FaultSpecError
from reconciler.emulator.restore import restore_staging

if TYPE_CHECKING:
    from collections.abc import Iterator

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
