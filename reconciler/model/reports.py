"""What the commands that inspect report: adoption, export, diagnosis, secret status."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.named_secret import SecretState
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
    """What somebody has written on it, by which people recognise it."""


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


class ExportStatus(StrEnum):
    """What an export does, or would do, with one object."""

    NEW = "new"
    """It gets a file of its own."""
    CHANGED = "changed"
    """Its manifest gets what is live."""
    SAME = "same"
    """Its manifest says what is live."""
    LEFT = "left out"
    """Nothing is written for it; the reasons are among what is left out."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Something that is not in a manifest."""

    what: str
    """A field, a section of a file, an object."""
    reason: str


@dataclass(frozen=True, slots=True)
class Exported:
    """One live object."""

    address: Address
    """Of an object that gets no manifest, its kind and its id."""
    status: ExportStatus
    title: str
    """The name that people know it by: an API client's AppName."""
    id: str = ""
    file: str = ""
    """As messages call it."""
    left_out: tuple[LeftOut, ...] = ()


class Verdict(StrEnum):
    """How one check ended."""

    OK = "ok"
    WARNING = "warning"
    """Something will not work, or will end soon, that not everybody needs."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It depends on a check that failed."""
    INFO = "info"
    """Good to know, and neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its result."""

    name: str
    """Stable: programs may look for it."""
    verdict: Verdict
    found: str
    fix: str = ""
    """What to do about it; empty where there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks of one environment, in the order in which they were made."""

    environment: str
    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether no check failed; warnings are no failures."""
        return not self.count(Verdict.FAILED)

    def count(self, verdict: Verdict) -> int:
        """How many checks ended so."""
        return sum(check.verdict is verdict for check in self.checks)


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
