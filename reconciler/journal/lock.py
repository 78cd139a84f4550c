"""One run at a time that writes to an environment from one checkout.

The lock is one of the operating system, on a file beside the journals: it goes when its process goes, however that
ends, so that a dead process locks nobody out. The file only says who holds it.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from reconciler.errors import ReconcilerError
from reconciler.journal.write import OWNER_ONLY_FILE, OWNER_ONLY_FOLDER, moment, surroundings, utc_now

_LONGEST: Final = 4096
"""Bytes that are read of what the holder says of itself."""


@contextmanager
def exclusive(folder: Path, environment: str) -> Iterator[None]:
    """Hold the lock of an environment.

    Raises:
        ReconcilerError: another process holds it, or the file cannot be made.
    """
    path = folder / f"{environment}.lock"
    try:
        folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY_FILE)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _take(descriptor, path, environment)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, environment: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = _holder(os.pread(descriptor, _LONGEST, 0))
        message = f"another run is writing to environment {environment}: {holder}; nothing was written"
        raise ReconcilerError(message, hint=f"wait until it has ended; it holds {path}") from None
    except OSError as error:
        raise _unusable(path, error) from error
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps({**surroundings(), "started_at": moment(utc_now())}).encode("ascii"), 0)


def _holder(said: bytes) -> str:
    """Who holds the lock, as far as it has said so yet."""
    try:
        found: Any = json.loads(said)
        return f"process {found['pid']} of {found['user']} on {found['host']}, since {found['started_at']}"
    except (ValueError, KeyError, TypeError):
        return "a process that has just begun"


def _unusable(path: Path, error: OSError) -> ReconcilerError:
    hint = "journal.folder in reconciler.yaml names the folder"
    return ReconcilerError(f"the lock {path} cannot be used: {error.strerror}", hint=hint)
