"""What the commands that inspect report: adoption, export, diagnosis, secret status."""

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.named_secret import SecretState
from reconciler.model.resource import Address


class BindingState(StrEnum):
    """The relation of a manifest to live objects. `AMBIGUOUS` and `TAKEN` are faults that the user must resolve."""

    BIND = "bind"
    """It matches one live object, but is not bound to its id yet."""
    BOUND = "bound"
    """Its known id is live."""
    NOT_LIVE = "not-live"
    """It matches no live object, and no id is known."""
    STALE = "stale"
    """Its known id is not live here. It is not changed."""
    AMBIGUOUS = "ambiguous"
    """Several live objects have its name."""
    TAKEN = "taken"
    """The only live object that it matches is bound to another name."""


@dataclass(frozen=True, slots=True)
class ObjectSummary:
    """A live object that a manifest may match."""

    id: str
    active: bool
    labels: Mapping[str, str] = field(default_factory=dict)
    """Entries by which users recognise it."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The proposal for one manifest."""

    address: Address
    state: BindingState
    id: str | None = None
    """The id to bind or the known one; None if there is none, or several."""
    note: str = ""
    """How the object was matched, or the consequence if there is none."""
    candidates: tuple[ObjectSummary, ...] = ()
    """All matches of an ambiguous manifest."""
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
        """Manifest -> id to bind."""
        return {one.address: one.id for one in self.proposals if one.state is BindingState.BIND and one.id}

    @property
    def faults(self) -> tuple[Diagnostic, ...]:
        """Faults that the user must resolve; while there are any, nothing is written."""
        return tuple(one.fault for one in self.proposals if one.fault)

    def count(self, state: BindingState) -> int:
        """The number of manifests in this state."""
        return sum(one.state is state for one in self.proposals)


class ExportStatus(StrEnum):
    """The result of an export for one object, done or planned."""

    NEW = "new"
    """It gets a new file."""
    CHANGED = "changed"
    """Its manifest is updated to the live state."""
    SAME = "same"
    """Its manifest equals the live state."""
    LEFT = "left out"
    """Nothing is written for it; the reasons are in the list of excluded things."""


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
    """Kind and id of an object without a manifest."""
    status: ExportStatus
    title: str
    """Its name for users: an API client's AppName."""
    id: str = ""
    file: str = ""
    """Its name in messages."""
    left_out: tuple[LeftOut, ...] = ()


class Verdict(StrEnum):
    """How one check ended."""

    OK = "ok"
    WARNING = "warning"
    """Something optional will not work, or will end soon."""
    FAILED = "failed"
    SKIPPED = "skipped"
    """It depends on a check that failed."""
    INFO = "info"
    """Information, neither right nor wrong."""


@dataclass(frozen=True, slots=True)
class Check:
    """One check and its result."""

    name: str
    """A stable name for programs."""
    verdict: Verdict
    found: str
    fix: str = ""
    """How to fix it; empty if there is nothing to do."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks of one environment, in their order."""

    environment: str
    checks: tuple[Check, ...]

    @property
    def is_healthy(self) -> bool:
        """Whether no check failed; warnings are not failures."""
        return not self.count(Verdict.FAILED)

    def count(self, verdict: Verdict) -> int:
        """The number of checks with this verdict."""
        return sum(check.verdict is verdict for check in self.checks)


class Sort(StrEnum):
    """How the service keeps a secret."""

    READABLE = "readable"
    """In a field of the object, and shows it."""
    WRITE_ONLY = "write-only"
    """In a field of the object, and never shows it."""
    NAMED = "named"
    """Separate from the object, one of several with names; shown once."""


@dataclass(frozen=True, slots=True)
class SecretRow:
    """One secret, live or missing."""

    address: Address
    id: str | None
    """Of the object; None: it does not exist."""
    sort: Sort
    state: SecretState
    policy: str = ""
    """The manifest's requirements; empty if there are none."""


@dataclass(frozen=True, slots=True)
class SecretReport:
    """All rows of one environment, in the order of their addresses."""

    environment: str
    marketplace: str
    now: datetime
    rows: tuple[SecretRow, ...]
    left_out: int = 0
    """Live objects without a manifest, whose secrets were not checked."""

    @property
    def due(self) -> tuple[SecretRow, ...]:
        """The rows that are due for rotation."""
        return tuple(row for row in self.rows if row.state.is_due)

    @property
    def needing_attention(self) -> tuple[SecretRow, ...]:
        """The rows that need attention."""
        return tuple(row for row in self.rows if row.state.standing.needs_attention)
