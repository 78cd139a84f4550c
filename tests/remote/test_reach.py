"""How far a machine gets towards a host: over real loopback sockets, and with names and proxies that are made up."""

import socket
import ssl
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError
from reconciler.remote.reach import Network, Reached, reach
from tests.remote.test_real_sockets import certificate, closed_port, serving, serving_tls, url_of

__all__ = ["certificate"]  # a fixture, found by its name


def network(**proxies: str) -> Network:
    """The real one, less the proxies of the machine that runs the tests."""
    return Network(proxies=lambda: proxies)


def nobody(*_: object) -> socket.socket:
    raise AssertionError("the host must not be contacted")


def no_such_name(_host: str, _port: int) -> tuple[str, ...]:
    raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def no_answer(_host: str, _port: int) -> socket.socket:
    raise TimeoutError("timed out")


def test_a_plain_host_on_this_machine_is_reached_without_tls() -> None:
    with serving() as server:
        assert reach(url_of(server), network()) == Reached("127.0.0.1", addresses=("127.0.0.1",))


def test_a_tls_host_shows_its_version_and_the_end_of_its_certificate(certificate: Path) -> None:
    trusting = Network(trust=lambda: ssl.create_default_context(cafile=certificate), proxies=dict)
    with serving_tls(certificate) as server:
        reached = reach(url_of(server, "https"), trusting)
    assert reached.tls.startswith("TLSv1.")
    assert reached.expires_at is not None
    assert 0 < reached.expires_at - time.time() <= 3600


def test_without_a_certificate_to_check_its_end_is_unknown(certificate: Path) -> None:
    def careless() -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return context

    with serving_tls(certificate) as server:
        assert reach(url_of(server, "https"), Network(trust=careless, proxies=dict)).expires_at is None


def test_a_certificate_that_nobody_vouches_for_is_refused_with_the_way_out(certificate: Path) -> None:
    with serving_tls(certificate) as server, pytest.raises(ReconcilerError, match="was not accepted") as caught:
        reach(url_of(server, "https"), network())
    assert "SSL_CERT_FILE" in caught.value.hint


def test_the_authorities_are_those_that_requests_trust(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with serving_tls(certificate) as server:
        assert reach(url_of(server, "https"), network()).tls


def test_a_host_that_speaks_no_tls_is_told_apart() -> None:
    with serving() as server, pytest.raises(ReconcilerError, match=r"no TLS connection to 127\.0\.0\.1: "):
        reach(url_of(server, "https"), network())


def test_a_refused_connection_is_told_in_the_systems_words() -> None:
    with pytest.raises(ReconcilerError, match=r"no connection to 127\.0\.0\.1:\d+: Connection refused") as caught:
        reach(f"http://127.0.0.1:{closed_port()}", network())
    assert "base URL" in caught.value.hint


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (Network(no_such_name, nobody, proxies=dict), "shop.example cannot be resolved: Name or service not known"),
        (Network(lambda *_: ["192.0.2.1"], no_answer, proxies=dict), "shop.example:443: no answer in time"),
    ],
)
def test_each_step_has_its_own_words(broken: Network, said: str) -> None:
    with pytest.raises(ReconcilerError, match=said):
        reach("https://shop.example", broken)


def behind(proxies: Mapping[str, str]) -> Network:
    return Network(nobody, nobody, proxies=lambda: proxies)  # type: ignore[arg-type]  # never returns


@pytest.mark.parametrize("address", ["http://user:canary@proxy.example:3128", "proxy.example:3128"])
def test_behind_a_proxy_the_host_is_not_contacted_and_no_password_shown(address: str) -> None:
    reached = reach("https://shop.example", behind({"https": address}))
    assert reached == Reached("shop.example", proxy="proxy.example:3128")
