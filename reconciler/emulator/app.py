"""WSGI requests -> responses, in process or over a socket: adds latency, faults and the journal to the falcon app.

One lock guards all data, so that each request is atomic; delays happen outside the lock.
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
from reconciler.emulator.calls import Backend, Entry, Reply
from reconciler.emulator.errors import DroppedConnection, StateError
from reconciler.emulator.faults import BODY_FAULTS, FaultInjector, Rule, error_reply
from reconciler.emulator.marketplace import Marketplace
from reconciler.emulator.rows import kinds_of, tables_of
from reconciler.emulator.seed import add_administration, load_seed
from reconciler.emulator.store import Store, key_of
from reconciler.emulator.tokens import TokenIssuer
from reconciler.emulator.web import BACKEND, PREFIX, application, bearer

if TYPE_CHECKING:
    from cheroot import wsgi

_CLIENT_PATH = "/v1/apiclients/"
_DEEP_PAGE = re.compile(r"(?:^|&)page=(?:3[1-9]|[4-9]\d|\d{3,})(?:&|$)", re.IGNORECASE)
_DEEP_PAGE_MS = 200


class Emulator:
    """An OrderCloud emulator: a thread-safe WSGI callable.

    `clock` returns the time in UTC, which decides when tokens and secrets expire; `sleep` takes seconds.

    Raises:
        SeedError: the seed cannot be loaded.
        StateError: the state file cannot be used.
        FaultSpecError: a fault specification is invalid.
    """

    def __init__(
        self, settings: Settings, clock: Callable[[], datetime] = utc_now, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._lock = threading.RLock()
        faults = FaultInjector()
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
            self._market.store.discard()
            raise
        self._backend = Backend(self._market, TokenIssuer(self._market), faults, [])
        self._app = application(settings.profile, revisions=settings.revisions)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle one request; raises DroppedConnection if a fault requires it."""
        _encode_path(environ)
        environ[BACKEND] = self._backend
        if environ["PATH_INFO"].lower().startswith(PREFIX):
            return _send(self._answer(environ), environ, start_response)
        with self._lock:
            rules = self._backend.faults.trigger(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        wait = self._settings.latency_ms + sum(rule.latency for rule in rules) + _deep_page_delay(environ)
        if wait:
            self._sleep(wait / 1000)
        reply = self._answer_with_faults(environ, rules)
        self._record(environ, None if reply is None else reply.status)
        if reply is None:
            raise DroppedConnection
        return _send(reply, environ, start_response)

    def close(self) -> None:
        """Write pending changes and close the state file; a second call does nothing."""
        with self._lock:
            self._market.store.close()

    def _answer_with_faults(self, environ: WSGIEnvironment, rules: Sequence[Rule]) -> Reply | None:
        with self._lock:
            for rule in rules:
                self._apply_side_effects(environ, rule)
        if any(rule.drop == "before" for rule in rules):
            return None
        failing = next((rule for rule in rules if rule.status is not None), None)
        reply = self._answer(environ) if failing is None else error_reply(failing, environ["PATH_INFO"])
        if any(rule.drop == "after" for rule in rules):
            return None
        for rule in rules:
            reply = BODY_FAULTS[rule.body](reply) if rule.body and reply.status != HTTPStatus.NO_CONTENT else reply
        return reply

    def _apply_side_effects(self, environ: WSGIEnvironment, rule: Rule) -> None:
        if rule.revoke:
            self._backend.issuer.revoke(_token(environ))
        if rule.edit is not None:
            self._edit(rule.client or _client_id_in(environ["PATH_INFO"]), *rule.edit)
            self._market.store.flush()

    def _edit(self, client_id: str, name: str, value: object) -> None:
        """Set a field as another user would; does nothing if the client does not exist."""
        client = self._market.find("ApiClient", client_id)
        if client is not None:
            change = {name: value, "EmulatorRevision": client["EmulatorRevision"] + 1}
            self._market.store.put("ApiClient", key_of(client_id), client | change)

    def _answer(self, environ: WSGIEnvironment) -> Reply:
        captured: list[Any] = []

        def capture(status: str, headers: list[tuple[str, str]], _exc_info: object = None) -> Callable[[bytes], object]:
            captured[:] = [int(status.partition(" ")[0]), headers]
            return captured.append

        with self._lock:
            body = b"".join(self._app(environ, capture))
            try:
                self._market.store.flush()
            except StateError as error:
                return error_reply(Rule("", "*", "*", status=500, message=str(error)), environ["PATH_INFO"])
        return Reply(captured[0], captured[1], body)

    def _record(self, environ: WSGIEnvironment, status: int | None) -> None:
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace")
        with self._lock:
            client = self._backend.issuer.client_of(_token(environ)) if _token(environ) else None
            entry = Entry(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), status, client)
            self._backend.journal.append(entry)


