"""Calls, their bytes, their results and their statistics: the values that pass between login, retries and wire.

Messages name only the type of an unexpected value, and never quote a body. The shape of error bodies is that of
the OrderCloud knowledge base, "Errors": ``{"Errors": [{ErrorCode, Message, Data}]}``.
"""

import json
import re
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import field, replace
from enum import Enum, auto
from typing import Final
from urllib.parse import quote, unquote

from reconciler.errors import AnswerLost, BadAnswer, ReconcilerError, RemoteError, RequestFacts
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, is_array
from reconciler.model.secret import Secret
from reconciler.remote import WireBody

API: Final = "/v1"
TOKEN_PATH: Final = "/oauth/token"  # noqa: S105  # a path, no password


@dataclass(frozen=True, slots=True)
class Call:
    """One request without the token. The content may have secrets in clear text, so no repr contains it."""

    method: str
    path: str
    """Percent-encoded, with a leading slash and without a query."""
    query: tuple[tuple[str, str], ...] = ()
    content: bytes = field(default=b"", repr=False)
    content_type: str = ""
    secrets: tuple[Secret, ...] = ()
    """The secrets in the content, which are removed from every message about this call."""

    @property
    def shown(self) -> str:
        """The path for messages, with the page number from the second page on."""
        page = next((value for name, value in self.query if name == "page"), "1")
        return self.path if page == "1" else f"{self.path}?page={page}"

    @property
    def is_login(self) -> bool:
        """Whether this is the token request, the only POST that changes nothing."""
        return self.path == TOKEN_PATH

    @property
    def is_write(self) -> bool:
        """Whether executing it twice may differ from executing it once."""
        return self.method != "GET" and not self.is_login


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete response of any status. The body may have secrets, so no repr contains it."""

    status: int
    body: bytes = field(default=b"", repr=False)
    content_type: str = ""
    log_id: str = ""
    retry_after: float | None = None
    """The wait that the service requests, in seconds."""
    seconds: float = 0.0
    """The time from the first byte sent to the last one received."""
    date: float | None = None
    """The Date header, in seconds since the epoch."""


class RequestState(Enum):
    """What is known of a request without a usable response."""

    NEVER_SENT = auto()
    """There was no connection: the request, also a write, can be sent again."""
    UNSENDABLE = auto()
    """Nothing was sent, and another attempt would fail the same way."""
    LOST = auto()
    """The request was at least partly sent, without a complete response: a write may have been executed."""
    UNREADABLE = auto()
    """The response cannot be read: it is damaged or too large."""


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Why there is no response; contains no secret."""

    state: RequestState
    reason: str
    cause: Exception
    hint: str = ""
    seconds: float = 0.0


Result = Answer | NoAnswer


class MalformedAnswer(Exception):
    """A response violates the API. The message says what was expected and what was found, without quoting it."""


def encode(body: WireBody) -> tuple[bytes, tuple[Secret, ...]]:
    """Encode a body as JSON; also returns the secrets that it contains.

    Raises:
        ReconcilerError: a secret is a placeholder.
        ValueError: a number is infinite or NaN.
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
        message = "a secret is a placeholder of an export or of the service; if sent, it would become the secret"
        raise ReconcilerError(message, hint="set the secret in its manifest: {fromEnv: NAME}")
    return secret.reveal()


REMEMBERED: Final = 1000
"""The number of requests of which samples are kept."""


@dataclass(frozen=True, slots=True)
class Stats:
    """The statistics of a run."""

    requests: int = 0
    """The number of attempts, including logins and retries."""
    retries: int = 0
    bytes: int = 0
    """The size of all response bodies, decompressed."""
    seconds: float = 0.0
    """The time spent waiting for responses, summed over all threads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The statistics of one request."""

    seconds: float
    status: int | None
    """None: there was no usable response."""
    date: float | None
    """The service's clock, see `Answer.date`."""


