"""Rules and requests -> which faults strike now; an answer and a fault -> the spoiled answer."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from reconciler.emulator.codes import CODES
from reconciler.emulator.errors import Fault, not_found_at
from reconciler.emulator.faultspec import parse_fault
from reconciler.emulator.wire import HTML, JSON, Reply, dumps

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconciler.emulator.faultspec import Rule

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


def html_page(reply: Reply) -> Reply:
    """Replace the body by a page as a proxy would make it; the status stays."""
    headers = [(name, value) for name, value in reply.headers if name.lower() != "content-type"]
    page = f"<html><head><title>{reply.status}</title></head><body><h1>{reply.status}</h1></body></html>"
    return Reply(reply.status, [*headers, ("Content-Type", HTML)], page.encode())


SPOILERS: dict[str, Callable[[Reply], Reply]] = {
    "truncated": lambda reply: reply.with_body(reply.body[: len(reply.body) // 2]),
    "html": html_page,
    "bom": lambda reply: reply.with_body(b"\xef\xbb\xbf" + reply.body),
    "empty": lambda reply: reply.with_body(b""),
    "wrong-type": lambda reply: reply.with_body(b'["unexpected"]'),
}
