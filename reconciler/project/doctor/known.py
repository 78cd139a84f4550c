"""One environment and ways to ask the world -> what a check is given, and what it gives back."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from typing import Final

from reconciler.kinds import DEFAULT_KIND
from reconciler.model.json import Body
from reconciler.model.reports import Verdict
from reconciler.model.secret import SecretReference
from reconciler.remote.auth import Claims
from reconciler.remote.http import ReadClient
from reconciler.remote.network import Reached
from reconciler.remote.protocol import ReadRemote

AGAIN: Final = "fix what is named, then run doctor again"
"""The fix where there is no better one."""
NO_CLAIMS: Final = Claims("", "", "", frozenset(), None)
_FEW: Final = 10


@dataclass(frozen=True, slots=True)
class Subject:
    """One environment as the configuration describes it. It holds no secret."""

    configuration: str
    """The file's name."""
    environment: str
    base_url: str
    concurrency: int
    marketplace: str | None = None
    is_embedded: bool = False
    """Whether the service is an emulator in this process."""
    credentials: Mapping[str, SecretReference] = field(default_factory=dict)
    """What they are needed for -> where they come from."""
    kinds: Mapping[str, bool] = field(default_factory=lambda: {DEFAULT_KIND: False})
    """The kinds in use -> whether a manifest names assignments of one."""
    has_plan_key: bool = False
    unnamed: tuple[str, ...] = ()
    """The secrets that manifests leave out and without which their objects cannot be created again."""
    unwatched: tuple[str, ...] = ()
    """What somebody may change in the service without drift, as the configuration has it."""


@dataclass(frozen=True, slots=True)
class Tools:
    """How the world is asked. Each may raise a `ReconcilerError`, which is then what the check found."""

    resolve: Callable[[SecretReference], object]
    """Looks whether a credential is there; what it gives is not looked at."""
    require_allowed: Callable[[str], object]
    """Refuses a base URL that credentials may not be sent to."""
    reach: Callable[[str], Reached]
    """Goes to a base URL as far as a request would."""
    open: Callable[[], AbstractContextManager[ReadClient]]
    """Opens a connection that cannot write."""
    identify: Callable[[ReadRemote], str]
    """Gives the marketplace, unless it is another than the configured one."""
    now: Callable[[], float] = time.time
    """This machine's clock, in seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the checks have learnt so far."""

    subject: Subject
    tools: Tools
    resources: ExitStack
    """Closes at the end what a check has opened."""
    remote: ReadClient | None = None
    """There once `login` is through."""
    claims: Claims = NO_CLAIMS
    logged_in_at: float = 0.0
    """By this machine's clock."""
    clients: tuple[Body, ...] = field(default=(), repr=False)
    """As they were read; older services show secrets in them."""

    @property
    def connection(self) -> ReadClient:
        """The connection, for the checks that need `login`."""
        if self.remote is None:
            raise LookupError("a check that uses the connection needs `login`")
        return self.remote


@dataclass(frozen=True, slots=True)
class Result:
    """What one check came to, and what is known after it where that is more."""

    verdict: Verdict
    found: str
    fix: str = ""
    known: Known | None = None


def few(names: Sequence[str]) -> str:
    """The first ten, and how many there are besides."""
    more = [f"and {len(names) - _FEW} more"] if len(names) > _FEW else []
    return ", ".join([*names[:_FEW], *more])


def number(count: int, one: str) -> str:
    """A count and its noun."""
    return f"{count} {one}{'' if count == 1 else 's'}"
