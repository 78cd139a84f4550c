from datetime import timedelta

import click
import pytest

from reconciler.cli.commands.plan import duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("45m", timedelta(minutes=45)),
        ("1h30m", timedelta(minutes=90)),
        ("7D", timedelta(days=7)),
        (" 1d1h1m1s ", timedelta(days=1, seconds=3661)),
    ],
)
def test_a_duration_is_read(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "0h", "1", "h", "1w", "-1h", "1.5h", "30m1h", "1h 30m", "٣h", "9999999d"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(click.BadParameter, match="1h30m"):
        duration(text)
