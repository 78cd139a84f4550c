"""The network of this machine: which proxy a URL has, whom to trust, which variable is at fault, how far it gets."""

import socket
import ssl
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import certifi
import httpx
import pytest

from reconciler.errors import ReconcilerError
from reconciler.model.secret import Secret
from reconciler.remote.client import open_reader
from reconciler.remote.exchange import Connection
from reconciler.remote.hosts import allowed_origin
from reconciler.remote.http import Webhook
from reconciler.remote.network import Network, Reached, proxy_for, reach, trust
from tests.remote.service import CREDENTIALS
from tests.remote.test_http_sockets import certificate, closed_port, serving, serving_tls, url_of

PROXY = "http://user:canary@proxy.example:3128"
SHOP = "https://api.shop.example"


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the machine that runs the tests counts."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"):
        monkeypatch.delenv(name, raising=False)


def is_direct(url: str, no_proxy: str) -> bool:
    return proxy_for(httpx.URL(url), {"all": PROXY, "no": no_proxy}) is None


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("*", SHOP),
        ("api.shop.example", SHOP),
        ("shop.example", SHOP),
        (".shop.example", SHOP),
        ("*.shop.example", SHOP),
        ("SHOP.Example", SHOP),
        ("other, , shop.example ,", SHOP),
        ("localhost shop.example", SHOP),
        ("api.shop.example:443", SHOP),
        ("https://api.shop.example", SHOP),
        ("all://api.shop.example", SHOP),
        ("192.0.2.1", "http://192.0.2.1:8080"),
        ("192.0.2.1:8080", "http://192.0.2.1:8080"),
        ("192.0.2.0/8", "http://192.0.2.1:8080"),
        ("2001:db8::1", "http://[2001:db8::1]:8080"),
        ("[2001:db8::1]", "http://[2001:db8::1]:8080"),
        ("[2001:db8::1]:8080", "http://[2001:db8::1]:8080"),
        ("2001:db8:0::1", "http://[2001:db8::1]:8080"),
        ("fd07:b51a:cc66:f0::/64", "https://[fd07:b51a:cc66:f0::9]"),
        ("10.0.0.0/8,fd07:b51a:cc66:f0::/64,shop.example", SHOP),
    ],
)
def test_an_entry_of_no_proxy_covers_a_url(no_proxy: str, url: str) -> None:
    assert is_direct(url, no_proxy)


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("", SHOP),
        ("op.example", SHOP),
        (".api.shop.example", SHOP),
        ("api.shop.example:8443", SHOP),
        ("http://api.shop.example", SHOP),
        ("10.0.0.0/8,::1,[::1],fd00::/8", SHOP),
        ("::1", "http://192.0.2.1"),
        ("192.0.2.1:8081", "http://192.0.2.1:8080"),
        ("fd00::/16", "https://[fd07::1]"),
    ],
)
def test_an_entry_of_no_proxy_does_not_cover_what_it_does_not_name(no_proxy: str, url: str) -> None:
    assert not is_direct(url, no_proxy)


@pytest.mark.parametrize("url", ["http://localhost", "https://127.0.0.1:8443", "http://[::1]:8080"])
def test_what_is_sent_to_this_machine_goes_through_no_proxy(url: str) -> None:
    assert is_direct(url, "")


@pytest.mark.parametrize("entry", ["[::1", "10.0.0.0/99", "http://[", "shop.example:port", "fd00:::1", "a@b", "[shop]"])
def test_an_entry_of_no_proxy_that_is_none_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setenv("no_proxy", f"localhost,{entry}")
    with pytest.raises(ReconcilerError) as caught:
        is_direct(SHOP, f"localhost,{entry}")
    assert caught.value.message == f"no_proxy has an entry that is not a host, address or network: {entry}"
    assert "correct it, for example: no_proxy=localhost" in caught.value.hint


def test_a_broken_entry_of_no_proxy_is_of_no_account_without_a_proxy() -> None:
    assert proxy_for(httpx.URL(SHOP), {"http": PROXY, "no": "[::1"}) is None


