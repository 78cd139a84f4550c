"""What is made of an answer: its JSON, or the one error that says how to react."""

import json
from collections.abc import Callable

import httpx
import pytest

from reconciler.errors import AccessDenied, AnswerLost, BadAnswer, NotFound, Rejected, RemoteError, Unreachable
from reconciler.model.secret import Secret
from reconciler.remote.failures import accept, clean
from reconciler.remote.messages import Answer, Call, MalformedAnswer, parse
from tests.remote.service import CLIENT_SECRET, Service, always, html, ok, refusal, serving

READ = Call("GET", "/v1/apiclients/a")
WRITE = Call("PUT", "/v1/apiclients/a")


def caught_by(call: Call, response: httpx.Response) -> RemoteError:
    answer = Answer(response.status_code, response.content, response.headers.get("Content-Type", ""), "log-1")
    with pytest.raises(RemoteError) as caught:
        accept(call, answer)
    return caught.value


@pytest.mark.parametrize("call", [READ, WRITE, Call("POST", "/oauth/token")])
@pytest.mark.parametrize("respond", [html, refusal])
def test_every_status_but_2xx_is_an_error_with_advice(respond: Callable[[int], httpx.Response], call: Call) -> None:
    for status in (*range(100, 200, 7), *range(300, 600)):
        error = caught_by(call, respond(status))
        assert (error.request.status, bool(error.hint)) == (status, True)


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (302, BadAnswer, AnswerLost),
        (400, Rejected, Rejected),
        (401, AccessDenied, AccessDenied),
        (403, AccessDenied, AccessDenied),
        (404, NotFound, NotFound),
        (408, Unreachable, AnswerLost),
        (409, Rejected, Rejected),
        (418, Rejected, Rejected),
        (429, Unreachable, Unreachable),
        (500, Unreachable, AnswerLost),
        (502, Unreachable, AnswerLost),
        (503, Unreachable, AnswerLost),
    ],
)
def test_the_status_decides_the_reaction(status: int, read: type[RemoteError], write: type[RemoteError]) -> None:
    assert type(caught_by(READ, refusal(status, "Some.Code", "No."))) is read
    assert type(caught_by(WRITE, refusal(status, "Some.Code", "No."))) is write


@pytest.mark.parametrize("status", [400, 404, 409])
def test_a_page_of_a_proxy_is_never_an_answer_of_the_api(status: int) -> None:
    for call, kind in ((READ, BadAnswer), (WRITE, AnswerLost)):
        error = caught_by(call, html(status))
        assert type(error) is kind
        assert "found HTML" in error.message
        assert "canary-body" not in error.message


@pytest.mark.parametrize(
    "body", ["", "null", "[]", "{}", '{"Errors": 5}', '{"Errors": []}', '{"Errors": [{}]}', '{"Errors": ["x"]}', "{"]
)
def test_a_404_without_the_apis_words_does_not_mean_absent(body: str) -> None:
    assert type(caught_by(READ, httpx.Response(404, text=body))) is BadAnswer


def test_an_error_shows_the_request_the_code_the_words_and_the_log_id() -> None:
    error = caught_by(READ, refusal(404, "NotFound", "Object not found.", {"ObjectType": "ApiClient", "ObjectID": "a"}))
    shown = "GET /v1/apiclients/a, answered 404, NotFound, log id log-1: ApiClient 'a'; Object not found."
    assert error.message == shown


def test_all_faults_of_a_rejected_body_are_shown() -> None:
    faults = [
        {"ErrorCode": "RequiredField", "Message": "AppName is required."},
        {"ErrorCode": "Xp", "Message": "Too long."},
    ]
    error = caught_by(WRITE, ok({"Errors": faults}, 400))
    assert error.message.endswith("log-1: AppName is required.; Xp: Too long.")
    assert error.request.error_code == "RequiredField"


def test_faults_with_half_their_words_are_shown_too() -> None:
    faults = [{"Message": "One."}, {"ErrorCode": "Two"}, {"Message": "Three."}]
    assert caught_by(WRITE, ok({"Errors": faults}, 400)).message.endswith("log-1: One.; Two; Three.")


def test_an_error_says_after_how_many_attempts_it_came() -> None:
    with pytest.raises(Unreachable, match=r"Busy. \(2 attempts\)"):
        accept(READ, Answer(503, refusal(503, "Api.Offline", "Busy.").content), attempts=2)


def test_an_error_without_words_shows_its_code() -> None:
    assert caught_by(WRITE, refusal(400, "Only.Code")).message.endswith(
        "answered 400, Only.Code, log id log-1: Only.Code"
    )


@pytest.mark.parametrize("wanted", ["SufficientRoles", "RequiredRoles"])
@pytest.mark.parametrize("code", ["Auth.InsufficientRoles", "InsufficientRoles", "Auth.InsufficientRole"])
def test_a_missing_role_is_named_in_either_dialect(code: str, wanted: str) -> None:
    data = {wanted: ["ApiClientAdmin", "FullAccess"], "AssignedRoles": "Shopper"}
    hint = caught_by(WRITE, refusal(403, code, "No.", data)).hint
    assert hint.startswith(
        "one of these roles is sufficient: ApiClientAdmin, FullAccess; the token has Shopper; assign the user"
    )


@pytest.mark.parametrize("data", [None, [], {"SufficientRoles": 5}, {"SufficientRoles": []}])
def test_a_missing_role_that_is_not_named_still_has_advice(data: object) -> None:
    assert caught_by(READ, refusal(403, "Auth.InsufficientRoles", "No.", data)).hint.startswith("assign the user")


