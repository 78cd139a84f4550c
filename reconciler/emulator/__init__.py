"""Settings -> an emulator of the part of OrderCloud that the reconciler uses: in process, or over a socket.

    client = httpx.Client(transport=httpx.WSGITransport(app=Emulator(Settings())), base_url="http://emulator")

It imports nothing from the rest of the package: two implementations of one API that share no code cannot share a bug.
falcon, cheroot and cryptography are imported on first use, so that importing the settings is cheap.
See docs/emulator.md for the control endpoints, the fault syntax, and where the emulator guesses.
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
ADMIN_CLIENT_SECRET = "emulator-admin-secret"  # noqa: S105 - deliberately public: it is valid for the emulator only

SAMPLE = Path(__file__).parent / "sample.yaml"  # an example seed

Profile = Literal["current", "legacy"]

# Alternative behaviour where OrderCloud's documentation is ambiguous; docs/decisions/0009 describes each.
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
    """The configuration of an emulator.

    `seed` is an official seeding file, YAML or JSON (`Objects:` and `Assignments:`). `state` is an SQLite file that
    persists the data; if it already contains data, the seed is not loaded again. `profile` selects the API
    generation: `current` is 1.0.470; `legacy` has the kinds and fields of 1.0.260 and a readable `ClientSecret`. With
    `put_creates` false, a PUT to an unknown API client returns 404; `put_create_status` (200 or 201) is the status of
    any PUT that creates. With `revisions` true, API clients have the field `EmulatorRevision`. `latency_ms` is the
    delay before every response. `readings` are names from `READINGS`. `faults` are specifications as described in
    docs/emulator.md. `max_page_size` limits pages further than the API's 100. `marketplace` is the `Seller.ID` that
    `GET /v1/me` returns. `base_url` is the value of the claims `iss` and `aud`.

    Raises:
        ValueError: a negative latency, a page size below one, or an unknown reading.
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
            raise ValueError(f"latency_ms must not be negative, got {self.latency_ms}")
        if self.max_page_size is not None and self.max_page_size < 1:
            raise ValueError(f"max_page_size must be at least 1, got {self.max_page_size}")
        if unknown := set(self.readings) - set(READINGS):
            raise ValueError(f"unknown reading {min(unknown)!r}: choose from {', '.join(READINGS)}")


def utc_now() -> datetime:
    """The current time; tests pass their own clock instead."""
    return datetime.now(UTC)


_LAZY = {"Emulator", "running", "serve"}  # imported on first access


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module attribute can have any type
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.app"), name)
