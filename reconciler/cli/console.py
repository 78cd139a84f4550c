"""Global options -> the settings of a run, and a listener that writes progress, requests and warnings to stderr.

The line of a request has the method, path, status, duration and the service's log id, never a header or a body.
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

from reconciler.cli.failures import report_diagnostics, report_error, style_of_stderr
from reconciler.cli.options import Common, Log
from reconciler.cli.streams import is_terminal, write_stderr
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


_CHECKING: Final = frozenset({"plan", "apply"})
"""The commands, other than `validate`, that check manifests."""
Report: TypeAlias = Callable[[Outcome], None]

PROGRESS_DELAY: Final = 1.0
"""Seconds before progress is shown."""


def progress(total: int, *, quiet: bool) -> AbstractContextManager[Report]:
    """Choose how to report progress on stderr. What stdout shows as text is not repeated."""
    is_in_text = Log.format == "text"
    if is_terminal(sys.stderr) and is_in_text and not quiet:
        return bar(total, sys.stderr, time.monotonic)
    if quiet or (is_in_text and _shows_text()):
        return nullcontext(lambda _outcome: None)
    return nullcontext(lambda outcome: write_stderr(joined([outcome_line(outcome, PLAIN)]), [outcome_event(outcome)]))


def _shows_text() -> bool:
    """Whether stdout has the text format."""
    context = click.get_current_context(silent=True)
    return context is not None and context.params.get("format_name") == "text"


@contextmanager
def bar(total: int, stream: TextIO, clock: Callable[[], float]) -> Iterator[Report]:
    """Show a progress bar after `PROGRESS_DELAY`."""
    began = clock()
    done = 0
    show: Callable[[int], None] | None = None
    with ExitStack() as stack:

        def report(outcome: Outcome) -> None:
            nonlocal done, show
            if outcome.status is Status.SKIPPED:  # after Ctrl-C or a failure
                return
            done += 1
            if show is None and clock() - began > PROGRESS_DELAY:
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
"""Called with an environment and its result in a word."""


class _RequestLines(logging.Handler):
    """Write a line or an event for each request; with `named`, including the environment."""

    def __init__(self, *, named: bool) -> None:
        super().__init__()
        self._named = named

    def emit(self, record: logging.LogRecord) -> None:
        """Write one request."""
        message = record.getMessage()
        environment: dict[str, Json] = {"environment": _environment_of(record)} if self._named else {}
        line = f"{_environment_of(record)}: {message}" if self._named else message
        request = getattr(record, "request", None)
        write_stderr(joined([escape(line)]), [event("request", message, "debug", request=request, **environment)])


def _environment_of(record: logging.LogRecord) -> str:
    return str(getattr(record, "environment", ""))


class RequestCounter(logging.Handler):
    """Show the number of requests on one line of a terminal, after `PROGRESS_DELAY`."""

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
        """Write the final line of an environment."""
        with self.lock or nullcontext():
            if self._is_long:
                self._show(f"{environment}: {how}, {number(self._requests[environment], 'request')}")
                self._stream.write("\n")
                self._width = 0

    @property
    def _is_long(self) -> bool:
        return self._clock() - self._began > PROGRESS_DELAY

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
def requests_reported(common: Common, *, show_progress: bool) -> Iterator[Ended]:
    """Report every request with --verbose; else, with `show_progress`, show a request counter on a terminal.

    Requests of several environments name their environment, and each environment gets a final line.
    """
    handler: logging.Handler | None = None
    ended: Ended = _report_end if show_progress and Log.format == "json" else _report_nothing
    if common.is_verbose:
        handler, ended = _RequestLines(named=common.is_of_several), _report_end
    elif show_progress and is_terminal(sys.stderr) and Log.format == "text":
        handler = counter = RequestCounter(sys.stderr, time.monotonic)
        ended = counter.ended
    common.reports_requests = True
    try:
        with _handled(handler) if handler else nullcontext():
            yield ended if common.is_of_several else _report_nothing
    finally:
        common.reports_requests = False


@contextmanager
def _handled(handler: logging.Handler) -> Iterator[None]:
    """Have requests handled, and only here."""
    level, upwards = _LOGGER.level, _LOGGER.propagate
    _LOGGER.addHandler(handler)
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.propagate = False
    try:
        yield
    finally:
        _LOGGER.removeHandler(handler)
        _LOGGER.setLevel(level)
        _LOGGER.propagate = upwards
        handler.close()


def _report_end(environment: str, how: str) -> None:
    write_stderr(joined([escape(f"{environment}: {how}")]))


def _report_nothing(_environment: str, _how: str) -> None:
    """A single environment needs no final line."""


def added(one: Stats, other: Stats) -> Stats:
    """The sum of both."""
    return Stats(
        one.requests + other.requests, one.retries + other.retries, one.bytes + other.bytes, one.seconds + other.seconds
    )


def report_totals(stats: Stats, environment: str = "") -> None:
    """Write one line with the requests of a connection; with several environments, including its name."""
    retries = f"{stats.retries:,} of them {Noun('a retry', 'retries').of(stats.retries)}"
    sent = f"{number(stats.requests, 'request')}, {retries}"
    text = f"{sent}, {stats.bytes:,} bytes, {stats.seconds:.2f} s waiting for responses"
    seconds = round(stats.seconds, 3)
    named: dict[str, Json] = {"environment": environment} if environment else {}
    costs = event("totals", text, requests=stats.requests, retries=stats.retries, bytes=stats.bytes, seconds=seconds)
    write_stderr(joined([escape(f"{environment}: {text}" if environment else text)]), [{**costs, **named}])


def settings_of(common: Common) -> Settings:
    """The settings for the options; `project.api.each` sets the environment if there are several."""
    reads, writes = tuple(common.reads), tuple(common.writes)
    return Settings(
        common.config, common.env, common.allow_hosts, os.environ, reads, writes, Console(common), common.loaded
    )


def project_of(common: Common) -> Project:
    """The project for the options."""
    return Project(settings_of(common))


class Console(Listener):
    """Writes to stderr, and stores in the options what documents and metrics need."""

    def __init__(self, common: Common) -> None:
        self._common = common
        context = click.get_current_context(silent=True)  # read here: threads of several environments have no context
        self._checks_manifests = context is not None and context.command.name in _CHECKING
        self._connection = ExitStack()

    def chosen(self, environment: str) -> None:
        """Store the name, for documents that report a failure."""
        if not self._common.is_of_several:
            self._common.chosen = environment

    def connected(self, environment: str, *, can_write: bool) -> None:
        """Report requests or show a counter, unless the command does so; `progress` shows what is written."""
        del environment
        if not self._common.reports_requests:
            show_progress = not (can_write or self._common.quiet)
            self._connection.enter_context(requests_reported(self._common, show_progress=show_progress))

    def disconnected(self, environment: str, stats: Stats) -> None:
        """Store the statistics for metrics."""
        self._connection.close()
        known = self._common.stats.get(environment)
        self._common.stats[environment] = added(known, stats) if known else stats
        if self._common.is_verbose:
            report_totals(stats, environment if self._common.is_of_several else "")

    def noted(self, text: str) -> None:
        """Show a note with --verbose."""
        if self._common.is_verbose:
            write_stderr(joined([escape(text)]))

    def warned(self, environment: str, warnings: Sequence[Diagnostic]) -> None:
        """Show warnings; those of several environments are shown once, at the end.

        Findings of rules are shown only by commands that check manifests.
        """
        if not self._checks_manifests:
            from reconciler.manifests.rules import RULES  # noqa: PLC0415  # the manifests are loaded by now

            warnings = [one for one in warnings if one.rule not in RULES]
        if self._common.is_of_several:
            self._common.warned[environment] = warnings
        elif warnings and not self._common.quiet:
            report_diagnostics(Checked(warning) for warning in warnings)

    def failed(self, error: ReconcilerError) -> None:
        """Show an error."""
        report_error(error)

    def found_interrupted_run(self, run: RecordedRun, uncertain: Sequence["Uncertain"]) -> None:
        """Show what is certain and what is uncertain about the interrupted run."""
        from reconciler.render.history import cut_off  # noqa: PLC0415  # rarely needed

        if not self._common.quiet:
            write_stderr(cut_off(run, uncertain, style_of_stderr()))

    def masked(self, command: str) -> None:
        """Write the command to stderr: stdout has the document."""
        write_stderr(command)
