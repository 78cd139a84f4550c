"""Ctrl-C, SIGTERM and SIGHUP -> the end of the process: at once, whatever it is doing, with exit code 130.

No exception is raised for them: in an import, a destructor or a lock it would end in a traceback, or in a thread
that waits forever. While nothing is written to the service there is nothing to finish; for the rest see
`approving`.
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
"""As far as this system has them."""
Handler: TypeAlias = Callable[[int, FrameType | None], Any]


def end(_number: int, _frame: FrameType | None, leave: Callable[[int], NoReturn] = os._exit) -> None:
    """End the process. Not by the signal's default action, which does nothing in the first process of a container."""
    discard_unfinished()
    leave(INTERRUPTED)


@contextmanager
def handled(handler: Handler) -> Iterator[None]:
    """Set the handler of all of them, for the duration of a context."""
    before = handle(handler)
    try:
        yield
    finally:
        for number, was in before.items():
            signal.signal(number, was)


def handle(handler: Handler) -> Mapping[signal.Signals, Any]:
    """Set the handler of all of them, except those ignored by the parent (`nohup`); return the previous ones."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    replaced = {number: was for number, was in before.items() if was is not signal.SIG_IGN}
    for number in replaced:
        signal.signal(number, handler)
    return replaced
