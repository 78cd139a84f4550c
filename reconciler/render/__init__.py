"""A plan, a result or diagnostics -> text, one file per audience. Nothing here prints.

A format is a module of its name with a function for each document that it writes. It is imported when it first writes:
a run needs one format of all of them, and `--help` none.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType
from typing import Any, Final

from reconciler.render.format import Format

__all__ = ["FORMATS", "Format"]


def _late(module: str, name: str) -> Callable[..., str]:
    def write(*arguments: Any) -> str:  # noqa: ANN401  # whatever the writer takes
        text: str = getattr(import_module(f"reconciler.render.{module}"), name)(*arguments)
        return text

    return write


def _format(name: str, *documents: str) -> Format:
    """A format that writes these documents."""
    return Format(name, **{document: _late(name, document) for document in documents})


_ALL: Final = ("plan", "drift", "result", "validation", "failure")

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        format_.name: format_
        for format_ in (
            replace(_format("text", "plan", "drift", "result", "validation"), failure=_late("failure", "in_place_of")),
            _format("json", "drift", "result", "validation", "failure"),
            _format("jsonl", *_ALL),
            _format("markdown", *_ALL),
            _format("html", *_ALL),
            _format("junit", "drift", "result", "validation", "failure"),
            _format("sarif", "drift", "validation", "failure"),
            _format("github", *_ALL),
        )
    }
)
"""All formats, in the order in which help and documentation list them."""
