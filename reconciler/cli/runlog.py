"""Requests of a run -> a line for each on stderr, if that is asked for, and what they cost altogether.

A line has the method, the path, the status, the time it took and the service's log id: never a header or a body.
"""

import logging
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

from reconciler.cli.options import Log
from reconciler.cli.progress import PATIENCE
from reconciler.cli.streams import is_terminal, tell
from reconciler.remote.meter import Stats
from reconciler.render.escape import escape, joined
from reconciler.render.jsonl import event

if TYPE_CHECKING:
    from reconciler.model.json import Json

_LOGGER: Final = logging.getLogger("reconciler.remote")

Ended: TypeAlias = Callable[[str, str], None]
"""Called with an environment and a word on how it has ended."""


class _Lines(logging.Handler):
    """A line, or an event, for each request; `named`, with its environment."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self._named = named

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one request."""
        message = record.getMessage()
        environment: dict[str, Json] = {"environment": _environment_of(record)} if self._named else {}
        line = f"{_environment_of(record)}: {message}" if self._named else message
        request = getattr(record, "request", None)
        tell(joined([escape(line)]), [event("request", message, "debug", request=request, **environment)])


def _environment_of(record: logging.LogRecord) -> str:
    return str(getattr(record, "environment", ""))


class SignOfLife(logging.Handler):
    """How many requests there were, on one line of a terminal, once they take longer than a second."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        super().__init__()
        self._stream, self._clock, self._began = stream, clock, clock()
        self._width = 0
        self._requests = Counter[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one request."""
        self._requests[_environment_of(record)] += 1
        if self._is_long:
            self._show(f"reading: {_counted(self._requests.total())}")

    def ended(self, environment: str, how: str) -> None:
        """Leave a line of an environment."""
        with self.lock or nullcontext():
            if self._is_long:
                self._show(f"{environment}: {how}, {_counted(self._requests[environment])}")
                self._stream.write("\n")
                self._width = 0

    @property
    def _is_long(self) -> bool:
        return self._clock() - self._began > PATIENCE

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
def requests_told(*, wanted: bool, sign_of_life: bool, named: bool = False) -> Iterator[Ended]:
    """Tell of every request that is sent meanwhile; else, on a terminal, that something goes on.

    `named` is for several environments: a request is reported with its own, and each gets a line when it has ended.
    """
    handler: logging.Handler
    ended: Ended = _tell_end
    if wanted:
        handler = _Lines(named=named)
    elif sign_of_life and is_terminal(sys.stderr) and Log.format == "text":
        handler = sign = SignOfLife(sys.stderr, time.monotonic)
        ended = sign.ended
    else:
        yield _tell_end if sign_of_life and Log.format == "json" else lambda _environment, _how: None
        return
    level, upwards = _LOGGER.level, _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    try:
        yield ended
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)
        _LOGGER.propagate = upwards
        handler.close()


def _counted(requests: int) -> str:
    return f"{requests:,} {'request' if requests == 1 else 'requests'}"


def _tell_end(environment: str, how: str) -> None:
    tell(joined([escape(f"{environment}: {how}")]))


def added(one: Stats, other: Stats) -> Stats:
    """What both have cost."""
    return Stats(
        one.requests + other.requests, one.retries + other.retries, one.bytes + other.bytes, one.seconds + other.seconds
    )


def tell_totals(stats: Stats, environment: str = "") -> None:
    """One line on what a connection has cost; of several, with its environment."""
    text = (
        f"{_counted(stats.requests)}, {stats.retries:,} of them "
        f"{'a retry' if stats.retries == 1 else 'retries'}, {stats.bytes:,} bytes, "
        f"{stats.seconds:.2f} s of waiting for answers"
    )
    seconds = round(stats.seconds, 3)
    named: dict[str, Json] = {"environment": environment} if environment else {}
    costs = event("totals", text, requests=stats.requests, retries=stats.retries, bytes=stats.bytes, seconds=seconds)
    tell(joined([escape(f"{environment}: {text}" if environment else text)]), [{**costs, **named}])
