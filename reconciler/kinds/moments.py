"""Free data -> the same with every date and time in one notation.

The service writes moments in UTC with ``+00:00``, whatever offset they were sent with (API conventions: "UTC ISO 8601
dates"; seen in exports). A text without an offset means UTC there. Dates without a time are texts like any other.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

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
