"""Inputs of a plan in addition to manifests: the selection, the login, the commit, a snapshot, and freeze windows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import UTC, date, datetime, time, timedelta
from heapq import heapify, heappop, heapreplace
from typing import TYPE_CHECKING, Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.named_secret import later
from reconciler.model.resource import LiveState

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Selection:
    """A resource is selected if its address matches one of `only`, and it has all labels of `selector`.

    Empty parts select everything. A live object that no manifest claims has no labels.
    """

    only: tuple[str, ...] = ()
    """Patterns with ``*``, ``?`` and ``[...]`` for addresses, as `ApiClient/store*`; case does not count. Sorted."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Label -> the value that it must have."""
    paths: tuple[str, ...] = ()
    """The files and folders whose manifests were loaded, as the user wrote them; empty: all those of the configuration.

    Live objects that none of them claims are excluded: manifests that were not loaded may claim them."""
    write_secrets: tuple[str, ...] = ()
    """Write-only secrets to write even if no difference is known: ``ADDRESS#FIELD``. Sorted."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is excluded."""
        return not self.only and not self.selector and not self.paths

    def __str__(self) -> str:
        only = [f"--only {glob}" for glob in self.only]
        labels = ",".join(f"{label}={value}" for label, value in sorted(self.selector.items()))
        return " ".join([*only, *([f"--selector {labels}"] if labels else [])])


LEAST_TOKEN_MINUTES: Final = 30
"""The least lifetime of a token that outlives the run: 5,000 changes of three requests each, at the ten requests a
second to which OrderCloud's own tools limit themselves, take 25 minutes."""


@dataclass(frozen=True, slots=True)
class Access:
    """The API client that a run is logged in with, and the content of its token."""

    client_id: str
    roles: frozenset[str] | None = None
    """The roles in the token; None: unknown."""
    as_context_user: bool = True
    """Whether it acts as the client's default context user (client credentials), not as a user with a password."""
    with_secret: bool = True
    """Whether a secret of the client is part of the login."""
    user: str = ""
    """The ID of the user that the run acts as; empty until it is read."""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A commit, and whether the inputs of the run match it. Unknown outside a repository."""

    commit: str | None = None
    dirty: bool | None = None
    """None: unknown."""
    problem: str = ""
    """Why the state is incomplete."""
    fix: str = ""

    @property
    def warnings(self) -> tuple[str, ...]:
        """The problem as one text, if there is any."""
        fix = f"; {self.fix}" if self.fix else ""
        return (f"{self.problem}{fix}",) if self.problem else ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The live state of one environment."""

    taken_at: str
    """UTC, ISO 8601 with seconds and a Z."""
    environment: str
    base_url: str
    live: LiveState
    """Known fields only; no values of secret fields."""


DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MIDNIGHT: Final = 24 * 60
"""Minutes of a day, which is also how its end is written: 24:00."""
_MOST_SPANS: Final = 1000
_MOST_SPANS_EACH: Final = 8
"""Limits on the spans that are checked: more than two years of one daily window, a week of each of many."""
_EVER: Final = datetime.min.replace(tzinfo=UTC)
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_LAST_MOMENT: Final = _NEVER - timedelta(days=1)
"""The latest moment with a calendar day in every time zone."""
Span: TypeAlias = tuple[datetime, datetime]
"""The start and the end of a window, in UTC."""


@dataclass(frozen=True, slots=True)
class Weekly:
    """Hours on some days of the week. If the end is before the start, it is on the next day."""

    days: frozenset[int]
    """0 is Monday."""
    start: int
    """Minutes after midnight."""
    end: int

    def span(self, day: date, zone: "ZoneInfo") -> Span:
        """The start and the end of this day's window, in UTC."""
        last = self.end if self.end > self.start else self.end + MIDNIGHT
        return _instant(day, self.start, zone, min), _instant(day, last, zone, max)

    def next_span(self, moment: datetime, zone: "ZoneInfo") -> Span | None:
        """The first span that ends after this moment, in UTC; None: there is none."""
        today = moment.astimezone(UTC).toordinal()
        # From yesterday's on, in any zone; tomorrow's may have started, because a repeated hour starts before midnight.
        # A calendar has a first and a last day.
        days = map(date.fromordinal, range(max(today - 2, 1), min(today + len(DAYS) + 1, date.max.toordinal()) + 1))
        spans = (self.span(day, zone) for day in days if day.weekday() in self.days)
        return next((span for span in spans if moment < span[1]), None)

    def __str__(self) -> str:
        every = "every day" if len(self.days) == len(DAYS) else ", ".join(DAYS[day] for day in sorted(self.days))
        return f"{every} {_clock(self.start)}-{_clock(self.end)}"


@dataclass(frozen=True, slots=True)
class Dated:
    """From one moment to another, both without their time zone."""

    start: datetime
    end: datetime

    def next_span(self, moment: datetime, zone: "ZoneInfo") -> Span | None:
        """See `Weekly.next_span`."""
        begin, end = _utc(self.start, zone, min), _utc(self.end, zone, max)
        return (begin, end) if moment < end else None

    def __str__(self) -> str:
        return f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"


@dataclass(frozen=True, slots=True)
class Window:
    """A time in which nothing is applied to an environment.

    Hours are in its own time zone. When clocks change, a missing or repeated hour makes it longer, never shorter: it
    starts at the earliest possible moment, and ends at the latest.
    """

    when: Weekly | Dated
    zone: "ZoneInfo"
    reason: str = ""

    def next_span(self, moment: datetime) -> Span | None:
        """The first span that ends after this moment, present or future; None: there is none."""
        return self.when.next_span(moment, self.zone)

    def __str__(self) -> str:
        return f"{self.when} {self.zone.key}"


def holding(windows: Iterable[Window], moment: datetime) -> tuple[Window, ...]:
    """The windows that are active at this moment."""
    return tuple(window for window in windows if (span := window.next_span(moment)) and span[0] <= moment)


def opening(windows: Sequence[Window], moment: datetime) -> datetime | None:
    """The first moment, in UTC, from this one on at which no window is active; None if none was found."""
    spans = [(*span, number) for number, window in enumerate(windows) if (span := window.next_span(moment))]
    heapify(spans)
    for _ in range(_MOST_SPANS + _MOST_SPANS_EACH * len(windows)):
        if not spans or spans[0][0] > moment:
            return moment
        _, end, number = spans[0]
        if end > _LAST_MOMENT:
            return None
        moment = max(moment, end)
        following = windows[number].next_span(moment)
        if following:
            heapreplace(spans, (*following, number))
        else:
            heappop(spans)
    return None


_Pick: TypeAlias = Callable[[list[datetime]], datetime]


def _instant(day: date, minutes: int, zone: "ZoneInfo", pick: _Pick) -> datetime:
    return _utc(later(datetime.combine(day, time()), timedelta(minutes=minutes)), zone, pick)


def _utc(wall: datetime, zone: "ZoneInfo", pick: _Pick) -> datetime:
    """The UTC moment of a wall-clock time; if it is ambiguous, the picked one."""
    try:
        return pick([wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)])
    except OverflowError:  # the first or the last day that a calendar has, west or east of Greenwich
        return _NEVER if wall.year > 1 else _EVER


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
