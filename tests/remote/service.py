"""A server in one function, and clients of it that never sleep."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import parse_qs

import httpx

from reconciler.model.secret import Secret
from reconciler.remote.auth import ClientCredentials
from reconciler.remote.client import ReadClient, WriteClient, open_reader, open_writer
from reconciler.remote.exchange import Connection
from reconciler.remote.hosts import allowed_origin

BASE = "https://shop.example"
CLIENT_SECRET = "canary-client-secret-4711"
ALLOWED = {allowed_origin("shop.example")}
CREDENTIALS = ClientCredentials("the-client", Secret(CLIENT_SECRET))

Handler = Callable[[httpx.Request], httpx.Response]
Scripted = httpx.Response | Exception


def jwt(**claims: object) -> str:
    """A token as OrderCloud makes it, less a true signature."""
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJSUzI1NiJ9.{middle}.c2lnbmF0dXJl"


def ok(body: object, status: int = 200, headers: Mapping[str, str] | None = None) -> httpx.Response:
    return httpx.Response(status, json=body, headers={"X-oc-logid": "log-1"} | dict(headers or {}))


def refusal(status: int, code: str = "", message: str = "", data: object = None, **headers: str) -> httpx.Response:
    error = {"ErrorCode": code, "Message": message, "Data": data}
    return httpx.Response(status, json={"Errors": [error]}, headers={"X-oc-logid": "log-1"} | headers)


def html(status: int, **headers: str) -> httpx.Response:
    return httpx.Response(status, html="<html><body>Bad Gateway canary-body</body></html>", headers=headers)


def in_order(*script: Scripted) -> Handler:
    """Answer the first request with the first entry, and so on; an exception is raised."""
    left = list(script)

    def answer(_: httpx.Request) -> httpx.Response:
        following = left.pop(0)
        if isinstance(following, Exception):
            raise following
        return following

    return answer


def always(make: Callable[[], Scripted]) -> Handler:
    def answer(_: httpx.Request) -> httpx.Response:
        made = make()
        if isinstance(made, Exception):
            raise made
        return made

    return answer


@dataclass
class Service:
    """Logs in whoever asks, answers the rest by `answer`, and keeps a journal."""

    answer: Handler = field(default_factory=in_order)
    login: Handler | None = None
    requests: list[httpx.Request] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    tokens: count = field(default_factory=lambda: count(1))  # type: ignore[type-arg]  # only generic in stubs

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if request.url.path != "/oauth/token":
            return self.answer(request)
        if self.login:
            return self.login(request)
        return ok({"access_token": jwt(cid="the-client", n=next(self.tokens)), "expires_in": 36000})

    @property
    def journal(self) -> list[str]:
        """Method and path of every request but the logins."""
        return [f"{each.method} {each.url.path}" for each in self.requests if each.url.path != "/oauth/token"]

    @property
    def logins(self) -> list[dict[str, list[str]]]:
        """The forms of all token requests."""
        return [parse_qs(each.content.decode()) for each in self.requests if each.url.path == "/oauth/token"]

    def reader(self, **settings: Any) -> ReadClient:
        return open_reader(connection(settings), **self._seams(settings))

    def writer(self, **settings: Any) -> WriteClient:
        return open_writer(connection(settings), **self._seams(settings))

    def _seams(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        seams = {"transport": httpx.MockTransport(self), "sleep": self.waits.append, "random": lambda: 0.5}
        return seams | {name: settings[name] for name in ("clock", "sleep", "transport") if name in settings}


def connection(settings: Mapping[str, Any]) -> Connection:
    named = {name: settings[name] for name in settings if name not in {"clock", "sleep", "transport"}}
    return Connection(**{"base_url": BASE, "credentials": CREDENTIALS, "allowed_hosts": ALLOWED, **named})


def serving(*script: Scripted) -> Service:
    return Service(in_order(*script))
