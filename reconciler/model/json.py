"""JSON values -> comparison, digests and JSON-pointer access.

Python says ``True == 1``, JSON does not: everything that compares service data uses `same`.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import TypeIs

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None
Body: TypeAlias = Mapping[str, Json]
"""One object as the service sends or receives it: field name -> value."""


class Absent:
    """The type of `ABSENT`: there is no value here, which is not the same as null."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()

_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def same(left: Json | Absent, right: Json | Absent) -> bool:
    """Equality of JSON: booleans are not numbers, 1 equals 1.0, the order of object keys does not matter."""
    if type(left) is type(right) and type(left) in _SCALARS:  # nearly all calls, and these checks are cheap
        return left == right
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if is_array(left) and is_array(right):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return left == right


def is_array(value: object) -> "TypeIs[Sequence[Json]]":
    """Whether the value is a JSON array (a Python string is also a sequence, but not an array)."""
    return isinstance(value, list | tuple)


def with_whole_numbers(value: Json) -> Json:
    """The value with 1 in place of 1.0, at all levels."""
    if isinstance(value, Mapping):
        return {key: with_whole_numbers(child) for key, child in value.items()}
    if is_array(value):
        return [with_whole_numbers(member) for member in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


_CANONICAL: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def canonical_text(value: Json) -> str:
    """The canonical JSON text of a value: sorted keys, no spaces, ASCII only, so that equal values have equal bytes."""
    return _CANONICAL.encode(value)


def digest(value: Json) -> str:
    """SHA-256 over the canonical text, in hexadecimal. Not for secrets: a short secret could be guessed from it."""
    return hashlib.sha256(canonical_text(value).encode("ascii")).hexdigest()


def digest_of_members(members: Mapping[str, Json | Iterator[Json]]) -> str:
    """The digest of the object with these members, where a long list may be an iterator."""
    hashed = hashlib.sha256()
    for piece in _pieces(members):
        hashed.update(piece.encode("ascii"))
    return hashed.hexdigest()


def _pieces(members: Mapping[str, Json | Iterator[Json]]) -> Iterator[str]:
    """The canonical text."""
    for number, name in enumerate(sorted(members)):
        value = members[name]
        yield f"{',' if number else '{'}{canonical_text(name)}:"
        if is_array(value) or isinstance(value, Iterator):
            yield "["
            yield from (f"{',' if index else ''}{canonical_text(item)}" for index, item in enumerate(value))
            yield "]"
        else:
            yield canonical_text(value)
    yield "}" if members else "{}"


def pointer(*parts: str | int) -> str:
    """Build an RFC 6901 JSON pointer: ``pointer("xp", "a/b") == "/xp/a~1b"``."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def pointer_parts(text: str) -> tuple[str, ...]:
    """Split an RFC 6901 JSON pointer into its unescaped parts; the empty pointer has none.

    Raises:
        ValueError: the text is neither empty nor starts with a slash.
    """
    if text and not text.startswith("/"):
        raise ValueError(f"a JSON pointer starts with '/': {text!r}")
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in text.split("/")[1:])


def is_nested_deeper(value: Json, levels: int) -> bool:
    """Whether arrays and objects are nested deeper than a limit, because readers of such values recurse."""
    inner = [value]
    for _ in range(levels):
        inner = [child for one in inner for child in _children(one) if type(child) not in _SCALARS]
        if not inner:
            return False
    return any(_children(one) for one in inner)


def _children(value: Json) -> Collection[Json]:
    if isinstance(value, Mapping):
        return value.values()
    return value if is_array(value) else ()


def get_at(value: Json | Absent, parts: Sequence[str]) -> Json | Absent:
    """Return the value at the end of a path, or `ABSENT`. Array members are addressed by their index."""
    for part in parts:
        if type(value) is dict or isinstance(value, Mapping):  # a dict check is four times as fast
            value = value.get(part, ABSENT)
        elif is_array(value) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return ABSENT
    return value


def with_value_at(body: Body, parts: Sequence[str], value: Json | Absent) -> Body:
    """Copy the object with one path set, or removed if the value is `ABSENT`; parents are created as needed.

    Only objects are descended into: a path through an array or a scalar changes nothing, and an equal copy is returned.
    """
    head, *rest = parts
    copy = dict(body)
    if not rest:
        if isinstance(value, Absent):
            copy.pop(head, None)
        else:
            copy[head] = value
        return copy
    child = copy.get(head)
    if isinstance(child, Mapping):
        copy[head] = with_value_at(child, rest, value)
    elif child is None and not isinstance(value, Absent):
        copy[head] = with_value_at({}, rest, value)
    return copy
