"""HTTP clients for the protocols of a service: one that reads, one that also writes. `http` adds the headers.

A `ReadClient` cannot write: its connection allows only GET and the login.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from random import random as draw
from threading import Thread
from typing import ClassVar, Self, TypeVar

import httpx

from reconciler.errors import BadAnswer, NotFound, RequestFacts
from reconciler.model.inputs import Access
from reconciler.model.json import Body, Json
from reconciler.model.secret import Secret, unsendable
from reconciler.remote import NO_FILTERS, Proof, WireBody, messages
from reconciler.remote.auth import Claims, ClientCredentials, has_secret, prove
from reconciler.remote.exchange import Connection, Exchange
from reconciler.remote.http import RequestGuard, Wire, http_client
from reconciler.remote.messages import Call, MalformedAnswer, call_with_body, object_in, path_of, unusable
from reconciler.remote.paging import ListKeepsChanging, ListPage, Paged, Query, pages_of
from reconciler.remote.threads import Job, Threads


class ReadClient:
    """A logged-in view of one marketplace that cannot write. Thread-safe; a context manager that closes connections.

    Every method raises `RemoteError`s, and ValueError for a path or an ID that cannot identify a single object.
    """

    METHODS: ClassVar = frozenset({"GET"})
    """The methods that the connection allows, in addition to the login."""

    def __init__(self, exchange: Exchange, pool: Threads) -> None:
        self.base_url = exchange.connection.base_url
        """Scheme and host, without a trailing slash."""
        self.client_id = exchange.connection.credentials.client_id
        """The login client."""
        self._exchange = exchange
        self._pool = pool
        self._greeting: Job[Body] | None = None
        self._user = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. Requests in flight are completed, but not retried."""
        self._exchange.retries.stop()
        self._pool.shutdown(cancel_futures=True)
        self._exchange.wire.close()

    @property
    def stats(self) -> messages.Stats:
        """The statistics so far: requests, retries, bytes, seconds."""
        return self._exchange.wire.meter.stats

    @property
    def samples(self) -> tuple[messages.Sample, ...]:
        """Samples of the last requests, including logins and retries; the oldest first."""
        return self._exchange.wire.meter.samples

    def claims(self) -> Claims:
        """The claims of the token; logs in if there is no token yet."""
        try:
            return Claims.of(self._exchange.tokens.current())
        except MalformedAnswer as fault:
            raise BadAnswer(str(fault), RequestFacts("POST", messages.TOKEN_PATH)) from None

    def access(self) -> Access:
        """The access of the login; its roles are None if the token does not contain them."""
        try:
            roles = Claims.of(self._exchange.tokens.current()).roles or None
        except MalformedAnswer:
            roles = None
        credentials = self._exchange.connection.credentials
        return Access(
            self.client_id,
            roles,
            as_context_user=isinstance(credentials, ClientCredentials),
            with_secret=credentials.client_secret is not None,
            user=self._user,
        )

    def greet(self) -> None:
        """Log in and request `me` in a thread; the next call of `me` returns that response, or raises its error."""
        job = Job[Body](partial(self.single, "/me"))
        # Not in the pool, which is waited for at the end: an interrupt must not wait for a slow response.
        with suppress(RuntimeError):  # no thread can be started: `me` sends the request
            Thread(target=job.run, name="reconciler-greeting", daemon=True).start()
            self._greeting = job

    def me(self) -> Body:
        """``GET /v1/me``: the user of the login."""
        greeting, self._greeting = self._greeting, None
        me = greeting.future.result() if greeting else self.single("/me")
        self._user = str(me.get("ID") or "")
        return me

    def single(self, path: str) -> dict[str, Json]:
        """The single object of a path. NotFound: the service reported that there is none."""
        call = Call("GET", path_of(path))
        return object_in(call, self._exchange.send(call))

    def get(self, path: str, object_id: str) -> dict[str, Json]:
        """One object, ``{path}/{id}``; a response with another ID is a `BadAnswer`.

        NotFound: the service reported that there is no such object, or no object can have this ID.
        """
        if not messages.names_something(object_id):
            raise NotFound(f"no object can have the ID {object_id!r}", RequestFacts("GET", path_of(path)))
        call = Call("GET", path_of(path, object_id))
        answer = self._exchange.send(call)
        body = object_in(call, answer)
        found = body.get("ID")
        if not isinstance(found, str):
            raise unusable(call, answer, f"expected an object with a string ID and found {messages.kind_of(found)}")
        if found.casefold() != object_id.casefold():
            raise unusable(call, answer, "expected the requested object and found one with another ID")
        return body

    def list_all(
        self, path: str, *, key: str | None = "ID", filters: Sequence[Mapping[str, str]] = ()
    ) -> list[dict[str, Json]]:
        """Every item of a list, or an error; never a part of it. A list that changes during the read is read again.

        Args:
            path: below ``/v1``, without a query.
            key: the field that identifies an item and that the list can be sorted by; None for lists of rows
                without one (``/apiclients/assignments``).
            filters: field -> value, in the service's filter language; see the protocol.
        """

        def fetch(which: Mapping[str, str]) -> Callable[[int, Query], ListPage]:
            return partial(self._page, path, key, tuple(which.items()))

        parts = [Paged(fetch(one), map, key) for one in filters]
        try:
            return Paged(fetch({}), self._pool.map, key, parts).read()
        except ListKeepsChanging as fault:
            message = f"the list keeps changing while it is read ({fault})"
            hint = "try again when no other program changes it"
            raise BadAnswer(message, RequestFacts("GET", path_of(path)), hint=hint) from fault

    def pages(self, path: str) -> int:
        """How many requests it takes to read a list. Sends one request."""
        return pages_of(self._page(path, "ID", (), 1, (("page", "1"), ("pageSize", "1"))).total)

    def _page(self, path: str, key: str | None, filters: Query, number: int, query: Query) -> ListPage:
        call = Call("GET", path_of(path), (*filters, *query))
        answer = self._exchange.send(call)
        try:
            return ListPage.of(object_in(call, answer), number, key)
        except MalformedAnswer as fault:
            raise unusable(call, answer, str(fault)) from None

    def proves(self, client_id: str, secret: Secret, tries: int = 1) -> Proof:
        """Verify a secret of a client by a login; the token is discarded."""
        proof = prove(self._exchange.try_login, client_id, secret)
        for attempt in range(1, tries):
            if proof.accepted or not proof.is_tried:
                break
            self._exchange.sleep(2**attempt)
            proof = prove(self._exchange.try_login, client_id, secret)
        return proof

    def has_secret(self, client_id: str) -> bool:
        """Try to log in through a client with a wrong secret."""
        return has_secret(self._exchange.try_login, client_id)