class Meter:
    """Collects `Stats`, and samples of the last requests. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = Stats()
        self._samples: deque[Sample] = deque(maxlen=REMEMBERED)

    @property
    def stats(self) -> Stats:
        """The current statistics."""
        return self._stats

    @property
    def samples(self) -> tuple[Sample, ...]:
        """Samples of the last requests, including retries and logins; the oldest first."""
        with self._lock:
            return tuple(self._samples)

    def note(self, sample: Sample, size: int) -> None:
        """Count a request and the size of its response, and keep its sample."""
        with self._lock:
            now = self._stats
            self._samples.append(sample)
            self._stats = Stats(now.requests + 1, now.retries, now.bytes + size, now.seconds + sample.seconds)

    def retried(self) -> None:
        """Count a retry."""
        with self._lock:
            self._stats = replace(self._stats, retries=self._stats.retries + 1)


_PATH: Final = re.compile(r"(/[A-Za-z0-9._~%-]+)+")


def path_of(path: str, object_id: str | None = None) -> str:
    """Join path and ID, so that they identify one object: an empty ID would mean the list, one of dots its parent."""
    parts = [unquote(part) for part in path.split("/")[1:]] + ([] if object_id is None else [object_id])
    if not _PATH.fullmatch(path) or not all(map(names_something, parts)):
        raise ValueError(f"invalid ID {object_id!r} for {path!r}: empty, only dots, or not percent-encoded")
    return API + path + ("" if object_id is None else f"/{quote(object_id, safe='')}")


def names_something(part: str) -> bool:
    """Whether an ID or a part of a path is more than spaces and dots."""
    return bool(part.strip(" .\t\r\n"))


def call_with_body(method: str, path: str, body: WireBody) -> Call:
    """A call with a JSON body."""
    content, secrets = encode(body)
    return Call(method, path, content=content, content_type="application/json; charset=utf-8", secrets=secrets)


REPORT: Final = "check the base URL and any proxy in between; if both are right, report the log id to Sitecore support"
LOOK_FIRST: Final = "it may have been executed: plan again to see what the service has now"


@dataclass(frozen=True, slots=True)
class ServiceError:
    """One entry of an error body."""

    code: str
    message: str
    data: Mapping[str, Json]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.message else self.code or self.message


def parse(answer: Answer) -> Json:
    """Read a body as strict JSON: no duplicate keys, no NaN, no infinite numbers; a byte order mark is dropped.

    The mark was seen in live responses: Sitecore's JavaScript SDK drops it, too.

    Raises:
        MalformedAnswer: it is not JSON, or takes more memory than a response may; the message names what was found.
    """
    if sum(map(answer.body.count, (b",", b"{", b"["))) > _MOST_VALUES:
        raise MalformedAnswer(f"JSON of more than {_MOST_VALUES} values")
    try:
        return _DECODER.decode(answer.body.decode("utf-8-sig"))  # type: ignore[no-any-return]  # the decoder is untyped
    except RecursionError:
        raise MalformedAnswer(f"JSON that is nested too deeply{_nested(answer.body)}") from None
    except ValueError:
        # `from None`: the decoder's error contains the whole text
        raise MalformedAnswer(_found(answer)) from None


def object_in(call: Call, answer: Answer) -> dict[str, Json]:
    """Read a body that must be one JSON object.

    Raises:
        BadAnswer: it is something else.
        AnswerLost: the same for a write: it was executed, but its result is unknown.
    """
    try:
        body = parse(answer)
    except MalformedAnswer as fault:
        raise unusable(call, answer, f"expected a JSON object and found {fault}") from None
    if not isinstance(body, dict):
        raise unusable(call, answer, f"expected a JSON object and found {kind_of(body)}")
    return body


def unusable(call: Call, answer: Answer, message: str) -> RemoteError:
    """The error for a response that violates the API."""
    facts = RequestFacts(call.method, call.shown, answer.status, log_id=answer.log_id)
    if call.is_write:
        return AnswerLost(f"the response to the write is unusable: {message}", facts, hint=LOOK_FIRST)
    return BadAnswer(message, facts, hint=REPORT)


def kind_of(value: Json) -> str:
    """The JSON type of a value, as in 'found a string'."""
    if value is None:
        return "null"
    return next(words for cls, words in _KINDS.items() if isinstance(value, cls))


def text_or_empty(value: Json) -> str:
    """A string unchanged; empty for anything else."""
    return value if isinstance(value, str) else ""


def names_in(value: Json) -> list[str]:
    """The strings of a list. OrderCloud writes a single one without a list."""
    if isinstance(value, str):
        return [value]
    return [name for name in value if isinstance(name, str)] if is_array(value) else []


def service_errors(answer: Answer) -> tuple[ServiceError, ...]:
    """The errors of an error body; empty if it is not one. The token endpoint may return only OAuth's two fields."""
    body = _error_body(answer)
    entries = body.get("Errors")
    if is_array(entries):
        found = tuple(_service_error(entry) for entry in entries if isinstance(entry, Mapping))
        return tuple(error for error in found if error.code or error.message)
    if isinstance(body.get("error"), str):
        return (ServiceError(text_or_empty(body["error"]), text_or_empty(body.get("error_description")), {}),)
    return ()


