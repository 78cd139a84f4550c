"""How requests ended -> how many may be on their way, how fast they may start, and when one that failed is sent again.

OrderCloud publishes no rate limit, so the limit is found from what the service answers. After a 429 requests start at
half the rate that was refused, and the rate grows by the same amount each second until the next 429. Without any 429
nothing is delayed.

Waits before a retry are drawn evenly from zero to a bound that doubles ("full jitter", AWS Architecture Blog,
"Exponential Backoff And Jitter"), so that threads which failed together do not come back together. Retry-After is not
documented either; it is handled in case a gateway before the service has it.
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
"""Statuses that may be gone at the next try."""


def may_retry(call: Call, result: Result) -> bool:
    """Whether sending it again is safe and may help.

    A write is sent again only when it cannot have been carried out: it never left, or it was turned away with 429,
    which RFC 6585 (section 4) describes as an answer given instead of handling the request. OrderCloud says nothing
    about 408 and 503, so these leave it open whether the write happened.
    """
    if not call.is_write:
        return is_temporary(result)
    if isinstance(result, NoAnswer):
        return result.state is RequestState.NEVER_SENT
    return result.status == THROTTLED


def is_temporary(result: Result) -> bool:
    """Whether it is a trouble that time may end, whatever became of the request."""
    if isinstance(result, NoAnswer):
        return result.state in {RequestState.NEVER_SENT, RequestState.LOST}
    return result.status in PASSING


def seconds_to_wait(retry_after: str | None, date: str | None) -> float | None:
    """Read a Retry-After header: seconds, or a date, which is compared with the answer's own Date; None: no wish.

    By RFC 9110, sections 10.2.3 and 6.6.1. A server's two dates come from one clock; ours may be off.
    """
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    until = _date(text)
    if until is None:
        return None
    return max(0.0, (until - (_date(date or "") or datetime.now(UTC))).total_seconds())


def timestamp(date: str | None) -> float | None:
    """Read a Date header: seconds since the epoch; None: there is none, or none that can be read."""
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
    """How patient a run is. Times are in seconds."""

    attempts: int = 6
    """Of one request, the first included."""
    first_pause: float = 0.5
    longest_pause: float = 30.0
    longest_retry_after: float = 60.0
    share: float = 0.1
    allowance: int = 10
    """A run may retry `allowance` times and `share` of its requests on top: an outage must not multiply the load."""
    deadline: float = 600.0
    """What all retries of a run may cost: failed attempts and the waits after them, added over all threads."""


class Retries:
    """The patience of one run, shared by all its threads."""

    def __init__(self, policy: RetryPolicy, random: Callable[[], float]) -> None:
        self._policy = policy
        self._random = random
        self._lock = threading.Lock()
        self._requests = 0
        self._retries = 0
        self._cost = 0.0
        self._over = threading.Event()

    def count_request(self) -> None:
        """Note a request's first attempt: each earns a share of a retry."""
        with self._lock:
            self._requests += 1

    def pause(self, attempt: int, result: Result) -> float | None:
        """Seconds to wait before the next attempt; None: the patience is used up. Attempts count from 1."""
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
        """Whether the run is being given up."""
        return self._over.is_set()

    def wait(self, seconds: float) -> None:
        """Wait in real time, until `stop` at most."""
        self._over.wait(seconds)

    def stop(self) -> None:
        """Allow no further retry: the run is being given up."""
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
"""Requests that are held back after a refusal, so that the service has room for those that come a little early."""
_INSTANT: Final = 0.001


class Pace:
    """The rate at which requests may start; without a refusal as fast as they come. Not thread-safe."""

    def __init__(self, now: float) -> None:
        self._refused: float | None = None
        """Requests per second, when the service last refused one."""
        self._since = now
        self._next_start = now
        self._starts: deque[float] = deque(maxlen=_REMEMBERED)

    def rate(self, now: float) -> float | None:
        """Requests per second; None: no bound is known."""
        if self._refused is None:
            return None
        return self._refused * (1 + (now - self._since) / _SECONDS_TO_RECOVER) / 2

    def delay(self, now: float) -> float:
        """Book the next start; gives the seconds until then."""
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
"""Answers before latency is judged at all, and between two judgements."""
_LONG_MEMORY: Final = 200
_SHORT_MEMORY: Final = 10
_TIMES: Final = 2.0
_SECONDS: Final = 0.25
"""Latency has risen if it is that many times what it was, and that much more: local noise is no sign of a load."""


class Latency:
    """Notices that a service has become slower than it was (after Netflix's Gradient2 limit). Not thread-safe.

    docs/decisions/0006 says why it stands beside the pace after a 429.
    """

    def __init__(self) -> None:
        self._long = self._short = 0.0
        self._noted = 0

    def has_risen(self, seconds: float) -> bool:
        """Take in the time of one answer; True at most once in `_FEW` answers."""
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
    """The right to send one request."""

    era: int
    delay: float
    """Seconds to wait before sending it."""


class AdaptiveLimit:
    """How many requests may be on their way at a time, and when the next may start. Thread-safe.

    It is halved when the service throttles, reduced by a quarter when answers have become much slower, and grown back
    by successes. Several requests of one burst may be throttled together; only the first of them counts: a slot knows
    the era it was taken in, and each halving begins a new era.
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
        """How many at a time just now."""
        return self._limit

    @contextmanager
    def slot(self) -> Iterator[Slot]:
        """Wait for a free slot and hold it."""
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
        """Note that the service refused a request for being one too many."""
        with self._free:
            if slot.era == self._era:
                self._shrink(self._limit // 2)
                self._pace.refused(self._clock())

    def served(self, seconds: float) -> None:
        """Note that a request came to an end that took so long."""
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
