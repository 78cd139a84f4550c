"""Patience: which attempts are repeated, after how long, how often in all, and how many at a time."""

import heapq
import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from threading import Event

import httpx
import pytest

from reconciler.errors import AnswerLost, Unreachable
from reconciler.remote.messages import Answer, Call, NoAnswer, RequestState, Result
from reconciler.remote.throttle import (
    AdaptiveLimit,
    Latency,
    Pace,
    Retries,
    RetryPolicy,
    Slot,
    may_retry,
    seconds_to_wait,
)
from tests.remote.service import Scripted, Service, always, html, in_order, ok, refusal, serving


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


READ = Call("GET", "/v1/me")
LOGIN = Call("POST", "/oauth/token")
WRITE = Call("PUT", "/v1/apiclients/a")
ME = {"ID": "me"}


def ended(what: int | RequestState) -> Result:
    return Answer(what) if isinstance(what, int) else NoAnswer(what, "broken", OSError())


@pytest.mark.parametrize("what", [408, 429, 502, 503, 504, RequestState.LOST, RequestState.NEVER_SENT])
def test_reads_and_logins_are_repeated_after_what_may_pass(what: int | RequestState) -> None:
    assert may_retry(READ, ended(what))
    assert may_retry(LOGIN, ended(what))


@pytest.mark.parametrize(
    "what", [200, 302, 400, 401, 404, 409, 500, 501, RequestState.UNREADABLE, RequestState.UNSENDABLE]
)
def test_nothing_is_repeated_after_what_will_not_pass(what: int | RequestState) -> None:
    assert not may_retry(READ, ended(what))
    assert not may_retry(WRITE, ended(what))


def test_a_write_is_repeated_only_where_it_cannot_have_been_carried_out() -> None:
    repeated = [what for what in (429, 503, 408, *RequestState) if may_retry(WRITE, ended(what))]
    assert repeated == [429, RequestState.NEVER_SENT]


@pytest.mark.parametrize("fault", [html(502), refusal(503), refusal(429), refusal(408), html(504), OSError("gone")])
def test_a_read_survives_a_fault_that_passes(fault: Scripted) -> None:
    service = serving(fault, ok(ME))
    with service.reader() as client:
        assert client.me() == ME
    assert service.waits[0] == 0.25


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
@pytest.mark.parametrize("fault", [html(502), refusal(503), refusal(500), refusal(408), OSError("gone")])
def test_a_write_without_a_clear_answer_is_sent_once_and_called_lost(method: str, fault: Scripted) -> None:
    service = serving(fault)
    with service.writer() as client, pytest.raises(AnswerLost) as caught:
        client._exchange.send(Call(method, "/v1/apiclients/a"))
    assert len(service.journal) == 1
    assert "plan again" in caught.value.hint


@pytest.mark.parametrize("fault", [refusal(503, **{"Retry-After": "7"}), html(502), OSError("gone")])
def test_whoever_looks_after_a_lost_write_does_so_after_a_wait(fault: Scripted) -> None:
    service = serving(fault)
    with service.writer() as client, pytest.raises(AnswerLost):
        client.put("/apiclients", "a", {}, attempt=2)
    assert service.waits == [7.5 if isinstance(fault, httpx.Response) and fault.status_code == 503 else 0.5]


@pytest.mark.parametrize(
    "fault", [refusal(429), httpx.ConnectError(""), httpx.ConnectTimeout(""), httpx.PoolTimeout("")]
)
def test_a_write_that_was_not_handled_is_sent_again(fault: Scripted) -> None:
    service = serving(fault, ok({"ID": "a"}))
    with service.writer() as client:
        assert client.put("/apiclients", "a", {}) == {"ID": "a"}
    assert len(service.journal) == 2


def test_a_write_that_is_always_turned_away_is_not_lost_but_unreachable() -> None:
    with Service(always(lambda: refusal(429))).writer() as client, pytest.raises(Unreachable) as caught:
        client.delete("/apiclients", "a")
    assert type(caught.value) is Unreachable
    assert "too many requests (6 attempts)" in caught.value.message


