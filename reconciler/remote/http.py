"""Send calls and webhooks with httpx. No other module uses httpx clients, and no exception of httpx leaves this one.

A hook that httpx calls before every request limits what is sent: to one host, and only with the methods of the
wire. A custom transport instead of it would disable the proxies of the environment.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing, contextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from typing import Final
from urllib.request import getproxies

import httpx

from reconciler import __version__
from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, canonical_text
from reconciler.model.secret import Secret
from reconciler.remote.failures import EXCEPTIONS, SUCCESS, no_answer
from reconciler.remote.hosts import Origin, is_loopback, require_allowed
from reconciler.remote.messages import TOKEN_PATH, Answer, Call, Meter, NoAnswer, RequestState, Result, Sample
from reconciler.remote.network import HttpLimits, host_of, proxy_for, trust
from reconciler.remote.throttle import seconds_to_wait, timestamp

log = logging.getLogger("reconciler.remote")

_is_ours: Final = ContextVar("is_ours", default=False)


def _is_not_ours(_record: logging.LogRecord) -> bool:
    return not _is_ours.get()


# Their lines contain URLs to notify, the passwords of proxies and the headers of responses. Other code may log them.
for _name in ("httpx", "httpcore.connection", "httpcore.http11", "httpcore.proxy", "httpcore.socks"):
    logging.getLogger(_name).addFilter(_is_not_ours)


@contextmanager
def _unlogged() -> Iterator[None]:
    """Stop the HTTP libraries from logging the requests of this thread."""
    token = _is_ours.set(True)
    try:
        yield
    finally:
        _is_ours.reset(token)


READABLE_ENCODINGS: Final = frozenset({"", "identity", "gzip", "deflate"})
"""Compressed at most once: each layer may grow a chunk a thousandfold before the size limit sees it."""

_USER_AGENT: Final = f"ordercloud-reconciler/{__version__}"
_HEADERS: Final = (
    ("Accept", "application/json"),
    ("Accept-Encoding", "gzip, deflate"),
    ("Connection", "keep-alive"),
    ("User-Agent", _USER_AGENT),
)
_READ: Final = httpx.ByteStream(b"")
_URLS: Final = 256
"""The number of cached parsed URLs: a write usually follows a read of the same URL."""

SHOWN_QUERY: Final = frozenset({"page", "pageSize", "sortBy"})


class ForbiddenRequest(RuntimeError):
    """A programming error, raised before anything is sent: another host, or a method that is not allowed."""


class RequestGuard:
    """A request hook that allows only requests to one origin with certain methods, else raises `ForbiddenRequest`."""

    def __init__(self, base_url: str, methods: Iterable[str]) -> None:
        self._origin = self._origin_of(httpx.URL(base_url))
        self._methods = frozenset(methods)

    def __call__(self, request: httpx.Request) -> None:
        """Raise if the request is not allowed."""
        if self._origin_of(request.url) != self._origin:
            raise ForbiddenRequest(f"{request.url.host} is not the host of this environment")
        is_login = request.method == "POST" and request.url.raw_path == TOKEN_PATH.encode()
        if request.method not in self._methods and not is_login:
            raise ForbiddenRequest(f"{request.method} is not allowed here: this connection only reads")

    @staticmethod
    def _origin_of(url: httpx.URL) -> tuple[bytes, bytes, int | None]:
        return url.raw_scheme, url.raw_host, url.port


class Wire:
    """Sends calls to one base URL. Thread-safe."""

    def __init__(
        self, base_url: str, http: httpx.Client, limits: HttpLimits, clock: Callable[[], float], environment: str
    ) -> None:
        self._base_url = base_url
        self._http = http
        self._limits = limits
        self.meter = Meter()
        self._clock = clock
        self._environment = environment
        self._is_closed = False
        self._extensions = {"timeout": http.timeout.as_dict()}
        self._url = lru_cache(_URLS)(httpx.URL)

    def send(self, call: Call, token: Secret | None) -> Result:
        """Send once. Does not raise for failures of the network or the service."""
        started = self._clock()
        try:
            with _unlogged():
                result: Result = self._exchange(call, token, started)
        except tuple(EXCEPTIONS) as error:
            result = no_answer(error)
        result = replace(result, seconds=self._clock() - started)
        self._log(call, result)
        return result

    def close(self) -> None:
        """Close all connections; those of requests in flight are closed after the response."""
        self._is_closed = True
        with _unlogged():
            self._http.close()

    def _exchange(self, call: Call, token: Secret | None, started: float) -> Result:
        with closing(self._http.send(self._request(call, token), stream=True)) as response:
            result = self._read_answer(response, started)
            if self._is_closed and (stream := response.extensions.get("network_stream")):
                stream.close()  # needed if it was opened while the client was being closed
        response.stream = _READ  # that of httpx refers to the response: 10 kB until the next garbage collection
        return result

    def _request(self, call: Call, token: Secret | None) -> httpx.Request:
        """Build a request with all of its headers: merging them with those of a client takes as long as the rest.

        Source: `httpx.Client.build_request`, which adds the timeout in the same way.
        """
        headers = list(_HEADERS)
        if call.content_type:
            headers.append(("Content-Type", call.content_type))
        if token:
            headers.append(("Authorization", f"Bearer {token.reveal()}"))
        return httpx.Request(
            call.method,
            self._url(self._base_url + call.path),
            params=call.query or None,
            headers=httpx.Headers(headers, encoding="ascii"),
            content=call.content or None,
            extensions=self._extensions,
        )

    def _read_answer(self, response: httpx.Response, started: float) -> Result:
        headers = _joined(response.headers.raw)
        if headers.get("content-encoding", "").strip().lower() not in READABLE_ENCODINGS:
            return _unreadable("the response uses an unrequested compression")
        chunks, size = [], 0
        for chunk in response.iter_bytes():
            chunks.append(chunk)
            size += len(chunk)
            if size > self._limits.size:
                return _unreadable(f"the response is larger than {self._limits.size} bytes")
            if self._clock() - started > self._limits.answer:
                return no_answer(httpx.ReadTimeout(f"not complete after {self._limits.answer:g} s"))
        return Answer(
            response.status_code,
            b"".join(chunks),
            content_type=headers.get("content-type", ""),
            log_id=printable(headers.get("x-oc-logid", ""))[:100],
            retry_after=seconds_to_wait(headers.get("retry-after"), headers.get("date")),
            date=timestamp(headers.get("date")),
        )

    def _log(self, call: Call, result: Result) -> None:
        answer = result if isinstance(result, Answer) else None
        sample = Sample(result.seconds, answer.status if answer else None, answer.date if answer else None)
        self.meter.note(sample, len(answer.body) if answer else 0)
        if log.isEnabledFor(logging.DEBUG):
            milliseconds = result.seconds * 1000
            facts = {"request": _facts(call, answer, milliseconds), "environment": self._environment}
            log.debug("%s %s %s in %.0f ms", call.method, _shown(call), _ending(result), milliseconds, extra=facts)


def _unreadable(reason: str) -> NoAnswer:
    """The result for a response that cannot be read."""
    return NoAnswer(RequestState.UNREADABLE, reason, httpx.DecodingError(reason))


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Header name in lower case -> value; repeated headers are joined, by RFC 9110, section 5.3."""
    joined: dict[str, str] = {}
    for name, value in raw:
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined


