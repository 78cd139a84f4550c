"""What a machine may run out of."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from threading import Thread


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond so many bytes, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@contextmanager
def no_more_threads_than(most: int) -> Iterator[None]:
    """Let this process start so many threads more, as in a container of few processes.

    In place of the system, which sets no limit for the user of a container's tests.
    """
    start, left = Thread.start, count(1)

    def start_or_fail(thread: Thread) -> None:
        if next(left) > most:
            raise RuntimeError("can't start new thread")
        start(thread)

    Thread.start = start_or_fail  # type: ignore[method-assign, assignment]  # as said above
    try:
        yield
    finally:
        Thread.start = start  # type: ignore[method-assign]  # as said above
