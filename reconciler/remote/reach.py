"""A base URL -> how far this machine gets towards it: name, connection, certificate. No request is sent.

Only the host of the URL is ever contacted, and not even that where a proxy stands between: the network may forbid it.
"""

import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.request import getproxies

import httpx

from reconciler.errors import ReconcilerError
from reconciler.remote.settings import PORTS, proxy_for, trust
from reconciler.remote.wire import Limits

_NETWORK_HINT: Final = "check the network, a firewall between, and the base URL of the environment"
_TRUST_HINT: Final = "name the certificate authority's file in SSL_CERT_FILE, if your network has one of its own"


def _resolve(host: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _connect(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=Limits().connect)


@dataclass(frozen=True, slots=True)
class Network:
    """Where names, connections, trust and proxies come from; tests hand in their own."""

    resolve: Callable[[str, int], Sequence[str]] = _resolve
    """Host and port -> addresses."""
    connect: Callable[[str, int], socket.socket] = _connect
    trust: Callable[[], ssl.SSLContext] = trust
    """Whom to trust: the authorities that requests trust."""
    proxies: Callable[[], Mapping[str, str]] = getproxies
    """Scheme (or ``all``) -> the proxy's address; ``no`` -> hosts that need none."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What stands at the other end, as far as this machine can see it."""

    host: str
    proxy: str = ""
    """Host and port; where there is one, nothing else was looked at."""
    addresses: tuple[str, ...] = ()
    tls: str = ""
    """Version; empty for plain HTTP."""
    expires_at: float | None = None
    """Of the certificate, in seconds since the epoch."""


def reach(base_url: str, network: Network) -> Reached:
    """Resolve the name, connect, and verify the certificate as requests do.

    Raises:
        ReconcilerError: one of these steps failed; says which, and the fix.
    """
    url = httpx.URL(base_url)
    host, port = url.raw_host.decode("ascii"), url.port or PORTS[url.scheme]
    proxy = proxy_for(url, network.proxies())
    if proxy:
        return Reached(host, proxy=proxy.netloc.decode("ascii"))
    addresses = tuple(_resolved(host, port, network))
    with _connected(host, port, network) as connection:
        if url.scheme == "http":
            return Reached(host, addresses=addresses)
        return _verified(connection, host, addresses, network)


def _resolved(host: str, port: int, network: Network) -> Sequence[str]:
    try:
        return network.resolve(host, port)
    except (OSError, UnicodeError) as error:
        message = f"the name {host} cannot be resolved: {_words(error)}"
        raise ReconcilerError(message, hint="check the base URL, and this machine's name servers") from error


def _connected(host: str, port: int, network: Network) -> socket.socket:
    try:
        return network.connect(host, port)
    except OSError as error:
        raise ReconcilerError(f"no connection to {host}:{port}: {_words(error)}", hint=_NETWORK_HINT) from error


def _verified(connection: socket.socket, host: str, addresses: tuple[str, ...], network: Network) -> Reached:
    context = network.trust()
    try:
        with context.wrap_socket(connection, server_hostname=host) as secured:
            certificate = secured.getpeercert() or {}
            tls = secured.version() or ""
    except ssl.SSLCertVerificationError as error:
        message = f"the certificate of {host} was not accepted: {error.verify_message}"
        raise ReconcilerError(message, hint=_TRUST_HINT) from error
    except OSError as error:
        message = f"no TLS connection to {host}: {_words(error)}"
        raise ReconcilerError(message, hint=_NETWORK_HINT) from error
    until = certificate.get("notAfter")
    return Reached(host, "", addresses, tls, ssl.cert_time_to_seconds(until) if isinstance(until, str) else None)


def _words(error: Exception) -> str:
    """The operating system's words, or the kind of the error: its text could quote an address's password."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
