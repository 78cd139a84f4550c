"""A plan, a result or diagnostics -> text, one file per audience. Nothing here prints.

A format is a module with its name and a function for each document. It is imported when it first writes: a run needs
one format, and `--help` none. A new format is one such module and one line in `FORMATS`, with its function `several` in
`SEVERAL` of `several`.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from reconciler.model.dataclass import dataclass

if TYPE_CHECKING:
    from reconciler.errors import ReconcilerError
    from reconciler.model.diagnostic import Report
    from reconciler.model.drift import Drift
    from reconciler.model.outcome import ApplyResult
    from reconciler.model.plan import Plan
    from reconciler.render.style import Style


@dataclass(frozen=True, slots=True)
class Format:
    """One output format. A document that it does not support is None."""

    failure: "Callable[[str, ReconcilerError, Style], str]"
    """Writes an error in place of a document, so that an older document is not mistaken for it.

    Takes the name of the document (``plan``) and the error.
    """
    plan: "Callable[[Plan, str, Style], str] | None" = None
    """Takes the plan and its digest in hexadecimal, which may be empty if there is nothing to apply."""
    drift: "Callable[[Drift, str, Style], str] | None" = None
    """Takes the drift and the digest of its plan, as above."""
    result: "Callable[[ApplyResult, Style], str] | None" = None
    validation: "Callable[[Report, Style], str] | None" = None


def late(module: str, name: str) -> Callable[..., str]:
    """A writer that is imported when it first writes."""

    def write(*arguments: Any) -> str:  # noqa: ANN401  # the arguments of the writer
        text: str = getattr(import_module(f"reconciler.render.{module}"), name)(*arguments)
        return text

    return write


def _format(name: str, *documents: str) -> Format:
    """A format for these documents, and for failures."""
    return Format(**{document: late(name, document) for document in ("failure", *documents)})


_ALL: Final = ("plan", "drift", "result", "validation")

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        "text": _format("text", *_ALL),
        "json": _format("json", "drift", "result", "validation"),
        "jsonl": _format("jsonl", *_ALL),
        "markdown": _format("markdown", *_ALL),
        "html": _format("html", *_ALL),
        "junit": _format("junit", "drift", "result", "validation"),
        "sarif": _format("sarif", "drift", "validation"),
        "github": _format("github", *_ALL),
    }
)
"""All formats, in the order in which help and documentation list them."""
