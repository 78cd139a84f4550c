"""How each change of a run ended: outcomes, their recorder, and the content of a journal."""

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
    """Written, and the service has what was sent."""
    NOT_CONVERGED = "not-converged"
    """Written, but the service has something else: see `Outcome.fields`."""
    FAILED = "failed"
    """The service refused it, or it is unknown whether it was written: see `Outcome.message`."""
    SKIPPED = "skipped"
    """Never started, because an earlier change failed or the run was interrupted."""
    CONFLICT = "conflict"
    """The object changed after planning: not written."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of one change. In `fields`, `before` was sent and `after` is what the service has."""

    change: Change
    status: Status
    message: str = ""
    id: str | None = None
    """The id of the object after the write; for a created object it may differ from the planned id."""
    fields: tuple[FieldChange, ...] = ()
    uncertain: bool = False
    """Whether it may have been written although it counts as failed: the response to a write was lost."""

    partly: bool = False
    """Whether it failed after a part of it was certainly written."""
    restored: bool = False
    """Whether it was written, and then the previous body was restored."""
    delivered: bool = False
    """Whether a new secret was delivered, is not valid, and its delivery could not be undone."""

    body: Body | None = field(default=None, compare=False)
    """The service's response to the write, without secret values; None: there was none."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the secret values that the plan set, by field; empty without a plan key."""

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
    """Resources without changes in the plan."""
    interrupted: bool = False
    run: str = ""
    """The name of the run in the journal; empty: there was nothing to write, so there is no journal."""
    is_recorded: bool = True
    """Whether the journal is complete; if it is not, the run did not succeed."""

    def count(self, status: Status) -> int:
        """The number of changes with this status."""
        return sum(outcome.status is status for outcome in self.outcomes)

    @property
    def planned(self) -> int:
        """The number of resources in the plan: the sum of all statuses and of `unchanged`."""
        return len(self.outcomes) + self.unchanged

    @property
    def is_complete(self) -> bool:
        """Whether every planned change was written and verified."""
        return all(outcome.status is Status.APPLIED for outcome in self.outcomes)


class WriteStep(StrEnum):
    """The part of a change that a write is."""

    BODY = "body"
    ASSIGNMENT = "assignment"
    RESTORE = "restore"
    """The previous body is restored."""


@dataclass(frozen=True, slots=True)
class Write:
    """One request that may change something, before it is sent."""

    change: Change
    step: WriteStep
    method: str
    path: str
    """Below ``/v1``."""
    assignment: AssignmentChange | None = None
    """The party, for a step that adds or removes an assignment."""


class Ending(StrEnum):
    """The result of a write, according to its response."""

    ANSWERED = "answered"
    REFUSED = "refused"
    """It was certainly not executed."""
    LOST = "lost"
    """It is unknown whether it was executed."""


class Recorder(Protocol):
    """Keeps the record of a run. Thread-safe."""

    def make_ready(self) -> None:
        """Do the preparation of the first write early, while the first objects are read. Never raises."""
        ...

    def intend(self, write: Write) -> int:
        """Record that this write is about to be sent; returns its number.

        Raises:
            ReconcilerError: it cannot be recorded, so the write must not be sent.
        """
        ...

    def settle(self, number: int, ending: Ending, message: str) -> None:
        """Record its result. Never raises: after a failure every later `intend` fails."""
        ...

    def ended(self, outcome: Outcome) -> None:
        """Record how a change ended; called again if verification changes that. Never raises."""
        ...

    def note(self, event: str, facts: Mapping[str, Json]) -> None:
        """Record another kind of step, before or after it is taken.

        Raises:
            ReconcilerError: it cannot be recorded.
        """
        ...


class NoRecord:
    """Records nothing."""

    def make_ready(self) -> None:
        """Do nothing."""

    def intend(self, _write: Write) -> int:
        """Allow the write."""
        return 0

    def settle(self, _number: int, _ending: Ending, _message: str) -> None:
        """Forget it."""

    def ended(self, _outcome: Outcome) -> None:
        """Forget it."""

    def note(self, _event: str, _facts: Mapping[str, Json]) -> None:
        """Forget it."""


