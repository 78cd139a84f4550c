"""The steps by which one secret takes the place of another."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from reconciler.model.named_secret import LiveSecret


class StepKind(StrEnum):
    """What is done in one step."""

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
        return self.kind not in {StepKind.PROVE, StepKind.WAIT}
