"""Decide whether credentials may be sent to a base URL, before any request.

The base URL is in the repository, so the author of a pull request can change it. Without permission it can be
only a host of OrderCloud over TLS, or this machine. Any other host must be allowed outside of the repository.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import GuardRefusal
from reconciler.model.plan import Finding

ALLOWED_HOSTS_VARIABLE: Final = "RECONCILER_ALLOWED_HOSTS"
"""The environment variable with additional allowed hosts, separated by commas."""
PORTS: Final = {"http": 80, "https": 443}
_PLACE: Final = re.compile(r"(\[[^][@%]+\]|[^][:@%]+)(:[0-9]*)?")
"""Host and port. Needed because `urlsplit` drops what surrounds the brackets of an address."""
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*(?<!-)\.?")
_ORDERCLOUD: Final = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+ordercloud\.io")


class Origin(NamedTuple):
    """The target of a request, in a normal form."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """In the format of `allowed_origin`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.scheme == "http":
            return f"http://{host}:{self.port}"
        return host if self.port == PORTS["https"] else f"{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """The origin of a URL.

    Raises:
        ValueError: it is not an http:// or https:// URL.
    """
    parts = urlsplit(url)
    name = parts.hostname or ""  # in lower case
    host = str(_address(name) or name)  # normalised for comparison
    is_place = _PLACE.fullmatch(parts.netloc.rpartition("@")[2]) is not None
    if parts.scheme not in PORTS or not is_place or not (_NAME.fullmatch(host) or _address(host)):
        raise ValueError("must start with https:// or http:// and a host")
    return Origin(parts.scheme, host, PORTS[parts.scheme] if parts.port is None else parts.port)


def allowed_origin(entry: str) -> Origin:
    """Parse an allowed host: ``host``, ``host:port`` or ``http://host:port``.

    Raises:
        ValueError: it has another format; the message contains the expected one.
    """
    expected = "write host, host:port or http://host:port"
    scheme, _, rest = entry.rpartition("://")
    try:
        origin = origin_of(f"{scheme or 'https'}://{rest}")
        is_bare = urlsplit(f"//{rest}").netloc == rest and "@" not in rest and scheme in {"", "http"}
        has_port = urlsplit(f"//{rest}").port is not None
    except ValueError:
        raise ValueError(expected) from None
    if not is_bare:
        raise ValueError(expected)
    if scheme and not has_port:
        raise ValueError("plain http requires a port: write http://host:port")
    return origin


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, without a DNS lookup: ``localhost``, 127.0.0.0/8 or ::1."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_trusted(origin: Origin) -> bool:
    """Whether an origin is allowed without permission."""
    is_ordercloud = origin.scheme == "https" and _ORDERCLOUD.fullmatch(origin.host) is not None
    return is_ordercloud or is_loopback(origin.host)


def require_allowed(base_url: str, allowed: Collection[Origin]) -> None:
    """Refuse a base URL that is neither trusted nor allowed by the user. Sends no request.

    Raises:
        GuardRefusal: the host is not allowed; the fix shows how to allow it.
    """
    origin = origin_of(base_url)
    if not is_trusted(origin) and origin not in allowed:
        message = (
            f"credentials are not sent to {origin}: by default, only *.ordercloud.io over TLS and this machine are "
            "allowed"
        )
        fix = (
            f"if this is the right host, allow it outside of the repository: --allow-host {origin}, or add {origin} "
            f"to {ALLOWED_HOSTS_VARIABLE}"
        )
        raise GuardRefusal([Finding("host", message, fix, can_be_acknowledged=False)])


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
