"""The text of a URL that OrderCloud calls, or sends people to -> what is wrong with it.

Programs disagree on URLs that are not quite right: what one takes for a path is a host for another. Such a URL could
pass a review and send orders, tokens and secrets elsewhere, so only what all of them read alike is accepted.
"""

import re
from collections.abc import Collection
from ipaddress import IPv6Address, ip_address
from typing import Final
from urllib.parse import urlsplit

_LABEL: Final = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,254}}\Z){_LABEL}([.]{_LABEL})*[.]?")
_PLACE: Final = re.compile(r"(?P<host>\[[^]%]+\]|[^][:@%\u3002\uff0e\uff61]+)(:[0-9]+)?")
"""A host and a port: no address of one network card, and no letter that only some programs take for a dot."""
_ADDRESS: Final = re.compile(r"(.*[.])?([0-9]+|0x[0-9a-f]*)[.]?")
"""What some programs take for an IPv4 address."""


def url_fault(text: str, schemes: Collection[str]) -> str:
    """Say what is wrong with a URL; empty: nothing. Without schemes it may be a link to an app: any scheme, no host."""
    if not text.isprintable() or not {" ", "\\"}.isdisjoint(text):
        return "it has a blank, a backslash or a control character"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return "its host or port is malformed"
    if parts.scheme not in (schemes or {"https", "http"}):
        begins = " or ".join(f"{one}://" for one in schemes or ("https",))
        return "" if parts.scheme and not schemes else f"it does not begin with {begins}"
    if "@" in text.partition("://")[2].partition("/")[0]:  # some programs look for one beyond ? and #, too
        return "it has a user name or a password, or an @ before its path"
    place = _PLACE.fullmatch(parts.netloc)
    is_host = place is not None and port != 0 and _is_host(place["host"])
    return "" if is_host else f"{parts.netloc} is not a host" if parts.netloc else "it has no host"


def _is_host(name: str) -> bool:
    try:
        if name.startswith("["):
            return isinstance(ip_address(name[1:-1]), IPv6Address)
        if _ADDRESS.fullmatch(name.lower()):
            return bool(ip_address(name))
        return bool(_NAME.fullmatch(name.lower() if name.isascii() else _in_ascii(name)))
    except ValueError:
        return False


def _in_ascii(name: str) -> str:
    """The name in punycode, if the old and the new standard make the same of it; an `IDNAError` is a `ValueError`."""
    import idna  # noqa: PLC0415  # its tables take a while to load, and few hosts have letters beyond ASCII

    found = idna.encode(name)
    return found.decode() if found == name.encode("idna") else ""
