"""Settings -> a stand-in for the part of OrderCloud that the reconciler uses: in process, or over a socket.

    client = httpx.Client(transport=httpx.WSGITransport(app=Emulator(Settings())), base_url="http://emulator")

It imports nothing of the rest of the package: two readings of one API that share no code cannot share a mistake. What
needs falcon, cheroot or cryptography is imported when it is first asked for, so that naming the settings costs nothing.
See docs/emulator.md for the control endpoints, the fault language, and where the emulator guesses.
"""

import importlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from reconciler.emulator.errors import DroppedConnection, EmulatorError, FaultSpecError, SeedError, StateError

if TYPE_CHECKING:
    from reconciler.emulator.app import Emulator, running, serve


__all__ = [
    "ADMIN_CLIENT_ID",
    "ADMIN_CLIENT_SECRET",
    "SAMPLE",
    "DroppedConnection",
    "Emulator",
    "EmulatorError",
    "FaultSpecError",
    "SeedError",
    "Settings",
    "StateError",
    "running",
    "serve",
]

ADMIN_CLIENT_ID = "00000000-0000-0000-0000-00000000AD01"
ADMIN_CLIENT_SECRET = "emulator-admin-secret"  # noqa: S105 - public on purpose: it opens nothing but this stand-in

SAMPLE = Path(__file__).parent / "sample.yaml"  # a seed to try things on

Profile = Literal["current", "legacy"]

# The other reading of what OrderCloud's documentation leaves open; docs/decisions/0009 has each.
READINGS = (
    "put-keeps-write-only",
    "patch-merges-deep",
    "unset-singleton-is-null",
    "repeat-is-accepted",
    "delete-leaves-references",
    "elevated-needs-seller-client",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How one emulator behaves.

    `seed` is an official seeding file, YAML or JSON (`Objects:` and `Assignments:`). `state` is an SQLite file in which
    the data outlives the process; when it already holds data, the seed is not loaded again. `profile` chooses the API
    generation: `current` is 1.0.470; `legacy` has the kinds and fields of 1.0.260 and a readable `ClientSecret`. With
    `put_creates` false a PUT to an unknown API client answers 404; `put_create_status` (200 or 201) is the answer to
    any PUT that creates. With `revisions` true API clients have the field `EmulatorRevision`. `latency_ms` is slept
    before every answer. `readings` are names of `READINGS`. `faults` are specs as described in
    `reconciler.emulator.faults`. `max_page_size` caps pages below the API's 100. `marketplace` is what `GET /v1/me`
    reports as `Seller.ID`. `base_url` goes into the claims `iss` and `aud`.

    Raises ValueError for a negative latency, for pages of less than one item and for an unknown reading.
    """

    seed: Path | None = None
    state: Path | None = None
    profile: Profile = "current"
    put_creates: bool = True
    put_create_status: int = 200
    revisions: bool = False
    latency_ms: int = 0
    readings: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    max_page_size: int | None = None
    marketplace: str = "emulator"
    base_url: str = "http://127.0.0.1"

    def __post_init__(self) -> None:
        if self.latency_ms < 0:
            raise ValueError(f"latency_ms must not be negative, but is {self.latency_ms}")
        if self.max_page_size is not None and self.max_page_size < 1:
            raise ValueError(f"max_page_size must be at least 1, but is {self.max_page_size}")
        if unknown := set(self.readings) - set(READINGS):
            raise ValueError(f"unknown reading {min(unknown)}: choose from {', '.join(READINGS)}")


def utc_now() -> datetime:
    """Tell the time; tests pass a clock of their own instead."""
    return datetime.now(UTC)


_IN_APP = {"Emulator", "running", "serve"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    if name not in _IN_APP:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.app"), name)
