"""A base URL and what the user allows -> credentials may be sent there, or a refusal before anything is contacted.

The base URL stands in the repository, so whoever opens a pull request chooses it. On its own word it may name
OrderCloud's hosts over TLS, and this machine. Any other host has to be allowed from outside the repository.
"""

import re
from collections.abc import Collection
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from reconciler.errors import GuardRefusal
from reconciler.model.plan import Finding

ALLOWED_HOSTS_VARIABLE: Final = "RECONCILER_ALLOWED_HOSTS"
"""The environment variable with the hosts that are allowed besides, separated by commas."""
PORTS: Final = {"http": 80, "https": 443}
_PLACE: Final = re.compile(r"(\[[^][@%]+\]|[^][:@%]+)(:[0-9]*)?")
"""All that may stand for host and port: `urlsplit` drops what surrounds the brackets of an address."""
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*(?<!-)\.?")
_ORDERCLOUD: Final = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+ordercloud\.io")


class Origin(NamedTuple):
    """Where a request goes. Two of them are equal where they are the same place."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        """As `allowed_origin` reads it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        if self.scheme == "http":
            return f"http://{host}:{self.port}"
        return host if self.port == PORTS["https"] else f"{host}:{self.port}"


def origin_of(url: str) -> Origin:
    """Where requests to a URL go.

    Raises:
        ValueError: it is no http:// or https:// URL.
    """
    parts = urlsplit(url)
    name = parts.hostname or ""  # in lower case
    host = str(_address(name) or name)  # in the one form in which hosts are compared
    is_place = _PLACE.fullmatch(parts.netloc.rpartition("@")[2]) is not None
    if parts.scheme not in PORTS or not is_place or not (_NAME.fullmatch(host) or _address(host)):
        raise ValueError("it begins with https:// or http:// and a host")
    return Origin(parts.scheme, host, PORTS[parts.scheme] if parts.port is None else parts.port)


def allowed_origin(entry: str) -> Origin:
    """Read one host that the user allows: ``host``, ``host:port`` or ``http://host:port``.

    Raises:
        ValueError: it is none of these; says what is expected.
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
        raise ValueError("plain http needs a port: write http://host:port")
    return origin


def is_loopback(host: str) -> bool:
    """Whether a host is certainly this machine, without asking a name server: ``localhost``, 127.0.0.0/8 or ::1."""
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def is_trusted(origin: Origin) -> bool:
    """Whether a repository may name it on its own word."""
    is_ordercloud = origin.scheme == "https" and _ORDERCLOUD.fullmatch(origin.host) is not None
    return is_ordercloud or is_loopback(origin.host)


def require_allowed(base_url: str, allowed: Collection[Origin]) -> None:
    """Refuse a base URL that neither this rule nor the user allows. Contacts nobody.

    Raises:
        GuardRefusal: names the host and how to allow it.
    """
    origin = origin_of(base_url)
    if not is_trusted(origin) and origin not in allowed:
        message = (
            f"credentials are not sent to {origin}: without permission they go only to *.ordercloud.io over TLS and "
            "to this machine"
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
