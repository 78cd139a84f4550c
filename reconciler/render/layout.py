"""Finished lines -> a text that is no wider than a terminal, broken between words.

A line that is a command of this program goes on as a shell wants it, so that it can be copied.
"""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from reconciler.render.escape import joined
from reconciler.render.style import Style

_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_WORD: Final = re.compile(r" *[^ ]+")
_SHELL_WORD: Final = re.compile(r""" *(?:'[^']*'|"[^"]*"|[^ ])+""")
_GAP: Final = re.compile(r"(?<=[^ ])  +(?=[^ ])")
"""Between the columns of a table."""
_INDENT: Final = 4
"""By so much what goes on is indented more than its first line, unless it goes on in the last column of a table."""


def laid_out(lines: Iterable[str], style: Style) -> str:
    """Put finished lines together; with a width, a longer line goes on in the next one. No word is ever broken."""
    return joined(part for line in lines for part in _wrapped(line, style.width)) if style.width else joined(lines)


def _wrapped(line: str, width: int) -> Iterator[str]:
    if _length(line) <= width:
        yield line
        return
    start = line[: len(line) - len(line.lstrip(" "))]
    columns = [gap.end() for gap in _GAP.finditer(_COLOUR.sub("", line)) if gap.end() <= width // 2]
    indent = " " * (columns[-1] if columns else len(start) + _INDENT)
    is_command = line.startswith("reconciler ", len(start))
    pattern, end = (_SHELL_WORD, " \\") if is_command else (_WORD, "")
    current = start
    for word in pattern.findall(line, len(start)):
        if current.strip() and _length(current) + _length(word) + len(end) > width:
            yield current + end
            current = f"{indent}{word.lstrip(' ')}"
        else:
            current += word
    yield current


def _length(text: str) -> int:
    return len(_COLOUR.sub("", text) if "\x1b" in text else text)
