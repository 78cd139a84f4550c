"""What goes into a plan besides manifests: the selection, the login, the commit, and a snapshot."""

from collections.abc import Mapping
from dataclasses import field
from typing import Final

from reconciler.model.dataclass import dataclass
from reconciler.model.resource import LiveState


@dataclass(frozen=True, slots=True)
class Selection:
    """A resource is selected if its address matches one of `only`, and it has all labels of `selector`.

    Empty parts select everything. A live object that no manifest claims has no labels.
    """

    only: tuple[str, ...] = ()
    """Patterns with ``*``, ``?`` and ``[...]`` for addresses, as `ApiClient/store*`; case does not count. Sorted."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Label -> the value that it must have."""
    paths: tuple[str, ...] = ()
    """The files and folders whose manifests were loaded, as the user wrote them; empty: all those of the configuration.

    Live objects that none of them claims are left out: manifests that were not loaded may claim them."""
    write_secrets: tuple[str, ...] = ()
    """Write-only secrets that are written although nothing says that they differ: ``ADDRESS#FIELD``. Sorted."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and not self.selector and not self.paths

    def __str__(self) -> str:
        only = [f"--only {glob}" for glob in self.only]
        labels = ",".join(f"{label}={value}" for label, value in sorted(self.selector.items()))
        return " ".join([*only, *([f"--selector {labels}"] if labels else [])])


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
    user: str = ""
    """The ID of the user that the run acts as; empty before anybody has asked."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit, and whether the inputs of the run are those of it. Outside a repository nothing is known."""

    commit: str | None = None
    dirty: bool | None = None
    """None: nobody can tell."""
    problem: str = ""
    """Why there is less to know than there should be."""
    fix: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The problem as one text, if there is any."""
        fix = f"; {self.fix}" if self.fix else ""
        return (f"{self.problem}{fix}",) if self.problem else ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live state of one environment."""

    taken_at: str
    """UTC, ISO 8601 with seconds and a Z."""
    environment: str
    base_url: str
    live: LiveState
    """Known fields only; no values of secret fields."""
