"""A file as it is and as it will be -> the lines that change, as a unified diff, safe to be shown."""

from collections.abc import Iterator
from difflib import unified_diff
from typing import Final

from reconciler.render.escape import escape, joined
from reconciler.render.style import Style, Tone

_CONTEXT: Final = 1
"""Unchanged lines around a change."""
_TONES: Final = {"+": Tone.CREATE, "-": Tone.DELETE, "@": Tone.QUIET}


def edits(file: str, before: str, after: str, style: Style) -> str:
    """The difference; line ends and other characters that do not show are escaped."""
    return joined(_lines(file, before, after, style))


def _lines(file: str, before: str, after: str, style: Style) -> Iterator[str]:
    found = unified_diff(before.splitlines(), after.splitlines(), file, file, n=_CONTEXT, lineterm="")
    for line in found:
        tone = _TONES.get(line[:1])
        yield style.paint(tone, escape(line)) if tone else escape(line)
