"""The text of one filter parameter -> a test on a value.

OrderCloud docs, "Advanced querying": `*` is a wildcard, `|` means or, a leading `!` not, `>` and `<` compare, `!<` and
`!>` compare inclusively, `!*` finds what has no value. Text compares without case. Guess: a negation also finds what
has no value.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.fields import parse_moment

if TYPE_CHECKING:
    from reconciler.emulator.fields import Field

Test = Callable[[object], bool]
Comparable = str | int | bool | datetime

_ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "!<": operator.ge,
    "!>": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_BOOLEANS = {"true": True, "false": False}


def compile_filter(field: Field, text: str) -> Test:
    """Make the test for one parameter; raises ApiError `List.InvalidType` when the text cannot be such a value."""
    tests = [_compile_one(field, part) for part in text.split("|")]
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def _compile_one(field: Field, text: str) -> Test:
    if text == "!*":
        return _is_absent
    for sign, compare in _ORDERINGS.items():
        if text.startswith(sign):
            return _ordering(field, text[len(sign) :], compare)
    if text.startswith("!"):
        positive = _equality(field, text[1:])
        return lambda value: not positive(value)
    return _equality(field, text)


def _is_absent(value: object) -> bool:
    return value is None or value in ([], {}, "")


def _ordering(field: Field, text: str, compare: Callable[[Any, Any], bool]) -> Test:
    limit = _operand(field, text)
    if isinstance(limit, str):
        return lambda value: isinstance(value, str) and compare(value.lower(), limit)
    return lambda value: value is not None and compare(_operand(field, str(value)), limit)


def _equality(field: Field, text: str) -> Test:
    if text == "*":
        return lambda value: not _is_absent(value)
    if field.kind in {"integer", "boolean", "datetime"}:
        wanted = _operand(field, text)
        return lambda value: value is not None and _operand(field, str(value)) == wanted
    pattern = re.compile(".*".join(re.escape(part) for part in text.lower().split("*")), re.DOTALL)
    return lambda value: _matches(pattern, value)


def _matches(pattern: re.Pattern[str], value: object) -> bool:
    if isinstance(value, list):
        return any(_matches(pattern, item) for item in value)
    return isinstance(value, str) and pattern.fullmatch(value.lower()) is not None


def _operand(field: Field, text: str) -> Comparable:
    value: Comparable | None = text.lower()
    if field.kind == "boolean":
        value = _BOOLEANS.get(text.lower())
    elif field.kind == "integer":
        value = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    elif field.kind == "datetime":
        value = parse_moment(text)
    if value is None:
        raise ApiError(Fault("List.InvalidType", f"{text!r} is not valid for {field.name}."))
    return value
