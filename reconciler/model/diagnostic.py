"""What is wrong with an input, and where; and all that one validation found."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from reconciler.model.dataclass import dataclass


def listed(names: Iterable[str], word: str = "and") -> str:
    """``a, b and c``; nothing where there is no name."""
    *others, last = list(names) or [""]
    return f"{', '.join(others)} {word} {last}" if others else last


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A position in a file. Lines and columns count from 1; 0 means the file as a whole."""

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Severity(StrEnum):
    """An error ends the run before anything is contacted; a warning is shown and the run goes on."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One fault of one input. Sorts by place."""

    place: Place
    message: str
    rule: str
    """A short stable name, like ``unknown-field``: what `--format json` readers and waivers go by."""
    pointer: str = ""
    """JSON pointer into the document; empty for the document as a whole."""
    hint: str = ""
    """What to do about it, where that is not plain from the message."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        at = f" (at {self.pointer})" if self.pointer else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place}: {self.severity}: {self.message}{at}{hint} [{self.rule}]"


@dataclass(frozen=True, slots=True, order=True)
class Waiver:
    """Why a finding is let pass, who answers for it, and until when."""

    rule: str
    reason: str
    owner: str
    expires: date
    """The last day on which it holds, in UTC."""


@dataclass(frozen=True, slots=True, order=True)
class Waived:
    """A finding that a waiver lets pass."""

    diagnostic: Diagnostic
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class Checked:
    """One fault, and where it holds."""

    diagnostic: Diagnostic
    environments: tuple[str, ...] = ()
    """The environments that have it, where not all that were checked have it."""


@dataclass(frozen=True, slots=True)
class Report:
    """All that one run of `validate` found."""

    found: tuple[Checked, ...]
    files: int
    documents: int | None
    """None where faults kept documents from being counted."""
    waived: tuple[tuple[Checked, Waiver], ...] = ()
    """What is let pass, and is neither error nor warning."""

    @property
    def error_count(self) -> int:
        """How many faults forbid a plan."""
        return sum(one.diagnostic.severity is Severity.ERROR for one in self.found)

    @property
    def warning_count(self) -> int:
        """How many faults are worth a look only."""
        return len(self.found) - self.error_count

    @property
    def valid(self) -> bool:
        """Whether a plan can be made from the files, as far as can be said without the service."""
        return self.error_count == 0
