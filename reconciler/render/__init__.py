"""A plan, a result or diagnostics -> text, one file per audience. Nothing here prints."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from reconciler.render.failure import in_place_of
from reconciler.render.format import Format
from reconciler.render.github import GITHUB
from reconciler.render.html import HTML
from reconciler.render.json import JSON
from reconciler.render.jsonl import JSONL
from reconciler.render.junit import JUNIT
from reconciler.render.markdown import MARKDOWN
from reconciler.render.sarif import SARIF
from reconciler.render.text import TEXT

FORMATS: Final[Mapping[str, Format]] = MappingProxyType(
    {
        format_.name: format_
        for format_ in (replace(TEXT, failure=in_place_of), JSON, JSONL, MARKDOWN, HTML, JUNIT, SARIF, GITHUB)
    }
)
"""All formats, in the order in which help and documentation list them."""

__all__ = ["FORMATS", "Format"]