def _token(environ: WSGIEnvironment) -> str:
    return bearer(environ.get("HTTP_AUTHORIZATION"))


def _client_id_in(path: str) -> str:
    return path[len(_CLIENT_PATH) :].partition("/")[0] if path.lower().startswith(_CLIENT_PATH) else ""


def _encode_path(environ: WSGIEnvironment) -> None:
    """Encode the path as PEP 3333 requires; httpx.WSGITransport leaves characters beyond Latin-1 unencoded."""
    path = environ["PATH_INFO"]
    if any(character > "\xff" for character in path):
        environ["PATH_INFO"] = path.encode().decode("latin-1")


def _send(reply: Reply, environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
    headers = [(name, value) for name, value in reply.headers if name.lower() != "content-length"]
    if environ["REQUEST_METHOD"] == "HEAD":
        headers = reply.headers  # the length of the GET response
    elif reply.status != HTTPStatus.NO_CONTENT:
        headers.append(("Content-Length", str(len(reply.body))))
    start_response(falcon.code_to_http_status(reply.status), headers)
    return [reply.body]


def _deep_page_delay(environ: WSGIEnvironment) -> int:
    """Additional delay for pages beyond the thirtieth, in milliseconds: OrderCloud serves them, but advises against it.

    OrderCloud docs, "Advanced querying"; the 200 ms are a guess.
    """
    return _DEEP_PAGE_MS if _DEEP_PAGE.search(environ.get("QUERY_STRING", "")) else 0


_THREADS = 32  # more than the reconciler's concurrency, so that throughput is limited by the client, not the server
_CONNECTIONS = 256
_POLL_SECONDS = 0.05  # the maximum delay until the server stops
_SIGNAL_SECONDS = 0.5  # the maximum delay of a signal that arrives right before the wait


def _prepared_server(emulator: Emulator, host: str, port: int) -> "tuple[wsgi.Server, str]":
    from cheroot import wsgi  # noqa: PLC0415 - takes 0.1 s, and is needed for sockets only
    from cheroot.server import HTTPConnection  # noqa: PLC0415 - likewise

    class Connection(HTTPConnection):
        """Discards what a client did not receive: otherwise Python 3.13 writes a traceback when it is freed."""

        def close(self) -> None:
            super().close()
            with contextlib.suppress(OSError):
                self.wfile.close()

    server = wsgi.Server((host, port), emulator, numthreads=_THREADS, shutdown_timeout=1)
    server.ConnectionClass = Connection
    server.keep_alive_conn_limit = _CONNECTIONS
    server.expiration_interval = _POLL_SECONDS
    server.prepare()
    name = f"[{host}]" if ":" in host else host
    return server, f"http://{name}:{server.bind_addr[1]}"


def _probe(host: str, port: int) -> None:
    """Raise OSError if the address is unavailable; cheroot raises it too, but leaks a socket."""
    socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()


def serve(emulator: Emulator, host: str, port: int, on_ready: Callable[[str], None]) -> None:
    """Serve until SIGINT, SIGTERM or KeyboardInterrupt, then close the emulator and return.

    Port 0 selects a free port; `on_ready` receives the base URL once connections are accepted. Signals are handled
    only in the main thread. Raises OSError if the port is unavailable.
    """
    interrupted = contextlib.suppress(KeyboardInterrupt)
    with contextlib.closing(emulator), _sigterm_interrupts(), interrupted, running(emulator, host, port) as url:
        on_ready(url)
        idle = threading.Event()
        while not idle.wait(_SIGNAL_SECONDS):  # a wait without timeout may miss such a signal
            pass


@contextlib.contextmanager
def running(emulator: Emulator, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in background threads inside a `with` block; yields the base URL. The emulator stays open.

    No signal is handled in the server's threads: one that interrupts cheroot between acquiring a lock and entering
    the block that releases it would leave it locked, and the server could not be stopped.
    Raises OSError if the port is unavailable.
    """
    _probe(host, port)
    ready: Future[tuple[wsgi.Server, str]] = Future()

    def work() -> None:
        try:
            prepared = _prepared_server(emulator, host, port)
        except OSError as error:
            ready.set_exception(error)
            return
        ready.set_result(prepared)
        prepared[0].serve()

    # Threads started by a daemon thread are daemons too: a second signal ends the process at once.
    thread = threading.Thread(target=work, name="emulator", daemon=True)
    thread.start()
    server, url = ready.result()
    try:
        yield url
    finally:
        server.stop()
        thread.join()


@contextlib.contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Handle SIGTERM like SIGINT."""
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
