"""Two notations of one moment are the same value of free data; everything else stays as it is."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds.fields import with_moments
from reconciler.model.json import Json

OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), OFFSETS)  # noqa: DTZ001  # the offset is drawn
def test_a_moment_is_the_same_in_every_offset(moment: datetime, offset: timezone) -> None:
    here = moment.replace(tzinfo=UTC)
    assert with_moments(here.astimezone(offset).isoformat()) == with_moments(here.isoformat())


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("2027-01-01T00:00:00", "2027-01-01T00:00:00Z"),
        ("2027-01-01T00:00:00.1234567+00:00", "2027-01-01T00:00:00.1234567Z"),
        ("2027-01-01T00:00:00.1000000-0130", "2027-01-01T01:30:00.1Z"),
    ],
)
def test_a_moment_is_kept_to_the_last_digit(text: str, wanted: str) -> None:
    assert with_moments({"a": [text]}) == {"a": [wanted]}


@pytest.mark.parametrize(
    "value",
    ["2027-01-01", "2027-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "at 2027-01-01T00:00:00Z", "", 1, True, None],
)
def test_what_is_no_moment_stays_as_it_is(value: Json) -> None:
    assert with_moments(value) is value
