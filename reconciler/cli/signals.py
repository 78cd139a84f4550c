"""Ctrl-C, SIGTERM and SIGHUP -> the immediate end of the process, with exit code 130.

They raise no exception: in an import, a destructor or a lock, that would end in a traceback or a thread that waits
forever. Signals during writes to the service are handled by `approving`.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final, NoReturn, TypeAlias

from reconciler.manifests.replacing import discard_unfinished

INTERRUPTED: Final = 130
SIGNALS: Final = tuple(one for one in signal.Signals if one.name in {"SIGINT", "SIGTERM", "SIGHUP"})
"""The signals that this system has."""
Handler: TypeAlias = Callable[[int, FrameType | None], Any]


def end(_number: int, _frame: FrameType | None, leave: Callable[[int], NoReturn] = os._exit) -> None:
    """End the process. The default action of the signal would do nothing in the first process of a container."""
    discard_unfinished()
    leave(INTERRUPTED)


@contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Set the handler of all `SIGNALS` for the duration of a context."""
    before = handle(handler)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def handle(handler: Handler) -> Mapping[signal.Signals, Any]:
    """Set the handler of all `SIGNALS` that the parent does not ignore (`nohup`); return the previous handlers."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    replaced = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in replaced:
        signal.signal(number, handler)
    return replaced
