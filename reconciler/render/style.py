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
class Style:
    """How a text is to look. Without colour no escape sequence is written."""

    colour: bool = False

    def paint(self, tone: Tone, text: str) -> str:
        """Colour a text that is already escaped."""
        return f"\x1b[{tone}m{text}\x1b[0m" if self.colour and text else text


PLAIN: Final = Style()
