"""Ctrl-C or SIGTERM -> a request to stop that the run answers when nothing is half done."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Final

from reconciler.cli.streams import tell

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_NOTICE: Final = "stopping: no more changes are started, those on their way are finished; again: give up on them\n"


@contextmanager
def stoppable() -> Iterator[Callable[[], bool]]:
    """Give a question that is answered with True after the first signal. The second one ends the process."""
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in _SIGNALS}

    def stop(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        with suppress(RuntimeError):  # the signal came while something else was being printed
            tell(_NOTICE)

    for number in _SIGNALS:
        signal.signal(number, stop)
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
