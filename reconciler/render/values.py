"""Values of fields -> escaped text, always whole. Two values that differ never look the same."""

import json
import re
from difflib import SequenceMatcher
from typing import Final

from reconciler.model.json import Absent, Json
from reconciler.render.escape import escape

LONG: Final = 80
"""A value with more characters gets a line of its own."""
_CONTEXT: Final = 20
"""How many characters around a difference are shown."""
_MOST_WORDS: Final = 200
"""Texts that differ in more words than that, as they stand, are compared as one piece: the time grows as the square."""
_MOST_DIFFERENT: Final = 0.7
"""A summary of the differences that is longer than this part of both values says no more than they do."""
NOT_SET: Final = "(not set)"
LONGEST_NAME: Final = 120
"""How many characters of a name in a heading are shown: ids and files are as long as somebody made them."""
LONGEST_MESSAGE: Final = 2000
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_BARE_MEMBER: Final = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_WORDS: Final = re.compile(r"\w+|\W")


def show(value: Json | Absent) -> str:
    """One value as compact JSON."""
    return escape(_text(value))


def brief(text: str, longest: int = LONGEST_NAME) -> str:
    """A name or a message, escaped, shortened with a note on its length."""
    if len(text) <= longest:
        return escape(text)
    return f"{escape(f'{text[:longest]}...')} ({len(text)} characters)"


def show_member(value: Json) -> str:
    """A member of a set: a plain name goes without quotation marks."""
    return value if isinstance(value, str) and _BARE_MEMBER.fullmatch(value) else show(value)


def differences(before: Json | Absent, after: Json | Absent) -> str:
    """Where two long texts differ, as ``git diff --word-diff`` shows it: each difference with what stands around it.

    Empty for other values, and for texts that have little in common.
    """
    if not (isinstance(before, str) and isinstance(after, str)) or max(len(before), len(after)) <= LONG:
        return ""
    shown = _word_diff(_text(before), _text(after))
    return escape(shown) if len(shown) < _MOST_DIFFERENT * (len(before) + len(after)) else ""


def _text(value: Json | Absent) -> str:
    if isinstance(value, Absent):
        return NOT_SET
    return _COMPACT.encode(value)


def _word_diff(before: str, after: str) -> str:
    head = _beginning(before, after)
    old, new = before[len(head) :], after[len(head) :]
    tail = _beginning(old[::-1], new[::-1])[::-1]
    old, new = old.removesuffix(tail), new.removesuffix(tail)
    pieces = [_around(head, before=0)]
    for same, gone, come in _changes(_WORDS.findall(old), _WORDS.findall(new)):
        pieces += [_around(same), f"[-{gone}-]" if gone else "", f"{{+{come}+}}" if come else ""]
    return "".join([*pieces, _around(tail, after=0)])


def _beginning(one: str, other: str) -> str:
    """What both begin with."""
    known, beyond = 0, min(len(one), len(other)) + 1
    while beyond - known > 1:
        middle = (known + beyond) // 2
        known, beyond = (middle, beyond) if one[known:middle] == other[known:middle] else (known, middle)
    return one[:known]


def _changes(old: list[str], new: list[str]) -> list[tuple[str, str, str]]:
    """What is the same, what goes after it, what comes in its place."""
    if max(len(old), len(new)) > _MOST_WORDS:
        return [("", "".join(old), "".join(new))]
    found, same = [], ""
    for tag, begin, end, first, last in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            same = "".join(old[begin:end])
        else:
            found.append((same, "".join(old[begin:end]), "".join(new[first:last])))
            same = ""
    return found


def _around(text: str, before: int = _CONTEXT, after: int = _CONTEXT) -> str:
    """What both have in common, less what is further than that from the difference before it and the one after it."""
    return text if len(text) <= before + after else f"{text[:before]}...{text[len(text) - after :]}"
