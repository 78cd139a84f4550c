"""Finished texts -> stdout and stderr. Detects terminals and tolerates closed pipes."""

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import IO

import click

from reconciler.cli.options import Log
from reconciler.errors import ReconcilerError
from reconciler.model.json import Json


def write_stdout(text: str | Iterable[str]) -> None:
    """Write the document, or its pieces, to stdout. A closed pipe is ignored.

    Raises:
        ReconcilerError: stdout cannot be written, e.g. the disk is full.
    """
    try:
        for piece in [text] if isinstance(text, str) else text:
            _write(sys.stdout, piece)
    except OSError as error:
        abandon(sys.stdout)
        raise ReconcilerError(f"cannot write to stdout: {error.strerror}") from error


def write_stderr(text: str, events: Iterable[Mapping[str, Json]] = ()) -> None:
    """Write to stderr: the text, or with ``--log-format json`` the equivalent events.

    Without events, each line of the text becomes an event. Output is dropped if stderr cannot be written (a closed
    terminal, a full disk).
    """
    try:
        _write(sys.stderr, _logged(text, events) if Log.format == "json" else text)
    except OSError:
        abandon(sys.stderr)


def _logged(text: str, events: Iterable[Mapping[str, Json]]) -> str:
    from reconciler.render.jsonl import event, lines  # noqa: PLC0415  # only this format needs it

    stamp = {"@timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    given = list(events) or [event("log", line) for line in text.splitlines() if line.strip()]
    return lines({**stamp, **one} for one in given)


def in_job() -> bool:
    """Whether this is a CI job. Azure Pipelines sets its own variable."""
    return bool(os.environ.get("CI") or os.environ.get("TF_BUILD"))


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether the stream is a terminal with a user, so not that of a CI job."""
    return stream is not None and stream.isatty() and not in_job()


def wants_colour(stream: IO[str] | None) -> bool:
    """Whether colour may be written to the stream. See https://no-color.org and https://force-color.org."""
    if stream is sys.stderr and Log.format == "json":
        return False
    if Log.colour != "auto":
        return Log.colour == "always"
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (is_terminal(stream) and os.environ.get("TERM") != "dumb")


def width(stream: IO[str] | None) -> int:
    """The width of text: COLUMNS, else that of the terminal; 0: unlimited."""
    named = os.environ.get("COLUMNS", "")
    if named.isdecimal():
        return int(named)
    if stream is None or not is_terminal(stream):
        return 0
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return 0


def _write(stream: IO[str] | None, text: str) -> None:
    """Write, unless the stream was closed at startup."""
    if stream is None:
        return
    try:
        click.echo(text, file=stream, nl=False, color=True)
    except BrokenPipeError:
        abandon(stream)


def abandon(stream: IO[str]) -> None:
    """Redirect the stream to the null device, so that the flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
