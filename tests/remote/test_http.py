"""The wire: what may leave, what is taken in, and what becomes of every exception of httpx."""

import gc
import gzip
import logging
import weakref
from collections.abc import Iterator
from contextlib import nullcontext

import httpx
import pytest

from reconciler.errors import AnswerLost, BadAnswer, ReconcilerError, RemoteError, Unreachable
from reconciler.model.secret import Secret
from reconciler.remote.failures import EXCEPTIONS, no_answer
from reconciler.remote.http import ForbiddenRequest, RequestGuard, Webhook
from reconciler.remote.messages import Call, RequestState
from reconciler.remote.network import HttpLimits
from tests.remote.service import BASE, CLIENT_SECRET, Service, always, ok, serving

ME = {"ID": "me"}
HTTPX_EXCEPTIONS = [cls for cls in vars(httpx).values() if isinstance(cls, type) and issubclass(cls, Exception)]


def made(cls: type[Exception]) -> Exception:
    """One of a kind: a few of httpx's exceptions want more than a message, some want none."""
    if cls is httpx.HTTPStatusError:
        return httpx.HTTPStatusError("", request=httpx.Request("GET", BASE), response=httpx.Response(500))
    no_message = {httpx.StreamConsumed, httpx.StreamClosed, httpx.ResponseNotRead, httpx.RequestNotRead}
    return cls() if cls in no_message else cls("Illegal header value b'Bearer canary-token'")


def test_every_exception_of_httpx_has_a_fate() -> None:
    assert len(HTTPX_EXCEPTIONS) > 20
    assert set(HTTPX_EXCEPTIONS) <= set(EXCEPTIONS)


@pytest.mark.parametrize("cls", HTTPX_EXCEPTIONS)
def test_every_exception_of_httpx_becomes_ours_and_quotes_nothing(cls: type[Exception]) -> None:
    with Service(always(lambda: made(cls))).reader() as client, pytest.raises(RemoteError) as caught:
        client.me()
    assert isinstance(caught.value.__cause__, cls)
    assert "canary" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("cls", HTTPX_EXCEPTIONS)
def test_a_write_that_may_have_left_is_lost(cls: type[Exception]) -> None:
    with Service(always(lambda: made(cls))).writer() as client, pytest.raises(RemoteError) as caught:
        client.put("/apiclients", "a", {})
    left = EXCEPTIONS[cls][0] in {RequestState.LOST, RequestState.UNREADABLE}
    assert type(caught.value) is (AnswerLost if left else Unreachable)


@pytest.mark.parametrize(
    "error", [ConnectionResetError("gone"), TimeoutError("slow"), BrokenPipeError(32, "Broken pipe")]
)
def test_errors_of_transports_that_are_not_httpx_are_ours_too(error: OSError) -> None:
    service = Service(always(lambda: error))
    with service.writer() as client:
        with pytest.raises(Unreachable, match="the connection was closed"):
            client.me()
        with pytest.raises(AnswerLost):
            client.post("/apiclients", {})


def test_the_operating_systems_words_are_shown() -> None:
    error = httpx.ConnectError("canary")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    assert no_answer(error).reason == "no connection: Connection refused"


@pytest.mark.parametrize(
    ("message", "state", "words"),
    [
        ("407 Proxy Authentication Required", RequestState.UNSENDABLE, "the proxy refused to connect (status 407)"),
        ("503 Service Unavailable", RequestState.NEVER_SENT, "the proxy refused to connect (status 503)"),
        ("Invalid username/password", RequestState.NEVER_SENT, "the proxy refused to connect"),
    ],
)
def test_a_proxy_that_will_not_have_us_is_not_asked_again(message: str, state: RequestState, words: str) -> None:
    result = no_answer(httpx.ProxyError(message))
    assert (result.state, result.reason) == (state, words)


def test_an_unknown_subclass_shares_the_fate_of_its_base() -> None:
    class Odd(httpx.ReadError): ...

    assert no_answer(Odd("")).state is RequestState.LOST


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_not_even_the_wire_below_a_reader_can_write(method: str) -> None:
    service = Service()
    with service.reader() as client, pytest.raises(ForbiddenRequest, match="only reads"):
        client._exchange.send(Call(method, "/v1/apiclients/a"))
    assert service.journal == []


def test_not_even_the_http_client_below_a_reader_can_write() -> None:
    service = Service()
    with service.reader() as client, pytest.raises(ForbiddenRequest):
        client._exchange.wire._http.put(f"{BASE}/v1/apiclients/a", json={})
    assert service.requests == []


def test_a_reader_has_no_verb_that_writes() -> None:
    with Service().reader() as client:
        assert not {"put", "post", "patch", "delete"} & set(dir(client))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/me",
        "http://shop.example/v1/me",
        "https://shop.example:8443/v1/me",
        "https://shop.example.evil.example/v1/me",
        "https://shop.example@evil.example/v1/me",
    ],
)
def test_no_other_host_is_ever_contacted(url: str) -> None:
    service = Service()
    with service.reader() as client, pytest.raises(ForbiddenRequest, match="is not the host"):
        client._exchange.wire._http.get(url)
    assert service.requests == []


