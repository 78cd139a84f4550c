"""One run at a time that writes to an environment from one checkout.

The lock is one of the operating system, on a file beside the journals: it goes when its process goes, however that
ends, so that a dead process locks nobody out. The file only says who holds it: in a record of one size, since a file is
never made shorter here. Windows shows the record of a lock to its holder only.
"""

import errno
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from reconciler.applying.journal.write import OWNER_ONLY_FOLDER, moment, surroundings, utc_now
from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import open_own

_RECORD: Final = 1024
"""Bytes that the holder says of itself, with spaces to their end."""


@contextmanager
def exclusive(folder: Path, environment: str) -> Iterator[None]:
    """Hold the lock of an environment.

    Raises:
        ReconcilerError: another process holds it, or the file cannot be made.
    """
    path = folder / f"{environment}.lock"
    try:
        folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _take(descriptor, path, environment)
        yield
        with suppress(OSError):  # it says who held the lock, which matters to nobody now
            _say(descriptor, "")
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, environment: str) -> None:
    import portalocker  # noqa: PLC0415  # it takes as long to import as all else that plan needs, and plan locks nothing

    try:
        portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        holder = _holder(descriptor)
        message = f"another run is writing to environment {environment}: {holder}; nothing was written"
        raise ReconcilerError(message, hint=f"wait until it ends; it holds {path}") from None
    except portalocker.LockException as error:
        raise _unusable(path, error.args[0]) from error
    try:
        _say(descriptor, json.dumps({**surroundings(), "started_at": moment(utc_now())}))
    except OSError as error:
        raise _unusable(path, error) from error


def _say(descriptor: int, text: str) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode("ascii").ljust(_RECORD - 1) + b"\n")


def _holder(descriptor: int) -> str:
    """Who holds the lock, as far as it has said so yet."""
    try:
        found: Any = json.loads(os.read(descriptor, _RECORD))
        return f"process {found['pid']} of {found['user']} on {found['host']}, since {found['started_at']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "a process that has just started"


def _unusable(path: Path, error: OSError) -> ReconcilerError:
    why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
    hint = "nothing was written; journal.folder in reconciler.yaml names the folder"
    return ReconcilerError(f"the lock {path} cannot be used: {why}", hint=hint)
