"""Global options -> the settings of a run, whose listener writes to stderr what these options ask for while it works.

The line of a request has the method, the path, the status, the time it took and the service's log id: never a header or
a body.
"""

import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import TYPE_CHECKING, Final, TextIO, TypeAlias

import click

from reconciler.cli.failures import style_of_stderr, tell_error, tell_warnings
from reconciler.cli.options import Common, Log
from reconciler.cli.streams import is_terminal, tell
from reconciler.errors import ReconcilerError
from reconciler.model.diagnostic import Checked, Diagnostic
from reconciler.model.outcome import Outcome, RecordedRun, Status
from reconciler.project import Listener, Settings
from reconciler.project.api import Project
from reconciler.remote.messages import Stats
from reconciler.render.escape import escape, joined
from reconciler.render.jsonl import event, outcome_event
from reconciler.render.style import PLAIN
from reconciler.render.text import outcome_line
from reconciler.render.wording import Noun, number

if TYPE_CHECKING:
    from reconciler.model.json import Json
    from reconciler.render.history import Uncertain


_JUDGING: Final = frozenset({"plan", "apply"})
"""The commands besides `validate` that judge manifests."""
Report: TypeAlias = Callable[[Outcome], None]

PATIENCE: Final = 1.0
"""Seconds after which progress is shown."""


def progress(total: int, *, quiet: bool) -> AbstractContextManager[Report]:
    """Choose how to report on this stderr; what stdout shows as text is not repeated."""
    is_in_text = Log.format == "text"
    if is_terminal(sys.stderr) and is_in_text and not quiet:
        return bar(total, sys.stderr, time.monotonic)
    if quiet or (is_in_text and _shows_text()):
        return nullcontext(lambda _outcome: None)
    return nullcontext(lambda outcome: tell(joined([outcome_line(outcome, PLAIN)]), [outcome_event(outcome)]))


def _shows_text() -> bool:
    """Whether the document on stdout is the text."""
    context = click.get_current_context(silent=True)
    return context is not None and context.params.get("format_name") == "text"


@contextmanager
def bar(total: int, stream: TextIO, clock: Callable[[], float]) -> Iterator[Report]:
    """Show a progress bar after a second of work."""
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


_LOGGER: Final = logging.getLogger("reconciler.remote")

Ended: TypeAlias = Callable[[str, str], None]
"""Called with an environment and a word on how it has ended."""


class _Lines(logging.Handler):
    """A line, or an event, for each request; `named`, with its environment."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self._named = named

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one request."""
        message = record.getMessage()
        environment: dict[str, Json] = {"environment": _environment_of(record)} if self._named else {}
        line = f"{_environment_of(record)}: {message}" if self._named else message
        request = getattr(record, "request", None)
        tell(joined([escape(line)]), [event("request", message, "debug", request=request, **environment)])


def _environment_of(record: logging.LogRecord) -> str:
    return str(getattr(record, "environment", ""))


class RequestCounter(logging.Handler):
    """The number of requests, on one line of a terminal, after a second."""

    def __init__(self, stream: TextIO, clock: Callable[[], float]) -> None:
        super().__init__()
        self._stream, self._clock, self._began = stream, clock, clock()
        self._width = 0
        self._requests = Counter[str]()

    def emit(self, record: logging.LogRecord) -> None:
        """Count one request."""
        self._requests[_environment_of(record)] += 1
        if self._is_long:
            self._show(f"reading: {number(self._requests.total(), 'request')}")

    def ended(self, environment: str, how: str) -> None:
        """Write a line for an environment."""
        with self.lock or nullcontext():
            if self._is_long:
                self._show(f"{environment}: {how}, {number(self._requests[environment], 'request')}")
                self._stream.write("\n")
                self._width = 0

    @property
    def _is_long(self) -> bool:
        return self._clock() - self._began > PATIENCE

    def close(self) -> None:
        """Clear the line."""
        if self._width:
            self._show("")
            self._stream.write("\r")
        super().close()

    def _show(self, text: str) -> None:
        self._stream.write(f"\r{text:<{self._width}}")
        self._stream.flush()
        self._width = len(text)


