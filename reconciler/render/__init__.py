"""A plan, a result or diagnostics -> text, one file per audience. Nothing here prints.

A format is a module of its name with a function for each document that it writes. It is imported when it first writes:
a run needs one format of all of them, and `--help` none. A new format is one such module, and one line in `FORMATS`,
with its function `several` in `SEVERAL` of `several`.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from reconciler.model.dataclass import dataclass

if TYPE_CHECKING:
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
    failure: "FailureWriter"
    """What a file holds in place of a document that there is none of, so that no older one is taken for it."""
    plan: "PlanWriter | None" = None
    drift: "DriftWriter | None" = None
    result: "ResultWriter | None" = None
    validation: "ValidationWriter | None" = None


__all__ = ["FORMATS", "Format", "late"]


def late(module: str, name: str) -> Callable[..., str]:
    """A writer that is imported when it first writes."""

    def write(*arguments: Any) -> str:  # noqa: ANN401  # whatever the writer takes
        text: str = getattr(import_module(f"reconciler.render.{module}"), name)(*arguments)
        return text

    return write


def _format(name: str, *documents: str) -> Format:
    """A format that writes these documents, and failures."""
    return Format(name, late(name, "failure"), **{document: late(name, document) for document in documents})


_ALL: Final = ("plan", "drift", "result", "validation")

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        format_.name: format_
        for format_ in (
            _format("text", *_ALL),
            _format("json", "drift", "result", "validation"),
            _format("jsonl", *_ALL),
            _format("markdown", *_ALL),
            _format("html", *_ALL),
            _format("junit", "drift", "result", "validation"),
            _format("sarif", "drift", "validation"),
            _format("github", *_ALL),
        )
    }
)
"""All formats, in the order in which help and documentation list them."""
