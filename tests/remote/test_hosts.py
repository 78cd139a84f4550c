"""Where credentials may be sent, attacked from the side of whoever can change the base URL."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import GuardRefusal, ReconcilerError
from reconciler.remote.exchange import Connection
from reconciler.remote.hosts import Origin, allowed_origin, is_loopback, origin_of, require_allowed
from tests.remote.service import CREDENTIALS


@pytest.mark.parametrize(
    "url",
    [
        "https://api.ordercloud.io",
        "https://westeurope-production.ordercloud.io",
        "HTTPS://API.OrderCloud.IO:443/",
        "https://a.b.ordercloud.io:8443",
        "http://localhost:8080",
        "http://LOCALHOST",
        "http://127.0.0.1",
        "https://127.9.9.9:1",
        "http://[::1]:5",
    ],
)
def test_ordercloud_over_tls_and_this_machine_need_no_permission(url: str) -> None:
    assert Connection(url, CREDENTIALS).base_url


REFUSED = [
    "https://shop.example",
    "http://api.ordercloud.io",
    "http://api.ordercloud.io:443",
    "https://ordercloud.io",
    "https://ordercloud.io.evil.example",
    "https://evil-ordercloud.io",
    "https://evilordercloud.io",
    "https://api.ordercloud.io.",
    "https://.ordercloud.io",
    "https://api..ordercloud.io",
    "https://api.ordercloud.io.evil",
    "https://api.ordercloud.evil.io",
    "https://xn--ordercloud-io.example",
    "https://оrdercloud.io",  # noqa: RUF001  # a Cyrillic letter
    "https://api.оrdercloud.io",  # noqa: RUF001
    "https://api.ordercloud.іo",  # noqa: RUF001
    "http://127.1",
    "http://2130706433",
    "http://0x7f.0.0.1",
    "http://0177.0.0.1",
    "http://127.0.0.01",
    "http://0.0.0.0",
    "http://[::]",
    "http://[::ffff:10.0.0.1]",
    "http://localhost.",
    "http://localhost.evil.example",
    "http://a.localhost",
    "http://localhost@evil.example",
    "https://api.ordercloud.io@evil.example",
    "https://evil.example#.ordercloud.io",
    "https://evil.example/.ordercloud.io",
    "https://evil.example?.ordercloud.io",
    "https://evil.example\\.ordercloud.io",
    "https://evil.example%2f.ordercloud.io",
    "https://evil.example%00.ordercloud.io",
    "https://evil.example\t.ordercloud.io",
    "https://evil_.ordercloud.io",
    "https://evil.example[::1]",
    "https://[::1].evil.example",
    "https://[::1%25eth0]",
]


@pytest.mark.parametrize("url", REFUSED)
def test_no_disguise_of_another_host_is_taken_for_ordercloud_or_this_machine(url: str) -> None:
    with pytest.raises(ReconcilerError):
        Connection(url, CREDENTIALS)


@given(
    host=st.text(st.sampled_from("aоxn-.@:/#?[]%1270localhstrdecui"), max_size=12),  # noqa: RUF001
    scheme=st.sampled_from(["http", "https"]),
)
def test_what_is_taken_is_connected_to_under_the_very_name_that_was_judged(host: str, scheme: str) -> None:
    with suppress(ReconcilerError):
        for url in (f"{scheme}://{host}", f"{scheme}://{host}.ordercloud.io", f"{scheme}://localhost{host}"):
            origin = origin_of(Connection(url, CREDENTIALS).base_url)
            assert is_loopback(origin.host) or (origin.scheme == "https" and origin.host.endswith(".ordercloud.io"))


@pytest.mark.parametrize("url", REFUSED)
def test_what_a_refusal_suggests_allows_exactly_that(url: str) -> None:
    with pytest.raises(ReconcilerError) as caught:
        Connection(url, CREDENTIALS)
    if isinstance(caught.value, GuardRefusal):  # else it is no base URL, whoever allows it
        suggested = re.findall(r"--allow-host (\S+), or", caught.value.findings[0].fix)
        assert Connection(url, CREDENTIALS, allowed_hosts=[allowed_origin(one) for one in suggested]).base_url


def test_a_refusal_names_the_host_and_how_to_allow_it() -> None:
    with pytest.raises(GuardRefusal) as caught:
        require_allowed("https://shop.example:8443", {allowed_origin("shop.example")})
    (finding,) = caught.value.findings
    assert finding.message.startswith("credentials are not sent to shop.example:8443: ")
    assert "--allow-host shop.example:8443" in finding.fix
    assert "RECONCILER_ALLOWED_HOSTS" in finding.fix
    assert not finding.can_be_acknowledged


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("shop.example", "https://shop.example"),
        ("Shop.Example:443", "https://shop.example"),
        ("shop.example:8443", "https://SHOP.example:8443"),
        ("http://emulator:8080", "http://emulator:8080"),
        ("[2001:DB8:0::1]:5", "https://[2001:db8::1]:5"),
        ("10.0.0.1", "https://10.0.0.1"),
        ("xn--bcher-kva.example", "https://bücher.example"),
    ],
)
def test_a_host_that_is_allowed_is_connected_to(entry: str, url: str) -> None:
    allowed = allowed_origin(entry)
    assert Connection(url, CREDENTIALS, allowed_hosts={allowed}).base_url
    assert allowed_origin(str(allowed)) == allowed


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("shop.example", "http://shop.example:443"),
        ("shop.example", "https://shop.example:8443"),
        ("shop.example", "https://a.shop.example"),
        ("shop.example:8443", "https://shop.example"),
        ("[fd00::1]", "https://[fd00::1]:8443"),
        ("http://shop.example:8080", "https://shop.example:8080"),
        ("http://shop.example:8080", "http://shop.example:8081"),
    ],
)
def test_permission_is_for_one_scheme_host_and_port(entry: str, url: str) -> None:
    with pytest.raises(GuardRefusal):
        Connection(url, CREDENTIALS, allowed_hosts={allowed_origin(entry)})


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "*.example",
        "https://shop.example",
        "http://shop.example",
        "ftp://shop.example:1",
        "shop.example/v1",
        "a@shop.example",
        "shop.example:port",
        "shop example",
        "shop.example?",
        "bücher.example",
        "[::1",
    ],
)
def test_what_names_no_single_host_allows_nothing(entry: str) -> None:
    with pytest.raises(ValueError, match="write"):
        allowed_origin(entry)


def test_the_default_port_is_left_out_of_what_is_shown() -> None:
    assert [str(Origin("https", "a", 443)), str(Origin("http", "::1", 80))] == ["a", "http://[::1]:80"]