class WriteClient(ReadClient):
    """A view that can also write. A write is sent again only if it is certain that it was not executed.

    A caller that counts attempts reads between them, so each call sends it once. For this and for the errors see
    `WriteRemote`; also NotFound: the object of the path does not exist; Rejected: the service refuses the content.
    """

    METHODS: ClassVar = frozenset({"GET", "PUT", "POST", "PATCH", "DELETE"})

    def put(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Replace one object, or save one row of a list; returns the service's response, empty for a row."""
        call = call_with_body("PUT", path_of(path, object_id), body)
        answer = self._exchange.send(call, attempt=attempt)
        return object_in(call, answer) if answer.body.strip() or object_id is not None else {}

    def post(self, path: str, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Create one object; returns the service's response, an empty object if it has no body."""
        call = call_with_body("POST", path_of(path), body)
        answer = self._exchange.send(call, attempt=attempt)
        return object_in(call, answer) if answer.body.strip() else {}

    def delete(
        self,
        path: str,
        object_id: str | None = None,
        *,
        query: Mapping[str, str] = NO_FILTERS,
        attempt: int | None = None,
    ) -> None:
        """Delete one object; without an id, the one that path and query name."""
        self._exchange.send(Call("DELETE", path_of(path, object_id), tuple(query.items())), attempt=attempt)

    def post_for_secret(self, path: str, body: Body, value_field: str) -> tuple[dict[str, Json], Secret]:
        """Create one object whose response has a secret, which is removed from the returned response."""
        call = call_with_body("POST", path_of(path), body)
        answer = self._exchange.send(call)
        shown = object_in(call, answer)
        value = shown.pop(value_field, None)
        if not isinstance(value, str) or not value:
            raise unusable(call, answer, f"expected {value_field} to be a string and found {messages.kind_of(value)}")
        if fault := unsendable(value):
            raise unusable(call, answer, f"expected {value_field} to be one line of text and found that it {fault}")
        return shown, Secret(value)

    def patch(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Change some fields of one object; returns the service's response."""
        call = call_with_body("PATCH", path_of(path, object_id), body)
        return object_in(call, self._exchange.send(call, attempt=attempt))

    def prove_login(self) -> None:
        """Log in again and use the new token; if that fails, keep the previous one."""
        self._exchange.tokens.renew()


Client = TypeVar("Client", bound=ReadClient)


def open_client(
    kind: type[Client],
    connection: Connection,
    *,
    transport: httpx.BaseTransport | None = None,
    sleep: Callable[[float], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
    random: Callable[[], float] = draw,
) -> Client:
    """Open a client. It sends no request before its first call.

    Args:
        kind: the class of the client.
        connection: the service and the credentials.
        transport: replaces the network, for an application in this process or for tests.
        sleep: waits for a number of seconds; None: real time, until the client is closed.
        clock: a monotonic clock, in seconds.
        random: returns a number from 0 to 1.

    Raises:
        ReconcilerError: the environment's proxy or certificate settings are unusable.
    """
    base_url, at_a_time = connection.base_url, connection.concurrency
    guard = RequestGuard(base_url, kind.METHODS)
    url = httpx.URL(base_url)
    http = http_client((guard,), connection.limits, at_a_time=at_a_time, base_url=url, transport=transport)
    wire = Wire(base_url, http, connection.limits, clock, connection.environment)
    exchange = Exchange(wire, connection, sleep, clock, random)
    return kind(exchange, Threads(at_a_time, "reconciler-remote"))


open_reader = partial(open_client, ReadClient)
open_writer = partial(open_client, WriteClient)