def test_a_firewalls_403_says_that_it_is_not_the_apis() -> None:
    error = caught_by(READ, html(403))
    assert (type(error), "firewall" in error.hint) == (AccessDenied, True)


def test_a_buyer_is_told_to_log_in_as_a_seller() -> None:
    assert "seller user" in caught_by(READ, refusal(403, "Auth.UserNotAuthorizedToAdmin")).hint


@pytest.mark.parametrize(("missing", "kind"), [("A", NotFound), ("event-7", Rejected), (None, NotFound), (5, NotFound)])
def test_a_write_is_not_found_only_where_its_own_object_is_missing(missing: object, kind: type[RemoteError]) -> None:
    response = refusal(404, "NotFound", "Object not found.", {"ObjectType": "Thing", "ObjectID": missing})
    assert type(caught_by(WRITE, response)) is kind


def test_a_missing_parent_is_not_found_even_where_its_id_is_encoded() -> None:
    call = Call("DELETE", "/v1/buyers/b%20c/ApiClients/Assignments/a")
    response = refusal(404, "NotFound", "Object not found.", {"ObjectType": "Buyer", "ObjectID": "B C"})
    assert type(caught_by(call, response)) is NotFound


def test_long_words_of_the_service_are_cut_to_five_hundred_characters() -> None:
    error = caught_by(WRITE, refusal(400, "C" * 5000, "m" * 5000))
    assert "m" * 497 + "..." in error.message
    assert error.request.error_code == "C" * 100


def test_a_secret_is_taken_out_before_the_words_are_cut() -> None:
    text = clean("x" * 490 + "canary-secret", [Secret("canary-secret"), Secret("canary"), Secret("")])
    assert text == "x" * 490 + "(secret)"


def test_a_service_that_quotes_the_token_or_the_body_gives_nothing_away() -> None:
    def echo(request: httpx.Request) -> httpx.Response:
        said = f"{request.headers['Authorization']} {request.content.decode()} {CLIENT_SECRET}"
        return refusal(400, said, said, None, **{"X-oc-logid": said})

    service = Service(echo)
    with service.writer() as client, pytest.raises(Rejected) as caught:
        client.put("/apiclients", "a", {"ClientSecret": Secret("canary-body-secret")})
    token = service.requests[-1].headers["Authorization"].removeprefix("Bearer ")
    for canary in (token, "canary-body-secret", CLIENT_SECRET):
        assert canary not in str(caught.value) + repr(caught.value.request) + caught.value.hint


def test_a_service_that_quotes_a_token_which_it_refuses_does_not_give_it_away() -> None:
    service = Service(lambda request: refusal(401, "InvalidToken", request.headers["Authorization"]))
    with service.writer() as client, pytest.raises(AccessDenied) as caught:
        client.put("/apiclients", "a", {}, attempt=2)
    token = next(each for each in service.requests if each.method == "PUT").headers["Authorization"]
    assert token.removeprefix("Bearer ") not in caught.value.message


def test_a_byte_order_mark_before_the_json_is_dropped() -> None:
    body = b"\xef\xbb\xbf" + json.dumps({"ID": "me"}).encode()
    with serving(httpx.Response(200, content=body)).reader() as client:
        assert client.me() == {"ID": "me"}


def test_a_byte_order_mark_does_not_hide_an_error_of_the_api() -> None:
    marked = httpx.Response(404, content=b"\xef\xbb\xbf" + refusal(404, "NotFound").content)
    assert type(caught_by(READ, marked)) is NotFound


@pytest.mark.sample(5)
@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "an empty body"),
        (b" \n", "an empty body"),
        (b"<html>canary-body</html>", "HTML"),
        (b"canary-body", "11 bytes that are not JSON"),
        (b'{"ID": "canary-body', "not JSON, or truncated JSON"),
        (b'{"ID": "canary-body\xff"}', "not JSON"),
        (b'{"ID": 1, "ID": 2}', "a key that occurs twice"),
        (b'{"xp": {"a": 1, "a": 1}}', "a key that occurs twice"),
        (b'{"ID": NaN}', "NaN"),
        (b'{"ID": -Infinity}', "Infinity"),
        (b'{"ID": 1e999}', "too large"),
        (b'{"ID": ' + b"9" * 5000 + b"}", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        (b"[" + b"{}," * 2_000_001 + b"{}]", "JSON of more than 2000000 values"),
        (b'["canary-body"]', "an array"),
        (b'"canary-body"', "a string"),
        (b"7", "a number"),
        (b"1.5", "a number"),
        (b"true", "a boolean"),
        (b"null", "null"),
    ],
)
def test_a_body_that_is_no_object_is_named_but_not_quoted(body: bytes, found: str) -> None:
    service = Service(always(lambda: httpx.Response(200, content=body)))
    with service.writer() as client:
        with pytest.raises(BadAnswer, match=f"expected a JSON object and found .*{found}") as caught:
            client.me()
        assert "canary-body" not in caught.value.message
        with pytest.raises(AnswerLost, match=found):
            client.put("/apiclients", "a", {})


def test_a_page_that_calls_itself_html_is_named_so() -> None:
    with pytest.raises(MalformedAnswer, match="HTML"):
        parse(Answer(200, b"Sign in", "text/HTML; charset=utf-8"))


def test_what_failed_in_parsing_is_not_kept_with_the_error() -> None:
    with pytest.raises(MalformedAnswer) as caught:
        parse(Answer(200, b'{"a": canary'))
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
