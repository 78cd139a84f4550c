"""Faults of inputs with their places, and the report of a validation."""

from collections.abc import Iterable
from datetime import date
from enum import StrEnum

from reconciler.model.dataclass import dataclass


def listed(names: Iterable[str], word: str = "and") -> str:
    """``a, b and c``; empty without names."""
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
    """An error ends the run before any request; after a warning the run continues."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Diagnostic:
    """One fault of one input. Sorts by place."""

    place: Place
    message: str
    rule: str
    """A short stable name, like ``unknown-field``, for readers of `--format json` and for waivers."""
    pointer: str = ""
    """JSON pointer into the document; empty for the document as a whole."""
    hint: str = ""
    """How to fix it, if the message does not show that."""
    severity: Severity = Severity.ERROR

    def __str__(self) -> str:
        at = f" (at {self.pointer})" if self.pointer else ""
        hint = f"; {self.hint}" if self.hint else ""
        return f"{self.place}: {self.severity}: {self.message}{at}{hint} [{self.rule}]"


@dataclass(frozen=True, slots=True, order=True)
class Waiver:
    """Why a finding is waived, its owner, and its last day."""

    rule: str
    reason: str
    owner: str
    expires: date
    """The last day on which it is valid, in UTC."""


@dataclass(frozen=True, slots=True, order=True)
class Waived:
    """A waived finding."""

    diagnostic: Diagnostic
    waiver: Waiver


@dataclass(frozen=True, slots=True)
class Checked:
    """One fault, and the environments that have it."""

    diagnostic: Diagnostic
    environments: tuple[str, ...] = ()
    """The environments that have it, unless all checked environments have it."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one run of `validate`."""

    found: tuple[Checked, ...]
    files: int
    documents: int | None
    """None if faults prevented counting documents."""
    waived: tuple[tuple[Checked, Waiver], ...] = ()
    """Waived findings, which are neither errors nor warnings."""

    @property
    def error_count(self) -> int:
        """The number of faults that prevent a plan."""
        return sum(one.diagnostic.severity is Severity.ERROR for one in self.found)

    @property
    def warning_count(self) -> int:
        """The number of faults that do not prevent a plan."""
        return len(self.found) - self.error_count

    @property
    def valid(self) -> bool:
        """Whether a plan can be made from the files, as far as this is known without the service."""
        return self.error_count == 0
