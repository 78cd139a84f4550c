"""Connection -> a client that reads, or one that also writes: the protocol over HTTP. `http` adds the headers.

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
from reconciler.remote.paging import ListKeepsChanging, Page, Paged, Query, pages_of
from reconciler.remote.threads import Job, Threads


class ReadClient:
    """A logged-in view of one marketplace that cannot write. Thread-safe; a context manager that ends connections.

    Every method raises `RemoteError`s, and ValueError for a path or an ID that can mean no single object.
    """

    METHODS: ClassVar = frozenset({"GET"})
    """The methods that the connection allows, besides the login."""

    def __init__(self, exchange: Exchange, pool: Threads) -> None:
        self.base_url = exchange.connection.base_url
        """Scheme and host, without a trailing slash."""
        self.client_id = exchange.connection.credentials.client_id
        """The API client that the credentials log in through."""
        self._exchange = exchange
        self._pool = pool
        self._greeting: Job[Body] | None = None
        self._user = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close connections: requests in flight are completed, but not retried."""
        self._exchange.retries.stop()
        self._pool.shutdown(cancel_futures=True)
        self._exchange.wire.close()

    @property
    def stats(self) -> messages.Stats:
        """Its statistics so far: requests, retries, bytes, seconds."""
        return self._exchange.wire.meter.stats

    @property
    def samples(self) -> tuple[messages.Sample, ...]:
        """Samples of the last requests, including logins and retries; the oldest first."""
        return self._exchange.wire.meter.samples

    def claims(self) -> Claims:
        """Give the claims of the token; logs in if there is no token yet."""
        try:
            return Claims.of(self._exchange.tokens.current())
        except MalformedAnswer as fault:
            raise BadAnswer(str(fault), RequestFacts("POST", messages.TOKEN_PATH)) from None

    def access(self) -> Access:
        """Give what the token and the credentials say; a token that says nothing of its roles is no fault here."""
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
        """Log in and request `me` in a thread; the next call of it gets that answer, or its error."""
        job = Job[Body](partial(self.single, "/me"))
        # Not in the pool, which is waited for at the end: who breaks off in a long silence waits for nobody.
        with suppress(RuntimeError):  # the machine starts no thread: `me` asks itself
            Thread(target=job.run, name="reconciler-greeting", daemon=True).start()
            self._greeting = job

    def me(self) -> Body:
        """``GET /v1/me``: the user that the credentials act as."""
        greeting, self._greeting = self._greeting, None
        me = greeting.future.result() if greeting else self.single("/me")
        self._user = str(me.get("ID") or "")
        return me

    def single(self, path: str) -> dict[str, Json]:
        """Give the object that is alone at its path; NotFound: the service says that there is none."""
        call = Call("GET", path_of(path))
        return object_in(call, self._exchange.send(call))

    def get(self, path: str, object_id: str) -> dict[str, Json]:
        """Give one object, ``{path}/{id}``; an answer with another ID is a `BadAnswer`.

        NotFound: the service says that there is no such object, or no object can have this ID.
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
            raise unusable(call, answer, "expected the object asked for and found one with another ID")
        return body

    def list_all(
        self, path: str, *, key: str | None = "ID", filters: Sequence[Mapping[str, str]] = ()
    ) -> list[dict[str, Json]]:
        """Give every item of a list, or an error; never half a list. A list that changes meanwhile is read again.

        Args:
            path: below ``/v1``, without a query.
            key: the field that identifies an item and that the list can be sorted by; None for lists of rows
                without one (``/apiclients/assignments``).
            filters: field -> value, in the service's filter language; see the protocol.
        """

        def fetch(which: Mapping[str, str]) -> Callable[[int, Query], Page]:
            return partial(self._page, path, key, tuple(which.items()))

        parts = [Paged(fetch(one), map, key) for one in filters]
        try:
            return Paged(fetch({}), self._pool.map, key, parts).read()
        except ListKeepsChanging as fault:
            message = f"the list keeps changing while it is read ({fault})"
            hint = "try again when nobody else is changing it"
            raise BadAnswer(message, RequestFacts("GET", path_of(path)), hint=hint) from fault

    def pages(self, path: str) -> int:
        """Give how many requests it takes to read a list."""
        return pages_of(self._page(path, "ID", (), 1, (("page", "1"), ("pageSize", "1"))).total)

    def _page(self, path: str, key: str | None, filters: Query, number: int, query: Query) -> Page:
        call = Call("GET", path_of(path), (*filters, *query))
        answer = self._exchange.send(call)
        try:
            return Page.of(object_in(call, answer), number, key)
        except MalformedAnswer as fault:
            raise unusable(call, answer, str(fault)) from None

    def proves(self, client_id: str, secret: Secret, tries: int = 1) -> Proof:
        """Try to log in through a client with one of its secrets; the token is forgotten."""
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
    """A view that may also write. Each write is sent once, unless it certainly was not carried out.

    Even then it is sent once where the caller counts the attempts, so as to look before each. For this and for what is
    raised see `WriteRemote`; besides, NotFound: the object that the path names is not there; Rejected: the service
    refuses the content.
    """

    METHODS: ClassVar = frozenset({"GET", "PUT", "POST", "PATCH", "DELETE"})

    def put(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Replace one object, or save one row of a list; gives the service's answer, empty for a row."""
        call = call_with_body("PUT", path_of(path, object_id), body)
        answer = self._exchange.send(call, attempt=attempt)
        return object_in(call, answer) if answer.body.strip() or object_id is not None else {}

    def post(self, path: str, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Create one object; gives the service's answer, an empty object where it has no body."""
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
        """Delete one object; without an id, what the path and the query name."""
        self._exchange.send(Call("DELETE", path_of(path, object_id), tuple(query.items())), attempt=attempt)

    def post_for_secret(self, path: str, body: Body, value_field: str) -> tuple[dict[str, Json], Secret]:
        """Create one object whose answer shows a secret, this once; the secret is taken out of the answer here."""
        call = call_with_body("POST", path_of(path), body)
        answer = self._exchange.send(call)
        shown = object_in(call, answer)
        value = shown.pop(value_field, None)
        if not isinstance(value, str) or not value:
            raise unusable(call, answer, f"expected {value_field} to be a text and found {messages.kind_of(value)}")
        if fault := unsendable(value):
            raise unusable(call, answer, f"expected {value_field} to be one line of text and found that it {fault}")
        return shown, Secret(value)

    def patch(self, path: str, object_id: str | None, body: WireBody, *, attempt: int | None = None) -> dict[str, Json]:
        """Change some fields of one object; gives the service's answer."""
        call = call_with_body("PATCH", path_of(path, object_id), body)
        return object_in(call, self._exchange.send(call, attempt=attempt))

    def prove_login(self) -> None:
        """Log in again, and use the new token from now on; if that fails, keep the old one."""
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
    """Give a client of this kind. Nothing is sent before its first call.

    Args:
        kind: whether it can write.
        connection: the service and the credentials.
        transport: instead of the network: an application in process, or a test's server.
        sleep: waits for so many seconds; None: in real time, and closing the client ends it.
        clock: seconds from any fixed moment.
        random: draws from 0 to 1.

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
