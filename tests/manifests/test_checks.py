"""What is a URL that every program reads alike, and what is none."""

import pytest

from reconciler.manifests.checks import url_fault

HTTP = ("https", "http")


@pytest.mark.parametrize(
    "text",
    [
        "https://shop.example",
        "HTTPS://Shop.Example:8443/a?b#c",
        "http://localhost:5000/x",
        "https://my_host.example./a/../b",
        "https://bücher.example/x",
        "https://xn--bcher-kva.example/x",
        "https://10.0.0.1/x",
        "https://[2001:db8::1]:443/x",
        "https://shop.example/{messagetype}?token={0}&next=https://other.example//x@y",
        "https://1and1.example",
        f"https://{'a' * 63}.example",
    ],
)
def test_a_url_with_a_host_is_taken(text: str) -> None:
    assert url_fault(text, HTTP) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://../../x", ".. is not a host"),
        ("https://http://evil.example//x", "http: is not a host"),
        ("https:///evil.example", "no host"),
        ("https:/evil.example", "no host"),
        ("https://?x", "no host"),
        ("https://a..b", "is not a host"),
        ("https://-a.example", "is not a host"),
        ("https://a.example:/x", "is not a host"),
        ("https://a.example:0/x", "is not a host"),
        ("https://a.example:99999/x", "malformed"),
        ("https://a.example:8x/x", "malformed"),
        ("https://[::1/x", "malformed"),
        ("https://[v1.x]/x", "not a host"),
        ("https://a[::1]/x", ""),
        ("https://[fe80::1%25eth0]/x", "is not a host"),
        ("https://good.example\uff0eevil.example/x", "is not a host"),
        ("https://stra\u00dfe.example/x", "is not a host"),
        ("https://\u017fhop.example/x", "is not a host"),
        ("https://boo\u212a.example/x", "is not a host"),
        ("https://{0}.example/x", "is not a host"),
        ("https://%65vil.example", "is not a host"),
        ("https://*.example", "is not a host"),
        ("https://127.1/x", "is not a host"),
        ("https://0x7f000001/x", "is not a host"),
        ("https://2130706433/x", "is not a host"),
        ("https://256.1.1.1/x", "is not a host"),
        (f"https://{'a' * 64}.example", "is not a host"),
        (f"https://{'a.' * 130}example", "is not a host"),
        ("https://\u2028a.example", "control character"),
        ("https://a\u200b.example", "control character"),
        ("https://\u00ad.example", "control character"),
        ("https://a.example\u2044@evil.example", "user name or a password"),
        ("https://a.example\uff0fevil.example", "malformed"),
        ("https://\u2100.example", "malformed"),
        ("https://a\U0001f600.example", "is not a host"),
        ("https://good.example\\@evil.example", "backslash"),
        ("https://good.example/\\evil.example", "backslash"),
        ("https://good.example\t.evil.example", "control character"),
        (" https://good.example", "space"),
        ("https://me:pw@good.example", "user name or a password"),
        ("https://good.example:443@evil.example/x", "user name or a password"),
        ("https://good.example?@evil.example/x", "an @ before its path"),
        ("https://good.example#@evil.example/x", "an @ before its path"),
        ("good.example/x", "does not begin with https:// or http://"),
        ("//good.example/x", "does not begin with"),
        ("ftp://good.example/x", "does not begin with"),
    ],
)
def test_what_programs_may_read_otherwise_is_refused(text: str, said: str) -> None:
    fault = url_fault(text, HTTP)
    assert fault
    assert said in fault


def test_a_link_to_an_app_may_have_another_scheme_but_a_web_address_needs_a_host() -> None:
    assert url_fault("com.example.shop:/done?token={0}", ()) == ""
    assert "is not a host" in url_fault("https://../x", ())
    assert "does not begin with https://" in url_fault("shop.example/?token={0}", ())
    assert "does not begin with https://" in url_fault("http://shop.example", ("https",))
