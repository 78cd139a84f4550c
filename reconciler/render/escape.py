r"""Text from a service, a manifest or a command line -> text that is safe to show on a terminal and in a CI log.

Characters that move the cursor, or hide or reorder text, are shown as ``\u001b``. The first character of commands to a
CI runner (``::set-output``, ``##vso[``) is escaped in the same way.
"""

import json
import re
from collections.abc import Iterable
from typing import Final

from reconciler.model.json import Absent, Json

# Letters and marks without width; `str.isprintable` covers all other invisible characters.
_INVISIBLE: Final = frozenset(
    [0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)]
)
_LAST_OF_FOUR_DIGITS: Final = 0xFFFF

_INLINE_COMMAND: Final = re.compile(r"#(?=#(?:vso|teamcity)?\[)", re.IGNORECASE)
"""Azure Pipelines, TeamCity and the older GitHub runner find these anywhere in a line."""
_LINE_COMMAND: Final = re.compile(r"^(\s*):(?=:)")
"""GitHub finds ``::command::`` at the start of a line, blanks aside."""


def escape(text: str) -> str:
    """Return the text as one line of visible characters. Idempotent."""
    if not (text.isascii() and text.isprintable()):
        text = "".join(map(_visible, text))
    return neutral(_INLINE_COMMAND.sub(r"\\u0023", text)) if "##" in text else neutral(text)


LONGEST_NAME: Final = 120
"""The maximum number of characters of a name in a heading."""
LONGEST_MESSAGE: Final = 2000


def brief(text: str, longest: int = LONGEST_NAME) -> str:
    """A name or a message, escaped; a long one is shortened, with its length."""
    if len(text) <= longest:
        return escape(text)
    return f"{escape(f'{text[:longest]}...')} ({len(text)} characters)"


def neutral(line: str) -> str:
    """Escape the line if its start is a command to a CI runner."""
    return _LINE_COMMAND.sub(r"\1\\u003a", line) if "::" in line else line


def json_text(document: object) -> str:
    """Return a JSON document in ASCII, so that it contains no terminal control characters."""
    return in_json(json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False)) + "\n"


def json_document(version: str = "1.0", /, **members: object) -> str:
    """Return a JSON document with its format version."""
    return json_text({"format_version": version, **members})


def present(**sides: Json | Absent) -> dict[str, Json]:
    """The members of a JSON object without absent ones; null is not absent."""
    return {name: value for name, value in sides.items() if not isinstance(value, Absent)}


def in_json(text: str) -> str:
    """Return the JSON text with commands to CI runners escaped; the data is the same."""
    return _INLINE_COMMAND.sub(r"\\u0023", text)


def joined(lines: Iterable[str]) -> str:
    """Join finished lines to a text that ends in a newline; no lines produce an empty text."""
    return "".join(f"{neutral(line)}\n" for line in lines)


def _visible(character: str) -> str:
    if character.isprintable() and ord(character) not in _INVISIBLE:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code <= _LAST_OF_FOUR_DIGITS else f"\\U{code:08x}"