def printable(text: str) -> str:
    """Remove characters that could control a terminal or end a log line."""
    return "".join(letter for letter in text if letter.isprintable())


def _shown(call: Call) -> str:
    query = "&".join(f"{name}={value if name in SHOWN_QUERY else '...'}" for name, value in call.query)
    return f"{call.path}{'?' if query else ''}{query}"


def _facts(call: Call, answer: Answer | None, milliseconds: float) -> Json:
    """The facts of a request for structured logs."""
    status, log_id = (answer.status, answer.log_id) if answer else (None, "")
    shown = {"method": call.method, "path": _shown(call), "status": status, "log_id": log_id}
    return {**shown, "ms": round(milliseconds)}


def _ending(result: Result) -> str:
    if isinstance(result, NoAnswer):
        return f"got no response ({result.reason})"
    return f"answered {result.status}{', log id ' if result.log_id else ''}{result.log_id}"


class _NoCookies(httpx.Cookies):
    """Always empty. Extracting cookies would take a tenth of the time of a request."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Extract nothing."""


class _Client(httpx.Client):
    """An httpx client without cookies, so that requests are independent."""

    @property  # type: ignore[misc]  # they are never set
    def cookies(self) -> httpx.Cookies:
        """None."""
        return _NoCookies()


def http_client(
    guards: Collection[Callable[[httpx.Request], None]],
    limits: HttpLimits,
    *,
    at_a_time: int,
    base_url: httpx.URL,
    transport: httpx.BaseTransport | None,
) -> httpx.Client:
    """Build the client: TLS verified; proxy and authorities from environment variables; no cookies kept.

    Raises:
        ReconcilerError: one of these variables is unusable.
    """
    proxy = None if transport else proxy_for(base_url, getproxies())
    is_tls = base_url.scheme == "https" or (proxy is not None and proxy.scheme == "https")
    return _Client(
        transport=transport,
        trust_env=False,
        proxy=proxy,
        verify=trust(is_needed=is_tls and transport is None),
        timeout=httpx.Timeout(limits.read, connect=limits.connect),
        limits=httpx.Limits(max_connections=at_a_time, max_keepalive_connections=at_a_time),
        event_hooks={"request": list(guards)},
        follow_redirects=False,
    )


