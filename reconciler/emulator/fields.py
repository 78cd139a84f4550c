"""Field definitions x request bodies -> validation errors, and the body to store.

Documented: PUT replaces the whole object, and omitted fields get their default; PATCH changes only the fields that were
sent, and null clears a field; read-only and unknown fields are ignored; PATCH merges `xp` at its top level; `xp` has at
most 8000 characters.

Guesses: null in a PUT or POST is equivalent to omitting the field; a wrong type is rejected with `ValidationFailure`,
not converted; `xp` is merged one level deep, and a null in it is stored as null; PATCH replaces a nested object as a
whole (switch: `patch-merges-deep`); PUT clears a write-only value that it omits (switch: `put-keeps-write-only`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from reconciler.emulator import Profile
from reconciler.emulator.calls import API_ROLES
from reconciler.emulator.errors import ServiceError
from reconciler.emulator.store import Body

XP_LIMIT = 8000  # characters of JSON; OrderCloud docs: "Limits"
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,100}")

Kind = Literal[
    "string", "integer", "boolean", "object", "xp", "strings", "roles", "objects", "datetime", "config", "any"
]


@dataclass(frozen=True, slots=True)
class Reference:
    """The target of a field that contains an ID: an object of `kind`.

    If one of the fields in `owners` is set, the target is of the kind paired with it, below that owner. `or_seller`
    also accepts the ID of the marketplace. `missing` is the error code if the target does not exist. `blocks` is the
    error code for deleting the target while it is referenced; without it, the deletion clears the field, or deletes
    the referring object if the field is required or `cascades` is set.
    """

    kind: str
    missing: str = "NotFound"
    blocks: str = ""
    owners: tuple[tuple[str, str], ...] = ()
    or_seller: bool = False
    cascades: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """A property of a resource.

    `minimum` and `maximum` limit an integer or the length of a string; `choices` are the allowed values of a string, or
    of each string in a list. `default` is stored if the field is omitted. A write-only field is stored but never
    returned. `fields` are those of a nested object, or of each object in a list; `code` replaces the code of errors in
    them. `requires` is another field that must be set, and the error code if it is not. `fixed` is the error code of a
    change after creation. `only` is the API generation that has the field; None: both.
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
    fields: "tuple[Field, ...]" = ()
    code: str = ""
    reference: Reference | None = None
    requires: tuple[str, str] | None = None
    fixed: str = ""
    only: Profile | None = None


def fields_of(fields: Iterable[Field], profile: Profile) -> tuple[Field, ...]:
    """The fields of one API generation, including nested ones."""
    present = (field for field in fields if field.only in {None, profile})
    return tuple(
        replace(field, fields=fields_of(field.fields, profile)) if field.fields else field for field in present
    )


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_TYPE_CHECKS: Mapping[Kind, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "xp": lambda value: isinstance(value, dict),
    "strings": _is_strings,
    "roles": _is_strings,
    "objects": _is_objects,
    "datetime": lambda value: isinstance(value, str) and parse_datetime(value) is not None,
    "config": lambda value: isinstance(value, dict) or value == [],  # exports of real marketplaces have []
    "any": lambda _value: True,
}


def parse_datetime(text: str) -> datetime | None:
    """Parse an ISO 8601 date-time and convert it to UTC, the default offset; None if it is invalid."""
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def has_type(field: Field, value: object) -> bool:
    """Whether a value has the type of the field, or is null."""
    return value is None or _TYPE_CHECKS[field.kind](value)


