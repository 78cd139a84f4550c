"""Finished texts -> stdout and stderr. Knows which stream is a terminal, and survives a closed pipe."""

import os
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import IO

import click

from reconciler.cli.options import Log
from reconciler.errors import ReconcilerError
from reconciler.model.json import Json


def emit(text: str | Iterable[str]) -> None:
    """Write the requested document, or its pieces, to stdout. A closed pipe is silent: its reader has read enough.

    Raises:
        ReconcilerError: it cannot be written (a full disk).
    """
    try:
        for piece in [text] if isinstance(text, str) else text:
            _write(sys.stdout, piece)
    except OSError as error:
        abandon(sys.stdout)
        raise ReconcilerError(f"the output cannot be written: {error.strerror}") from error


def tell(text: str, events: Iterable[Mapping[str, Json]] = ()) -> None:
    """Write anything else to stderr: the text, or with ``--log-format json`` the events that say the same.

    A text without events of its own becomes an event for each of its lines. What stderr cannot take (a closed terminal,
    a full disk) is dropped.
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
    """Whether this is a job of a CI system; Azure Pipelines has a variable of its own."""
    return bool(os.environ.get("CI") or os.environ.get("TF_BUILD"))


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether the stream is a terminal with a user. A terminal of a CI job does not count."""
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
    """The width of a text: of COLUMNS, else of the terminal; 0: unlimited."""
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
    """Write, unless the stream was closed from the start."""
    if stream is None:
        return
    try:
        click.echo(text, file=stream, nl=False, color=True)
    except BrokenPipeError:
        abandon(stream)


def abandon(stream: IO[str]) -> None:
    """Point the stream at nothing, so that Python's own flush at exit does not fail as well."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
