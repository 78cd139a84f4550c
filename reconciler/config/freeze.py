"""One entry of ``freeze`` in reconciler.yaml -> Window, or what is wrong with it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from reconciler.manifests.schema import Fault
from reconciler.model.freeze import DAYS, MIDNIGHT, Dated, Weekly, Window

_DATE_LENGTH: Final = len("2026-12-24")
_HINT: Final = "give days and hours (days, from, to), or from and to as dates"


def window(entry: Mapping[str, Any]) -> Window | list[Fault]:
    """Build a window of an entry that has passed the schema."""
    when = _when(entry.get("days"), entry.get("from"), entry.get("to"))
    zone = _zone(entry.get("timezone", "UTC"))
    if isinstance(when, Fault) or isinstance(zone, Fault):
        return [one for one in (when, zone) if isinstance(one, Fault)]
    return Window(when, zone, entry.get("reason", ""))


def _zone(name: str) -> ZoneInfo | Fault:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a directory of zones is an OSError
        return Fault("/timezone", f"there is no time zone {name}", "freeze", "write it like Europe/Berlin")


def _when(days: Sequence[str] | None, start: str | None, end: str | None) -> Weekly | Dated | Fault:
    if not (days or start or end):
        return Fault("", "the window says nothing of when it holds", "freeze", _HINT)
    if "-" in (start or "") or "-" in (end or ""):
        return _dated(days, start or "", end or "")
    chosen = frozenset(map(DAYS.index, days)) if days else frozenset(range(len(DAYS)))
    weekly = Weekly(chosen, _minutes(start or "00:00"), _minutes(end or "24:00"))
    if weekly.start == weekly.end:
        return Fault("/to", "the window ends when it begins", "freeze", "leave both out for a whole day")
    return weekly


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _dated(days: Sequence[str] | None, start: str, end: str) -> Dated | Fault:
    """A date without an hour means the whole day, as an end, too."""
    if days:
        return Fault("/days", "days of the week do not go with dates", "freeze", _HINT)
    if "-" not in start or "-" not in end:
        return Fault("", "from and to are both dates, or neither is", "freeze", _HINT)
    try:
        begin, last = datetime.fromisoformat(start), datetime.fromisoformat(end)
    except ValueError:
        return Fault("", "from or to is a day that no calendar has", "freeze")
    if len(end) == _DATE_LENGTH:
        last = datetime.combine(last, time.max) if last.date() == date.max else last + timedelta(minutes=MIDNIGHT)
    if last <= begin:
        return Fault("/to", "the window ends before it begins", "freeze")
    return Dated(begin, last)
