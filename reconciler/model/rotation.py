"""The steps by which one secret takes the place of another."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.named_secret import LiveSecret


class StepKind(StrEnum):
    """What is done in one step."""

    TRY = "try"
    """See whether a secret of the client can be tried at all."""
    CREATE = "create"
    DELIVER = "deliver"
    PROVE = "prove"
    CONFIRM = "confirm"
    EXPIRE = "expire"
    DELETE = "delete"
    WAIT = "wait"
    """Nothing, until a moment has come."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step, in words and as far as it is known before it is taken."""

    kind: StepKind
    text: str
    secret: LiveSecret | None = None
    """The secret that it is about; None: the new one."""
    until: datetime | None = None

    @property
    def writes(self) -> bool:
        """Whether it sends a request that changes something, or delivers."""
        return self.kind not in {StepKind.TRY, StepKind.PROVE, StepKind.WAIT}


class Begin(StrEnum):
    """When a new secret is made."""

    IF_MISSING = "if-missing"
    """Where there is none in use, as `apply` does."""
    IF_DUE = "if-due"
    """Where the one in use ends soon, ends later than its manifest allows, or could not be tried."""
    ANYWAY = "anyway"
    """Wherever no rotation is under way."""


class Ended(StrEnum):
    """How the rotation of one secret ended."""

    COMPLETED = "completed"
    """All that was due was done."""
    POSTPONED = "postponed"
    """Whether the service takes the new secret could not be tried; nothing old was touched."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    NOT_STARTED = "not-started"
