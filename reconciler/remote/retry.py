"""A failed attempt -> how long to wait before the next one, or not to try again.

Waits are drawn evenly from zero to a bound that doubles ("full jitter", AWS Architecture Blog, "Exponential Backoff
And Jitter"), so that threads which failed together do not come back together. OrderCloud documents neither a rate
limit nor Retry-After; both are handled in case a gateway before it has them.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

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
        return may_pass(result)
    match result:
        case NoAnswer(state=state):
            return state is RequestState.NEVER_SENT
        case Answer(status=status):
            return status == THROTTLED


def may_pass(result: Result) -> bool:
    """Whether it is a trouble that time may end, whatever became of the request."""
    match result:
        case NoAnswer(state=state):
            return state in {RequestState.NEVER_SENT, RequestState.LOST}
        case Answer(status=status):
            return status in PASSING


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
        wish = result.retry_after if isinstance(result, Answer) else None
        return jitter if wish is None else min(wish, policy.longest_retry_after) + jitter
