"""Status, headers and bytes -> one finished answer, as the WSGI layer and the faults pass it on."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

JSON = "application/json; charset=utf-8"
HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """Status, headers and body; Content-Length is added when it is sent."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def with_body(self, body: bytes) -> Reply:
        """Give the same reply with another body."""
        return replace(self, body=body)


def dumps(value: object) -> bytes:
    """Encode JSON as the service does: UTF-8, compact; a lone surrogate stays an escape."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")
