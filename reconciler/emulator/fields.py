"""Tables of fields x request bodies -> faults, and the body that is stored.

Rules which public documents settle: PUT replaces the whole object and omitted fields fall back to their default; PATCH
changes only what was sent, and null clears; read-only and unknown fields are ignored; `xp` is merged at its top level
by PATCH and holds at most 8000 characters.

Guesses: null in a PUT or POST means the same as leaving the field out; a wrong type is refused with
`ValidationFailure` instead of being converted; how deep the merge of `xp` goes (one level here), and that a null in it
stays there as a null; a PATCH replaces a nested object as a whole (switch: `patch-merges-deep`); a PUT erases a
write-only value that it leaves out (switch: `put-keeps-write-only`).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from reconciler.emulator import Profile
from reconciler.emulator.calls import API_ROLES
from reconciler.emulator.errors import Fault
from reconciler.emulator.store import Body

XP_LIMIT = 8000  # characters of JSON; OrderCloud docs: "Limits"
ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,100}")

Kind = Literal[
    "string", "integer", "boolean", "object", "xp", "strings", "roles", "objects", "datetime", "config", "any"
]


@dataclass(frozen=True, slots=True)
class Reference:
    """What the ID in a field belongs to: an object of `kind`.

    Where one of the fields in `owners` is set, the object is of the kind beside it, below that owner. `or_seller` also
    admits the ID of the marketplace. `missing` is the error code when there is no such object, `blocks` the one that
    refuses to delete the object while something refers to it. Otherwise a deletion takes the reference along: it is
    emptied, or, where the field is required or `cascades` is set, its object is deleted.
    """

    kind: str
    missing: str = "NotFound"
    blocks: str = ""
    owners: tuple[tuple[str, str], ...] = ()
    or_seller: bool = False
    cascades: bool = False


@dataclass(frozen=True, slots=True)
class Field:
    """One property of a resource.

    `minimum` and `maximum` bound an integer's value and a string's length; `choices` are the values of a string, or of
    each string in a list. `default` is stored when the field is left out. A write-only field is stored and never shown.
    `fields` are those of a nested object, or of each object in a list; `code` replaces the error code of their faults.
    `needs` names a field that must be sent along, and the error code when it is not. `fixed` is the error code of a
    change after creation. `only` is the API generation that has the field, None for both.
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
    refers: Reference | None = None
    needs: tuple[str, str] | None = None
    fixed: str = ""
    only: Profile | None = None


def fields_of(fields: Iterable[Field], profile: Profile) -> tuple[Field, ...]:
    """Give the fields that one API generation has, nested ones included."""
    present = (field for field in fields if field.only in {None, profile})
    return tuple(
        replace(field, fields=fields_of(field.fields, profile)) if field.fields else field for field in present
    )


def _is_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


_HAS_KIND: Mapping[Kind, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
    "object": lambda value: isinstance(value, dict),
    "xp": lambda value: isinstance(value, dict),
    "strings": _is_strings,
    "roles": _is_strings,
    "objects": _is_objects,
    "datetime": lambda value: isinstance(value, str) and parse_moment(value) is not None,
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
        if field.needs and body.get(field.name) and not body.get(field.needs[0]):
            yield Fault(field.needs[1])


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
    if field.choices and any(each not in field.choices for each in values_of(value)):
        yield Fault("ValidationFailure", f"{field.name} must be one of {', '.join(field.choices)}.")
    if field.kind == "xp" and len(compact(value)) > XP_LIMIT:
        yield Fault("ValidationFailure", f"{field.name} must be at most {XP_LIMIT} characters.")
    if field.kind == "roles":
        unknown = [role for role in value if role not in API_ROLES]
        yield from (Fault("ValidationFailure", f"{field.name}: {role} is not a valid ApiRole.") for role in unknown)
    for item in values_of(value) if field.fields else ():
        for fault in faults_of(field.fields, item):
            yield Fault(field.code or fault.code, f"{field.name}.{fault.entry()['Message']}")


def values_of(value: Any) -> Sequence[Any]:  # noqa: ANN401 - any JSON
    """Give the items of a list, or the value alone; nothing for null."""
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
    """Give what a PUT or POST stores: the known writable fields of the request, defaults for the others."""
    return {field.name: or_default(field, sent.get(field.name)) for field in fields if not field.read_only}


def merged(fields: Iterable[Field], old: Body, sent: Body, *, deep: bool = False) -> Body:
    """Give what a PATCH stores: the old body with the sent fields over it; `deep` also merges nested objects."""
    body = {field.name: old.get(field.name, field.default) for field in fields if not field.read_only}
    for field in fields:
        if field.name in body and field.name in sent:
            body[field.name] = or_default(field, _merged_value(field, body[field.name], sent[field.name], deep=deep))
    return body


def or_default(field: Field, value: object) -> object:
    """Give what is stored for a value: the default for null, a date-time in UTC, the known fields of nested objects."""
    if value is None:
        return field.default
    if field.fields and isinstance(value, dict):
        return replaced(field.fields, value)
    if field.fields and _is_objects(value):
        return [replaced(field.fields, item) for item in values_of(value)]
    moment = parse_moment(value) if field.kind == "datetime" and isinstance(value, str) else None
    return value if moment is None else moment.isoformat()  # as in real exports: +00:00, never Z


def _merged_value(field: Field, old: object, new: object, *, deep: bool) -> object:
    if not isinstance(old, dict) or not isinstance(new, dict):
        return new
    if field.kind == "xp":
        return old | new
    return merged(field.fields, old, new, deep=True) if deep and field.fields else new


def with_write_only(fields: Iterable[Field], old: Body, new: Body) -> Body:
    """Give the new body with the write-only values of the old one where it has none."""
    kept = dict(new)
    for field in fields:
        before, now = old.get(field.name), new.get(field.name)
        if field.write_only and now is None:
            kept[field.name] = before
        elif field.fields and isinstance(before, dict) and isinstance(now, dict):
            kept[field.name] = with_write_only(field.fields, before, now)
    return kept


def shown(fields: Iterable[Field], body: Body) -> Body:
    """Give what answers show of a body: fields in the order of the table, none that is write-only."""
    visible = [field for field in fields if not field.write_only]
    return {field.name: _shown_value(field, body.get(field.name, field.default)) for field in visible}


def _shown_value(field: Field, value: Any) -> object:  # noqa: ANN401 - any JSON
    if not field.fields or value is None:
        return value
    items = [shown(field.fields, item) for item in values_of(value)]
    return items if isinstance(value, list) else items[0]
