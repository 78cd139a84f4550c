"""What a connection is made of."""

import pytest

from reconciler.errors import ReconcilerError
from reconciler.remote.exchange import Connection
from reconciler.remote.network import HttpLimits
from tests.remote.service import ALLOWED, BASE, CREDENTIALS


@pytest.mark.parametrize("url", ["https://shop.example/", "HTTPS://Shop.Example:443", " https://shop.example "])
def test_a_base_url_is_kept_without_a_trailing_slash(url: str) -> None:
    assert Connection(url, CREDENTIALS, allowed_hosts=ALLOWED).base_url == BASE


@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example",
        "ftp://shop.example",
        "https://",
        "https://a:b@shop.example",
        "https://shop.example/v1",
        "https://shop.example?x=1",
        "https://shop.example#x",
        "https://[::1",
        "https://shop.example:port",
        "https://shop.example/\udcff",
    ],
)
def test_what_is_no_base_url_is_refused(url: str) -> None:
    with pytest.raises(ReconcilerError, match="base URL"):
        Connection(url, CREDENTIALS)


def test_a_connection_needs_room_for_one_request() -> None:
    with pytest.raises(ReconcilerError, match="at least 1"):
        Connection(BASE, CREDENTIALS, concurrency=0, allowed_hosts=ALLOWED)


def test_a_connection_is_patient_and_modest_unless_told_otherwise() -> None:
    connection = Connection(BASE, CREDENTIALS, allowed_hosts=ALLOWED)
    assert connection.concurrency == 8
    assert connection.limits == HttpLimits(connect=10, read=60, answer=300, size=67_108_864)
