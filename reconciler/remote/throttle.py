"""Limit concurrency and rate of requests by their results, and decide when a failed one is sent again.

OrderCloud publishes no rate limit, so the limit is found from the responses. After a 429, requests start at
half the rate that was refused, and the rate grows by the same amount each second until the next 429. Without any 429
nothing is delayed.

Waits before a retry are drawn evenly from zero to a bound that doubles ("full jitter", AWS Architecture Blog,
"Exponential Backoff And Jitter"), so that threads which failed together do not retry together. Retry-After is not
documented either; it is handled in case a gateway in front of the service sends it.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

from reconciler.model.dataclass import dataclass
from reconciler.remote.messages import Answer, Call, NoAnswer, RequestState, Result

THROTTLED: Final = 429
PASSING: Final = frozenset({408, THROTTLED, 502, 503, 504})
"""Statuses of temporary failures."""


def may_retry(call: Call, result: Result) -> bool:
    """Whether sending a call again is safe and can help.

    A write is sent again only if it cannot have been executed: it was not sent, or was refused with 429,
    which RFC 6585 (section 4) describes as a response instead of handling the request. OrderCloud does not document
    408 and 503, so after these it is unknown whether the write was executed.
    """
    if not call.is_write:
        return is_temporary(result)
    if isinstance(result, NoAnswer):
        return result.state is RequestState.NEVER_SENT
    return result.status == THROTTLED


def is_temporary(result: Result) -> bool:
    """Whether the failure is temporary, whether or not the request was executed."""
    if isinstance(result, NoAnswer):
        return result.state in {RequestState.NEVER_SENT, RequestState.LOST}
    return result.status in PASSING


def seconds_to_wait(retry_after: str | None, date: str | None) -> float | None:
    """Parse a Retry-After header: seconds, or a date, which is compared with the response's Date.

    By RFC 9110, sections 10.2.3 and 6.6.1. Both dates are from the server's clock; the local one may differ.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    until = _date(text)
    if until is None:
        return None
    return max(0.0, (until - (_date(date or "") or datetime.now(UTC))).total_seconds())


def timestamp(date: str | None) -> float | None:
    """Parse a Date header to seconds since the epoch; None if it is missing or invalid."""
    moment = _date(date or "")
    return moment.timestamp() if moment else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, IndexError, OverflowError):
        return None
    return moment.replace(tzinfo=moment.tzinfo or UTC)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits of retries in a run. Times are in seconds."""

    attempts: int = 6
    """The attempts of one request, including the first."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_retry_after: float = 60.0
    share: float = 0.1
    allowance: int = 10
    """A run may retry `allowance` times and `share` of its requests on top: an outage must not multiply the load."""
    deadline: float = 600.0
    """The total time of failed attempts and the waits after them, summed over all threads."""


