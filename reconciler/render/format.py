"""A name -> the functions that write documents in that format: the shape of a plug-in.

A new format is one module with functions of these names and types, and one line in `FORMATS`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.errors import ReconcilerError
    from reconciler.model.diagnostic import Report
    from reconciler.model.drift import Drift
    from reconciler.model.outcome import ApplyResult
    from reconciler.model.plan import Plan
    from reconciler.render.style import Style

PlanWriter: TypeAlias = "Callable[[Plan, str, Style], str]"
"""Is given the plan and its digest in hexadecimal, which may be empty where there is nothing to apply."""
DriftWriter: TypeAlias = "Callable[[Drift, str, Style], str]"
"""Is given the drift and the digest of its plan, as above."""
ResultWriter: TypeAlias = "Callable[[ApplyResult, Style], str]"
ValidationWriter: TypeAlias = "Callable[[Report, Style], str]"
FailureWriter: TypeAlias = "Callable[[str, ReconcilerError, Style], str]"
"""Is given the name of the document that there is none of (``plan``), and why."""


@dataclass(frozen=True, slots=True)
class Format:
    """One output format. A document that it cannot write is None; nothing here prints."""

    name: str
    plan: "PlanWriter | None" = None
    drift: "DriftWriter | None" = None
    result: "ResultWriter | None" = None
    validation: "ValidationWriter | None" = None
    failure: "FailureWriter | None" = None
    """What a file holds in place of a document that there is none of, so that no older one is taken for it."""
