"""Events -> lines appended to a journal, synced before the announced step.

One run at a time writes to an environment from one checkout. The lock is an operating system lock on a file next to
the journals: it is released when its process ends, even if killed. The file only names the holder, in a record of
fixed size, since the file is never truncated. Windows lets only the holder read the record.
"""

import errno
import getpass
import json
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Self

from reconciler import __version__
from reconciler.applying.journal import FORMAT_VERSION, SUFFIX, Entry, read, run_files
from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import open_own
from reconciler.model.json import Json

OWNER_ONLY_FOLDER: Final = 0o700
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"


def utc_now() -> datetime:
    """Return the current time; tests pass another clock."""
    return datetime.now(UTC)


class Journal:
    """The open journal of one run. Thread-safe; a context manager that closes the file.

    Every method that writes raises `ReconcilerError` if it cannot: the announced step must then not be taken, and
    later writes are refused: the last line may be incomplete.
    """

    def __init__(self, path: Path, descriptor: int, clock: Callable[[], datetime]) -> None:
        self.path = path
        self._descriptor = descriptor
        self._clock = clock
        self._last: Entry | None = None
        self._fault: ReconcilerError | None = None
        self._lock = threading.Lock()
        self._disk = Disk(lambda: os.fsync(self._descriptor))

    @classmethod
    def start(cls, folder: Path, facts: Mapping[str, Json], clock: Callable[[], datetime] = utc_now) -> Self:
        """Create the journal of a run, with a first line that describes the run.

        Args:
            folder: of the journals; created, for its owner only, if it does not exist.
            facts: of the run: `kind` (such as `apply`) and its details. The run ID, the program version, host, process
                and user, and the end of the previous run are added.
            clock: returns the current time.

        Raises:
            ReconcilerError: it cannot be written.
        """
        now = clock()
        run_id = f"{now.astimezone(UTC).strftime(_STAMP)}-{secrets.token_hex(2)}"
        path = folder / f"{run_id}{SUFFIX}"
        try:
            folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
            before = _end_of_last_run(folder)
            descriptor = open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        except OSError as error:
            raise _unwritable(path, error) from error
        journal = cls(path, descriptor, clock)
        with journal.kept_or_removed():
            _sync_folder(folder)
            journal.append("start", {**surroundings(), **facts, "run": run_id, "after": before})
        return journal

    @contextmanager
    def kept_or_removed(self) -> Iterator[None]:
        """Remove the file if its first lines cannot be written: nothing was written to the service yet."""
        try:
            yield
        except ReconcilerError:
            with suppress(OSError, ReconcilerError):
                self.close()
            with suppress(OSError):
                self.path.unlink()
            raise

    @property
    def run_id(self) -> str:
        """Run ID, as in `history`."""
        return self.path.name.removesuffix(SUFFIX)

    def append(self, event: str, facts: Mapping[str, Json], *, wait: bool = True) -> None:
        """Write one line, and return when it is on disk.

        Without `wait` it is only passed to the operating system, where it survives a kill of the process; it is synced
        with the next line that waits, or when the journal is closed. Raises TypeError, and writes nothing, for facts
        that are not JSON, such as a secret.
        """
        with self._lock, self._faults():
            entry, text = Entry.after(self._last, moment(self._clock()), event, facts)
            _write_whole(self._descriptor, text.encode("ascii"))
            self._last = entry
            self._disk.count_line()
        if wait:
            self._sync()

    def _sync(self) -> None:
        with self._faults():
            self._disk.sync()

    @contextmanager
    def _faults(self) -> Iterator[None]:
        if self._fault:
            raise self._fault
        try:
            yield
        except OSError as error:
            self._fault = _unwritable(self.path, error)
            raise self._fault from error

    def close(self) -> None:
        """Sync all lines and close the file; idempotent.

        Raises:
            ReconcilerError: lines cannot be synced, and no other method has raised.
        """
        if self._descriptor < 0:
            return
        try:
            if self._fault is None:
                self._sync()
        finally:
            with self._lock:
                descriptor, self._descriptor = self._descriptor, -1
                os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Disk:
    """Syncs lines in batches: one sync covers all lines that were written before it began."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._turn = threading.Condition()
        self._written = 0
        self._safe = 0
        """Lines that are synced."""
        self._is_busy = False

    def count_line(self) -> None:
        """Count one more written line."""
        with self._turn:
            self._written += 1

    def sync(self) -> None:
        """Return when all lines that were written before the call are on disk.

        Raises:
            OSError: they are not; each waiting thread then tries by itself.
        """
        with self._turn:
            wanted = self._written
            self._turn.wait_for(lambda: self._safe >= wanted or not self._is_busy)
            if self._safe >= wanted:
                return
            self._is_busy, reached = True, self._written
        try:
            self._sync()
        except BaseException:  # also Ctrl-C, which may come before anything is safe
            reached = 0
            raise
        finally:
            with self._turn:
                self._is_busy, self._safe = False, max(self._safe, reached)
                self._turn.notify_all()


def surroundings() -> dict[str, Json]:
    """The program version, host, process and user."""
    return {
        "format_version": FORMAT_VERSION,
        "tool_version": __version__,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "user": _user(),
    }


def _user() -> str:
    """User name, if known: a container may have none for its user."""
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _end_of_last_run(folder: Path) -> Json:
    """End of the previous run's journal, so far; another process may still be writing it."""
    for path in reversed(run_files(folder)):
        with suppress(ReconcilerError):  # `history verify` reports unreadable files
            run = read(path)
            return {"run": run.id, "line": run.entries[-1].line, "hash": run.entries[-1].hash}
    return None


