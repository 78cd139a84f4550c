"""The kinds of resources we manage, in the order in which they are read and applied.

A new kind is one file here, one schema in ``schemas/`` and one line below.
"""

from collections.abc import Mapping
from threading import Thread
from types import MappingProxyType
from typing import Final

from reconciler.kinds.api_client import API_CLIENT
from reconciler.kinds.base import Assignments, Dependent, IdChoice, Kind, NamedSecrets, Party
from reconciler.kinds.fields import Field, Reference, UserReference

KINDS: Final[Mapping[str, Kind]] = MappingProxyType({kind.name: kind for kind in (API_CLIENT,)})

__all__ = [
    "KINDS",
    "Assignments",
    "Dependent",
    "Field",
    "IdChoice",
    "Kind",
    "NamedSecrets",
    "Party",
    "Reference",
    "UserReference",
    "make_ready",
]


def make_ready() -> None:
    """Have a thread import what judges service bodies: it takes as long as the first answers take to come."""
    # A daemon, for which nobody waits at the end: it may hang in the lock of an import that was broken off.
    Thread(target=lambda: [kind.faults for kind in KINDS.values()], name="reconciler-kinds", daemon=True).start()
