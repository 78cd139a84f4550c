"""Ctrl-C, SIGTERM or SIGHUP -> a request to stop that the run answers when nothing is half done.

It is a module of its own because every start imports `signals`, and this imports more.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from reconciler.cli import signals
from reconciler.cli.streams import tell

_NOTICE: Final = "stopping: no more changes are started, those in flight are finished; again: exit at once\n"


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Give a question that is answered with True after the first signal. The second one ends the process."""
    asked = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        signals.handle(signals.end)
        with suppress(Exception):  # such as RuntimeError: the signal came while something else was being printed
            tell(_NOTICE)

    with signals.handled(stop):
        yield asked.is_set
