"""Text and its tone -> coloured text, wrapped to the terminal. Colour codes are only used here."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

from reconciler.model.dataclass import dataclass
from reconciler.render.escape import joined


class Tone(StrEnum):
    """The meaning of a text; the value is its SGR code."""

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
    """The kind of run and its target, e.g. ``apply to staging``."""
    end: str
    id: str
    tone: str = ""
    """``good``, ``warn``, ``bad``, or empty."""


@dataclass(frozen=True, slots=True)
class Style:
    """How a text is shown. Without colour, no escape sequence is written."""

    colour: bool = False
    room: int = 60_000
    """The maximum length of a comment: GitHub allows 65,536 characters, GitLab and Azure DevOps more."""
    environment: str = ""
    """The environment, if the content does not name it."""
    history: tuple[Moment, ...] = ()
    """Earlier runs, the oldest first, for documents that show them."""
    plan_file: str = ""
    """The file of the saved plan, as given by the user."""
    is_job: bool = False
    """Whether this is a CI job, whose files are not available for later commands."""
    options: tuple[str, ...] = ()
    """Options that another command needs as well: ``--config FILE``, ``--prune``."""
    verb: tuple[str, ...] = ("apply",)
    """The command that applies what is shown."""
    together: str = ""
    """The command that applies all plans of a document; if set, none is shown for single plans."""
    is_offered: bool = False
    """Whether a text ends in the command that applies the plan; not while that command is running."""
    width: int = 0
    """The maximum width of lines, except for longer words; 0: unlimited."""
    source: str = ""
    """The command that shows the whole document, for one that does not fit."""

    def paint(self, tone: Tone, text: str) -> str:
        """Colour a text that is already escaped."""
        return f"\x1b[{tone}m{text}\x1b[0m" if self.colour and text else text


PLAIN: Final = Style()

_T = TypeVar("_T")
Writers: TypeAlias = Mapping[str, Callable[[_T, Style], str]]
"""Name of a format -> its writer; the first is the default."""


_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_WORD: Final = re.compile(r" *[^ ]+")
_SHELL_WORD: Final = re.compile(r""" *(?:'[^']*'|"[^"]*"|[^ ])+""")
_GAP: Final = re.compile(r"(?<=[^ ])  +(?=[^ ])")
"""Between the columns of a table."""
_INDENT: Final = 4
"""The additional indentation of continuation lines, except in the last column of a table."""


def laid_out(lines: Iterable[str], style: Style) -> str:
    """Join finished lines; with a width, longer lines are wrapped between words."""
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
    """A line for each row, with aligned columns; the cells must be escaped."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _length(text: str) -> int:
    return len(_COLOUR.sub("", text) if "\x1b" in text else text)
