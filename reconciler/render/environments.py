"""The environments of a configuration -> a table for people, JSON for programs, or the matrix of a GitHub workflow."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.json import Json
from reconciler.render.escape import escape, json_text
from reconciler.render.style import Style, Tone, laid_out

FORMAT_VERSION: Final = "1.0"


@dataclass(frozen=True, slots=True)
class Listed:
    """One environment, as far as it may be shown."""

    name: str
    base_url: str | None
    """None: the built-in emulator."""
    marketplace: str | None
    is_default: bool
    """Whether it is the one that is meant where none is named."""


def text(environments: Sequence[Listed], style: Style) -> str:
    """A line for each environment; the default one is marked."""
    rows = [_row(one) for one in environments]
    return laid_out(_lines([("ENVIRONMENT", "ADDRESS", "MARKETPLACE", ""), *rows], style), style) if rows else ""


def _row(one: Listed) -> tuple[str, str, str, str]:
    default = "(default)" if one.is_default else ""
    return escape(one.name), escape(one.base_url or "built-in emulator"), escape(one.marketplace or "-"), default


def _lines(rows: Sequence[tuple[str, ...]], style: Style) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for index, row in enumerate(rows):
        line = "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        yield line if index else style.paint(Tone.STRONG, line)


def document(environments: Sequence[Listed], _style: Style) -> str:
    """The JSON document: all that the table has."""
    content = {"format_version": FORMAT_VERSION, "environments": [_entry(one) for one in environments]}
    return json_text(content)


def _entry(one: Listed) -> Json:
    return {
        "name": one.name,
        "base_url": one.base_url,
        "emulator": one.base_url is None,
        "marketplace": one.marketplace,
        "default": one.is_default,
    }


def github_matrix(environments: Sequence[Listed], _style: Style) -> str:
    """One line that ``strategy.matrix: ${{ fromJSON(...) }}`` of a workflow takes: a job for each environment."""
    content = {"include": [{"environment": one.name} for one in environments]}
    return json.dumps(content, ensure_ascii=True, separators=(",", ":")) + "\n"


EnvironmentsWriter: TypeAlias = Callable[[Sequence[Listed], Style], str]

ENVIRONMENTS: Final[Mapping[str, EnvironmentsWriter]] = MappingProxyType(
    {"text": text, "json": document, "github-matrix": github_matrix}
)
"""Name of a format -> what lists environments in it; the first is the default."""
