"""The text of a plain scalar -> its value, by the core schema of YAML 1.2.

So `yes` and `on` are strings, `012` is twelve, `1_000` and dates are strings.
"""

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from sys import intern
from typing import Final, TypeAlias

Scalar: TypeAlias = bool | int | float | str | None

DIGITS_LIMIT: Final = 300

_WORDS: Final[Mapping[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS: Final = frozenset("0123456789+-.")
SPECIAL_STARTS: Final = _NUMBER_STARTS | {word[:1] for word in _WORDS}
"""A plain scalar that starts with anything else is its own value."""
_INTEGER: Final = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_JSON: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_EXACT: Final = 1 << 53  # up to here a float tells integers apart


@lru_cache(maxsize=4096)
def resolve(text: str) -> Scalar:
    """Give the value of a plain scalar.

    Raises:
        ValueError: a number that JSON cannot hold; the message says why.
    """
    if text in _WORDS:
        return _WORDS[text]
    return _number(text) if text[0] in _NUMBER_STARTS else text


def _number(text: str) -> int | float | str:
    if _INTEGER.fullmatch(text):
        if len(text) > DIGITS_LIMIT:
            raise ValueError(f"a number of more than {DIGITS_LIMIT} digits")
        return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in {float("inf"), float("-inf")}:
            raise ValueError("a number that is too large for JSON")
        # JSON does not tell 600.0 from 600, and a service that wants an integer must not be sent a point.
        return int(number) if number.is_integer() and abs(number) < _EXACT else number
    if _NOT_JSON.fullmatch(text):
        raise ValueError("JSON has neither infinity nor 'not a number'")
    return text


@cache
def key_text(text: str) -> str | None:
    """Give a plain scalar as a key, or None where it is none: a number, a boolean, null, the merge key."""
    if text == "<<":
        return None
    try:
        value = resolve(text)
    except ValueError:
        return None
    return intern(value) if isinstance(value, str) else None


_TAGS: Final[Mapping[str, type | tuple[type, ...]]] = {
    "tag:yaml.org,2002:null": type(None),
    "tag:yaml.org,2002:bool": bool,
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": (int, float),
}


def resolve_tagged(text: str, tag: str) -> Scalar:
    """Give the value of a scalar with an explicit tag of the core schema.

    Raises:
        ValueError: another tag, or a text that does not fit it; the message says which.
    """
    if tag in {"!", "tag:yaml.org,2002:str"}:
        return text
    if tag not in _TAGS:
        raise ValueError("only the tags !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are read")
    value = resolve(text)
    if not isinstance(value, _TAGS[tag]) or (isinstance(value, bool) and _TAGS[tag] is not bool):
        raise ValueError("the tag does not fit the value")
    return value
