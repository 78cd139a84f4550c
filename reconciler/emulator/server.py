"""An emulator, a host and a port -> a real server with several threads."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from typing import TYPE_CHECKING

from cheroot import wsgi

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from reconciler.emulator.app import Emulator

_THREADS = 32  # more than any reconciler asks at a time, so that latency is the client's bound and not the server's
_CONNECTIONS = 256
_POLL_SECONDS = 0.05  # how soon a stopped server notices


def _prepared(emulator: Emulator, host: str, port: int) -> tuple[wsgi.Server, str]:
    _probe(host, port)
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

    Port 0 picks a free one; `on_ready` is told the base URL once connections are accepted. Signals are handled only
    when called from the main thread. Raises OSError when the port cannot be had.
    """
    server, url = _prepared(emulator, host, port)
    try:
        with _terminable(), contextlib.suppress(KeyboardInterrupt):
            on_ready(url)
            server.serve()
    finally:
        server.stop()
        emulator.close()


@contextlib.contextmanager
def running(emulator: Emulator, host: str = "127.0.0.1") -> Iterator[str]:
    """Serve in the background while the block runs; gives the base URL. The emulator stays open."""
    server, url = _prepared(emulator, host, 0)
    thread = threading.Thread(target=server.serve, name="emulator", daemon=True)
    thread.start()
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
