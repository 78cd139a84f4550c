"""A thread pool that runs calls in the submitting thread if no thread can be started.

A container may limit processes and memory. Python's own pool can then raise an error at any time, and
still run the call if one of its threads is free later.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from threading import Lock
from typing import Final, Generic, ParamSpec, TypeVar

from reconciler.errors import is_no_thread

_T = TypeVar("_T")
_P = ParamSpec("_P")
_SIGNAL_SECONDS: Final = 0.5
"""The maximum delay of a signal."""


class Threads(ThreadPoolExecutor):
    """A pool whose `submit`, and so its `map`, does not fail if no thread can be started."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Run a call in a thread, or here if no thread can be started."""
        job = Job(partial(fn, *args, **kwargs))
        try:
            pooled = super().submit(job.run)
        except RuntimeError as error:
            if not is_no_thread(error):
                raise
            job.run()
        else:
            pooled.add_done_callback(job.cancel_with)
        return job.future


class _Result(Future[_T]):
    """A future whose `result` also handles signals that arrive right before it waits, which do not end the wait."""

    def result(self, timeout: float | None = None) -> _T:
        """Wait for the result and return it, or raise the error of the call."""
        while timeout is None and not self.done():
            wait([self], _SIGNAL_SECONDS)
        return super().result(timeout)


class Job(Generic[_T]):
    """A call that runs once, in the first thread that runs it."""

    def __init__(self, call: Callable[[], _T]) -> None:
        self.future: Future[_T] = _Result()
        self._call = call
        self._lock = Lock()
        self._is_taken = False

    def run(self) -> None:
        """Run the call, unless it has run or was cancelled."""
        with self._lock:
            if self._is_taken:
                return
            self._is_taken = True
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            result = self._call()
        except BaseException as error:  # noqa: BLE001  # raised where the result is read
            self.future.set_exception(error)
        else:
            self.future.set_result(result)

    def cancel_with(self, pooled: Future[None]) -> None:
        """Cancel the call if the pool was closed before a thread ran it."""
        if pooled.cancelled():
            self.future.cancel()
