"""The text of a duration on the command line -> the duration: ``90s``, ``30m``, ``1h30m``, ``7d``."""

import re
from datetime import timedelta
from typing import Final

import click

_UNITS: Final = ("days", "hours", "minutes", "seconds")
_PARTS: Final = re.compile(r"(?:(\d{1,6})d)?(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?", re.ASCII)


def duration(value: str) -> timedelta:
    """Read a duration of more than nothing: whole days, hours, minutes and seconds, the larger ones first."""
    found = _PARTS.fullmatch(value.strip().lower())
    parts = {unit: int(part or 0) for unit, part in zip(_UNITS, found.groups(), strict=True)} if found else {}
    length = timedelta(**parts)
    if not length:
        raise click.BadParameter(f"'{value}' is not a duration; write it like 45m, 1h30m or 7d.")
    return length