def _write_whole(descriptor: int, line: bytes) -> None:
    """Write all of it: a single write may be partial on a disk that is nearly full."""
    while line:
        line = line[os.write(descriptor, line) :]


def _sync_folder(folder: Path) -> None:
    """Sync the new file's name too, where the file system supports it."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)


def moment(now: datetime) -> str:
    """UTC, ISO 8601, with microseconds and a Z."""
    return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _unwritable(path: Path, error: OSError) -> ReconcilerError:
    hint = "stopped before further writes; set journal.folder in reconciler.yaml to a writable folder"
    return ReconcilerError(f"the journal {path} cannot be written: {error.strerror}", hint=hint)


_RECORD: Final = 1024
"""Size of the holder's record in bytes, padded with spaces."""


@contextmanager
def exclusive(folder: Path, environment: str) -> Iterator[None]:
    """Hold the lock of an environment. Raises `ReconcilerError` if it is held or cannot be created."""
    path = folder / f"{environment}.lock"
    try:
        folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _take(descriptor, path, environment)
        yield
        with suppress(OSError):  # the record no longer matters
            _write_record(descriptor, "")
    finally:
        os.close(descriptor)


def _take(descriptor: int, path: Path, environment: str) -> None:
    import portalocker  # noqa: PLC0415  # slow to import, and plan locks nothing

    try:
        portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.AlreadyLocked:
        holder = _holder(descriptor)
        message = f"another run is writing to environment {environment}: {holder}; nothing was written"
        raise ReconcilerError(message, hint=f"wait until it ends (lock file {path})") from None
    except portalocker.LockException as error:
        raise _unusable(path, error.args[0]) from error
    try:
        _write_record(descriptor, json.dumps({**surroundings(), "started_at": moment(utc_now())}))
    except OSError as error:
        raise _unusable(path, error) from error


def _write_record(descriptor: int, text: str) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    os.write(descriptor, text.encode("ascii").ljust(_RECORD - 1) + b"\n")


def _holder(descriptor: int) -> str:
    """Lock holder, if recorded."""
    try:
        found: Any = json.loads(os.read(descriptor, _RECORD))
        return f"process {found['pid']} of {found['user']} on {found['host']}, since {found['started_at']}"
    except (ValueError, KeyError, TypeError, RecursionError):
        return "a process that has just started"


def _unusable(path: Path, error: OSError) -> ReconcilerError:
    is_link = error.errno == errno.ELOOP
    why = "it is a symbolic link" if is_link else error.strerror
    fix = "remove the link" if is_link else "set journal.folder in reconciler.yaml to a writable folder"
    return ReconcilerError(f"the lock file {path} cannot be used: {why}", hint=f"nothing was written; {fix}")