@pytest.mark.parametrize(
    ("variable", "value", "why"),
    [
        ("HTTPS_PROXY", "http://canary:pass@host:port", "it is not a URL"),
        ("https_proxy", "http://canary:pass@[::1", "it is not a URL"),
        ("HTTPS_PROXY", "http://canary:\udcff@host", "it is not a URL"),
        (
            "HTTPS_PROXY",
            "http://canary:pass@xn--:3128",
            "it requires a host and one of the schemes http, https, socks5, socks5h",
        ),
        (
            "ALL_PROXY",
            "ftp://canary@proxy.example",
            "it requires a host and one of the schemes http, https, socks5, socks5h",
        ),
        (
            "Https_Proxy",
            "http://canary@:3128",
            "it requires a host and one of the schemes http, https, socks5, socks5h",
        ),
        (
            "HTTPS_PROXY",
            "http://canary@a..b:1",
            "it requires a host and one of the schemes http, https, socks5, socks5h",
        ),
        (
            "HTTPS_PROXY",
            "http://canary@xn--a:1",
            "it requires a host and one of the schemes http, https, socks5, socks5h",
        ),
        ("ALL_PROXY", "socks5://canary@proxy.example", "SOCKS requires the package socksio, which is not installed"),
    ],
)
def test_a_proxy_that_is_unusable_is_named_by_its_variable_and_not_quoted(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, why: str
) -> None:
    monkeypatch.setenv(variable, value)
    monkeypatch.setenv("HTTP_PROXY", "broken:too but not for https")
    with pytest.raises(ReconcilerError) as caught:
        open_reader(Connection("https://api.ordercloud.io", CREDENTIALS))
    assert caught.value.message == f"{variable} is not the address of a usable proxy: {why}"
    assert "canary" not in caught.value.message + caught.value.hint


def test_authorities_are_loaded_for_https_and_without_them_nobody_is_trusted() -> None:
    for is_needed in (True, False):
        context = trust(is_needed=is_needed)
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert bool(context.cert_store_stats()["x509_ca"]) is is_needed


@pytest.mark.parametrize(
    ("variable", "value", "entry", "why"),
    [
        ("SSL_CERT_FILE", "missing.pem", "missing.pem", "No such file or directory"),
        ("SSL_CERT_FILE", "text.pem", "text.pem", "it has no certificates in PEM format"),
        ("SSL_CERT_DIR", ".:missing", "missing", "No such file or directory"),
        ("SSL_CERT_DIR", "text.pem", "text.pem", "Not a directory"),
        ("SSLKEYLOGFILE", "missing/keys", "missing/keys", "No such file or directory"),
        ("SSLKEYLOGFILE", ".", ".", "Is a directory"),
    ],
)
def test_a_variable_of_tls_that_is_unusable_is_named_with_its_entry(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str, entry: str, why: str
) -> None:
    (tmp_path / "text.pem").write_text("no certificate")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ReconcilerError) as caught:
        open_reader(Connection("https://api.ordercloud.io", CREDENTIALS))
    assert caught.value.message == f"{variable} is unusable: {entry}: {why}"
    with pytest.raises(ReconcilerError, match=variable):
        Webhook(Secret("https://chat.example/hook")).post({})


def test_an_https_proxy_is_verified_even_for_plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "https://proxy.example")
    monkeypatch.setenv("SSL_CERT_FILE", "/missing.pem")
    with pytest.raises(ReconcilerError, match="SSL_CERT_FILE is unusable"):
        open_reader(
            Connection("http://shop.example:1", CREDENTIALS, allowed_hosts={allowed_origin("http://shop.example:1")})
        )


def test_the_authorities_are_loaded_once_for_all_connections_until_they_change(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "authorities.pem"
    file.write_bytes(Path(certifi.where()).read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with ThreadPoolExecutor(8) as pool:
        first, *others = pool.map(lambda _number: trust(), range(8))
    assert all(one is first for one in others)
    file.write_bytes(file.read_bytes() + b"\n")
    assert trust() is not first


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
        (Network(lambda *_: ["192.0.2.1"], no_answer, proxies=dict), "shop.example:443: timed out"),
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
