"""Outcomes as they come -> a sign of life on stderr: a bar on a terminal, else a plain line for each."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Final, TextIO, TypeAlias

import click

from reconciler.cli.options import Log
from reconciler.cli.selecting import shows_text
from reconciler.cli.streams import is_terminal, tell
from reconciler.model.outcome import Outcome, Status
from reconciler.render.escape import joined
from reconciler.render.jsonl import outcome_event
from reconciler.render.style import PLAIN
from reconciler.render.text import outcome_line

Report: TypeAlias = Callable[[Outcome], None]

PATIENCE: Final = 1.0
"""Seconds of work that need no sign of life."""


def progress(total: int, *, quiet: bool) -> AbstractContextManager[Report]:
    """Choose the way to report that suits the other end of stderr; what stdout shows in text is not shown twice."""
    is_in_text = Log.format == "text"
    if is_terminal(sys.stderr) and is_in_text and not quiet:
        return bar(total, sys.stderr, time.monotonic)
    if quiet or (is_in_text and shows_text()):
        return nullcontext(lambda _outcome: None)
    return nullcontext(lambda outcome: tell(joined([outcome_line(outcome, PLAIN)]), [outcome_event(outcome)]))


@contextmanager
def bar(total: int, stream: TextIO, clock: Callable[[], float]) -> Iterator[Report]:
    """Show a bar once the work has taken a second; work that takes less shows nothing."""
    began = clock()
    done = 0
    show: Callable[[int], None] | None = None
    with ExitStack() as stack:

        def report(outcome: Outcome) -> None:
            nonlocal done, show
            if outcome.status is Status.SKIPPED:  # after Ctrl-C or a failure: nothing was done
                return
            done += 1
            if show is None and clock() - began > PATIENCE:
                show = stack.enter_context(_shown_bar(total, stream))
            if show:
                show(done)

        yield report


@contextmanager
def _shown_bar(total: int, stream: TextIO) -> Iterator[Callable[[int], None]]:
    with click.progressbar(length=total, label="applying", show_pos=True, file=stream) as shown:
        yield lambda done: shown.update(done - shown.pos)
