"""Choose the proxy and the certificate authorities for a base URL, and check whether its host can be reached.

An error names the environment variable at fault. httpx gets the result and reads none of them itself: it rejects an
IPv6 entry of NO_PROXY as an invalid URL, without naming the variable. `reach` sends no request; it contacts
only the host of the URL, and not even that if there is a proxy, since the network may forbid it.
"""

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from threading import Lock
from typing import Final
from urllib.request import getproxies

import httpx

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.remote.hosts import PORTS, is_loopback

_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")
_HOST: Final = re.compile(r"(?:\[([^][]+)\]|([^][\s:/@]+))(?::(\d{1,5}))?/?")
_MAX_QUOTED: Final = 80
"""The maximum number of characters of an entry in a message."""


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """The limits of one exchange, in seconds and bytes."""

    connect: float = 10.0
    read: float = 60.0
    """The longest time without a byte."""
    answer: float = 300.0
    """For a whole response, however slowly its body arrives. The head is limited only in size (h11: 100 KiB)."""
    size: int = 64 * 1024 * 1024
    """The maximum size of a decompressed response."""


def host_of(url: httpx.URL) -> str:
    """The host in Unicode; empty if there is none, or if it is not a valid name or malformed Punycode."""
    try:
        host = url.host
        url.raw_host.decode("ascii").encode("idna")  # a label has 1 to 63 characters
    except UnicodeError:
        return ""
    return host


def proxy_for(url: httpx.URL, proxies: Mapping[str, str]) -> httpx.URL | None:
    """The proxy for requests to a URL; None: they are sent directly, as always to this machine.

    A proxy would see requests to this machine, and would send them to its own.

    Args:
        url: the URL of the service.
        proxies: as `urllib.request.getproxies` returns them: scheme or ``all`` -> address, ``no`` -> hosts without one.

    Raises:
        ReconcilerError: the variable that applies is unusable. The message quotes no address: it may have a password.
    """
    if is_loopback(url.host):
        return None
    name = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(name)
    if not address or _is_exempt(url, proxies.get("no", "")):
        return None
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
    except (httpx.InvalidURL, UnicodeError):  # the latter: it has bytes that are not UTF-8
        raise _not_a_proxy(name, "it is not a URL") from None
    if proxy.scheme not in _PROXY_SCHEMES or not host_of(proxy):
        raise _not_a_proxy(name, f"it requires a host and one of the schemes {', '.join(_PROXY_SCHEMES)}")
    if proxy.scheme.startswith("socks") and not find_spec("socksio"):
        raise _not_a_proxy(name, "SOCKS requires the package socksio, which is not installed")
    return proxy


def trust(*, is_needed: bool = True) -> ssl.SSLContext:
    """The TLS context for all connections. httpx would load the authorities again for each, and for each proxy.

    That takes 50 ms. If only plain HTTP to this machine is sent, the context has no authorities.

    Raises:
        ReconcilerError: SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE is unusable.
    """
    if not is_needed:
        return _empty_context()
    file, folders, log = (os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"))
    if log:
        with _naming_variable("SSLKEYLOGFILE", log):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = log
    for folder in folders.split(os.pathsep) if folders and not file else ():
        with _naming_variable("SSL_CERT_DIR", folder):  # OpenSSL treats a missing folder as an empty one
            os.scandir(folder).close()
    with _naming_variable("SSL_CERT_FILE", file), _LOADING:
        return _authorities(file, folders, log, _version(file))


_LOADING: Final = Lock()
"""Environments that are read concurrently wait for the first one to load the authorities."""


@cache
def _empty_context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@lru_cache(1)
def _authorities(*_cache_key: str | tuple[int, int] | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _version(file: str) -> tuple[int, int] | None:
    """Time and size of a file, which change with its content; None if no file is named."""
    status = Path(file).stat() if file else None
    return (status.st_mtime_ns, status.st_size) if status else None


@contextmanager
def _naming_variable(variable: str, entry: str) -> Iterator[None]:
    """Convert an `OSError` to an error that names the variable."""
    try:
        yield
    except OSError as error:
        why = "it has no certificates in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise ReconcilerError(f"{variable} is unusable: {entry}: {why}", hint="correct it, or unset it") from error


def _variable(name: str) -> str:
    """The variable that `getproxies` has read: one in lower case takes precedence."""
    wanted = f"{name}_proxy"
    if wanted in os.environ:
        return wanted
    return next((one for one in os.environ if one.lower() == wanted), wanted.upper())


def _not_a_proxy(name: str, why: str) -> ReconcilerError:
    message = f"{_variable(name)} is not the address of a usable proxy: {why}"
    return ReconcilerError(message, hint="write it as http://HOST:PORT, or unset it")


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    exempt = [_covers(entry, url) for entry in no_proxy.replace(",", " ").split()]  # checks all: one may be at fault
    return any(exempt)


def _covers(entry: str, url: httpx.URL) -> bool:
    """Whether an entry of NO_PROXY covers a URL.

    It is an address or network, a domain with its subdomains, only these if it starts with a dot, or ``*`` for all.

    Raises:
        ReconcilerError: the entry is invalid.
    """
    scheme, _, rest = entry.lower().rpartition("://")
    found = _HOST.fullmatch(rest)
    inner, host, port = found.groups() if found else (None, None, None)
    where = _network(inner or host or rest) or host
    if where is None:
        variable = _variable("no")
        message = f"{variable} has an entry that is not a host, address or network: {entry[:_MAX_QUOTED]}"
        hint = f"correct it, for example: {variable}=localhost,.example.com,10.0.0.0/8,::1"
        raise ReconcilerError(message, hint=hint)
    if scheme not in {"", "all", url.scheme} or (port and int(port) != (url.port or PORTS[url.scheme])):
        return False
    if isinstance(where, str):
        return where in {"*", url.host} or url.host.endswith(f".{where.lstrip('*.')}")
    address = _network(url.host)
    return address is not None and address.network_address in where


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


_NETWORK_HINT: Final = "check the network, firewalls, and the base URL of the environment"
TRUST_HINT: Final = "if your network has its own certificate authority, set SSL_CERT_FILE to its file"


def _resolve(host: str, port: int) -> tuple[str, ...]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(address[0]) for *_, address in found))


