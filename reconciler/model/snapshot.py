"""What a service had at one moment, free of secrets: enough to plan from where there are no credentials."""

from dataclasses import dataclass

from reconciler.model.resource import LiveState


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live state of one environment."""

    taken_at: str
    """UTC, ISO 8601 with seconds and a Z."""
    environment: str
    base_url: str
    live: LiveState
    """Known fields only; no values of secret fields."""
