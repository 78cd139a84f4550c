"""What an examination of one environment came to: every check with its result and a way out."""

from dataclasses import dataclass
from enum import StrEnum


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
