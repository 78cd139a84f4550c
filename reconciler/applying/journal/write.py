"""Events as they come -> lines of one run's journal, on the disk before the step that they announce is taken.

One run at a time writes to an environment from one checkout. Its lock is one of the operating system, on a file next
to the journals: it is released when its process ends, however it ends, so that a dead process blocks no other. The
file only says who holds it: in a record of one size, since a file is never made shorter here. Windows shows the record
of a lock to its holder only.
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
    """Tell the time; tests pass a clock of their own instead."""
    return datetime.now(UTC)


class Journal:
    """The journal of one run, open for more. Thread-safe; a context manager that closes the file.

    Every method that writes raises `ReconcilerError` where it cannot: what was to be announced must then not be done,
    and nothing more is taken: the last line may be torn.
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
        """Begin the journal of a run with a line that says what it is.

        Args:
            folder: where journals are kept; made, for its owner only, if it is not there.
            facts: of the run: `kind` (`apply`, say), and what it is about. To these are added the run's id, the version
                of the tool, host, process and user, and where the run before it ended.
            clock: tells the time.

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
        """Remove the file if its first lines cannot be written: nothing was done that it would record."""
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
        """What the run is called in `history`."""
        return self.path.name.removesuffix(SUFFIX)

    def append(self, event: str, facts: Mapping[str, Json], *, wait: bool = True) -> None:
        """Write one line, and return when it is on the disk.

        Without `wait` it is handed to the system only, where it survives a kill of the process; it reaches the disk
        with the next line that is waited for, or when the journal is closed. A TypeError: the facts hold something that
        is not JSON, a secret for example; nothing was written.
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
        """Bring all lines to the disk and let go of the file; a second call does nothing.

        Raises:
            ReconcilerError: what was not waited for cannot be written, and no other method has raised.
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
    """Brings lines to the disk, many at a time: one sync serves all threads whose lines were there when it began."""

    def __init__(self, sync: Callable[[], None]) -> None:
        self._sync = sync
        self._turn = threading.Condition()
        self._written = 0
        self._safe = 0
        """Lines that are on the disk."""
        self._is_busy = False

    def count_line(self) -> None:
        """Note that one more line was written."""
        with self._turn:
            self._written += 1

    def sync(self) -> None:
        """Return when all lines that were written before the call are on the disk.

        Raises:
            OSError: they are not; each waiting thread finds out by its own try.
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
    """Who runs this, as far as the system knows: a container may have no name for its user."""
    with suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return str(os.getuid()) if hasattr(os, "getuid") else "unknown"


def _end_of_last_run(folder: Path) -> Json:
    """Where the run before ends at this moment; another process may still be writing it."""
    for path in reversed(run_files(folder)):
        with suppress(ReconcilerError):  # a file that cannot be read is for `history verify` to report
            run = read(path)
            return {"run": run.id, "line": run.entries[-1].line, "hash": run.entries[-1].hash}
    return None


def _write_whole(descriptor: int, line: bytes) -> None:
    """Write all of it: the system may take a part at a time, on a disk that is nearly full."""
    while line:
        line = line[os.write(descriptor, line) :]


def _sync_folder(folder: Path) -> None:
    """Make the new file's name durable, too. Not every file system lets a folder be synced."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(descriptor)
        os.close(descriptor)


def moment(now: datetime) -> str:
    """UTC, ISO 8601, with microseconds and a Z."""
    return now.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _unwritable(path: Path, error: OSError) -> ReconcilerError:
    hint = "no further writes are sent; journal.folder in reconciler.yaml says where it goes"
    return ReconcilerError(f"the journal {path} cannot be written: {error.strerror}", hint=hint)


_RECORD: Final = 1024
"""Bytes that the holder says of itself, with spaces to their end."""


@contextmanager
def exclusive(folder: Path, environment: str) -> Iterator[None]:
    """Hold the lock of an environment; a `ReconcilerError` if another process holds it, or it cannot be made."""
    path = folder / f"{environment}.lock"
    try:
        folder.mkdir(mode=OWNER_ONLY_FOLDER, parents=True, exist_ok=True)
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        _take(descriptor, path, environment)
        yield
        with suppress(OSError):  # it says who held the lock, which no longer matters
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
