"""A plan, a result or diagnostics -> text, one file per audience. Nothing here prints."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciler.render.format import Format
from reconciler.render.json import JSON
from reconciler.render.text import TEXT

FORMATS: Final[Mapping[str, Format]] = MappingProxyType({format_.name: format_ for format_ in (TEXT, JSON)})

__all__ = ["FORMATS", "Format"]
