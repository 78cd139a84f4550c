"""What an inspection of secrets came to: one row for each secret of each resource that has a manifest."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.resource import Address
from reconciler.model.secret_state import SecretState


class Sort(StrEnum):
    """How the service keeps a secret."""

    READABLE = "readable"
    """In a field of the object, and shows it."""
    WRITE_ONLY = "write-only"
    """In a field of the object, and never shows it."""
    NAMED = "named"
    """Beside the object, one of several with names; shown once."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One secret, or one that is wanted and not there."""

    address: Address
    id: str | None
    """Of the object; None: it is not there."""
    sort: Sort
    state: SecretState
    policy: str = ""
    """What the manifest demands; empty where it says nothing."""


@dataclass(frozen=True, slots=True)
class SecretReport:
    """All rows of one environment, in the order of their addresses."""

    environment: str
    marketplace: str
    now: datetime
    rows: tuple[SecretRow, ...]
    left_out: int = 0
    """Live objects without a manifest, whose secrets were not looked at."""

    @property
    def due(self) -> tuple[SecretRow, ...]:
        """The rows that a rotation has something to do about."""
        return tuple(row for row in self.rows if row.state.is_due)

    @property
    def needing_attention(self) -> tuple[SecretRow, ...]:
        """The rows with which somebody has something to do."""
        return tuple(row for row in self.rows if row.state.standing.needs_attention)
