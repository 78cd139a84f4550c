"""Environment variables of the network -> the proxy of a URL, and whom to trust; an error names the variable.

httpx gets the result and reads none of them itself: it takes an IPv6 entry of NO_PROXY for an invalid URL, and does
not say which variable is at fault.
"""

import os
import re
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from threading import Lock
from typing import Final

import httpx

from reconciler.errors import ReconcilerError
from reconciler.remote.hosts import is_loopback

PORTS: Final = {"http": 80, "https": 443}
_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")
_HOST: Final = re.compile(r"(?:\[([^][]+)\]|([^][\s:/@]+))(?::(\d{1,5}))?/?")
_QUOTED: Final = 80
"""Characters of an entry that a message quotes."""


def proxy_for(url: httpx.URL, proxies: Mapping[str, str]) -> httpx.URL | None:
    """The proxy for requests to a URL; None: they go there directly, as those to this machine always do.

    A proxy would see what is sent to this machine, and would hand it to a machine of its own.

    Args:
        url: of the service.
        proxies: as `urllib.request.getproxies` gives them: scheme or ``all`` -> address, ``no`` -> what needs none.

    Raises:
        ReconcilerError: the variable that applies is unusable. No address is quoted: it may have a password.
    """
    if is_loopback(url.host):
        return None
    name = url.scheme if proxies.get(url.scheme) else "all"
    address = proxies.get(name)
    if not address or _is_exempt(url, proxies.get("no", "")):
        return None
    try:
        proxy = httpx.URL(address if "://" in address else f"http://{address}")
    except httpx.InvalidURL:
        raise _not_a_proxy(name, "it is not a URL") from None
    if proxy.scheme not in _PROXY_SCHEMES or not proxy.host:
        raise _not_a_proxy(name, f"it needs a host and one of the schemes {', '.join(_PROXY_SCHEMES)}")
    if proxy.scheme.startswith("socks") and not find_spec("socksio"):
        raise _not_a_proxy(name, "SOCKS needs the package socksio, which is not installed")
    return proxy


def trust(*, is_needed: bool = True) -> ssl.SSLContext:
    """Give one context for all connections: httpx would load the authorities anew for each, and for each proxy.

    That takes 50 ms. Where nothing is sent but plain HTTP to this machine, it is a context that trusts nobody.

    Raises:
        ReconcilerError: SSL_CERT_FILE, SSL_CERT_DIR or SSLKEYLOGFILE is unusable.
    """
    if not is_needed:
        return _nobody()
    file, folders, log = (os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "SSLKEYLOGFILE"))
    if log:
        with _named("SSLKEYLOGFILE", log):
            ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).keylog_filename = log
    for folder in folders.split(os.pathsep) if folders and not file else ():
        with _named("SSL_CERT_DIR", folder):  # OpenSSL takes a folder that is not there for an empty one
            os.scandir(folder).close()
    with _named("SSL_CERT_FILE", file), _LOADING:
        return _authorities(file, folders, log, _version(file))


_LOADING: Final = Lock()
"""Environments that are read side by side wait for the first one to load the authorities."""


@cache
def _nobody() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@lru_cache(1)
def _authorities(*_known_by: str | tuple[int, int] | None) -> ssl.SSLContext:
    return httpx.create_ssl_context()


def _version(file: str) -> tuple[int, int] | None:
    """What tells one content of a file from the next; None: no file is named."""
    status = Path(file).stat() if file else None
    return (status.st_mtime_ns, status.st_size) if status else None


@contextmanager
def _named(variable: str, entry: str) -> Iterator[None]:
    """Say of an error which variable is at fault."""
    try:
        yield
    except OSError as error:
        why = "it has no certificates in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise ReconcilerError(f"{variable} is unusable: {entry}: {why}", hint="correct it, or unset it") from error


def _variable(name: str) -> str:
    """The variable that `getproxies` has read: one in lower case beats the others."""
    wanted = f"{name}_proxy"
    if wanted in os.environ:
        return wanted
    return next((one for one in os.environ if one.lower() == wanted), wanted.upper())


def _not_a_proxy(name: str, why: str) -> ReconcilerError:
    message = f"{_variable(name)} is not the address of a usable proxy: {why}"
    return ReconcilerError(message, hint="write it as http://HOST:PORT, or unset it")


def _is_exempt(url: httpx.URL, no_proxy: str) -> bool:
    entries = [_entry(text) for text in no_proxy.replace(",", " ").split()]
    return any(entry.covers(url) for entry in entries)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry of NO_PROXY."""

    where: IPv4Network | IPv6Network | str
    """Addresses, or a domain with its subdomains; with a dot in front these alone; ``*``: everything."""
    scheme: str = ""
    port: int | None = None

    def covers(self, url: httpx.URL) -> bool:
        """Whether requests to the URL need no proxy."""
        if self.scheme not in {"", "all", url.scheme} or self.port not in {None, url.port or PORTS[url.scheme]}:
            return False
        if isinstance(self.where, str):
            return self.where in {"*", url.host} or url.host.endswith(f".{self.where.lstrip('*.')}")
        address = _network(url.host)
        return address is not None and address.network_address in self.where


def _entry(text: str) -> _Entry:
    """Read an entry.

    Raises:
        ReconcilerError: it is none.
    """
    scheme, _, rest = text.lower().rpartition("://")
    found = _HOST.fullmatch(rest)
    inner, host, port = found.groups() if found else (None, None, None)
    where = _network(inner or host or rest) or host
    if where is None:
        variable = _variable("no")
        message = f"{variable} has an entry that is no host, address or network: {text[:_QUOTED]}"
        raise ReconcilerError(
            message, hint=f"correct it, for example: {variable}=localhost,.example.com,10.0.0.0/8,::1"
        )
    return _Entry(where, scheme, int(port) if port else None)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None
