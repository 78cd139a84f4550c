r"""Text from a service, a manifest or a command line -> text that is safe to show on a terminal and in a CI log.

Whatever could move the cursor, hide or reorder characters is shown as ``\u001b``. What a CI runner would take for an
order to itself (``::set-output``, ``##vso[``) loses its first character in the same way.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from reconciler.model.json import Absent, Json

# Letters and marks by category, yet of no width; `str.isprintable` covers all other invisible characters.
_INVISIBLE: Final = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
_LAST_OF_FOUR_DIGITS: Final = 0xFFFF

_INLINE_COMMAND: Final = re.compile(r"#(?=#(?:vso|teamcity)?\[)", re.IGNORECASE)
"""Azure Pipelines, TeamCity and the older GitHub runner find these anywhere in a line."""
_LINE_COMMAND: Final = re.compile(r"^(\s*):(?=:)")
"""GitHub finds ``::command::`` at the start of a line, blanks aside."""


def escape(text: str) -> str:
    """Give the text as one line of visible characters. Escaping twice changes nothing more."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_visible, text))
    return neutral(_INLINE_COMMAND.sub(r"\\u0023", text)) if "##" in text else neutral(text)


LONGEST_NAME: Final = 120
"""How many characters of a name in a heading are shown: ids and files are as long as somebody made them."""
LONGEST_MESSAGE: Final = 2000


def brief(text: str, longest: int = LONGEST_NAME) -> str:
    """A name or a message, escaped, shortened with a note on its length."""
    if len(text) <= longest:
        return escape(text)
    return f"{escape(f'{text[:longest]}...')} ({len(text)} characters)"


def neutral(line: str) -> str:
    """Give the line so that no CI runner takes its beginning for a command."""
    return _LINE_COMMAND.sub(r"\1\\u003a", line) if "::" in line else line


def json_text(document: object) -> str:
    """Give the text of a JSON document: ASCII only, so that it holds nothing that a terminal could take for more."""
    return in_json(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)) + "\n"


def json_document(version: str = "1.0", /, **members: object) -> str:
    """Give the text of a JSON document that says of which format it is."""
    return json_text({"format_version": version, **members})


def present(**sides: Json | Absent) -> dict[str, Json]:
    """The members of a JSON object; a side that is not there is left out, which is not the same as null."""
    return {name: value for name, value in sides.items() if not isinstance(value, Absent)}


def in_json(text: str) -> str:
    """Give a finished JSON text, ASCII only, in which no CI runner finds a command; it holds the same data."""
    return _INLINE_COMMAND.sub(r"\\u0023", text)


def joined(lines: Iterable[str]) -> str:
    """Put finished lines together to a text that ends in a newline; no lines give the empty text."""
    return "".join(f"{neutral(line)}\n" for line in lines)


def _visible(character: str) -> str:
    if character.isprintable() and ord(character) not in _INVISIBLE:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"
