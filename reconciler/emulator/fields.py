"""Tables of fields x request bodies -> faults, and the body that is stored.

Rules which public documents settle: PUT replaces the whole object and omitted fields fall back to their default; PATCH
changes only what was sent, and null clears; read-only and unknown fields are ignored; `xp` is merged at its top level
by PATCH and holds at most 8000 characters.

Guesses: null in a PUT or POST means the same as leaving the field out; a wrong type is refused with
`ValidationFailure` instead of being converted; how deep the merge of `xp` goes (one level here), and that a null in it
stays there as a null.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.roles import API_ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from reconciler.emulator.store import Body

XP_LIMIT = 8000  # characters of JSON; OrderCloud docs: "Limits"
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,100}")

Kind = Literal[
    "string", "integer", "boolean", "object", "xp", "strings", "roles", "objects", "datetime", "config", "any"
]


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a resource.

    `minimum` and `maximum` bound an integer's value and a string's length. `default` is stored when the field is left
    out. A write-only field is stored and never shown.
    """

    name: str
    kind: Kind = "string"
    required: bool = False
    default: object = None
    minimum: int | None = None
    maximum: int | None = None
    choices: tuple[str, ...] = ()
    read_only: bool = False
    write_only: bool = False


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_moment(value: object) -> bool:
    return isinstance(value, str) and parse_moment(value) is not None


_HAS_KIND: Mapping[Kind, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": _is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "xp": lambda value: isinstance(value, dict),
    "strings": _is_strings,
    "roles": _is_strings,
    "objects": _is_objects,
    "datetime": _is_moment,
    "config": lambda value: isinstance(value, dict) or value == [],  # exports of real marketplaces hold []
    "any": lambda _value: True,
}


def parse_moment(text: str) -> datetime | None:
    """Read an ISO 8601 date-time and give it in UTC, or give None; without an offset it is taken for UTC."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def has_kind(field: Field, value: object) -> bool:
    """Tell whether a value has the type of the field; null always does."""
    return value is None or _HAS_KIND[field.kind](value)


def compact(value: object) -> str:
    """Give the shortest JSON text of a value, whose characters the limit of `xp` counts."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def faults_of(fields: Iterable[Field], body: Body) -> Iterator[Fault]:
    """Find what is wrong with a complete body, field by field."""
    for field in fields:
        if not field.read_only:
            yield from _faults_of_value(field, body.get(field.name))


def _faults_of_value(field: Field, value: object) -> Iterator[Fault]:
    if value is None or (field.required and isinstance(value, str) and not value.strip()):
        if field.required:
            yield Fault("RequiredField", f"{field.name} is required.")
    elif not has_kind(field, value):
        yield Fault("ValidationFailure", f"{field.name} is not a valid {field.kind}.")
    else:
        yield from _faults_of_content(field, value)


def _faults_of_content(field: Field, value: Any) -> Iterator[Fault]:  # noqa: ANN401 - its kind was just checked
    size = value if field.kind == "integer" else len(value) if isinstance(value, str) else None
    if size is not None and not _within(field, size):
        yield Fault("ValidationFailure", f"{field.name} must be {_bounds(field)}.")
    if field.choices and value not in field.choices:
        yield Fault("ValidationFailure", f"{field.name} must be one of {', '.join(field.choices)}.")
    if field.kind == "xp" and len(compact(value)) > XP_LIMIT:
        yield Fault("ValidationFailure", f"{field.name} must be at most {XP_LIMIT} characters.")
    if field.kind == "roles":
        unknown = [role for role in value if role not in API_ROLES]
        yield from (Fault("ValidationFailure", f"{field.name}: {role} is not a valid ApiRole.") for role in unknown)


def _within(field: Field, size: int) -> bool:
    return (field.minimum is None or size >= field.minimum) and (field.maximum is None or size <= field.maximum)


def _bounds(field: Field) -> str:
    unit = "" if field.kind == "integer" else " characters"
    if field.minimum is None:
        return f"at most {field.maximum}{unit}"
    if field.maximum is None:
        return f"at least {field.minimum}{unit}"
    return f"between {field.minimum} and {field.maximum}{unit}"


def replaced(fields: Iterable[Field], sent: Body) -> Body:
    """Give what a PUT or POST stores: the known writable fields of the request, defaults for the others."""
    return {field.name: or_default(field, sent.get(field.name)) for field in fields if not field.read_only}


def merged(fields: Iterable[Field], old: Body, sent: Body) -> Body:
    """Give what a PATCH stores: the old body with the sent fields over it."""
    body = {field.name: old.get(field.name, field.default) for field in fields if not field.read_only}
    for field in fields:
        if field.name in body and field.name in sent:
            body[field.name] = or_default(field, _merged_value(field, body[field.name], sent[field.name]))
    return body


def or_default(field: Field, value: object) -> object:
    """Give what is stored for a value: the default for null, a date-time in UTC."""
    if value is None:
        return field.default
    moment = parse_moment(value) if field.kind == "datetime" and isinstance(value, str) else None
    return value if moment is None else moment.isoformat()  # as in real exports: +00:00, never Z


def _merged_value(field: Field, old: object, new: object) -> object:
    if field.kind == "xp" and isinstance(old, dict) and isinstance(new, dict):
        return old | new
    return new


def parse_body(raw: bytes) -> Body:
    """Read a request's JSON object; anything else is `Request.InvalidRequestBody`."""
    try:
        body = json.loads(raw.decode("utf-8-sig"), parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ApiError(Fault("Request.InvalidRequestBody")) from error
    if not isinstance(body, dict):
        raise ApiError(Fault("Request.InvalidRequestBody"))
    return body


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text} is too large")
    return number
