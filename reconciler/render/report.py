"""Diagnostics of one validation -> counts: what the renderers of `validate` are given."""

from dataclasses import dataclass

from reconciler.model.diagnostic import Diagnostic, Severity, Waiver


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
    """None where faults kept documents from being told apart."""
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
