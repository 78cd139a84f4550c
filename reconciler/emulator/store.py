"""Objects by kind and key, in memory and optionally in an SQLite file.

Reads never access the file, so that ten thousand clients are listed quickly. Writes change the memory and are queued;
`flush` commits the queue. The application calls it before it responds, so that acknowledged writes survive the end of
the process (also a kill, but not a power failure: SQLite's `synchronous` is NORMAL).

Stored bodies are never changed in place: a write puts a new dict. Keys are lower case, because IDs in OrderCloud are
case-insensitive.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable, Hashable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, cast

from reconciler.emulator.errors import StateError

Body = dict[str, Any]
Built = TypeVar("Built")

_VERSION = 3
_BUSY_SECONDS = 5.0
_NOTHING: dict[str, Body] = {}


def key_of(*parts: str) -> str:
    """The key of an object, from the IDs of its parents and its own; case-insensitive."""
    return "/".join(part.lower() for part in parts)


def key_in(body: Body) -> str:
    """The key of a stored object."""
    return key_of(*filter(None, (body["_parent"], body["ID"])))


def _shuffled(keys: Mapping[str, Body]) -> list[str]:
    """Order keys by a checksum: the same in every run, but unrelated to the names and the order of creation."""
    return sorted(keys, key=lambda key: (zlib.crc32(key.encode("utf-8", "replace")[::-1]), key))


class Store:
    """All data of one marketplace. Not thread-safe: the caller must hold a lock.

    Raises:
        StateError: the file is locked by another process, is not SQLite, or was written by another version of the
            emulator.
    """

    def __init__(self, path: Path | None) -> None:
        self._kinds: dict[str, dict[str, Body]] = {}
        self._versions: dict[str, int] = {}
        self._cache: dict[tuple[str, Hashable], tuple[int, Any]] = {}
        self._orders: dict[str, list[str]] = {}
        self._pending: list[tuple[str, str, str | None]] = []
        self._file = None if path is None else _open(path)
        if self._file is not None:
            for kind, key, text in self._file.execute("SELECT kind, key, body FROM objects"):
                self._kinds.setdefault(kind, {})[key] = json.loads(text)

    @property
    def is_empty(self) -> bool:
        """Whether the store has no objects, so that a seed can be loaded."""
        return not any(self._kinds.values())

    def get(self, kind: str, key: str) -> Body | None:
        """The object, or None; it must not be modified."""
        return self._kinds.get(kind, _NOTHING).get(key)

    def all(self, kind: str) -> Mapping[str, Body]:
        """All objects of a kind by key; neither may be modified."""
        return self._kinds.get(kind, _NOTHING)

    def put(self, kind: str, key: str, body: Body) -> None:
        """Store an object under a lower-case key."""
        text = json.dumps(body) if self._file is not None else ""
        objects = self._kinds.setdefault(kind, {})
        if key not in objects:
            self._orders.pop(kind, None)
        objects[key] = body
        self._changed(kind, key, text)

    def delete(self, kind: str, key: str) -> None:
        """Delete an object, which must exist."""
        del self._kinds[kind][key]
        self._orders.pop(kind, None)
        self._changed(kind, key, None)

    def shuffled(self, kind: str) -> list[Body]:
        """The objects of a kind, in an order that is stable until one is added or deleted."""
        objects = self.all(kind)
        order = self._orders.get(kind)
        if order is None:
            order = self._orders[kind] = _shuffled(objects)
        return [objects[key] for key in order]

    def children(self, kind: str, parent: str) -> list[Body]:
        """The objects of a kind below the parent with this key, in the same order."""
        return self.cached(kind, "by parent", lambda: self._by_parent(kind)).get(parent, [])

    def _by_parent(self, kind: str) -> dict[str, list[Body]]:
        rows: dict[str, list[Body]] = {}
        for body in self.shuffled(kind):
            rows.setdefault(body["_parent"], []).append(body)
        return rows

    def cached(self, kind: str, name: Hashable, build: Callable[[], Built]) -> Built:
        """The result of `build`, which is called again only after an object of the kind has changed."""
        version = self._versions.get(kind, 0)
        hit = self._cache.get((kind, name))
        if hit is None or hit[0] != version:
            hit = (version, build())
            self._cache[(kind, name)] = hit
        return cast("Built", hit[1])

    def flush(self) -> None:
        """Commit all writes since the last call to the file.

        Raises:
            StateError: the file cannot be written, for example on a full disk; the next call tries again.
        """
        if self._file is None or not self._pending:
            return
        try:
            with self._file:
                _write(self._file, self._pending)
        except sqlite3.Error as error:
            raise StateError(f"the state file of the emulator cannot be written: {error}") from error
        self._pending = []

    def close(self) -> None:
        """Flush and close the file; a second call does nothing."""
        with suppress(StateError):  # the requests whose writes are lost got an error response
            self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Close the file without writing pending changes."""
        self._pending = []
        self.close()

    def _changed(self, kind: str, key: str, text: str | None) -> None:
        self._versions[kind] = self._versions.get(kind, 0) + 1
        if self._file is not None:
            self._pending.append((kind, key, text))


def _write(connection: sqlite3.Connection, pending: Iterable[tuple[str, str, str | None]]) -> None:
    connection.execute("BEGIN")
    for kind, key, text in pending:
        if text is None:
            connection.execute("DELETE FROM objects WHERE kind = ? AND key = ?", (kind, key))
        else:
            connection.execute("REPLACE INTO objects VALUES (?, ?, ?)", (kind, key, text))


def _open(path: Path) -> sqlite3.Connection:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # it contains secrets
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"{path}: cannot open the state file: {error}") from error
    try:
        _prepare(connection, path)
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StateError(f"{path}: cannot use the state file: {error}; {_fix_for(error)}") from error
    except StateError:
        connection.close()
        raise
    return connection


def _prepare(connection: sqlite3.Connection, path: Path) -> None:
    # Without the exclusive lock, two emulators that share a file would overwrite each other's data.
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in {0, _VERSION}:
        raise StateError(f"{path}: has state version {version}, but this emulator requires {_VERSION}; delete the file")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("CREATE TABLE IF NOT EXISTS objects (kind TEXT, key TEXT, body TEXT, PRIMARY KEY (kind, key))")
    connection.execute(f"PRAGMA user_version = {_VERSION}")
    connection.execute("COMMIT")


def _fix_for(error: sqlite3.DatabaseError) -> str:
    if "locked" in str(error):
        return "another emulator is using it; stop that one or choose another file"
    return "choose another file or delete this one"
