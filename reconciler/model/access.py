"""How a run is logged in: what the guards must know so that it does not take its own access away."""

from dataclasses import dataclass
from typing import Final

LEAST_TOKEN_MINUTES: Final = 30
"""What a token should live, so that it outlives the run: 5,000 changes of three requests each, at the ten requests a
second to which OrderCloud's own tools limit themselves, take 25 minutes."""


@dataclass(frozen=True, slots=True)
class Access:
    """The API client that a run goes through, and what its token holds."""

    client_id: str
    roles: frozenset[str] | None = None
    """The roles that the token says it has; None: it does not say."""
    as_context_user: bool = True
    """It acts as the client's default context user (client credentials), not as a user with a password."""
    with_secret: bool = True
    """A secret of the client is part of the login."""
