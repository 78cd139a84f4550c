"""What a run is about to do and what came of it -> a file that survives a kill, and that shows when it was altered.

One file for each run, `<folder>/<run id>.jsonl`. A line is a JSON object, chained to the line before it by SHA-256. An
announcement is on the disk before `Journal.append` returns: whoever announces a write here and then sends it can be
stopped at any moment without the announcement being lost. The first line of a run also names the end of the run before
it, so that a run that was removed, or whose last lines were, is missed.

Nothing secret can be written by accident: a `Secret` is not JSON.
"""

from reconciler.applying.journal.applying import (
    ApplyRecorder,
    applied,
    facts_of,
    last_run,
    last_written,
    may_have_written,
    newest,
    recorded,
    unfinished,
)
from reconciler.applying.journal.check import Fault, check, check_all
from reconciler.applying.journal.read import Entry, Run, find, read, runs
from reconciler.applying.journal.write import Journal

__all__ = [
    "ApplyRecorder",
    "Entry",
    "Fault",
    "Journal",
    "Run",
    "applied",
    "check",
    "check_all",
    "facts_of",
    "find",
    "last_run",
    "last_written",
    "may_have_written",
    "newest",
    "read",
    "recorded",
    "runs",
    "unfinished",
]
