"""One call, its bytes, what became of it and what it cost: the values that pass between login, retries and wire."""

import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import field
from enum import Enum, auto
from typing import Final
from urllib.parse import quote, unquote

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.secret import Secret
from reconciler.remote import WireBody

API: Final = "/v1"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105  # a path, no password


@dataclass(frozen=True, slots=True)
class Call:
    """One request, complete but for the token. The content may hold secrets in clear: it is in no repr."""

    method: str
    path: str
    """Percent-encoded, with a leading slash and without a query."""
    query: tuple[tuple[str, str], ...] = ()
    content: bytes = field(default=b"", repr=False)
    content_type: str = ""
    secrets: tuple[Secret, ...] = ()
    """What the content reveals: taken out of every message about this call."""

    @property
    def shown(self) -> str:
        """The path as messages show it: with the number of the page, from the second on."""
        page = next((value for name, value in self.query if name == "page"), "1")
        return self.path if page == "1" else f"{self.path}?page={page}"

    @property
    def is_login(self) -> bool:
        """Whether this is the token request, the one POST that changes nothing."""
        return self.path == TOKEN_PATH

    @property
    def is_write(self) -> bool:
        """Whether carrying it out twice may differ from carrying it out once."""
        return self.method != "GET" and not self.is_login


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status. The body may hold secrets: it is in no repr."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    log_id: str = ""
    retry_after: float | None = None
    """Seconds that the service asks to wait."""
    seconds: float = 0.0
    """From sending the first byte to having the last."""
    date: float | None = None
    """The service's clock as its Date header tells it, in seconds since the epoch."""


class RequestState(Enum):
    """What is known of a request that got no usable answer."""

    NEVER_SENT = auto()
    """No connection: nothing happened, and it may be tried again, writes included."""
    UNSENDABLE = auto()
    """Nothing was sent, and trying again would end alike."""
    LOST = auto()
    """It was sent, wholly or partly, and no whole answer came: a write may have been carried out."""
    UNREADABLE = auto()
    """An answer came that cannot be taken in: damaged, or too large."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is no answer, in words that quote nothing secret."""

    state: RequestState
    reason: str
    cause: Exception
    hint: str = ""
    seconds: float = 0.0


Result = Answer | NoAnswer


class Misshapen(Exception):
    """An answer is not what the API promises; the message says what was expected and found, and quotes nothing."""


def encode(body: WireBody) -> tuple[bytes, tuple[Secret, ...]]:
    """Write JSON, and give the secrets that it now shows.

    Raises:
        ReconcilerError: a secret is what is shown in its place.
        ValueError: a number is infinite or none.
        TypeError: a value is not JSON and no secret.
    """
    revealed: list[Secret] = []

    def default(value: object) -> object:
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, Secret):
            revealed.append(value)
            return _reveal(value)
        raise TypeError(f"cannot be sent as JSON: {type(value).__name__}")

    text = json.dumps(body, default=default, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii"), tuple(revealed)


def _reveal(secret: Secret) -> str:
    if secret.is_placeholder:
        message = "a secret is the placeholder that an export or the service shows; sending it would make it the secret"
        raise ReconcilerError(message, hint="give the secret in its manifest: {fromEnv: NAME}")
    return secret.reveal()


REMEMBERED: Final = 1000
"""Requests whose course is kept in mind."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a run has cost so far."""

    requests: int = 0
    """Sent or attempted, logins and retries included."""
    retries: int = 0
    bytes: int = 0
    """Of answer bodies, decompressed."""
    seconds: float = 0.0
    """Spent waiting for answers, added over all threads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How one request went."""

    seconds: float
    status: int | None
    """None: no usable answer came."""
    date: float | None
    """The service's clock, see `Answer.date`."""


class Meter:
    """Counts for `Stats`, and how the last requests went. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = Stats()
        self._samples: deque[Sample] = deque(maxlen=REMEMBERED)

    @property
    def stats(self) -> Stats:
        """The counts of the moment."""
        return self._stats

    @property
    def samples(self) -> tuple[Sample, ...]:
        """How the last requests went, retries and logins included; the oldest first."""
        with self._lock:
            return tuple(self._samples)

    def note(self, sample: Sample) -> None:
        """Remember how a request went."""
        with self._lock:
            self._samples.append(sample)

    def count(self, *, requests: int = 0, retries: int = 0, size: int = 0, seconds: float = 0.0) -> None:
        """Add to the counts."""
        with self._lock:
            now = self._stats
            self._stats = Stats(now.requests + requests, now.retries + retries, now.bytes + size, now.seconds + seconds)


_PATH: Final = re.compile(r"(/[A-Za-z0-9._~%-]+)+")


def path_of(path: str, object_id: str | None = None) -> str:
    """Join, so that the result names one thing: an empty ID would name the list, one of dots its parent."""
    parts = [unquote(part) for part in path.split("/")[1:]] + ([] if object_id is None else [object_id])
    if not _PATH.fullmatch(path) or not all(map(names_something, parts)):
        raise ValueError(f"{path!r} with ID {object_id!r} names nothing: empty, only dots, or not percent-encoded")
    return API + path + ("" if object_id is None else f"/{quote(object_id, safe='')}")


def names_something(part: str) -> bool:
    """Whether an ID or a part of a path is more than spaces and dots."""
    return bool(part.strip(" .\t\r\n"))


def call_with_body(method: str, path: str, body: WireBody) -> Call:
    """A call that sends this as JSON."""
    content, secrets = encode(body)
    return Call(method, path, content=content, content_type="application/json; charset=utf-8", secrets=secrets)
