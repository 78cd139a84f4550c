"""A pool on a machine that starts few threads, or none: every call is made once all the same."""

import linecache
import signal
import sys
from concurrent.futures import CancelledError
from contextlib import ExitStack
from threading import Event, get_ident

import pytest

from reconciler.remote.threads import Threads
from tests.limits import no_more_threads_than


@pytest.mark.parametrize("threads", [0, 1, 2, 9])
def test_every_call_is_made_once_on_as_many_threads_as_there_are(threads: int) -> None:
    made: list[int] = []

    def doubled(number: int) -> int:
        made.append(number)
        return number * 2

    with no_more_threads_than(threads), Threads(4) as pool:
        assert list(pool.map(doubled, range(50))) == [*range(0, 100, 2)]
    assert sorted(made) == [*range(50)]


def test_without_a_thread_whoever_submits_a_call_makes_it_and_its_error_comes_with_the_result() -> None:
    with no_more_threads_than(0), Threads(1) as pool:
        assert pool.submit(get_ident).result() == get_ident()
        failed = pool.submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result()


def test_what_waits_when_the_pool_is_closed_is_cancelled_and_nothing_is_taken_any_more() -> None:
    go_on = Event()
    pool = Threads(1)
    first, second = pool.submit(go_on.wait, 10), pool.submit(get_ident)
    pool.shutdown(wait=False, cancel_futures=True)
    go_on.set()
    assert first.result()
    with pytest.raises(CancelledError):
        second.result()
    with pytest.raises(RuntimeError, match="shutdown"):
        pool.submit(get_ident)


class Signalled(Exception):
    """Raised by the handler of a signal."""


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the system has no signals of threads")
def test_a_signal_that_does_not_end_a_wait_is_handled_all_the_same() -> None:
    def stop(_number: int, _frame: object) -> None:
        raise Signalled

    begun, over = Event(), Event()

    def signal_this_thread(waiting: int) -> None:
        begun.wait(20)
        seen = 0
        while seen < 1000:  # certainly blocked, not about to be
            frame = sys._current_frames()[waiting]
            is_blocked = "waiter.acquire(" in linecache.getline(frame.f_code.co_filename, frame.f_lineno)
            seen = seen + 1 if is_blocked else 0
        signal.pthread_kill(get_ident(), signal.SIGUSR1)  # its handler runs in the thread that waits
        over.wait(20)

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with Threads(1) as pool, ExitStack() as stack:
            stack.callback(over.set)
            future = pool.submit(signal_this_thread, get_ident())
            begun.set()
            with pytest.raises(Signalled):
                future.result()
            assert not future.done()
    finally:
        signal.signal(signal.SIGUSR1, before)
