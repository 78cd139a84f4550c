import heapq
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event

import pytest

from reconciler.remote.throttle import AdaptiveLimit, Latency, Pace, Slot


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def limit_of(ceiling: int, *, successes_to_grow: int = 20) -> AdaptiveLimit:
    return AdaptiveLimit(ceiling, Clock(), successes_to_grow=successes_to_grow)


def taken(limit: AdaptiveLimit) -> Slot:
    with limit.slot() as slot:
        return slot


# ---------------------------------------------------------------------------------------------- how many at a time


def test_the_limit_is_halved_once_however_many_of_one_burst_are_throttled() -> None:
    limit = limit_of(8)
    with ExitStack() as burst:
        slots = [burst.enter_context(limit.slot()) for _ in range(8)]
    for slot in slots:
        limit.throttled(slot)
    assert limit.current == 4


def test_the_limit_never_falls_below_one() -> None:
    limit = limit_of(3)
    for _ in range(5):
        limit.throttled(taken(limit))
    assert limit.current == 1


def test_the_limit_grows_by_one_after_enough_successes_and_not_beyond_its_ceiling() -> None:
    limit = limit_of(4, successes_to_grow=3)
    limit.throttled(taken(limit))
    sizes = []
    for _ in range(9):
        limit.served(0.1)
        sizes.append(limit.current)
    assert sizes == [2, 2, 3, 3, 3, 4, 4, 4, 4]


def test_a_throttling_begins_the_count_of_successes_anew() -> None:
    limit = limit_of(8, successes_to_grow=2)
    limit.throttled(taken(limit))
    limit.served(0.1)
    limit.throttled(taken(limit))
    limit.served(0.1)
    assert limit.current == 2


def test_each_slot_is_given_back_once() -> None:
    limit = limit_of(2)
    with limit.slot(), limit.slot():
        assert limit._busy == 2
    assert limit._busy == 0


def test_a_slot_is_waited_for_until_another_is_given_back() -> None:
    limit, was_taken = limit_of(1), Event()

    def second() -> bool:
        with limit.slot():
            return was_taken.is_set()

    with ThreadPoolExecutor(1) as pool:
        with limit.slot():
            waiting = pool.submit(second)
            was_taken.set()
        assert waiting.result() is True


def test_fewer_go_at_a_time_when_answers_become_much_slower_and_more_when_they_are_quick_again() -> None:
    limit = limit_of(8)
    for _ in range(100):
        limit.served(0.1)
    for _ in range(10):
        limit.served(2.0)
    assert limit.current == 6
    for _ in range(60):
        limit.served(0.1)
    assert limit.current == 8


# ------------------------------------------------------------------------------------------------------- latency


@pytest.mark.parametrize("slower", [0.011, 0.2], ids=["by little", "by a part of a second"])
def test_a_service_that_is_quick_all_the_same_is_not_slow(slower: float) -> None:
    latency = Latency()
    assert not any(latency.has_risen(seconds) for seconds in [0.01] * 100 + [slower] * 100)


def test_the_first_answers_say_nothing_about_the_latency() -> None:
    latency = Latency()
    assert not any(latency.has_risen(seconds) for seconds in [0.01] + [3.0] * 48)


def test_a_service_that_stays_slow_is_in_the_end_what_one_is_used_to() -> None:
    latency = Latency()
    rises = [latency.has_risen(seconds) for seconds in [0.1] * 100 + [1.0] * 1000]
    assert 1 <= sum(rises) <= 3
    assert not any(rises[-500:])


# ------------------------------------------------------------------------------------------------------------ pace


def test_nothing_is_delayed_before_the_first_refusal() -> None:
    pace = Pace(0.0)
    assert [pace.delay(moment / 100) for moment in range(50)] == [0.0] * 50


def test_the_first_refusal_halves_the_rate_of_the_last_starts() -> None:
    pace = Pace(0.0)
    for number in range(100):
        pace.delay(number / 100)
    pace.refused(1.0)
    assert pace.rate(1.0) == pytest.approx(50, rel=0.05)


