"""Fault specifications and requests -> the faults to inject, and the responses that they change."""

import difflib
import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, NoReturn

from reconciler.emulator.calls import DECODER, HTML, JSON, Reply, dumps
from reconciler.emulator.errors import CODES, FaultSpecError, ServiceError, not_found_at
from reconciler.emulator.lists import glob
from reconciler.emulator.rows import kinds_of

METHODS = ("*", "GET", "POST", "PUT", "PATCH", "DELETE")
DROPS = ("before", "after")

_EDITABLE = {field.name for field in kinds_of("legacy")["ApiClient"].fields if not field.read_only}
_SEPARATOR = re.compile(r"[\s,]+")
_WORD = re.compile(r"[^\s,=]+")
_VALUE = re.compile(r"[^\s,]+")


@dataclass(frozen=True, slots=True)
class Rule:
    """A parsed fault specification: which requests it applies to, how often, and its effects.

    `count` None means every time. `latency` is in milliseconds, `retry_after` in seconds.
    """

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
        """Whether the rule applies to such a request."""
        return self.method in {"*", method} and glob(self.path).fullmatch(path.lower()) is not None


@dataclass(slots=True)
class _Reader:
    """A scanner of a specification, for errors with a column."""

    spec: str
    position: int = 0
    values: dict[str, Any] = field(default_factory=dict)

    def fail(self, problem: str, position: int | None = None) -> NoReturn:
        column = (self.position if position is None else position) + 1
        raise FaultSpecError(f"fault {self.spec!r}, column {column}: {problem}")

    def skip_separators(self) -> None:
        match = _SEPARATOR.match(self.spec, self.position)
        self.position = match.end() if match else self.position

    def take(self, pattern: re.Pattern[str], what: str) -> str:
        match = pattern.match(self.spec, self.position)
        if match is None:
            self.fail(f"{what} is missing")
        self.position = match.end()
        return match.group()

    def expect(self, symbol: str, after: str) -> None:
        if not self.spec.startswith(symbol, self.position):
            self.fail(f"{symbol!r} is missing after {after}")
        self.position += 1

    def json(self) -> Any:  # noqa: ANN401 - any JSON
        try:
            value, end = DECODER.raw_decode(self.spec, self.position)
        except (ValueError, RecursionError):
            self.fail("invalid JSON")
        self.position = end
        return value

    def text(self, key: str) -> str:
        if self.spec.startswith('"', self.position):
            return str(self.json())
        return self.take(_VALUE, f"the value of {key}")


def html_page(reply: Reply) -> Reply:
    """Replace the body with an HTML page like that of a proxy; the status stays."""
    headers = [(name, value) for name, value in reply.headers if name.lower() != "content-type"]
    page = f"<html><head><title>{reply.status}</title></head><body><h1>{reply.status}</h1></body></html>"
    return Reply(reply.status, [*headers, ("Content-Type", HTML)], page.encode())