def texts(answer: Answer) -> tuple[str, ...]:
    """All texts of an error body; the token endpoint may return OAuth's two fields in addition to the API's."""
    body = _error_body(answer)
    oauth = [text_or_empty(body.get(name)) for name in ("error", "error_description")]
    api_texts = [text for error in service_errors(answer) for text in (error.code, error.message)]
    return tuple(filter(None, dict.fromkeys([*oauth, *api_texts])))


def _error_body(answer: Answer) -> Mapping[str, Json]:
    try:
        body = parse(answer)
    except MalformedAnswer:
        return {}
    return body if isinstance(body, Mapping) else {}


def _nested(body: bytes) -> str:
    """Find the item of a list that is nested too deeply, to name it among thousands."""
    depth, deepest, name = 0, 0, b""
    for token in _TOKEN.finditer(body):
        if token[0] in b"{[":
            depth += 1
            deepest = max(deepest, depth)
            if depth == _OF_AN_ITEM:
                deepest, name = depth, b""
        elif token[0] in b"]}":
            depth -= 1
            if depth == _OF_AN_ITEM - 1 and deepest > _FLAT and name:
                return f", in the object with ID {name.decode('utf-8', 'replace')}"
        elif depth == _OF_AN_ITEM and token["name"]:
            name = token["name"]
    return ""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedAnswer("JSON with a key that occurs twice")
    return found


def _constant(_: str) -> Json:
    raise MalformedAnswer("JSON with NaN or Infinity")


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise MalformedAnswer("JSON with a number that is too large")
    return number


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)

_TOKEN: Final = re.compile(rb'"ID"\s*:\s*"(?P<name>[^"\\]*)"|"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_MOST_VALUES: Final = 2_000_000
"""A value takes two bytes of a response and a hundred of memory; a page of a hundred objects has some thousand."""
_OF_AN_ITEM: Final = 3
"""How deep an item of a list is: in the response, in its Items."""
_FLAT: Final = 200
"""Levels that the item may have without being at fault."""

_KINDS: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _found(answer: Answer) -> str:
    text = answer.body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return "an empty body"
    if text.startswith(b"<") or "html" in answer.content_type.lower():
        return "HTML or XML, which a proxy or a gateway may have sent"
    return f"{len(answer.body)} bytes that are not JSON, or truncated JSON"


def _service_error(entry: Mapping[str, Json]) -> ServiceError:
    code, message = (text_or_empty(entry.get(name)) for name in ("ErrorCode", "Message"))
    data = entry.get("Data")
    return ServiceError(code, message, data if isinstance(data, Mapping) else {})
