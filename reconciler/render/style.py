"""Text and what it means -> coloured text, no wider than the terminal. The one place that knows of colour codes."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from reconciler.model.dataclass import dataclass
from reconciler.render.escape import joined


class Tone(StrEnum):
    """What a piece of text means; the value is its SGR code."""

    CREATE = "32"
    UPDATE = "33"
    DELETE = "31"
    ALARM = "1;31"
    STRONG = "1"
    QUIET = "2"


@dataclass(frozen=True, slots=True)
class Moment:
    """One run of the journal, in words."""

    at: str
    """UTC, ISO 8601."""
    what: str
    """What it did, and where: ``apply to staging``."""
    end: str
    id: str
    tone: str = ""
    """``good``, ``warn``, ``bad``, or empty."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is to look. Without colour no escape sequence is written."""

    colour: bool = False
    room: int = 60_000
    """How many characters a comment may have: GitHub takes 65,536, GitLab and Azure DevOps more."""
    environment: str = ""
    """The subject of the document, if its content does not name it."""
    history: tuple[Moment, ...] = ()
    """What was done before, where the document shows that; the oldest first."""
    plan_file: str = ""
    """Where the plan is saved that the document shows, as the user wrote it."""
    is_job: bool = False
    """Whether this is a CI job: nobody can type commands where its files are."""
    options: tuple[str, ...] = ()
    """What another command has to be given to mean the same: ``--config FILE``, ``--prune``."""
    verb: tuple[str, ...] = ("apply",)
    """The command that carries out what is shown."""
    together: str = ""
    """The command that applies all plans of a document one after another; where there is one, none is offered alone."""
    is_offered: bool = False
    """Whether a text ends in the command that carries out the plan; not where that is running already."""
    width: int = 0
    """How many columns a line of text has at most, as long as no word is longer; 0: as many as it takes."""
    source: str = ""
    """The command that gives the whole document, for one that has not enough room."""

    def paint(self, tone: Tone, text: str) -> str:
        """Colour a text that is already escaped."""
        return f"\x1b[{tone}m{text}\x1b[0m" if self.colour and text else text


PLAIN: Final = Style()

_T = TypeVar("_T")
Writers: TypeAlias = Mapping[str, Callable[[_T, Style], str]]
"""Name of a format -> what writes a document in it; the first is the default."""


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


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, its cells as wide as the widest of their column; they are escaped already."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _length(text: str) -> int:
    return len(_COLOUR.sub("", text) if "\x1b" in text else text)