@contextmanager
def requests_told(*, wanted: bool, sign_of_life: bool, named: bool = False) -> Iterator[Ended]:
    """Report every request; else, on a terminal, show that work goes on.

    `named` is for several environments: a request is reported with its own, and each gets a line when it has ended.
    """
    handler: logging.Handler
    ended: Ended = _tell_end
    if wanted:
        handler = _Lines(named=named)
    elif sign_of_life and is_terminal(sys.stderr) and Log.format == "text":
        handler = sign = RequestCounter(sys.stderr, time.monotonic)
        ended = sign.ended
    else:
        yield _tell_end if sign_of_life and Log.format == "json" else lambda _environment, _how: None
        return
    level, upwards = _LOGGER.level, _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    try:
        yield ended
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)
        _LOGGER.propagate = upwards
        handler.close()


def _tell_end(environment: str, how: str) -> None:
    tell(joined([escape(f"{environment}: {how}")]))


def added(one: Stats, other: Stats) -> Stats:
    """What both have cost."""
    return Stats(
        one.requests + other.requests, one.retries + other.retries, one.bytes + other.bytes, one.seconds + other.seconds
    )


def tell_totals(stats: Stats, environment: str = "") -> None:
    """One line with the requests of a connection; of several, with its environment."""
    retries = f"{stats.retries:,} of them {Noun('a retry', 'retries').of(stats.retries)}"
    sent = f"{number(stats.requests, 'request')}, {retries}"
    text = f"{sent}, {stats.bytes:,} bytes, {stats.seconds:.2f} s waiting for responses"
    seconds = round(stats.seconds, 3)
    named: dict[str, Json] = {"environment": environment} if environment else {}
    costs = event("totals", text, requests=stats.requests, retries=stats.retries, bytes=stats.bytes, seconds=seconds)
    tell(joined([escape(f"{environment}: {text}" if environment else text)]), [{**costs, **named}])


def settings_of(common: Common) -> Settings:
    """The settings from the options; with several environments, `several` chooses each."""
    reads, writes = tuple(common.reads), tuple(common.writes)
    return Settings(common.config, common.env, common.allow_hosts, os.environ, reads, writes, Console(common))


def project_of(common: Common) -> Project:
    """The project of the options."""
    return Project(settings_of(common))


class Console(Listener):
    """Writes to stderr, and keeps in the options what documents and metrics need."""

    def __init__(self, common: Common) -> None:
        self._common = common
        context = click.get_current_context(silent=True)  # here: several environments have threads without one
        self._judges = context is not None and context.command.name in _JUDGING
        self._connection = ExitStack()

    def chosen(self, environment: str) -> None:
        """Keep the name for documents that say why they are empty."""
        if not self._common.is_of_several:
            self._common.chosen = environment

    def connected(self, environment: str, *, can_write: bool) -> None:
        """Show each request, or that work goes on; `progress` does so while writing, `each` for several."""
        del environment
        if not self._common.is_of_several:
            is_reading = not (can_write or self._common.quiet)
            self._connection.enter_context(requests_told(wanted=self._common.is_verbose, sign_of_life=is_reading))

    def disconnected(self, environment: str, stats: Stats) -> None:
        """Keep the costs for the metrics."""
        self._connection.close()
        known = self._common.stats.get(environment)
        self._common.stats[environment] = added(known, stats) if known else stats
        if self._common.is_verbose:
            tell_totals(stats, environment if self._common.is_of_several else "")

    def noted(self, text: str) -> None:
        """Show it with --verbose."""
        if self._common.is_verbose:
            tell(joined([escape(text)]))

    def warned(self, environment: str, warnings: Sequence[Diagnostic]) -> None:
        """Show them; those of several environments are shown once, by `several`.

        Findings of rules are shown only by commands that check manifests.
        """
        if not self._judges:
            from reconciler.manifests.rules import RULES  # noqa: PLC0415  # the manifests have been loaded by now

            warnings = [one for one in warnings if one.rule not in RULES]
        if self._common.is_of_several:
            self._common.warned[environment] = warnings
        elif warnings and not self._common.quiet:
            tell_warnings(Checked(warning) for warning in warnings)

    def failed(self, error: ReconcilerError) -> None:
        """Show it."""
        tell_error(error)

    def found_cut_off(self, run: RecordedRun, uncertain: Sequence["Uncertain"]) -> None:
        """Show what is certain of that run, and what is not."""
        from reconciler.render.history import cut_off  # noqa: PLC0415  # hardly any run finds one

        if not self._common.quiet:
            tell(cut_off(run, uncertain, style_of_stderr()))

    def masked(self, command: str) -> None:
        """Write it to stderr, since stdout holds the document that was asked for."""
        tell(command)