def compact_json(value: object) -> str:
    """Encode as JSON without whitespace, the form that the limit of `xp` applies to."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def errors_in(fields: Iterable[Field], body: Body) -> Iterator[ServiceError]:
    """The errors of a complete body, in the order of the fields."""
    for field in fields:
        if not field.read_only:
            yield from _value_errors(field, body.get(field.name))
        if field.requires and body.get(field.name) and not body.get(field.requires[0]):
            yield ServiceError(field.requires[1])


def _value_errors(field: Field, value: object) -> Iterator[ServiceError]:
    if value is None or (field.required and isinstance(value, str) and not value.strip()):
        if field.required:
            yield ServiceError("RequiredField", f"{field.name} is required.")
    elif not has_type(field, value):
        yield ServiceError("ValidationFailure", f"{field.name} is not a valid {field.kind}.")
    else:
        yield from _content_errors(field, value)


def _content_errors(field: Field, value: Any) -> Iterator[ServiceError]:  # noqa: ANN401 - its type is checked before
    size = value if field.kind == "integer" else len(value) if isinstance(value, str) else None
    if size is not None and not _within(field, size):
        yield ServiceError("ValidationFailure", f"{field.name} must be {_bounds(field)}.")
    if field.choices and any(each not in field.choices for each in values_of(value)):
        yield ServiceError("ValidationFailure", f"{field.name} must be one of {', '.join(field.choices)}.")
    if field.kind == "xp" and len(compact_json(value)) > XP_LIMIT:
        yield ServiceError("ValidationFailure", f"{field.name} must be at most {XP_LIMIT} characters.")
    if field.kind == "roles":
        for role in (each for each in value if each not in API_ROLES):
            yield ServiceError("ValidationFailure", f"{field.name}: {role} is not a valid ApiRole.")
    for item in values_of(value) if field.fields else ():
        for error in errors_in(field.fields, item):
            yield ServiceError(field.code or error.code, f"{field.name}.{error.entry()['Message']}")


def values_of(value: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON
    """The items of a list, or the value as the only item; none for null."""
    return value if isinstance(value, list) else [] if value is None else [value]


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
    """The body that a PUT or POST stores: the known writable fields of the request, defaults for the others."""
    return {field.name: normalized(field, sent.get(field.name)) for field in fields if not field.read_only}


def merged(fields: Iterable[Field], old: Body, sent: Body, *, deep: bool = False) -> Body:
    """The body that a PATCH stores: the old one, updated with the sent fields; `deep` also merges nested objects."""
    body = {field.name: old.get(field.name, field.default) for field in fields if not field.read_only}
    for field in fields:
        if field.name in body and field.name in sent:
            body[field.name] = normalized(field, _merged_value(field, body[field.name], sent[field.name], deep=deep))
    return body


def normalized(field: Field, value: object) -> object:
    """The value to store: the default for null, a date-time in UTC, the known fields of nested objects."""
    if value is None:
        return field.default
    if field.fields and isinstance(value, dict):
        return replaced(field.fields, value)
    if field.fields and _is_objects(value):
        return [replaced(field.fields, item) for item in values_of(value)]
    moment = parse_datetime(value) if field.kind == "datetime" and isinstance(value, str) else None
    return value if moment is None else moment.isoformat()  # as in real exports: +00:00, never Z


def _merged_value(field: Field, old: object, new: object, *, deep: bool) -> object:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    if field.kind == "xp":
        return old | new
    return merged(field.fields, old, new, deep=True) if deep and field.fields else new


def with_write_only(fields: Iterable[Field], old: Body, new: Body) -> Body:
    """The new body, with the write-only values of the old one that it omits."""
    kept = dict(new)
    for field in fields:
        before, now = old.get(field.name), new.get(field.name)
        if field.write_only and now is None:
            kept[field.name] = before
        elif field.fields and isinstance(before, dict) and isinstance(now, dict):
            kept[field.name] = with_write_only(field.fields, before, now)
    return kept


def shown(fields: Iterable[Field], body: Body) -> Body:
    """The body as returned: without write-only fields, in the order of the definitions."""
    visible = [field for field in fields if not field.write_only]
    return {field.name: _shown_value(field, body.get(field.name, field.default)) for field in visible}


def _shown_value(field: Field, value: Any) -> object:  # noqa: ANN401 - any JSON
    if not field.fields or value is None:
        return value
    items = [shown(field.fields, item) for item in values_of(value)]
    return items if isinstance(value, list) else items[0]
