"""Requests of a run -> a line for each on stderr, if that is asked for, and what they cost altogether.

A line has the method, the path, the status, the time it took and the service's log id: never a header or a body.
"""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

from reconciler.cli.options import Log
from reconciler.cli.progress import PATIENCE
from reconciler.cli.streams import is_terminal, tell
from reconciler.remote.meter import Stats
from reconciler.render.escape import escape, joined
from reconciler.render.jsonl import event

_LOGGER: Final = logging.getLogger("reconciler.remote")


class _Lines(logging.Handler):
    """A line, or an event, for each request."""

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one request."""
        message = record.getMessage()
        tell(joined([escape(message)]), [event("request", message, "debug", request=getattr(record, "request", None))])


class SignOfLife(logging.Handler):
    """How many requests there were, on one line of a terminal, once they take longer than a second."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        super().__init__()
        self._stream, self._clock, self._began = stream, clock, clock()
        self._count = self._width = 0

    def emit(self, _record: logging.LogRecord) -> None:
        """Count one request."""
        self._count += 1
        if self._clock() - self._began > PATIENCE:
            self._show(f"reading: {self._count:,} requests")

    def close(self) -> None:
        """Leave nothing behind."""
        if self._width:
            self._show("")
            self._stream.write("\r")
        super().close()

    def _show(self, text: str) -> None:
        self._stream.write(f"\r{text:<{self._width}}")
        self._stream.flush()
        self._width = len(text)


@contextmanager
def requests_told(*, wanted: bool, sign_of_life: bool) -> Iterator[None]:
    """Tell of every request that is sent meanwhile; else, on a terminal, that something goes on."""
    handler: logging.Handler
    if wanted:
        handler = _Lines()
    elif sign_of_life and is_terminal(sys.stderr) and Log.format == "text":
        handler = SignOfLife(sys.stderr, time.monotonic)
    else:
        yield
        return
    level, upwards = _LOGGER.level, _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)
        _LOGGER.propagate = upwards
        handler.close()


def added(one: Stats, other: Stats) -> Stats:
    """What both have cost."""
    return Stats(
        one.requests + other.requests, one.retries + other.retries, one.bytes + other.bytes, one.seconds + other.seconds
    )


def tell_totals(stats: Stats) -> None:
    """One line on what a connection has cost."""
    text = (
        f"{stats.requests:,} {'request' if stats.requests == 1 else 'requests'}, {stats.retries:,} of them "
        f"{'a retry' if stats.retries == 1 else 'retries'}, {stats.bytes:,} bytes, "
        f"{stats.seconds:.2f} s of waiting for answers"
    )
    seconds = round(stats.seconds, 3)
    costs = event("totals", text, requests=stats.requests, retries=stats.retries, bytes=stats.bytes, seconds=seconds)
    tell(f"{text}\n", [costs])