def test_pauses_are_drawn_below_a_bound_that_doubles_up_to_a_cap() -> None:
    retries = Retries(RetryPolicy(attempts=9, longest_pause=4), lambda: 1.0)
    assert [retries.pause(attempt, ended(503)) for attempt in range(1, 7)] == [0.5, 1, 2, 4, 4, 4]


def test_the_drawing_may_give_no_pause_at_all() -> None:
    assert Retries(RetryPolicy(), lambda: 0.0).pause(5, ended(503)) == 0


@pytest.mark.parametrize(("wish", "pause"), [(7.0, 7.5), (3600.0, 60.5), (0.0, 0.5)])
def test_a_retry_after_is_waited_for_up_to_a_minute(wish: float, pause: float) -> None:
    retries = Retries(RetryPolicy(), lambda: 1.0)
    assert retries.pause(1, Answer(503, retry_after=wish)) == pause


def test_a_retry_after_header_reaches_the_waiting() -> None:
    service = serving(refusal(429, **{"Retry-After": "7"}), ok(ME))
    with service.reader() as client:
        client.me()
    assert service.waits[0] == 7.25


def test_one_request_is_tried_six_times_at_most() -> None:
    service = Service(always(lambda: refusal(503, "Api.Offline", "Down briefly.")))
    with service.reader() as client, pytest.raises(Unreachable, match=r"Down briefly. \(6 attempts\)"):
        client.me()
    assert len(service.journal) == 6


def test_a_run_has_ten_retries_and_one_more_for_every_tenth_request() -> None:
    retries = Retries(RetryPolicy(), lambda: 0.0)
    for _ in range(20):
        retries.count_request()
    granted = [retries.pause(1, ended(503)) is not None for _ in range(20)]
    assert granted == [True] * 12 + [False] * 8


def test_retries_end_when_they_have_cost_the_run_its_deadline() -> None:
    retries = Retries(RetryPolicy(deadline=100), lambda: 0.0)
    slow = Answer(504, seconds=40.0)
    assert [retries.pause(1, slow) for _ in range(3)] == [0, 0, None]


def test_the_waits_count_towards_the_deadline() -> None:
    retries = Retries(RetryPolicy(deadline=100), lambda: 0.0)
    assert [retries.pause(1, Answer(429, retry_after=60.0)) for _ in range(2)] == [60, None]


def test_every_request_of_a_run_earns_it_a_share_of_a_retry() -> None:
    allowed = RetryPolicy(attempts=100, allowance=0)
    service = Service(in_order(*[ok(ME) for _ in range(18)], *[refusal(503) for _ in range(9)]))
    with service.reader(retries=allowed) as client:
        for _ in range(18):
            client.me()
        with pytest.raises(Unreachable, match=r"\(3 attempts\)"):  # twenty requests with the login: two retries
            client.me()


def test_a_run_that_is_given_up_retries_no_more() -> None:
    retries = Retries(RetryPolicy(), lambda: 0.0)
    retries.stop()
    assert retries.pause(1, ended(503)) is None


@pytest.mark.parametrize(
    ("header", "date", "seconds"),
    [
        ("120", None, 120),
        (" 0 ", None, 0),
        ("9" * 30, None, 999_999_999),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:29 GMT", 30),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "Fri, 31 Dec 1999 23:59:59 -0000", 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", None, 0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", "yesterday", 0),
        (None, None, None),
        ("", None, None),
        ("soon", None, None),
        ("-5", None, None),
        ("1.5", None, None),
        ("٣", None, None),  # a digit, but not one of HTTP's
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_by_the_answers_own_clock(
    header: str | None, date: str | None, seconds: float | None
) -> None:
    assert seconds_to_wait(header, date) == seconds


def test_a_throttled_run_goes_on_with_fewer_requests_at_a_time() -> None:
    service = Service(in_order(refusal(429), ok(ME)))
    with service.reader(concurrency=8) as client:
        client.me()
        assert client._exchange._limit.current == 4