def test_a_refusal_before_anything_was_started_leaves_a_pace_that_goes_on() -> None:
    pace = Pace(0.0)
    pace.refused(0.0)
    assert pace.rate(0.0) == 0.5


def test_after_a_refusal_the_rate_grows_by_the_same_amount_each_second_and_reaches_what_was_refused() -> None:
    pace = Pace(0.0)
    for number in range(101):
        pace.delay(number / 100)
    pace.refused(1.0)
    rates = [pace.rate(1.0 + seconds) or 0 for seconds in (0, 4, 8, 16)]
    assert rates == [pytest.approx(part * rates[0]) for part in (1, 1.5, 2, 3)]


def test_a_second_refusal_halves_the_rate_that_was_reached() -> None:
    pace = Pace(0.0)
    for number in range(101):
        pace.delay(number / 100)
    pace.refused(1.0)
    reached = pace.rate(5.0) or 0
    for number in range(32):
        pace.delay(4.0 + number / 32)
    pace.refused(5.0)
    assert pace.rate(5.0) == pytest.approx(min(reached, 32) / 2, rel=0.1)


def test_a_rate_that_nobody_used_is_not_what_was_refused() -> None:
    pace = Pace(0.0)
    for number in range(101):
        pace.delay(number / 100)
    pace.refused(1.0)
    for number in range(32):
        pace.delay(100.0 + number)
    pace.refused(131.0)
    assert pace.rate(131.0) == pytest.approx(0.5, rel=0.1)


def test_starts_are_spaced_evenly_however_many_threads_ask_at_once() -> None:
    pace = Pace(0.0)
    for number in range(101):
        pace.delay(number / 100)
    pace.refused(1.0)
    delays = [pace.delay(1.0) for _ in range(5)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(delays)]
    assert gaps == [pytest.approx(1 / (pace.rate(1.0) or 1))] * 4


# ----------------------------------------------------------------------------- against a service that allows so much


@dataclass
class Bucket:
    """A service that allows so many requests per second, and a tenth of a second's worth at once."""

    per_second: float
    tokens: float = 1.0
    then: float = 0.0

    def admits(self, now: float) -> bool:
        self.tokens = min(self.per_second / 10, self.tokens + (now - self.then) * self.per_second)
        self.then = now
        is_served = self.tokens >= 1
        self.tokens -= is_served
        return is_served


@dataclass
class Run:
    """So many threads that send one request after another, in a time that is only counted."""

    per_second: float
    latency: float
    threads: int
    clock: Clock = field(default_factory=lambda: Clock(0.0))
    served: int = 0
    refused: int = 0

    def carry_out(self, requests: int) -> None:
        limit, bucket = AdaptiveLimit(self.threads, self.clock), Bucket(self.per_second)
        events = [(0.0, number) for number in range(self.threads)]
        threads = [self._thread(limit, bucket) for _ in events]
        while self.served < requests:
            self.clock.now, number = heapq.heappop(events)
            heapq.heappush(events, (self.clock.now + next(threads[number]), number))

    def _thread(self, limit: AdaptiveLimit, bucket: Bucket) -> Iterator[float]:
        """Gives how long each step takes."""
        while True:
            if limit._busy >= limit.current:
                yield self.latency / 4
                continue
            with limit.slot() as slot:
                yield slot.delay
                is_served = bucket.admits(self.clock.now)
                yield self.latency
            if is_served:
                self.served += 1
                limit.served(self.latency)
            else:
                self.refused += 1
                limit.throttled(slot)
                yield 0.25


@pytest.mark.parametrize(
    ("per_second", "latency", "threads"), [(50, 0.05, 8), (100, 0.05, 16), (200, 0.01, 8), (400, 0.005, 16)]
)
def test_most_of_what_a_service_allows_is_used_and_hardly_anything_is_refused(
    per_second: float, latency: float, threads: int
) -> None:
    run = Run(per_second, latency, threads)
    run.carry_out(int(per_second * 40))
    assert run.served / run.clock.now > 0.7 * per_second
    assert run.refused < 0.01 * run.served
