"""The verbs: what each sends, and what it makes of a well-formed answer."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from reconciler.errors import AccessDenied, AnswerLost, BadAnswer, NotFound, ReconcilerError, Unreachable
from reconciler.model.secret import Secret
from tests.remote.service import BASE, Service, always, ok, refusal, serving

if TYPE_CHECKING:
    from reconciler.remote import ReadRemote, WriteRemote
    from reconciler.remote.client import ReadClient


def test_the_clients_are_what_the_pipeline_asks_for() -> None:
    with Service().writer() as writer, Service().reader() as reader:
        remotes: tuple[WriteRemote, ReadRemote] = (writer, reader)
        assert {(remote.base_url, remote.client_id) for remote in remotes} == {(BASE, "the-client")}


def test_opening_a_client_sends_nothing() -> None:
    service = Service()
    with service.reader():
        pass
    assert service.requests == []


def test_me_is_read() -> None:
    service = serving(ok({"ID": "u", "Seller": {"ID": "market"}}))
    with service.reader() as client:
        assert client.me()["Seller"] == {"ID": "market"}
    assert service.journal == ["GET /v1/me"]


def test_a_greeting_is_the_answer_to_the_next_question_who_we_are() -> None:
    service = serving(ok({"ID": "u", "Username": "first"}), ok({"ID": "u", "Username": "second"}))
    with service.reader() as client:
        client.greet()
        assert [client.me()["Username"], client.me()["Username"]] == ["first", "second"]
    assert service.journal == ["GET /v1/me", "GET /v1/me"]


def test_a_greeting_that_failed_is_told_where_its_answer_is_asked_for() -> None:
    with serving(refusal(403, "InsufficientRoles", "No.")).reader() as client:
        client.greet()
        with pytest.raises(AccessDenied):
            client.me()


def test_nobody_waits_at_the_end_for_a_greeting_that_nobody_asked_for() -> None:
    hung, ended, waited = Event(), Event(), []

    def hang(_: httpx.Request) -> httpx.Response:
        hung.set()
        waited.append(not ended.wait(10))
        return ok({"ID": "u"})

    with Service(hang).reader() as client:
        client.greet()
        hung.wait()
    ended.set()
    assert True not in waited


class Stream:
    """The connection that an answer came over."""

    is_open = True

    def close(self) -> None:
        self.is_open = False


def test_a_greeting_that_is_answered_after_the_end_leaves_no_connection_open() -> None:
    hung, ended, stream = Event(), Event(), Stream()

    def hang(_: httpx.Request) -> httpx.Response:
        hung.set()
        ended.wait(60)
        return httpx.Response(200, json={"ID": "u"}, extensions={"network_stream": stream})

    with Service(hang).reader() as client:
        client.greet()
        hung.wait(60)
    ended.set()
    for thread in threading.enumerate():
        if thread.name == "reconciler-greeting":
            thread.join(60)
    assert not stream.is_open


def test_one_object_is_read_whole_and_raw() -> None:
    body = {"ID": "ABC", "AppName": "x", "ClientSecret": "shown", "Unheard": {"of": [1, 2.5, None]}}
    service = serving(ok(body))
    with service.reader() as client:
        assert client.get("/apiclients", "abc") == body
    assert service.journal == ["GET /v1/apiclients/abc"]


def test_an_absent_object_is_not_found() -> None:
    with serving(refusal(404, "NotFound", "Object not found.")).reader() as client, pytest.raises(NotFound):
        client.get("/apiclients", "a")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"ID": "other"}, "one with another ID"),
        ({"AppName": "a"}, "a string ID and found null"),
        ({"ID": 5}, "a string ID and found a number"),
        ({"Meta": {}, "Items": []}, "a string ID and found null"),
    ],
)
def test_an_answer_about_something_else_is_not_taken_for_the_object(body: dict[str, Any], words: str) -> None:
    with serving(ok(body)).reader() as client, pytest.raises(BadAnswer, match=words):
        client.get("/apiclients", "a")


@pytest.mark.parametrize(
    ("object_id", "encoded"),
    [
        ("a/b", "a%2Fb"),
        ("a?b#c", "a%3Fb%23c"),
        ("a b%20", "a%20b%2520"),
        ("é", "%C3%A9"),
        ("../x", "..%2Fx"),
        ("a;b\r\n", "a%3Bb%0D%0A"),
    ],
)
def test_an_id_is_percent_encoded_into_one_segment(object_id: str, encoded: str) -> None:
    service = serving(ok({"ID": object_id}))
    with service.reader() as client:
        client.get("/apiclients", object_id)
    assert service.requests[-1].url.raw_path == f"/v1/apiclients/{encoded}".encode()


@pytest.mark.parametrize("object_id", ["", ".", "..", "...", " ", "\t", ". ."])
def test_an_id_that_names_nothing_is_refused_before_anything_is_sent(object_id: str) -> None:
    service = Service()
    with service.writer() as client:
        for act in (client.delete, lambda path, one: client.put(path, one, {})):
            with pytest.raises(ValueError, match="invalid ID"):
                act("/apiclients", object_id)
        with pytest.raises(NotFound, match="no object can have the ID"):
            client.get("/apiclients", object_id)
    assert service.requests == []


@pytest.mark.parametrize(
    "path",
    ["", "/", "apiclients", "/apiclients/", "//x", "/a//b", "/a/../b", "/a/%2e%2E/b", "/a?b=c", "/a#b", "/a b", "/é"],
)
def test_a_path_that_is_none_is_refused_before_anything_is_sent(path: str) -> None:
    service = Service()
    with service.writer() as client:
        for act in (client.list_all, lambda path: client.post(path, {}), lambda path: client.get(path, "a")):
            with pytest.raises(ValueError, match="invalid ID"):
                act(path)
    assert service.requests == []


def test_put_replaces_one_object_and_gives_the_answer() -> None:
    service = serving(ok({"ID": "NEW", "AppName": "x"}, 201))
    with service.writer() as client:
        assert client.put("/apiclients", "a", {"AppName": "x", "xp": {}}) == {"ID": "NEW", "AppName": "x"}
    sent = service.requests[-1]
    assert (sent.method, str(sent.url)) == ("PUT", f"{BASE}/v1/apiclients/a")
    assert json.loads(sent.content) == {"AppName": "x", "xp": {}}


def test_post_creates_one_object_and_gives_the_answer() -> None:
    service = serving(ok({"ID": "s", "ClientSecret": "shown once"}, 201))
    with service.writer() as client:
        assert client.post("/apiclients/a/secrets", {"Name": "n"})["ClientSecret"] == "shown once"
    assert service.journal == ["POST /v1/apiclients/a/secrets"]


@pytest.mark.parametrize("answer", [httpx.Response(204), httpx.Response(200, text=" ")])
def test_a_post_without_an_answer_gives_an_empty_object(answer: httpx.Response) -> None:
    with serving(answer).writer() as client:
        assert client.post("/apiclients/assignments", {"ApiClientID": "a", "BuyerID": "b"}) == {}


def test_delete_deletes_one_object() -> None:
    service = serving(httpx.Response(204))
    with service.writer() as client:
        client.delete("/buyers/b/ApiClients/Assignments", "a")
    assert service.journal == ["DELETE /v1/buyers/b/ApiClients/Assignments/a"]


def test_a_put_whose_answer_is_empty_is_lost() -> None:
    with serving(httpx.Response(204)).writer() as client, pytest.raises(AnswerLost, match="found an empty body"):
        client.put("/apiclients", "a", {})


def test_secrets_are_written_in_clear_only_into_the_body() -> None:
    service = serving(ok({"ID": "a"}))
    body: dict[str, Any] = {
        "ClientSecret": Secret("canary"),
        "xp": MappingProxyType({"key": Secret("bird")}),
        "list": (1,),
    }
    with service.writer() as client:
        client.put("/apiclients", "a", body)
    sent = json.loads(service.requests[-1].content)
    assert sent == {"ClientSecret": "canary", "xp": {"key": "bird"}, "list": [1]}


@pytest.mark.parametrize("value", ["", 5, "two\nlines", "half \ud800", "a\x00b", "\ufeffa"])
def test_a_new_secret_that_could_not_be_delivered_is_no_answer(value: Any) -> None:
    answer = httpx.Response(201, content=json.dumps({"ID": "s", "ClientSecret": value}))
    with serving(answer).writer() as client, pytest.raises(AnswerLost, match="expected ClientSecret to be"):
        client.post_for_secret("/apiclients/a/secrets", {}, "ClientSecret")


def test_the_text_that_exports_have_in_place_of_a_secret_is_never_sent() -> None:
    service = Service()
    body: dict[str, Any] = {"ClientSecret": Secret("<Redacted. Leave unchanged.>")}
    with service.writer() as client, pytest.raises(ReconcilerError, match="placeholder of an export or of the service"):
        client.put("/apiclients", "a", body)
    assert service.requests == []


@pytest.mark.parametrize(("value", "error"), [(float("nan"), ValueError), ({1, 2}, TypeError), (b"x", TypeError)])
def test_what_is_no_json_is_refused_before_anything_is_sent(value: Any, error: type[Exception]) -> None:
    service = Service()
    with service.writer() as client, pytest.raises(error):
        client.post("/apiclients", {"x": value})
    assert service.requests == []


def test_any_text_survives_the_way_there() -> None:
    text = "\u2028 \x00 é 😀 \ud800"
    service = serving(ok({"ID": "a"}))
    with service.writer() as client:
        client.put("/apiclients", "a", {"AppName": text})
    assert json.loads(service.requests[-1].content)["AppName"] == text


def test_closing_ends_the_patience() -> None:
    service = Service(always(lambda: refusal(503)))
    client: ReadClient = service.reader(sleep=lambda _: client.close())
    with client, pytest.raises(Unreachable):
        client.me()
    assert len(service.journal) == 1


def test_closing_ends_a_wait_in_real_time() -> None:
    waiting = Event()

    def refuse(_: httpx.Request) -> httpx.Response:
        waiting.set()
        return refusal(503, **{"Retry-After": "60"})

    with ThreadPoolExecutor(1) as pool, Service(refuse).reader(sleep=None) as client:
        call = pool.submit(client.me)
        waiting.wait()
        client.close()
        assert isinstance(call.exception(), Unreachable)


def test_a_closed_client_sends_nothing() -> None:
    service = Service()
    with service.reader() as client:
        pass
    with pytest.raises(RuntimeError, match="closed"):
        client.me()
    assert service.requests == []