def checked(base_url: str, allowed_hosts: Collection[Origin]) -> str:
    """Normalise a base URL to scheme and host, if credentials may be sent there. Sends no request.

    Raises:
        ReconcilerError: it is not a valid base URL.
        GuardRefusal: credentials may not be sent there, see `hosts`.
    """
    try:
        # Twice: a default port is seen only after a lower-case scheme.
        url = httpx.URL(str(httpx.URL(base_url.strip())))
    except (httpx.InvalidURL, UnicodeError) as fault:
        raise ReconcilerError(f"the base URL is not a URL: {fault}") from fault
    if url.userinfo or url.query or url.fragment or url.path not in {"", "/"}:
        raise ReconcilerError("the base URL must be scheme and host only, like https://api.ordercloud.io")
    if url.scheme not in {"http", "https"} or not host_of(url):
        raise ReconcilerError("the base URL must start with https:// and a host")
    origin = f"{url.scheme}://{url.netloc.decode('ascii')}"
    try:
        require_allowed(origin, allowed_hosts)
    except ValueError:
        raise ReconcilerError("the base URL must start with https:// and a host") from None
    return origin


_NOTIFY_SECONDS: Final = 10.0
"""The timeout of each step: a chat must not delay a nightly job."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL to notify. It is a secret: it grants write access to its channel.

    Requests to it are the only ones that do not go to an environment. Messages show only its host.

    Raises:
        ReconcilerError: it is not a valid URL, or would be sent unencrypted.
    """

    url: Secret

    def __post_init__(self) -> None:
        try:
            url = self._parsed
        except (httpx.InvalidURL, UnicodeError):  # the latter: it has bytes that are not UTF-8
            url = httpx.URL()
        if url.scheme not in {"https", "http"} or not host_of(url):
            raise ReconcilerError("the URL to notify is not valid: it must start with https:// and a host")
        if url.scheme == "http" and not is_loopback(url.host):
            raise ReconcilerError(f"plain http to {url.host} would expose the URL to the network", hint="use https")

    @property
    def host(self) -> str:
        """The host, the only part of the URL that may be shown."""
        return self._parsed.host

    @property
    def _parsed(self) -> httpx.URL:
        return httpx.URL(self.url.reveal().strip())

    def post(self, document: Json, transport: httpx.BaseTransport | None = None) -> None:
        """Send once; a redirect is not followed.

        Raises:
            ReconcilerError: it was not accepted, or an environment variable for the network is unusable.
        """
        headers = {"Content-Type": "application/json", "User-Agent": _USER_AGENT}
        url, limits = self._parsed, HttpLimits(read=_NOTIFY_SECONDS)
        try:
            with (
                _unlogged(),
                http_client((), limits, at_a_time=1, base_url=url, transport=transport) as http,
                http.stream("POST", url, content=canonical_text(document), headers=headers) as answer,
            ):
                status = answer.status_code  # the rest, which may be endless, is not read
        except tuple(EXCEPTIONS) as error:
            raise ReconcilerError(f"{self.host} could not be notified: {no_answer(error).reason}") from None
        if status not in SUCCESS:
            raise ReconcilerError(f"{self.host} did not accept the notification: status {status}")
