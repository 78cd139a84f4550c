"""What a piece of text means -> the text, coloured where colour is wanted. The one place that knows of colour codes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


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
    """What the document is about, where its content does not say so."""
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
