"""Freeze windows at fixed moments, the nights included in which the clocks are changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.config.settings import window
from reconciler.model.inputs import Dated, Span, Window, holding, opening
from reconciler.model.named_secret import later
from reconciler.model.plan import Action, Change
from reconciler.model.resource import Address
from reconciler.planning.guards import freeze

CHANGES = [Change(Address("ApiClient", "a"), Action.CREATE, None, before=None, after={})]
BERLIN = {"timezone": "Europe/Berlin"}


def made(**entry: object) -> Window:
    found = window({key.rstrip("_"): value for key, value in entry.items()})
    assert isinstance(found, Window)
    return found


WEEKEND = (
    made(days=["fri"], from_="16:00", **BERLIN),
    made(days=["sat", "sun"], **BERLIN),
    made(days=["mon"], to="08:00", **BERLIN),
)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-27T15:59+01:00", "2026-11-27T15:59+01:00"),
        ("2026-11-27T16:00+01:00", "2026-11-30T08:00+01:00"),
        ("2026-11-29T23:59+01:00", "2026-11-30T08:00+01:00"),
        ("2026-11-30T07:59+01:00", "2026-11-30T08:00+01:00"),
        ("2026-11-30T08:00+01:00", "2026-11-30T08:00+01:00"),
        # the clocks go forward on Sunday, 2026-03-29, and back on Sunday, 2026-10-25
        ("2026-03-28T12:00+01:00", "2026-03-30T08:00+02:00"),
        ("2026-10-24T12:00+02:00", "2026-10-26T08:00+01:00"),
    ],
)
def test_windows_that_follow_one_another_open_after_the_last(moment: str, opens: str) -> None:
    assert opening(WEEKEND, at(moment)) == at(opens)
    assert bool(holding(WEEKEND, at(moment))) is (moment != opens)


@pytest.mark.parametrize(
    ("moment", "opens"),
    [
        ("2026-11-24T21:59+00:00", None),
        ("2026-11-24T22:00+00:00", "2026-11-25T06:00+00:00"),
        ("2026-11-25T05:59+00:00", "2026-11-25T06:00+00:00"),
        ("2026-11-25T22:00+00:00", None),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(moment: str, opens: str | None) -> None:
    nights = [made(days=["tue"], from_="22:00", to="06:00")]
    assert opening(nights, at(moment)) == at(opens or moment)


@pytest.mark.parametrize(
    ("first", "last", "frozen"),
    [
        # 02:00 to 03:00 is missing: 02:30 can mean 01:30 or 03:30, and either is within
        ("02:30", "04:00", ("2026-03-29T00:30+00:00", "2026-03-29T02:00+00:00")),
        ("01:00", "02:30", ("2026-03-29T00:00+00:00", "2026-03-29T01:30+00:00")),
    ],
)
def test_an_hour_that_is_missing_in_spring_makes_a_window_no_shorter(
    first: str, last: str, frozen: tuple[str, str]
) -> None:
    check_span([made(days=["sun"], from_=first, to=last, **BERLIN)], *frozen)


@pytest.mark.parametrize(
    ("first", "last", "frozen"),
    [
        # 02:00 to 03:00 is there twice: from the first time it is 02:30, until the last time
        ("02:30", "04:00", ("2026-10-25T00:30+00:00", "2026-10-25T03:00+00:00")),
        ("01:00", "02:30", ("2026-10-24T23:00+00:00", "2026-10-25T01:30+00:00")),
        ("02:15", "02:45", ("2026-10-25T00:15+00:00", "2026-10-25T01:45+00:00")),
    ],
)
def test_an_hour_that_is_there_twice_in_autumn_makes_a_window_no_shorter(
    first: str, last: str, frozen: tuple[str, str]
) -> None:
    check_span([made(days=["sun"], from_=first, to=last, **BERLIN)], *frozen)


def check_span(windows: list[Window], begin: str, end: str) -> None:
    minute = timedelta(minutes=1)
    assert not holding(windows, at(begin) - minute)
    assert opening(windows, at(begin)) == at(end)
    assert not holding(windows, at(end))


def test_an_hour_that_is_there_twice_over_midnight_belongs_to_its_own_day() -> None:
    # In Havana the clocks went back from 01:00 to 00:00 on Sunday, 2026-11-01.
    windows = [made(days=["sun"], from_="00:30", to="02:00", timezone="America/Havana")]
    check_span(windows, "2026-11-01T00:30-04:00", "2026-11-01T02:00-05:00")


def test_a_midnight_that_is_missing_makes_a_window_begin_the_evening_before() -> None:
    # In Cairo the clocks went forward from 00:00 to 01:00 on Friday, 2026-04-24.
    windows = [made(days=["fri"], to="06:00", timezone="Africa/Cairo")]
    check_span(windows, "2026-04-23T23:00+02:00", "2026-04-24T06:00+03:00")


def test_dates_hold_once_and_include_their_last_day() -> None:
    check_span(
        [made(from_="2026-12-18", to="2027-01-04", **BERLIN)], "2026-12-18T00:00+01:00", "2027-01-05T00:00+01:00"
    )
    check_span(
        [made(from_="2026-12-18T16:30", to="2026-12-18T17:00")], "2026-12-18T16:30+00:00", "2026-12-18T17:00+00:00"
    )


def test_without_days_a_window_holds_on_every_day() -> None:
    lunch = made(from_="12:00", to="13:00")
    assert str(lunch) == "every day 12:00-13:00 UTC"
    assert opening([lunch], at("2026-11-24T12:30+00:00")) == at("2026-11-24T13:00+00:00")


def test_what_never_opens_is_told_from_what_opens_late() -> None:
    always = made(days=["mon", "tue", "wed", "thu", "fri", "sat", "sun"])
    assert opening([always], at("2026-11-24T12:30+00:00")) is None


def test_windows_are_shown_as_they_are_written() -> None:
    assert [str(one) for one in WEEKEND] == [
        "fri 16:00-24:00 Europe/Berlin",
        "sat, sun 00:00-24:00 Europe/Berlin",
        "mon 00:00-08:00 Europe/Berlin",
    ]
    assert str(made(from_="2026-12-18", to="2027-01-04")) == "2026-12-18 00:00 to 2027-01-05 00:00 UTC"


ZONES = ["UTC", "Europe/Berlin", "America/Havana", "Australia/Lord_Howe", "Pacific/Apia"]
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001  # bounds have none


@given(MOMENTS, st.sampled_from(ZONES), st.integers(0, 23), st.integers(0, 23))
def test_at_the_opening_nothing_holds_and_before_it_something_does(
    moment: datetime, zone: str, first: int, last: int
) -> None:
    entry = {"from": f"{first:02}:30", "to": f"{last:02}:15", "timezone": zone, "days": ["sat", "sun", "mon"]}
    windows = [found] if isinstance(found := window(entry), Window) else []
    opens = opening(windows, moment)
    assert opens is not None
    assert not holding(windows, opens)
    assert opens == moment or holding(windows, opens - timedelta(seconds=1))
    assert opens.astimezone(ZoneInfo(zone)) - moment < timedelta(days=5)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati"])
def test_a_window_up_to_the_last_day_of_the_calendar_holds(zone: str) -> None:
    windows = [made(from_="0001-01-01", to="9999-12-31", timezone=zone)]
    found = [*freeze(CHANGES, windows, at("2026-11-24T12:30+00:00"))]
    assert "9999-12-31" in found[0].message
    assert holding(windows, at("9999-12-30T00:00+00:00")) == (windows[0],)


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo", "Pacific/Kiritimati"])
@pytest.mark.parametrize("days", [["mon"], ["fri"], ["sat"], None])
@pytest.mark.parametrize("hours", [{}, {"from_": "22:00", "to": "06:00"}, {"from_": "00:00", "to": "20:00"}])
@pytest.mark.parametrize("day", ["0001-01-01", "0001-01-02", "9999-12-24", "9999-12-30", "9999-12-31"])
def test_a_clock_at_an_end_of_the_calendar_is_no_error(
    zone: str, days: list[str] | None, hours: dict[str, str], day: str
) -> None:
    weekly = made(**({"days": days} if days else {}), **(hours or {"from_": "00:00"}), timezone=zone)
    windows = [weekly, made(days=["fri"], timezone="America/Los_Angeles")]
    for hour in ("00:00:00", "12:00:00", "23:59:59.999998"):
        moment = at(f"{day}T{hour}+00:00")
        assert bool([*freeze(CHANGES, windows, moment)]) is bool(holding(windows, moment))


def test_a_night_that_the_calendar_ends_in_holds_to_its_end() -> None:
    night = made(from_="22:00", to="06:00")
    assert holding([night], at("9999-12-31T22:00+00:00")) == (night,)
    assert opening([night], at("9999-12-31T22:00+00:00")) is None


@pytest.mark.parametrize(("by", "then"), [(1, "9999-12-31T23:59:59+00:00"), (2, "9999-12-31T23:59:59.999999+00:00")])
def test_nothing_is_later_than_the_calendar(by: int, then: str) -> None:
    assert later(at("9999-12-31T23:59:58+00:00"), timedelta(seconds=by)) == at(then)


class Counting(Dated):
    """A window that counts how often it is asked."""

    asked = 0

    def next_span(self, moment: datetime, zone: ZoneInfo) -> Span | None:
        type(self).asked += 1
        return super().next_span(moment, zone)


@pytest.mark.parametrize("days_apart", [0, 1])
def test_many_windows_are_looked_at_a_few_times_each(days_apart: int) -> None:
    begin = datetime(2026, 1, 1)  # noqa: DTZ001  # of the window's own zone
    starts = [begin + timedelta(days=days_apart * number) for number in range(2000)]
    windows = [Window(Counting(start, start + timedelta(days=1)), ZoneInfo("UTC")) for start in starts]
    Counting.asked = 0
    assert opening(windows, begin.replace(tzinfo=UTC)) == (starts[-1] + timedelta(days=1)).replace(tzinfo=UTC)
    assert Counting.asked <= 2 * len(windows)
