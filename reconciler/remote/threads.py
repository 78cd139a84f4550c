"""Calls -> futures, on as many threads as the machine starts; where it starts none, whoever submits a call makes it.

A container may allow few processes and little memory. A pool of Python's own raises an error then, at any time, and
makes the call nevertheless if one of its threads is free later.
"""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Lock
from typing import Generic, ParamSpec, TypeVar

from reconciler.errors import is_no_thread

_T = TypeVar("_T")
_P = ParamSpec("_P")


class Threads(ThreadPoolExecutor):
    """A pool whose `submit`, and so its `map`, never fails for want of a thread."""

    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> Future[_T]:
        """Have a call made, by a thread if there is one."""
        job = Job(partial(fn, *args, **kwargs))
        try:
            waiting = super().submit(job.run)
        except RuntimeError as error:
            if not is_no_thread(error):
                raise
            job.run()
        else:
            waiting.add_done_callback(job.cancel_with)
        return job.future


class Job(Generic[_T]):
    """A call that is made once, by the first thread that needs it."""

    def __init__(self, call: Callable[[], _T]) -> None:
        self.future: Future[_T] = Future()
        self._call = call
        self._lock = Lock()
        self._is_taken = False

    def run(self) -> None:
        """Make the call, unless it was made or cancelled."""
        with self._lock:
            if self._is_taken:
                return
            self._is_taken = True
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            found = self._call()
        except BaseException as error:  # noqa: BLE001  # it is raised where the result is asked for
            self.future.set_exception(error)
        else:
            self.future.set_result(found)

    def cancel_with(self, waiting: Future[None]) -> None:
        """Cancel the call where the pool was closed before a thread came to it."""
        if waiting.cancelled():
            self.future.cancel()
