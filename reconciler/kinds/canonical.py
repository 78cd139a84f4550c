"""A value -> the form in which two values that mean the same are equal."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, TypeAlias

from reconciler.model.json import Json, is_array

_MOMENT: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


def with_moments(value: Json) -> Json:
    """The comparable form of data in which two notations of one moment are the same."""
    if isinstance(value, str):
        found = _MOMENT.fullmatch(value)
        return _in_utc(found) if found else value
    if isinstance(value, Mapping):
        return {key: with_moments(member) for key, member in value.items()}
    return [with_moments(member) for member in value] if is_array(value) else value


def _in_utc(found: re.Match[str]) -> str:
    seconds, fraction, offset = found.groups()
    try:
        moment = datetime.fromisoformat(seconds + (offset or "Z")).astimezone(UTC)
    except (ValueError, OverflowError):
        return found[0]
    digits = (fraction or "").rstrip("0")
    return moment.replace(tzinfo=None).isoformat() + (f".{digits}" if digits else "") + "Z"


Canonical: TypeAlias = Callable[[Json], Json]


def as_is(value: Json) -> Json:
    """Most values are their own canonical form."""
    return value


def as_set(value: Json) -> Json:
    """A list whose order and repetitions mean nothing: sorted, each member once."""
    return sorted({str(member) for member in value}) if is_array(value) else value


def as_id(value: Json) -> Json:
    """OrderCloud compares ids and usernames without case, and answers with another case than it was asked with.

    Not by `str.casefold`, for which two users, strasse and straße, would be one.
    """
    return value.lower() if isinstance(value, str) else value


def as_ids(value: Json) -> Json:
    """A set of ids."""
    return as_set([as_id(member) for member in value]) if is_array(value) else value


def as_rows(value: Json) -> Json:
    """A list of objects whose order and repetitions mean nothing, and in which null is the same as missing."""
    if not is_array(value):
        return value
    rows = {json.dumps(_named(member), sort_keys=True): _named(member) for member in value}
    return [rows[key] for key in sorted(rows)]


def _named(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {name: member for name, member in value.items() if member is not None}
    return value


def record(members: Mapping[str, Canonical], *, may_be_empty: bool = False) -> Canonical:
    """Give the canonical form of an object with known members: null is the same as missing, unknown ones stay.

    An object without members is the same as none, unless its members may be secrets, which nobody sees.
    """

    def canonical(value: Json) -> Json:
        if not isinstance(value, Mapping):
            return value
        known = {name: members.get(name, as_is)(member) for name, member in value.items() if member is not None}
        found = {name: member for name, member in known.items() if member is not None}
        return found if found or may_be_empty else None

    return canonical
