"""Rules and requests -> which faults strike now; an answer and a fault -> the spoiled answer."""

import difflib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, NoReturn

from reconciler.emulator.calls import DECODER, HTML, JSON, Reply, dumps
from reconciler.emulator.errors import CODES, Fault, FaultSpecError, not_found_at
from reconciler.emulator.lists import glob
from reconciler.emulator.rows import kinds_of

METHODS = ("*", "GET", "POST", "PUT", "PATCH", "DELETE")
DROPS = ("before", "after")

_EDITABLE = {field.name for field in kinds_of("legacy")["ApiClient"].fields if not field.read_only}
_BREAK = re.compile(r"[\s,]+")
_WORD = re.compile(r"[^\s,=]+")
_VALUE = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault: which requests, how often, what happens. `count` None means every time; times in milliseconds."""

    spec: str
    method: str
    path: str
    status: int | None = None
    code: str | None = None
    message: str | None = None
    retry_after: int | None = None
    latency: int = 0
    drop: str | None = None
    body: str | None = None
    edit: tuple[str, Any] | None = None
    client: str | None = None
    revoke: bool = False
    count: int | None = 1
    after: int = 0

    def matches(self, method: str, path: str) -> bool:
        """Tell whether the rule is about such a request."""
        return self.method in {"*", method} and glob(self.path).fullmatch(path.lower()) is not None


@dataclass(slots=True)
class _Reader:
    """Walks through a specification and knows where it is."""

    spec: str
    place: int = 0
    found: dict[str, Any] = field(default_factory=dict)

    def fail(self, problem: str, place: int | None = None) -> NoReturn:
        column = (self.place if place is None else place) + 1
        raise FaultSpecError(f"fault {self.spec!r}, column {column}: {problem}")

    def skip(self) -> None:
        match = _BREAK.match(self.spec, self.place)
        self.place = match.end() if match else self.place

    def take(self, pattern: re.Pattern[str], what: str) -> str:
        match = pattern.match(self.spec, self.place)
        if match is None:
            self.fail(f"{what} is missing")
        self.place = match.end()
        return match.group()

    def sign(self, sign: str, after: str) -> None:
        if not self.spec.startswith(sign, self.place):
            self.fail(f"{sign!r} is missing after {after}")
        self.place += 1

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        try:
            value, end = DECODER.raw_decode(self.spec, self.place)
        except (ValueError, RecursionError):
            self.fail("this is not JSON")
        self.place = end
        return value

    def text(self, key: str) -> str:
        if self.spec.startswith('"', self.place):
            return str(self.json())
        return self.take(_VALUE, f"the value of {key}")


def html_page(reply: Reply) -> Reply:
    """Replace the body by a page as a proxy would make it; the status stays."""
    headers = [(name, value) for name, value in reply.headers if name.lower() != "content-type"]
    page = f"<html><head><title>{reply.status}</title></head><body><h1>{reply.status}</h1></body></html>"
    return Reply(reply.status, [*headers, ("Content-Type", HTML)], page.encode())


SPOILERS: dict[str, Callable[[Reply], Reply]] = {
    "truncated": lambda reply: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "html": html_page,
    "bom": lambda reply: replace(reply, body=b"\xef\xbb\xbf" + reply.body),
    "empty": lambda reply: replace(reply, body=b""),
    "wrong-type": lambda reply: replace(reply, body=b'["unexpected"]'),
}


def _number(low: int, high: int) -> Callable[[_Reader, str], int]:
    def read(reader: _Reader, key: str) -> int:
        place, text = reader.place, reader.text(key)
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            reader.fail(f"{key} must be a number from {low} to {high}, not {text!r}", place)
        return int(text)

    return read


def _one_of(choices: tuple[str, ...]) -> Callable[[_Reader, str], str]:
    def read(reader: _Reader, key: str) -> str:
        place, text = reader.place, reader.text(key)
        if text not in choices:
            reader.fail(f"{key} must be one of {', '.join(choices)}, not {text!r}", place)
        return text

    return read


def _count(reader: _Reader, key: str) -> int | None:
    if reader.spec.startswith("all", reader.place):
        reader.place += len("all")
        return None
    return _number(1, 1_000_000)(reader, key)


def _edit(reader: _Reader, _key: str) -> tuple[str, Any]:
    place, name = reader.place, reader.take(re.compile(r"[A-Za-z]+"), "the field to edit")
    if name not in _EDITABLE:
        reader.fail(f"API clients have no writable field {name!r}", place)
    reader.sign(":", name)
    return name, reader.json()


_KEYS: dict[str, Callable[[_Reader, str], object]] = {
    "status": _number(400, 599),
    "code": _Reader.text,
    "message": _Reader.text,
    "retry-after": _number(0, 86_400),
    "latency": _number(0, 600_000),
    "drop": _one_of(DROPS),
    "body": _one_of(tuple(SPOILERS)),
    "edit": _edit,
    "client": _Reader.text,
    "count": _count,
    "after": _number(0, 1_000_000),
}
_EFFECTS = ("status", "latency", "drop", "body", "edit", "revoke")


def parse_fault(spec: str) -> Rule:
    """Understand one specification; raises FaultSpecError, which names the column."""
    reader = _Reader(spec)
    reader.skip()
    method = reader.take(_WORD, "the method").upper()
    if method not in METHODS:
        reader.fail(f"the method must be one of {', '.join(METHODS)}", 0)
    reader.skip()
    path = reader.take(_WORD, "the path")
    if not path.startswith(("/", "*")):
        reader.fail("the path must start with / or *", reader.place - len(path))
    reader.skip()
    while reader.place < len(spec):
        _read_pair(reader)
        reader.skip()
    if not any(effect in reader.found for effect in _EFFECTS):
        reader.fail(f"nothing would happen: give one of {', '.join(_EFFECTS)}")
    return Rule(spec=spec, method=method, path=path, **reader.found)


def _read_pair(reader: _Reader) -> None:
    place = reader.place
    key = reader.take(_WORD, "a key")
    name = key.replace("-", "_")
    if name in reader.found:
        reader.fail(f"{key} is given twice", place)
    if key == "revoke":
        reader.found[name] = True
        return
    if key not in _KEYS:
        near = difflib.get_close_matches(key, [*_KEYS, "revoke"], 1)
        reader.fail(f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""), place)
    reader.sign("=", key)
    reader.found[name] = _KEYS[key](reader, key)


# Proxies in front of the service answer these themselves, with a page (tests of the .NET SDK).
_PROXY_STATUSES = {502, 504}
_CODE_OF_STATUS = {
    400: "ValidationFailure",
    401: "InvalidToken",
    403: "Auth.InsufficientRoles",
    404: "NotFound",
    409: "IdExists",
    429: "TooManyRequests",
    503: "Api.Offline",
}


@dataclass(slots=True)
class _Armed:
    rule: Rule
    seen: int = 0

    def strikes(self) -> bool:
        self.seen += 1
        past = self.seen - self.rule.after
        return past > 0 and (self.rule.count is None or past <= self.rule.count)


@dataclass(slots=True)
class FaultBox:
    """The faults that are waiting, in the order in which they were added; the caller holds a lock."""

    armed: list[_Armed] = field(default_factory=list)

    def add(self, spec: str) -> None:
        """Understand a specification and arm it; raises FaultSpecError."""
        self.armed.append(_Armed(parse_fault(spec)))

    def clear(self) -> None:
        """Forget all."""
        self.armed.clear()

    def specs(self) -> list[dict[str, object]]:
        """Tell what is armed, and how many requests each one has matched so far."""
        return [{"spec": each.rule.spec, "matched": each.seen} for each in self.armed]

    def strike(self, method: str, path: str) -> list[Rule]:
        """Count a request, and give the rules that strike it."""
        return [each.rule for each in self.armed if each.rule.matches(method, path) and each.strikes()]


def refusal(rule: Rule, path: str) -> Reply:
    """Give the answer that a rule with a status sends instead of the real one to a request of this path."""
    status = rule.status or 500
    headers = [] if rule.retry_after is None else [("Retry-After", str(rule.retry_after))]
    if status in _PROXY_STATUSES and rule.code is None:
        return html_page(Reply(status, headers, b""))
    code = rule.code or _CODE_OF_STATUS.get(status, "ServerError")
    message = rule.message or CODES.get(code, (0, "An injected fault."))[1]
    data = not_found_at(path).data if status == HTTPStatus.NOT_FOUND else None
    errors = {"Errors": [Fault(code, message, data).entry()]}
    return Reply(status, [*headers, ("X-oc-logid", str(uuid.uuid4())), ("Content-Type", JSON)], dumps(errors))