BODY_FAULTS: dict[str, Callable[[Reply], Reply]] = {
    "truncated": lambda reply: replace(reply, body=reply.body[: len(reply.body) // 2]),
    "html": html_page,
    "bom": lambda reply: replace(reply, body=b"\xef\xbb\xbf" + reply.body),
    "empty": lambda reply: replace(reply, body=b""),
    "wrong-type": lambda reply: replace(reply, body=b'["unexpected"]'),
}


def _number(low: int, high: int) -> Callable[[_Reader, str], int]:
    def read(reader: _Reader, key: str) -> int:
        position, text = reader.position, reader.text(key)
        if not re.fullmatch(r"[0-9]{1,9}", text) or not low <= int(text) <= high:
            reader.fail(f"{key} must be a number from {low} to {high}, not {text!r}", position)
        return int(text)

    return read


def _one_of(choices: tuple[str, ...]) -> Callable[[_Reader, str], str]:
    def read(reader: _Reader, key: str) -> str:
        position, text = reader.position, reader.text(key)
        if text not in choices:
            reader.fail(f"{key} must be one of {', '.join(choices)}, not {text!r}", position)
        return text

    return read


def _count(reader: _Reader, key: str) -> int | None:
    if reader.spec.startswith("all", reader.position):
        reader.position += len("all")
        return None
    return _number(1, 1_000_000)(reader, key)


def _edit(reader: _Reader, _key: str) -> tuple[str, Any]:
    position, name = reader.position, reader.take(re.compile(r"[A-Za-z]+"), "the field to edit")
    if name not in _EDITABLE:
        reader.fail(f"API clients have no writable field {name!r}", position)
    reader.expect(":", name)
    return name, reader.json()


_KEYS: dict[str, Callable[[_Reader, str], object]] = {
    "status": _number(400, 599),
    "code": _Reader.text,
    "message": _Reader.text,
    "retry-after": _number(0, 86_400),
    "latency": _number(0, 600_000),
    "drop": _one_of(DROPS),
    "body": _one_of(tuple(BODY_FAULTS)),
    "edit": _edit,
    "client": _Reader.text,
    "count": _count,
    "after": _number(0, 1_000_000),
}
_EFFECTS = ("status", "latency", "drop", "body", "edit", "revoke")


def parse_fault(spec: str) -> Rule:
    """Parse a specification; raises FaultSpecError with the column."""
    reader = _Reader(spec)
    reader.skip_separators()
    method = reader.take(_WORD, "the method").upper()
    if method not in METHODS:
        reader.fail(f"the method must be one of {', '.join(METHODS)}", 0)
    reader.skip_separators()
    path = reader.take(_WORD, "the path")
    if not path.startswith(("/", "*")):
        reader.fail("the path must start with / or *", reader.position - len(path))
    reader.skip_separators()
    while reader.position < len(spec):
        _read_pair(reader)
        reader.skip_separators()
    if not any(effect in reader.values for effect in _EFFECTS):
        reader.fail(f"no effect: add at least one of {', '.join(_EFFECTS)}")
    return Rule(spec=spec, method=method, path=path, **reader.values)


def _read_pair(reader: _Reader) -> None:
    position = reader.position
    key = reader.take(_WORD, "a key")
    name = key.replace("-", "_")
    if name in reader.values:
        reader.fail(f"duplicate key {key!r}", position)
    if key == "revoke":
        reader.values[name] = True
        return
    if key not in _KEYS:
        near = difflib.get_close_matches(key, [*_KEYS, "revoke"], 1)
        reader.fail(f"unknown key {key!r}" + (f", did you mean {near[0]!r}?" if near else ""), position)
    reader.expect("=", key)
    reader.values[name] = _KEYS[key](reader, key)


# Proxies in front of the service send these themselves, as an HTML page (tests of the .NET SDK).
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
class _ActiveFault:
    rule: Rule
    matched: int = 0

    def triggers(self) -> bool:
        self.matched += 1
        ordinal = self.matched - self.rule.after
        return ordinal > 0 and (self.rule.count is None or ordinal <= self.rule.count)


@dataclass(slots=True)
class FaultInjector:
    """The active faults, in the order in which they were added. Not thread-safe: the caller must hold a lock."""

    active: list[_ActiveFault] = field(default_factory=list)

    def add(self, spec: str) -> None:
        """Parse a specification and activate it; raises FaultSpecError."""
        self.active.append(_ActiveFault(parse_fault(spec)))

    def clear(self) -> None:
        """Remove all faults."""
        self.active.clear()

    def specs(self) -> list[dict[str, object]]:
        """The active specifications, and how many requests each has matched."""
        return [{"spec": each.rule.spec, "matched": each.matched} for each in self.active]

    def trigger(self, method: str, path: str) -> list[Rule]:
        """Count a request; returns the rules to apply to it."""
        return [each.rule for each in self.active if each.rule.matches(method, path) and each.triggers()]


def error_reply(rule: Rule, path: str) -> Reply:
    """The error response of a rule with a status, for a request to this path."""
    status = rule.status or 500
    headers = [] if rule.retry_after is None else [("Retry-After", str(rule.retry_after))]
    if status in _PROXY_STATUSES and rule.code is None:
        return html_page(Reply(status, headers, b""))
    code = rule.code or _CODE_OF_STATUS.get(status, "ServerError")
    message = rule.message or CODES.get(code, (0, "An injected fault."))[1]
    data = not_found_at(path).data if status == HTTPStatus.NOT_FOUND else None
    errors = {"Errors": [ServiceError(code, message, data).entry()]}
    return Reply(status, [*headers, ("X-oc-logid", str(uuid.uuid4())), ("Content-Type", JSON)], dumps(errors))