def test_the_environments_host_is_let_through_however_it_is_written() -> None:
    guard = RequestGuard("https://SHOP.example:443", {"GET"})
    guard(httpx.Request("GET", f"{BASE}/v1/me"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int) -> None:
    service = serving(httpx.Response(status, headers={"Location": "https://evil.example/v1/me"}))
    with service.reader() as client, pytest.raises(BadAnswer, match="the service redirects"):
        client.me()
    assert len(service.journal) == 1


def test_a_redirected_write_is_lost() -> None:
    service = serving(httpx.Response(307, headers={"Location": "/elsewhere"}))
    with service.writer() as client, pytest.raises(AnswerLost, match="redirects"):
        client.delete("/apiclients", "a")


def chunks(count: int, sent: list[int]) -> Iterator[bytes]:
    for number in range(count):
        sent.append(number)
        yield b" " * 1000


def test_an_answer_that_is_too_large_is_given_up_before_it_is_all_there() -> None:
    sent: list[int] = []
    service = serving(httpx.Response(200, content=chunks(1000, sent)))
    with (
        service.reader(limits=HttpLimits(size=5000)) as client,
        pytest.raises(BadAnswer, match="larger than 5000 bytes"),
    ):
        client.me()
    assert len(sent) == 6


def test_the_size_is_that_after_decompression() -> None:
    bomb = gzip.compress(b" " * 100_000)
    service = serving(httpx.Response(200, content=bomb, headers={"Content-Encoding": "gzip"}))
    with service.reader(limits=HttpLimits(size=5000)) as client, pytest.raises(BadAnswer, match="larger than"):
        client.me()


def test_a_compressed_answer_is_read() -> None:
    zipped = httpx.Response(200, content=gzip.compress(b'{"ID":"me"}'), headers={"Content-Encoding": "gzip"})
    with serving(zipped).reader() as client:
        assert client.me() == ME


@pytest.mark.parametrize(
    "headers", [[("Content-Encoding", "gzip, gzip")], [("Content-Encoding", "gzip"), ("CONTENT-ENCODING", "gzip")]]
)
def test_an_answer_compressed_in_layers_is_not_unpacked(headers: list[tuple[str, str]]) -> None:
    layers = httpx.Response(200, content=iter([b"x"]), headers=headers)
    with serving(layers).reader() as client, pytest.raises(BadAnswer, match="unrequested compression"):
        client.me()


def test_damaged_compression_is_a_bad_answer() -> None:
    damaged = httpx.Response(200, content=iter([b"not gzip"]), headers={"Content-Encoding": "gzip"})
    with serving(damaged).reader() as client, pytest.raises(BadAnswer, match="invalid compression"):
        client.me()


def test_an_answer_that_trickles_on_is_given_up() -> None:
    times = iter(range(0, 100_000, 30))
    service = Service(always(lambda: httpx.Response(200, content=chunks(1000, []))))
    with service.reader(clock=lambda: float(next(times))) as client, pytest.raises(Unreachable, match="timed out"):
        client.me()


def test_a_response_and_the_token_in_its_request_are_freed_once_it_is_read() -> None:
    answered: list[weakref.ref[httpx.Response]] = []

    def answer() -> httpx.Response:
        response = httpx.Response(200, json=ME)
        answered.append(weakref.ref(response))
        return response

    gc.disable()
    try:
        with Service(always(answer)).reader() as client:
            client.me()
            client.me()
        assert [one() for one in answered] == [None, None]
    finally:
        gc.enable()


def test_cookies_are_neither_kept_nor_sent() -> None:
    service = serving(ok(ME, headers={"Set-Cookie": "session=1; Path=/"}), ok(ME))
    with service.reader() as client:
        client.me()
        client.me()
    assert all("Cookie" not in each.headers for each in service.requests)


def test_debug_lines_tell_the_request_and_nothing_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    body = {"Meta": {"Page": 1, "PageSize": 100, "TotalCount": 0}, "Items": [], "Note": "canary-body"}
    service = serving(ok(body))
    with service.reader() as client:
        client.list_all("/apiclients")
    ours = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("GET /v1/apiclients?page=1&pageSize=100&sortBy=ID answered 200, log id") for line in ours
    )
    assert "canary" not in caplog.text
    assert CLIENT_SECRET not in caplog.text


def test_filter_values_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with serving(OSError("x"), ok(ME)).reader() as client:
        client._exchange.send(Call("GET", "/v1/apiclients", (("ID", ">canary"), ("page", "1"))))
    lines = [record.getMessage() for record in caplog.records]
    assert any(
        line.startswith("GET /v1/apiclients?ID=...&page=1 got no response (the connection was closed)")
        for line in lines
    )
    assert "canary" not in caplog.text


def test_requests_say_what_they_want() -> None:
    service = serving(ok({"ID": "a"}))
    with service.writer() as client:
        client.put("/apiclients", "a", {})
    headers = service.requests[-1].headers
    assert (headers["Accept"], headers["Content-Type"]) == ("application/json", "application/json; charset=utf-8")
    assert headers["User-Agent"].startswith("ordercloud-reconciler/")


class Unread(httpx.SyncByteStream):
    """A body that nobody may wait for."""

    def __iter__(self) -> Iterator[bytes]:
        raise AssertionError("it may have no end")


@pytest.mark.parametrize(("status", "is_taken"), [(200, True), (500, False)])
def test_of_the_answer_to_a_notification_only_the_status_is_read(*, status: int, is_taken: bool) -> None:
    chat = httpx.MockTransport(lambda _request: httpx.Response(status, stream=Unread()))
    webhook = Webhook(Secret("https://chat.example/hook"))
    with nullcontext() if is_taken else pytest.raises(ReconcilerError, match="status 500"):
        webhook.post({}, chat)
