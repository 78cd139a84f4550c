"""WSGI requests -> answers, in process or over a socket: latency, faults and the journal around the falcon application.

One lock guards all data, so that each request is atomic; waiting happens outside of it.
"""

import contextlib
import re
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from wsgiref.types import StartResponse, WSGIEnvironment

import falcon

from reconciler.emulator import Settings, utc_now
from reconciler.emulator.calls import Entry, Reply, Site
from reconciler.emulator.errors import DroppedConnection, StateError
from reconciler.emulator.faults import SPOILERS, FaultBox, Rule, refusal
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.rows import kinds_of, tables_of
from reconciler.emulator.seed import add_administration, load_seed
from reconciler.emulator.store import Store, key_of
from reconciler.emulator.tokens import TokenIssuer
from reconciler.emulator.web import PREFIX, SITE, application, bearer

if TYPE_CHECKING:
    from cheroot import wsgi

_CLIENT_PATH = "/v1/apiclients/"
_DEEP_PAGE = re.compile(r"(?:^|&)page=(?:3[1-9]|[4-9]\d|\d{3,})(?:&|$)", re.IGNORECASE)
_DEEP_PAGE_MS = 200


class Emulator:
    """A stand-in for OrderCloud: a WSGI callable which several threads may use at once.

    `clock` tells the time in UTC (tokens and secrets expire by it), `sleep` waits a number of seconds.

    Raises:
        SeedError: the seed cannot be loaded.
        StateError: the state file cannot be used.
        FaultSpecError: one of the faults cannot be read.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], datetime] = utc_now, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._lock = threading.RLock()
        faults = FaultBox()
        for spec in settings.faults:
            faults.add(spec)
        rows, tables = kinds_of(settings.profile), tables_of(settings.profile)
        self._market = Marketplace(Store(settings.state), settings, clock, rows, tables)
        try:
            if settings.seed is not None and self._market.store.is_empty:
                load_seed(settings.seed, self._market)
            add_administration(self._market)
            self._market.store.flush()
        except BaseException:
            self._market.store.abandon()
            raise
        self._site = Site(self._market, TokenIssuer(self._market), faults, [])
        self._app = application(settings.profile, revisions=settings.revisions)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request; raises DroppedConnection where a fault says so."""
        _encode_path(environ)
        environ[SITE] = self._site
        if environ["PATH_INFO"].lower().startswith(PREFIX):
            return _send(self._answer(environ), environ, start_response)
        with self._lock:
            rules = self._site.faults.strike(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        wait = self._settings.latency_ms + sum(rule.latency for rule in rules) + _depth_cost(environ)
        if wait:
            self._sleep(wait / 1000)
        reply = self._faulty_answer(environ, rules)
        self._note(environ, None if reply is None else reply.status)
        if reply is None:
            raise DroppedConnection
        return _send(reply, environ, start_response)

    def close(self) -> None:
        """Write what is left and let go of the state file; a second call does nothing."""
        with self._lock:
            self._market.store.close()

    def _faulty_answer(self, environ: WSGIEnvironment, rules: Sequence[Rule]) -> Reply | None:
        with self._lock:
            for rule in rules:
                self._meddle(environ, rule)
        if any(rule.drop == "before" for rule in rules):
            return None
        refusing = next((rule for rule in rules if rule.status is not None), None)
        reply = self._answer(environ) if refusing is None else refusal(refusing, environ["PATH_INFO"])
        if any(rule.drop == "after" for rule in rules):
            return None
        for rule in rules:
            reply = SPOILERS[rule.body](reply) if rule.body and reply.status != HTTPStatus.NO_CONTENT else reply
        return reply

    def _meddle(self, environ: WSGIEnvironment, rule: Rule) -> None:
        if rule.revoke:
            self._site.office.revoke(_token(environ))
        if rule.edit is not None:
            self._edit(rule.client or _client_in(environ["PATH_INFO"]), *rule.edit)
            self._market.store.flush()

    def _edit(self, client_id: str, name: str, value: object) -> None:
        """Set a field as another user would; where the path names no client that exists, nothing happens."""
        client = self._market.find("ApiClient", client_id)
        if client is not None:
            change = {name: value, "EmulatorRevision": client["EmulatorRevision"] + 1}
            self._market.store.put("ApiClient", key_of(client_id), client | change)

    def _answer(self, environ: WSGIEnvironment) -> Reply:
        seen: list[Any] = []

        def remember(
            status: str, headers: list[tuple[str, str]], _exc_info: object = None
        ) -> Callable[[bytes], object]:
            seen[:] = [int(status.partition(" ")[0]), headers]
            return seen.append

        with self._lock:
            body = b"".join(self._app(environ, remember))
            try:
                self._market.store.flush()
            except StateError as error:
                return refusal(Rule("", "*", "*", status=500, message=str(error)), environ["PATH_INFO"])
        return Reply(seen[0], seen[1], body)

    def _note(self, environ: WSGIEnvironment, status: int | None) -> None:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        with self._lock:
            client = self._site.office.client_of(_token(environ)) if _token(environ) else None
            entry = Entry(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), status, client)
            self._site.journal.append(entry)