def _connect(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=HttpLimits().connect)


@dataclass(frozen=True, slots=True)
class Network:
    """The functions of the network, which tests replace."""

    resolve: Callable[[str, int], Sequence[str]] = _resolve
    """Host and port -> addresses."""
    connect: Callable[[str, int], socket.socket] = _connect
    trust: Callable[[], ssl.SSLContext] = trust
    """The TLS context of requests."""
    proxies: Callable[[], Mapping[str, str]] = getproxies
    """Scheme (or ``all``) -> the proxy's address; ``no`` -> hosts without one."""


@dataclass(frozen=True, slots=True)
class Reached:
    """What was found at the host."""

    host: str
    proxy: str = ""
    """Host and port; if there is a proxy, nothing else was checked."""
    addresses: tuple[str, ...] = ()
    tls: str = ""
    """The TLS version; empty for plain HTTP."""
    expires_at: float | None = None
    """The expiry of the certificate, in seconds since the epoch."""


def reach(base_url: str, network: Network) -> Reached:
    """Resolve the name, connect, and verify the certificate the same way as requests.

    Raises:
        ReconcilerError: one of these steps failed.
    """
    url = httpx.URL(base_url)
    host, port = url.raw_host.decode("ascii"), url.port or PORTS[url.scheme]
    proxy = proxy_for(url, network.proxies())
    if proxy:
        return Reached(host, proxy=proxy.netloc.decode("ascii"))
    with _os_errors_as(f"the name {host} cannot be resolved", "check the base URL, and this machine's name servers"):
        addresses = tuple(network.resolve(host, port))
    with _os_errors_as(f"no connection to {host}:{port}", _NETWORK_HINT):
        connection = network.connect(host, port)
    with connection:
        if url.scheme == "http":
            return Reached(host, addresses=addresses)
        return _verified(connection, host, addresses, network)


@contextmanager
def _os_errors_as(message: str, hint: str) -> Iterator[None]:
    """Convert an `OSError`, or the error of an invalid name, to an error with this message."""
    try:
        yield
    except (OSError, UnicodeError) as error:
        raise ReconcilerError(f"{message}: {_reason(error)}", hint=hint) from error


def _verified(connection: socket.socket, host: str, addresses: tuple[str, ...], network: Network) -> Reached:
    context = network.trust()
    with _os_errors_as(f"no TLS connection to {host}", _NETWORK_HINT):
        try:
            with context.wrap_socket(connection, server_hostname=host) as secured:
                certificate = secured.getpeercert() or {}
                tls = secured.version() or ""
        except ssl.SSLCertVerificationError as error:
            message = f"the certificate of {host} was not accepted: {error.verify_message}"
            raise ReconcilerError(message, hint=TRUST_HINT) from error
    until = certificate.get("notAfter")
    return Reached(host, "", addresses, tls, ssl.cert_time_to_seconds(until) if isinstance(until, str) else None)


def _reason(error: Exception) -> str:
    """The text of the operating system, or the class of the error, whose text could contain a password."""
    if isinstance(error, TimeoutError):
        return "timed out"
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
