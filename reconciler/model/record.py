"""What an applier says of each write before and after it: the words between it and whoever keeps the record."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from reconciler.model.json import Json
from reconciler.model.outcome import Outcome
from reconciler.model.plan import AssignmentChange, Change


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
