"""A run that applied a plan or rotated secrets, as its journal tells it: what was due, and how far it had come."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.model.json import Body
from reconciler.model.named_secret import LiveSecret
from reconciler.model.outcome import Ending, Status, Step
from reconciler.model.plan import Action, AssignmentChange
from reconciler.model.resource import Address
from reconciler.model.rotation import Ended


class Certainty(StrEnum):
    """What the journal of a run can say of one change."""

    ENDED = "ended"
    """How it ended is recorded: see `RecordedChange.status`."""
    WRITTEN = "written"
    """Each write that was announced was answered; how the change ended is not recorded."""
    REFUSED = "refused"
    """The service refused the only writes that were announced."""
    NOT_STARTED = "not-started"
    """No write of it was announced."""
    UNCERTAIN = "uncertain"
    """A write was announced, and whether it was carried out is not recorded."""


@dataclass(frozen=True, slots=True)
class RecordedWrite:
    """One write that was announced."""

    number: int
    step: Step
    method: str
    path: str
    ending: Ending | None = None
    """None: nothing is recorded of what came of it."""
    assignment: AssignmentChange | None = None

    @property
    def may_be_carried_out(self) -> bool:
        """Whether the service may have done it."""
        return self.ending is not Ending.REFUSED


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """One change of the plan that the run carried out."""

    address: Address
    action: Action
    id: str | None
    """As it was planned; for what was created, as the outcome gives it where there is one."""
    before: Body | None
    after: Body | None
    secrets: tuple[str, ...] = ()
    """The secret fields and named secrets that it set, made or cleared."""
    assignments: tuple[AssignmentChange, ...] = ()
    writes: tuple[RecordedWrite, ...] = ()
    status: Status | None = None
    message: str = ""
    uncertain: bool = False
    restored: bool = False
    left: Body | None = None
    """The body that the service answered to the last write of it, less secret values; None: none is recorded."""
    made: tuple[LiveSecret, ...] = ()
    """The named secrets that it made, as it left them."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Of the secret values that it set, by field, keyed with the plan key of the run."""
    not_held: tuple[str, ...] = ()
    """JSON pointers of what the service was found to hold otherwise than it was sent."""

    @property
    def certainty(self) -> Certainty:
        """What can be said of it."""
        if self.status is Status.SKIPPED:
            return Certainty.NOT_STARTED
        if self.status is not None and not self.uncertain:
            return Certainty.ENDED
        if not self.writes:
            return Certainty.UNCERTAIN if self.uncertain else Certainty.NOT_STARTED
        if self.uncertain or any(write.ending in {None, Ending.LOST} for write in self.writes):
            return Certainty.UNCERTAIN
        return Certainty.WRITTEN if any(write.may_be_carried_out for write in self.writes) else Certainty.REFUSED

    @property
    def open_writes(self) -> tuple[RecordedWrite, ...]:
        """The writes of which nobody knows whether they were carried out."""
        return tuple(write for write in self.writes if write.ending in {None, Ending.LOST})

    @property
    def may_be_written(self) -> bool:
        """Whether the service may hold something of it."""
        return any(write.may_be_carried_out for write in self.writes) and not self.restored


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """A run of `apply` or of `rollback`."""

    id: str
    kind: str
    started_at: str
    environment: str
    base_url: str
    marketplace: str
    plan_digest: str
    git_commit: str | None
    user: str
    host: str
    pid: int
    tool_version: str
    changes: tuple[RecordedChange, ...]
    is_finished: bool
    interrupted: bool = False
    unchanged: int = 0
    torn: bool = False
    """The last line of its journal is there in part only."""
    follows_up: tuple[str, ...] = ()
    """Runs that were cut off, and that this one has looked at."""
    rolls_back: str | None = None

    def count(self, certainty: Certainty) -> int:
        """How many changes of which so much can be said."""
        return sum(change.certainty is certainty for change in self.changes)

    def ended(self, status: Status) -> int:
        """How many changes that ended so."""
        return sum(change.status is status for change in self.changes)


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One step of a rotation that was due."""

    kind: str
    text: str
    state: str
    """``done``, ``begun`` (and not known to be done) or ``left``."""


@dataclass(frozen=True, slots=True)
class RecordedTurn:
    """The rotation of one secret."""

    address: str
    client_id: str
    secret: str
    steps: tuple[RecordedStep, ...]
    ended: Ended | None = None
    """None: its end is not recorded."""
    message: str = ""

    @property
    def about(self) -> str:
        """Whose secret."""
        return f"{self.address} {self.secret}"


@dataclass(frozen=True, slots=True)
class RecordedRotation:
    """A run of `secrets rotate`."""

    marketplace: str
    base_url: str
    turns: tuple[RecordedTurn, ...]
    host: str
    pid: int
    tool_version: str
    interrupted: bool = False

    def ended(self, ended: Ended | None) -> tuple[RecordedTurn, ...]:
        """The turns that ended so."""
        return tuple(turn for turn in self.turns if turn.ended is ended)
