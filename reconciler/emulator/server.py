"""An emulator, a host and a port -> a real server with several threads."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from cheroot import wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.emulator.app import Emulator

_THREADS = 32  # more than any reconciler asks at a time, so that latency is the client's bound and not the server's
_CONNECTIONS = 256
_POLL_SECONDS = 0.05  # how soon a stopped server notices
_SIGNAL_SECONDS = 0.5  # how soon a signal is noticed that came right before the wait for it


def _prepared(emulator: Emulator, host: str, port: int) -> tuple[wsgi.Server, str]:
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
