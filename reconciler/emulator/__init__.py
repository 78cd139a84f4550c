"""Settings -> a stand-in for the part of OrderCloud that the reconciler uses: in process, or over a socket.

    client = httpx.Client(transport=httpx.WSGITransport(app=Emulator(Settings())), base_url="http://emulator")

It imports nothing of the rest of the package: two readings of one API that share no code cannot share a mistake. What
needs falcon, cheroot or cryptography is imported when it is first asked for, so that naming the settings costs nothing.
See docs/emulator.md for the control endpoints, the fault language, and where the emulator guesses.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reconciler.emulator.errors import DroppedConnection, EmulatorError, FaultSpecError, SeedError, StateError
from reconciler.emulator.settings import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, SAMPLE, Settings

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

_IN_APP = {"Emulator", "running", "serve"}


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    if name not in _IN_APP:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.app"), name)
