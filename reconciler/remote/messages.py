"""One call, its bytes, and what became of it: the values that pass between the login, the retries and the wire."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.secret import Secret
from reconciler.remote.protocol import WireBody

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
