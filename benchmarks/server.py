"""Clients in memory -> a service on loopback that is no bottleneck: the few routes that a plan and an apply need.

It is no emulator. It checks nothing, knows no roles and one token, and keeps each object as the bytes that it answers
with, so that what is measured is the client. ``python benchmarks/server.py --clients 1000`` serves until it is ended;
its first line on stdout is ``listening on http://127.0.0.1:PORT``.
"""

import argparse
import asyncio
import base64
import json
import re
import selectors
import signal
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

import data

_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_HEAD_END: Final = b"\r\n\r\n"
_BASE: Final = "/v1/apiclients"
_REASONS: Final = {200: b"OK", 201: b"Created", 204: b"No Content", 404: b"Not Found", 429: b"Too Many Requests"}


def _token() -> str:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = {"cid": data.OWN_ID, "usr": "bench", "usrtype": "admin", "role": "FullAccess", "nbf": 0, "exp": 2**33}
    return f"{part({'alg': 'none'})}.{part(claims)}.c2lnbmF0dXJl"


_LOGIN: Final = json.dumps({"access_token": _token(), "token_type": "bearer", "expires_in": 36000}).encode()
_ME: Final = json.dumps({"Username": "bench", "Seller": {"ID": data.MARKETPLACE}}).encode()
_NOTHING: Final = b'{"Meta":{"Page":1,"PageSize":100,"TotalCount":0,"TotalPages":0},"Items":[]}'
_ABSENT: Final = b'{"Errors":[{"ErrorCode":"NotFound","Message":"Object not found.","Data":null}]}'
_THROTTLED: Final = b'{"Errors":[{"ErrorCode":"TooManyRequests","Message":"Slow down.","Data":null}]}'


class RateLimit:
    """So many requests a second and no more, with a tenth of a second's worth at once."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._burst = max(1.0, per_second / 10)
        self._tokens = self._burst
        self._then = time.monotonic()
        self.allowed = 0
        self.refused = 0

    def admits(self) -> bool:
        """Whether this request may be served."""
        if not self._per_second:
            return True
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._then) * self._per_second)
        self._then = now
        if self._tokens < 1:
            self.refused += 1
            return False
        self._tokens -= 1
        self.allowed += 1
        return True


class Store:
    """Objects by ID, each as the bytes that it is answered with."""

    def __init__(self, objects: Iterable[dict[str, Any]]) -> None:
        self._bodies = {str(body["ID"]): json.dumps(body).encode() for body in objects}
        self._ids = sorted(self._bodies)
        self.writes = 0

    def get(self, object_id: str) -> bytes | None:
        """The body of one object."""
        return self._bodies.get(object_id)

    def put(self, object_id: str, body: bytes) -> bytes:
        """Replace: what was sent, with the ID that the service adds."""
        stored = b'{"ID":"' + object_id.encode() + b'",' + body.lstrip()[1:]
        if object_id not in self._bodies:
            self._ids = sorted([*self._ids, object_id])
        self._bodies[object_id] = stored
        self.writes += 1
        return stored

    def page(self, query: dict[str, list[str]]) -> bytes:
        """One ListPage, sorted by ID, from after an ID if the query has one."""
        after = query.get("ID", [""])[0].removeprefix(">")
        first = bisect_right(self._ids, after) if after else 0
        size, number = int(query.get("pageSize", ["20"])[0]), int(query.get("page", ["1"])[0])
        total = len(self._ids) - first
        start = first + (number - 1) * size
        items = b",".join(self._bodies[one] for one in self._ids[start : start + size])
        meta = {"Page": number, "PageSize": size, "TotalCount": total, "TotalPages": -(-total // size)}
        return b'{"Meta":' + json.dumps(meta).encode() + b',"Items":[' + items + b"]}"


class Service:
    """Method, target, body -> status and body."""

    def __init__(self, store: Store, limit: RateLimit, others: Mapping[str, Store]) -> None:
        self.store = store
        self.others = others
        self.limit = limit
        self.requests = 0
        self._first = self._last = 0.0

    def answer(self, method: bytes, target: str, body: bytes) -> tuple[int, bytes]:
        """Serve one request."""
        url = urlsplit(target)
        if url.path == "/_bench":
            return 200, json.dumps(self._counts()).encode()
        self.requests += 1
        self._last = time.monotonic()
        self._first = self._first or self._last
        if url.path == "/oauth/token":
            return 200, _LOGIN
        if not self.limit.admits():
            return 429, _THROTTLED
        if url.path == "/v1/me":
            return 200, _ME
        store = self.store if url.path == _BASE else self.others.get(url.path)
        if store or url.path.endswith(("/assignments", "/secrets")):
            return 200, store.page(parse_qs(url.query)) if store else _NOTHING
        return self._one(method, unquote(url.path.removeprefix(_BASE + "/")), body)

    def _one(self, method: bytes, object_id: str, body: bytes) -> tuple[int, bytes]:
        if method == b"PUT":
            return 200, self.store.put(object_id, body)
        found = self.store.get(object_id)
        return (200, found) if found else (404, _ABSENT)

    def _counts(self) -> dict[str, float]:
        limit, span = self.limit, self._last - self._first
        self._first = 0.0
        return {
            "requests": self.requests,
            "writes": self.store.writes,
            "allowed": limit.allowed,
            "refused": limit.refused,
            "seconds": span,  # from the first request to the last one, since this was asked before
        }


class Connection(asyncio.Protocol):
    """One connection that is kept open: as little of HTTP/1.1 as the clients of a benchmark use."""

    def __init__(self, service: Service, later: Callable[[Callable[[], None]], object] | None) -> None:
        self._service = service
        self._later = later
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (end := self._buffer.find(_HEAD_END)) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            method, target, _ = head.split(b"\r\n", 1)[0].split(b" ", 2)
            self._send(*self._service.answer(method, target.decode("ascii"), body))

    def _send(self, status: int, body: bytes) -> None:
        head = b"HTTP/1.1 %d %s\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n"
        text = head % (status, _REASONS[status], len(body)) + body
        if self._later is None:
            self._write(text)
        else:
            self._later(lambda: self._write(text))

    def _write(self, text: bytes) -> None:
        if self._transport and not self._transport.is_closing():
            self._transport.write(text)


async def serve(service: Service, latency_ms: float) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)

    def later(act: Callable[[], None]) -> object:
        return loop.call_later(latency_ms / 1000, act)

    server = await loop.create_server(
        lambda: Connection(service, later if latency_ms else None), "127.0.0.1", 0, backlog=1000
    )
    print(f"listening on http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await ended.wait()
    server.close()


def _precise_loop() -> asyncio.AbstractEventLoop:
    """Give a loop that waits to the microsecond: with epoll every wait is rounded up to a whole millisecond."""
    return asyncio.SelectorEventLoop(selectors.SelectSelector())


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=1000)
    parser.add_argument("--others", type=int, default=0, help="objects of each other kind")
    parser.add_argument("--latency-ms", type=float, default=0, help="before each answer")
    parser.add_argument("--rate", type=float, default=0, help="requests per second before it answers 429; 0: no limit")
    options = parser.parse_args()
    others = (
        {f"/v1{kind.path}": Store(bodies) for kind, bodies in data.others(options.others)} if options.others else {}
    )
    service = Service(Store(data.bodies(options.clients)), RateLimit(options.rate), others)
    with asyncio.Runner(loop_factory=_precise_loop) as runner:
        runner.run(serve(service, options.latency_ms))


if __name__ == "__main__":
    main()
