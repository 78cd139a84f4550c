"""How each planned change ended, and the interface of whoever records each write as it happens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from reconciler.model.json import Body, Json
from reconciler.model.plan import AssignmentChange, Change, FieldChange


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
        """Keep what came of it. Never raises: what cannot be kept makes every later `intend` fail."""
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
