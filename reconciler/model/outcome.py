"""How each change of a run ended: the outcomes, who records them as they happen, and what a journal tells of a run."""

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from typing import Protocol

from reconciler.model.dataclass import dataclass
from reconciler.model.json import Body, Json
from reconciler.model.named_secret import Ended, LiveSecret
from reconciler.model.plan import Action, AssignmentChange, Change, FieldChange
from reconciler.model.resource import Address


class Status(StrEnum):
    """One change's end."""

    APPLIED = "applied"
    """Written, and the service holds what was sent."""
    NOT_CONVERGED = "not-converged"
    """Written, but the service holds something else: see `Outcome.fields`."""
    FAILED = "failed"
    """The service refused it, or nobody can say whether it was written: see `Outcome.message`."""
    SKIPPED = "skipped"
    """Never started, because an earlier change failed or the run was interrupted."""
    CONFLICT = "conflict"
    """Somebody changed the object since it was planned: not written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One change's end. `fields` has what was sent as `before` and what the service holds as `after`."""

    change: Change
    status: Status
    message: str = ""
    id: str | None = None
    """The id that the service knows the object by after the write; a created one may differ from the planned."""
    fields: tuple[FieldChange, ...] = ()
    uncertain: bool = False
    """Not applied as far as we know, and may have been written all the same: the answer to a write was lost."""

    partly: bool = False
    """It failed after some of it was written for certain."""
    restored: bool = False
    """It was written, and the body of before was put back."""
    delivered: bool = False
    """A new secret was delivered for it and could not be taken back, although it opens nothing."""

    body: Body | None = field(default=None, compare=False)
    """What the service answered to the write, less secret values; None: there was no such answer."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Of the secret values that the plan set, by field; empty where there is no plan key."""

    @property
    def may_be_written(self) -> bool:
        """Whether something may have been written to the service, or delivered."""
        is_written = self.status in {Status.APPLIED, Status.NOT_CONVERGED}
        return is_written or self.uncertain or self.partly or self.restored or self.delivered


@dataclass(frozen=True, slots=True)
class ApplyResult:
    """All outcomes, in the order of the plan."""

    outcomes: tuple[Outcome, ...]
    unchanged: int
    """Resources that the plan found in step."""
    interrupted: bool = False
    run: str = ""
    """What the journal calls the run; empty: nothing was about to be written, so that there is none."""
    is_recorded: bool = True
    """Whether the journal is whole; where it is not, the run is no success."""

    def count(self, status: Status) -> int:
        """How many changes ended so."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def planned(self) -> int:
        """How many resources the plan was about; the sum of all statuses and of `unchanged`."""
        return len(self.outcomes) + self.unchanged

    @property
    def is_complete(self) -> bool:
        """Whether every planned change was written and the service holds it."""
        return all(outcome.status is Status.APPLIED for outcome in self.outcomes)


class Step(StrEnum):
    """What part of a change a write is."""

    BODY = "body"
    ASSIGNMENT = "assignment"
    RESTORE = "restore"
    """The body of before is put back."""


@dataclass(frozen=True, slots=True)
class Write:
    """One request that may change something, as it is about to be sent."""

    change: Change
    step: Step
    method: str
    path: str
    """Below ``/v1``."""
    assignment: AssignmentChange | None = None
    """The party, for a step that assigns one or no longer."""


class Ending(StrEnum):
    """What came of a write, as far as its answer tells."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """It was certainly not carried out."""
    LOST = "lost"
    """Nobody knows whether it was carried out."""


class Recorder(Protocol):
    """Keeps the record of a run. Thread-safe."""

    def make_ready(self) -> None:
        """Do now, while the first objects are looked at, what the first write would else wait for. Never raises."""
        ...

    def intend(self, write: Write) -> int:
        """Keep that this write is about to be sent; gives its number.

        Raises:
            ReconcilerError: it cannot be kept, so the write must not be sent.
        """
        ...

    def settle(self, number: int, ending: Ending, message: str) -> None:
        """Record its result. Never raises: after a failure every later `intend` fails."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """Keep how a change ended; said again where the last look at it changes that. Never raises."""
        ...

    def note(self, event: str, facts: Mapping[str, Json]) -> None:
        """Keep a step of another sort, before or after it is taken.

        Raises:
            ReconcilerError: it cannot be kept.
        """
        ...


class NoRecord:
    """Keeps nothing."""

    def make_ready(self) -> None:
        """There is nothing to do."""

    def intend(self, _write: Write) -> int:
        """Let it be sent."""
        return 0

    def settle(self, _number: int, _ending: Ending, _message: str) -> None:
        """Forget it."""

    def ended(self, _outcome: Outcome) -> None:
        """Forget it."""

    def note(self, _event: str, _facts: Mapping[str, Json]) -> None:
        """Forget it."""


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
    """None: its result is not recorded."""
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
        if self.uncertain or self.open_writes:
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