class Certainty(StrEnum):
    """What the journal of a run records of one change."""

    ENDED = "ended"
    """Its result is recorded: see `RecordedChange.status`."""
    WRITTEN = "written"
    """Each announced write got a response; the result of the change is not recorded."""
    REFUSED = "refused"
    """The service refused all announced writes."""
    NOT_STARTED = "not-started"
    """No write of it was announced."""
    UNCERTAIN = "uncertain"
    """A write was announced, but whether it was executed is not recorded."""


@dataclass(frozen=True, slots=True)
class RecordedWrite:
    """One announced write."""

    number: int
    step: WriteStep
    method: str
    path: str
    ending: Ending | None = None
    """None: its result is not recorded."""
    assignment: AssignmentChange | None = None

    @property
    def may_be_carried_out(self) -> bool:
        """Whether the service may have executed it."""
        return self.ending is not Ending.REFUSED


@dataclass(frozen=True, slots=True)
class RecordedChange:
    """One change of the plan of a run."""

    address: Address
    action: Action
    id: str | None
    """The planned id; for a created object, the id in the outcome, if there is one."""
    before: Body | None
    after: Body | None
    secrets: tuple[str, ...] = ()
    """The secret fields and named secrets that it set, created or cleared."""
    assignments: tuple[AssignmentChange, ...] = ()
    writes: tuple[RecordedWrite, ...] = ()
    status: Status | None = None
    message: str = ""
    uncertain: bool = False
    restored: bool = False
    left: Body | None = None
    """The service's response to its last write, without secret values; None: not recorded."""
    made: tuple[LiveSecret, ...] = ()
    """The named secrets that it created, in their final state."""
    has_written_secrets: bool = False
    """Whether a writing step for a named secret was executed, or a delivery begun."""
    has_open_secrets: bool = False
    """Whether it is unknown if such a step was executed."""
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    """Fingerprints of the secret values that it set, by field, keyed with the plan key of the run."""
    not_held: tuple[str, ...] = ()
    """JSON pointers of values that differ between the request and the service."""

    @property
    def certainty(self) -> Certainty:
        """What is recorded of it."""
        if self.status is Status.SKIPPED:
            return Certainty.NOT_STARTED
        if self.status is not None and not self.uncertain:
            return Certainty.ENDED
        if self.uncertain or self.open_writes or self.has_open_secrets:
            return Certainty.UNCERTAIN
        if self._may_have_writes:
            return Certainty.WRITTEN
        return Certainty.REFUSED if self.writes else Certainty.NOT_STARTED

    @property
    def open_writes(self) -> tuple[RecordedWrite, ...]:
        """The writes for which it is unknown whether they were executed."""
        return tuple(write for write in self.writes if write.ending in {None, Ending.LOST})

    @property
    def may_be_written(self) -> bool:
        """Whether a part of it may have been written."""
        return self._may_have_secrets or (self._may_have_writes and not self.restored)

    @property
    def _may_have_writes(self) -> bool:
        return self._may_have_secrets or any(write.may_be_carried_out for write in self.writes)

    @property
    def _may_have_secrets(self) -> bool:
        return self.has_written_secrets or self.has_open_secrets


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
    """Whether the last line of its journal is incomplete."""
    follows_up: tuple[str, ...] = ()
    """Interrupted runs that this run has checked."""
    rolls_back: str | None = None

    def count(self, certainty: Certainty) -> int:
        """The number of changes with this ending."""
        return sum(change.certainty is certainty for change in self.changes)

    def ended(self, status: Status) -> int:
        """The number of changes with this status."""
        return sum(change.status is status for change in self.changes)


@dataclass(frozen=True, slots=True)
class RecordedStep:
    """One due step of a rotation."""

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
        """The turns with this ending."""
        return tuple(turn for turn in self.turns if turn.ended is ended)