class Retries:
    """The retries of one run, shared by its threads."""

    def __init__(self, policy: RetryPolicy, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._lock = threading.Lock()
        self._requests = 0
        self._retries = 0
        self._cost = 0.0
        self._over = threading.Event()

    def count_request(self) -> None:
        """Count a request, which adds `share` of a retry."""
        with self._lock:
            self._requests += 1

    def pause(self, attempt: int, result: Result) -> float | None:
        """Seconds to wait before the next attempt; None: no retry is left. Attempts count from 1."""
        pause = self._wait(attempt, result)
        with self._lock:
            allowed = self._policy.allowance + self._policy.share * self._requests
            cost = self._cost + result.seconds + pause
            if self.is_over or attempt >= self._policy.attempts or self._retries >= allowed:
                return None
            if cost > self._policy.deadline:
                return None
            self._retries += 1
            self._cost = cost
        return pause

    @property
    def is_over(self) -> bool:
        """Whether the run is being stopped."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Wait in real time, or until `stop`."""
        self._over.wait(seconds)

    def stop(self) -> None:
        """Allow no more retries: the run is being stopped."""
        self._over.set()

    def _wait(self, attempt: int, result: Result) -> float:
        policy = self._policy
        jitter = self._random() * min(policy.longest_pause, policy.first_pause * 2.0 ** (attempt - 1))
        requested = result.retry_after if isinstance(result, Answer) else None
        return jitter if requested is None else min(requested, policy.longest_retry_after) + jitter


_SECONDS_TO_RECOVER: Final = 8.0
"""From half of a refused rate back to that rate."""
_REMEMBERED: Final = 32
_RESERVE: Final = 4.0
"""Requests that are delayed in addition after a refusal, to allow for those that arrive a little early."""
_INSTANT: Final = 0.001


class Pace:
    """The rate at which requests start; unlimited until the first refusal. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._refused: float | None = None
        """The rate at the last refusal, in requests per second."""
        self._since = now
        self._next_start = now
        self._starts: deque[float] = deque(maxlen=_REMEMBERED)

    def rate(self, now: float) -> float | None:
        """Requests per second; None: no limit is known."""
        if self._refused is None:
            return None
        return self._refused * (1 + (now - self._since) / _SECONDS_TO_RECOVER) / 2

    def delay(self, now: float) -> float:
        """Reserve the next start; returns the seconds until then."""
        rate = self.rate(now)
        start = now if rate is None else max(now, self._next_start)
        self._next_start = start + (1 / rate if rate else 0)
        self._starts.append(start)
        return start - now

    def refused(self, now: float) -> None:
        """Halve the rate: the first time that of the last starts, later the pace, as far as it was used."""
        starts, rate = self._starts, self.rate(now)
        started = len(starts) / max(now - starts[0], _INSTANT) if starts else 1.0
        self._refused = started if rate is None else min(rate, started)
        self._since = now
        self._next_start = max(now, self._next_start) + _RESERVE / self._refused


_FEW: Final = 50
"""The number of responses before latency is evaluated, and between two evaluations."""
_LONG_MEMORY: Final = 200
_SHORT_MEMORY: Final = 10
_TIMES: Final = 2.0
_SECONDS: Final = 0.25
"""Latency has risen if it exceeds this multiple, and by this many seconds, so that local noise does not count."""


class Latency:
    """Detects that a service has become slower (after Netflix's Gradient2 limit). Not thread-safe.

    docs/decisions/0006 explains why it is needed in addition to the rate limit after a 429.
    """

    def __init__(self) -> None:
        self._long = self._short = 0.0
        self._noted = 0

    def has_risen(self, seconds: float) -> bool:
        """Add the time of a response; True at most once in `_FEW` responses."""
        if not self._long:
            self._long = self._short = seconds
        self._long += (seconds - self._long) / _LONG_MEMORY
        self._short += (seconds - self._short) / _SHORT_MEMORY
        self._noted += 1
        if self._noted < _FEW or self._short < _TIMES * self._long or self._short < self._long + _SECONDS:
            return False
        self._noted = 0
        return True


@dataclass(frozen=True, slots=True)
class Slot:
    """Permission to send one request."""

    era: int
    delay: float
    """Seconds to wait before sending it."""


class AdaptiveLimit:
    """Limits the number of concurrent requests and the start of the next one. Thread-safe.

    It is halved when the service throttles, reduced by a quarter when responses have become much slower, and grown back
    by successes. Several requests of one burst may be throttled together; only the first of them counts: a slot knows
    the era it was taken in, and each halving starts a new era.
    """

    def __init__(self, ceiling: int, clock: Callable[[], float], *, successes_to_grow: int = 20) -> None:
        self._ceiling = ceiling
        self._clock = clock
        self._successes_to_grow = successes_to_grow
        self._free = threading.Condition()
        self._pace = Pace(clock())
        self._latency = Latency()
        self._limit = ceiling
        self._busy = 0
        self._era = 0
        self._streak = 0

    @property
    def current(self) -> int:
        """The current number of concurrent requests."""
        return self._limit

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait for a free slot and occupy it."""
        with self._free:
            self._free.wait_for(lambda: self._busy < self._limit)
            self._busy += 1
            slot = Slot(self._era, self._pace.delay(self._clock()))
        try:
            yield slot
        finally:
            with self._free:
                self._busy -= 1
                self._free.notify()

    def throttled(self, slot: Slot) -> None:
        """Record that the service refused a request with 429."""
        with self._free:
            if slot.era == self._era:
                self._shrink(self._limit // 2)
                self._pace.refused(self._clock())

    def served(self, seconds: float) -> None:
        """Record that a request ended, and its time."""
        with self._free:
            if self._latency.has_risen(seconds):
                self._shrink(self._limit * 3 // 4)
            else:
                self._grow()

    def _shrink(self, limit: int) -> None:
        self._limit = max(1, limit)
        self._era += 1
        self._streak = 0

    def _grow(self) -> None:
        self._streak += 1
        if self._streak >= self._successes_to_grow and self._limit < self._ceiling:
            self._limit += 1
            self._streak = 0
            self._free.notify()