def _token(environ: WSGIEnvironment) -> str:
    return bearer(environ.get("HTTP_AUTHORIZATION"))


def _client_in(path: str) -> str:
    return path[len(_CLIENT_PATH) :].partition("/")[0] if path.lower().startswith(_CLIENT_PATH) else ""


def _encode_path(environ: WSGIEnvironment) -> None:
    """Bring the path into the form of PEP 3333; httpx.WSGITransport leaves characters beyond Latin-1 in it."""
    path = environ["PATH_INFO"]
    if any(character > "\xff" for character in path):
        environ["PATH_INFO"] = path.encode().decode("latin-1")


def _send(reply: Reply, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    headers = [(name, value) for name, value in reply.headers if name.lower() != "content-length"]
    if environ["REQUEST_METHOD"] == "HEAD":
        headers = reply.headers  # the length that a GET would have
    elif reply.status != HTTPStatus.NO_CONTENT:
        headers.append(("Content-Length", str(len(reply.body))))
    start_response(falcon.code_to_http_status(reply.status), headers)
    return [reply.body]


def _depth_cost(environ: WSGIEnvironment) -> int:
    """Milliseconds that a page beyond the thirtieth costs on top: OrderCloud serves them, and advises against it.

    OrderCloud docs, "Advanced querying"; that it takes 200 ms is a guess.
    """
    return _DEEP_PAGE_MS if _DEEP_PAGE.search(environ.get("QUERY_STRING", "")) else 0


_THREADS = 32  # more than any reconciler asks at a time, so that latency is the client's bound and not the server's
_CONNECTIONS = 256
_POLL_SECONDS = 0.05  # how soon a stopped server notices
_SIGNAL_SECONDS = 0.5  # how soon a signal is noticed that came right before the wait for it


def _prepared(emulator: Emulator, host: str, port: int) -> "tuple[wsgi.Server, str]":
    from cheroot import wsgi  # noqa: PLC0415 - a tenth of a second that only a socket needs

    server = wsgi.Server((host, port), emulator, numthreads=_THREADS, shutdown_timeout=1)
    server.keep_alive_conn_limit = _CONNECTIONS
    server.expiration_interval = _POLL_SECONDS
    server.prepare()
    name = f"[{host}]" if ":" in host else host
    return server, f"http://{name}:{server.bind_addr[1]}"


def _probe(host: str, port: int) -> None:
    """Raise OSError when the address cannot be had; cheroot would, too, but leaves a socket behind."""
    socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()


def serve(emulator: Emulator, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or KeyboardInterrupt, then close the emulator and return.

    Port 0 picks a free one; `on_ready` takes the base URL once connections are accepted. Signals are handled only
    when called from the main thread. Raises OSError when the port cannot be had.
    """
    stopped = contextlib.suppress(KeyboardInterrupt)
    with contextlib.closing(emulator), _terminable(), stopped, running(emulator, host, port) as url:
        on_ready(url)
        never = threading.Event()
        while not never.wait(_SIGNAL_SECONDS):  # a wait without end may never notice such a signal
            pass


@contextlib.contextmanager
def running(emulator: Emulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in the background while the block runs; gives the base URL. The emulator stays open.

    No signal is ever handled in the server's own threads: one that interrupts cheroot between taking a lock and the
    block that releases it would leave the lock taken, and the server could not be stopped.
    Raises OSError when the port cannot be had.
    """
    _probe(host, port)
    ready: Future[tuple[wsgi.Server, str]] = Future()

    def work() -> None:
        try:
            prepared = _prepared(emulator, host, port)
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(prepared)
        prepared[0].serve()

    # The threads that a daemon starts are daemons, too: a second signal ends the process at once.
    thread = threading.Thread(target=work, name="emulator", daemon=True)
    thread.start()
    server, url = ready.result()
    try:
        yield url
    finally:
        server.stop()
        thread.join()


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """Let SIGTERM do what SIGINT does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGINT)
    previous = [signal.signal(number, signal.default_int_handler) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, previous, strict=True):
            signal.signal(number, handler)
