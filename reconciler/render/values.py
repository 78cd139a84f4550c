"""Values of fields -> short escaped text. Two values that differ never look the same."""

import json
import re
from typing import Final

from reconciler.model.json import Absent, Json
from reconciler.render.escape import escape

LONGEST: Final = 80
"""How many characters of one value are shown."""
_CONTEXT: Final = 20
"""How many characters before the first difference of two long values are shown."""
NOT_SET: Final = "(not set)"
LONGEST_NAME: Final = 120
"""How many characters of one name are shown: ids, pointers and files are as long as somebody made them."""
LONGEST_MESSAGE: Final = 2000
_BARE_MEMBER: Final = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)


def show(value: Json | Absent) -> str:
    """One value as compact JSON, shortened with a note on its length."""
    return _shortened(_text(value))


def brief(text: str, longest: int = LONGEST_NAME) -> str:
    """A name or a message, escaped, shortened with a note on its length."""
    return _shortened(text, longest=longest)


def show_pair(before: Json | Absent, after: Json | Absent) -> tuple[str, str]:
    """Both values as compact JSON; of long ones, the stretch in which they begin to differ."""
    left, right = _text(before), _text(after)
    start = _first_difference(left, right)
    return _shortened(left, start), _shortened(right, start)


def show_member(value: Json) -> str:
    """A member of a set: a plain name goes without quotation marks."""
    if isinstance(value, str) and len(value) <= LONGEST and _BARE_MEMBER.fullmatch(value):
        return value
    return show(value)


def _text(value: Json | Absent) -> str:
    if isinstance(value, Absent):
        return NOT_SET
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _first_difference(left: str, right: str) -> int:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))


def _shortened(text: str, start: int = 0, longest: int = LONGEST) -> str:
    if len(text) <= longest:
        return escape(text)
    begin = max(0, min(start - _CONTEXT, len(text) - longest))
    end = begin + longest
    piece = f"{'...' if begin else ''}{text[begin:end]}{'...' if end < len(text) else ''}"
    return f"{escape(piece)} ({len(text)} characters)"
