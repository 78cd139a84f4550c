"""What came of comparing a plan with what was reviewed."""

from dataclasses import dataclass

from reconciler.model.plan import Plan


@dataclass(frozen=True, slots=True)
class Review:
    """Whether a plan does what somebody has reviewed."""

    is_reviewed: bool
    reason: str
    unseen: Plan
    """The plan, with the changes that nobody has reviewed."""
    gone: tuple[str, ...] = ()
    """What was reviewed and is no longer planned, in words."""
