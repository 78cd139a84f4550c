"""What an adoption came to: for every manifest the live object that it is, or may be, and the ids to be kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.resource import Address


class State(StrEnum):
    """How a manifest stands to the live objects. `AMBIGUOUS` and `TAKEN` are faults: somebody must decide."""

    BIND = "bind"
    """It is one live object, and no id says so yet."""
    BOUND = "bound"
    """Its known id is live."""
    NOT_LIVE = "not-live"
    """No live object is it, and no id is known."""
    STALE = "stale"
    """An id is known that is not live here. It is left as it is."""
    AMBIGUOUS = "ambiguous"
    """Several live objects have its name."""
    TAKEN = "taken"
    """The one live object that it may be is bound to another name."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A live object that a manifest may be."""

    id: str
    active: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    """What somebody has written on it, to be told from others by."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is to be done about one manifest."""

    address: Address
    state: State
    id: str | None = None
    """The id to be bound or the one that is known; None where there is none, or no one of several."""
    note: str = ""
    """How the object was found, or what follows from there being none."""
    candidates: tuple[Candidate, ...] = ()
    """For an ambiguous one, all that it could be."""
    fault: Diagnostic | None = None


@dataclass(frozen=True, slots=True)
class Adoption:
    """One proposal for each manifest, in the order of their addresses."""

    environment: str
    base_url: str
    marketplace: str
    proposals: tuple[Proposal, ...]

    @property
    def ids(self) -> Mapping[Address, str]:
        """Manifest -> id, for those to be bound."""
        return {one.address: one.id for one in self.proposals if one.state is State.BIND and one.id}

    @property
    def faults(self) -> tuple[Diagnostic, ...]:
        """What nobody but a human can decide; as long as there is any, nothing is written."""
        return tuple(one.fault for one in self.proposals if one.fault)

    def count(self, state: State) -> int:
        """How many manifests stand so."""
        return sum(one.state is state for one in self.proposals)
