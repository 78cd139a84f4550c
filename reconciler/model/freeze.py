"""A moment x the freeze windows of an environment -> which hold, and when it opens again.

Hours are those of the window's own time zone. Where the clocks are changed, an hour that is missing or there twice
makes a window longer, never shorter: it begins at the earliest moment that its hour can mean, and ends at the latest.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT: Final = 24 * 60
"""Minutes of a day, which is also how its end is written: 24:00."""
_MOST_STEPS: Final = 1000
"""Ends of windows that are looked at; with one window a day that is more than two years."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """Hours of some days of the week. Where they end before they begin, they end on the next day."""

    days: frozenset[int]
    """0 is Monday."""
    start: int
    """Minutes after midnight."""
    end: int

    def span(self, day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """When the window of this day begins and ends, in UTC."""
        last = self.end if self.end > self.start else self.end + MIDNIGHT
        return _instant(day, self.start, zone, min), _instant(day, last, zone, max)

    def end_at(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """When the window ends that holds at this moment, in UTC; None where none does."""
        today = moment.astimezone(zone).date()
        # Tomorrow's, too: an hour that is there twice may begin before midnight.
        days = (today + timedelta(days=offset) for offset in (-1, 0, 1))
        spans = [self.span(day, zone) for day in days if day.weekday() in self.days]
        return max((end for begin, end in spans if begin <= moment < end), default=None)

    def __str__(self) -> str:
        every = "every day" if len(self.days) == len(DAYS) else ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{every} {_clock(self.start)}-{_clock(self.end)}"


@dataclass(frozen=True, slots=True)
class Dated:
    """From one moment to another, both without their time zone."""

    start: datetime
    end: datetime

    def end_at(self, moment: datetime, zone: ZoneInfo) -> datetime | None:
        """See `Weekly.end_at`."""
        begin, end = _utc(self.start, zone, min), _utc(self.end, zone, max)
        return end if begin <= moment < end else None

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nothing is applied to an environment."""

    when: Weekly | Dated
    zone: ZoneInfo
    reason: str = ""

    def end_at(self, moment: datetime) -> datetime | None:
        """When it ends, in UTC, if it holds at this moment."""
        return self.when.end_at(moment, self.zone)

    def __str__(self) -> str:
        return f"{self.when} {self.zone.key}"


def holding(windows: Iterable[Window], moment: datetime) -> tuple[Window, ...]:
    """The windows that hold at this moment."""
    return tuple(window for window in windows if window.end_at(moment))


def opening(windows: Sequence[Window], moment: datetime) -> datetime | None:
    """The first moment, in UTC, from this one on at which no window holds; None where there is none in sight."""
    for _ in range(_MOST_STEPS):
        ends = [end for window in windows if (end := window.end_at(moment))]
        if not ends:
            return moment
        moment = max(ends)
    return None


_Pick: TypeAlias = Callable[[list[datetime]], datetime]


def _instant(day: date, minutes: int, zone: ZoneInfo, pick: _Pick) -> datetime:
    return _utc(datetime.combine(day, time()) + timedelta(minutes=minutes), zone, pick)


def _utc(wall: datetime, zone: ZoneInfo, pick: _Pick) -> datetime:
    """What a clock on the wall means: of the two moments that it can mean where it is changed, the picked one."""
    return pick([wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)])


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
