"""Logging in: what is sent, how long a token is kept, and what is made of a refusal."""

import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from reconciler.errors import AccessDenied, BadAnswer, RemoteError, Unreachable
from reconciler.model.secret import Secret
from reconciler.remote.auth import Claims, Grant, PasswordGrant, TokenSource
from reconciler.remote.messages import MalformedAnswer
from tests.remote.service import CLIENT_SECRET, Service, always, html, in_order, jwt, ok, refusal

ME = {"ID": "me"}


class Clock:
    """Time that passes only when told."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def source_of(*lives: float, clock: Clock) -> TokenSource:
    grants = [Grant(Secret(f"token-{number}"), life) for number, life in enumerate(lives)]
    return TokenSource(lambda: grants.pop(0), clock)


def test_client_credentials_are_sent_as_a_form() -> None:
    service = Service(always(lambda: ok(ME)))
    with service.reader() as client:
        client.me()
    expected = {"grant_type": ["client_credentials"], "client_id": ["the-client"], "client_secret": [CLIENT_SECRET]}
    assert service.logins == [expected]
    assert service.requests[0].headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert service.requests[0].url == "https://shop.example/oauth/token"


@pytest.mark.parametrize("secret", [None, Secret("s&c=r+t")])
def test_a_password_login_sends_the_secret_only_where_there_is_one(secret: Secret | None) -> None:
    service = Service(always(lambda: ok(ME)))
    grant = PasswordGrant("the-client", "ann", Secret("p&=ss wörd"), secret)
    with service.reader(credentials=grant, scope="ApiClientReader MeAdmin") as client:
        client.me()
    form = {"grant_type": ["password"], "client_id": ["the-client"], "username": ["ann"], "password": ["p&=ss wörd"]}
    form |= {"scope": ["ApiClientReader MeAdmin"]} | ({"client_secret": ["s&c=r+t"]} if secret else {})
    assert service.logins == [form]


def test_every_request_carries_the_token() -> None:
    service = Service(always(lambda: ok(ME)), login=always(lambda: ok({"access_token": "abc", "expires_in": 600})))
    with service.reader() as client:
        client.me()
        client.me()
    assert [each.headers.get("Authorization") for each in service.requests] == [None, "Bearer abc", "Bearer abc"]


@pytest.mark.parametrize(("life", "kept"), [(36000.0, 35970.0), (100.0, 90.0)])
def test_a_token_is_renewed_thirty_seconds_or_a_tenth_of_its_life_before_it_expires(life: float, kept: float) -> None:
    clock = Clock()
    source = source_of(life, 600, clock=clock)
    first = source.current()
    clock.now += kept - 0.01
    assert source.current() is first
    clock.now += 0.01
    assert source.current().reveal() == "token-1"


def test_threads_that_ask_together_share_one_login() -> None:
    together = threading.Barrier(8)
    source = source_of(600, 600, clock=Clock())

    def ask(_: int) -> Secret:
        together.wait()
        return source.current()

    with ThreadPoolExecutor(8) as pool:
        assert {token.reveal() for token in pool.map(ask, range(8))} == {"token-0"}


def test_forgetting_a_token_that_was_renewed_meanwhile_has_no_effect() -> None:
    source = source_of(600, 600, 600, clock=Clock())
    old = source.current()
    source.invalidate(old)
    new = source.current()
    source.invalidate(old)
    assert source.current() is new


def test_a_refused_login_is_not_tried_again_since_that_locks_the_account() -> None:
    service = Service(login=always(lambda: refusal(400, "Auth.LockedOut", "Too many failed logins.")))
    with service.reader() as client:
        for _ in range(3):
            with pytest.raises(AccessDenied, match="Too many failed logins"):
                client.me()
    assert len(service.logins) == 1


def test_a_401_in_mid_run_renews_the_token_and_asks_once_more() -> None:
    service = Service(in_order(refusal(401, "InvalidToken"), ok(ME)))
    with service.reader() as client:
        assert client.me() == ME
    tokens = {each.headers.get("Authorization") for each in service.requests[1::2]}
    assert (len(service.logins), len(tokens)) == (2, 2)


def test_a_second_401_is_believed() -> None:
    service = Service(in_order(refusal(401, "InvalidToken", "expired"), refusal(401, "InvalidToken", "expired")))
    with service.reader() as client, pytest.raises(AccessDenied) as caught:
        client.me()
    assert "expired" in caught.value.message
    assert caught.value.hint.startswith("the login succeeded but its token was refused")


def test_a_401_to_a_write_is_sent_again_since_nothing_was_written() -> None:
    service = Service(in_order(refusal(401, "InvalidToken"), ok({"ID": "a"})))
    with service.writer() as client:
        client.put("/apiclients", "a", {"AppName": "x"})
    assert service.journal == ["PUT /v1/apiclients/a"] * 2


@pytest.mark.parametrize(
    ("code", "advice"),
    [
        ("Auth.InvalidUsernameOrPassword", "check clientId and clientSecret"),
        ("Auth.ClientNotActive", "not active"),
        ("Auth.PasswordExpired", "reset the user's password"),
        ("Auth.SomethingNew", "check the credentials"),
    ],
)
def test_a_refused_login_says_the_code_and_what_to_do(code: str, advice: str) -> None:
    service = Service(login=always(lambda: refusal(400, code, "No.")))
    with service.reader() as client, pytest.raises(AccessDenied) as caught:
        client.me()
    assert f"POST /oauth/token, answered 400, {code}, log id log-1: No." in caught.value.message
    assert advice in caught.value.hint


def test_a_refusal_in_oauth_words_only_is_understood() -> None:
    body = {"error": "invalid_grant", "error_description": "The secret has expired."}
    service = Service(login=always(lambda: ok(body, 400)))
    with service.reader() as client, pytest.raises(AccessDenied, match=r"invalid_grant.*The secret has expired"):
        client.me()


def test_what_the_service_says_of_a_login_never_shows_the_secret() -> None:
    service = Service(login=always(lambda: refusal(400, "Auth.OauthError", f"'{CLIENT_SECRET}' is wrong")))
    with service.reader() as client, pytest.raises(AccessDenied) as caught:
        client.me()
    assert "'(secret)' is wrong" in caught.value.message


def test_a_login_is_retried_like_a_read() -> None:
    token = ok({"access_token": "abc", "expires_in": 600})
    script = in_order(httpx.ReadTimeout("slow"), html(502), refusal(503, "Api.Offline"), token)
    service = Service(always(lambda: ok(ME)), login=script)
    with service.reader() as client:
        assert client.me() == ME
    assert len(service.waits) == 3


def test_a_token_may_live_longer_than_any_clock_can_tell() -> None:
    token = ok({"access_token": "abc", "expires_in": 10**400})
    with Service(always(lambda: ok(ME)), login=in_order(token)).reader() as client:
        assert client.me() == ME


def test_a_login_that_stays_unanswered_is_unreachable() -> None:
    service = Service(login=always(lambda: httpx.ConnectError("refused")))
    with service.reader() as client, pytest.raises(Unreachable, match=r"no connection to [a-z.0-9]+ \(6 attempts\)"):
        client.me()


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (html(404), BadAnswer, "this address has no login endpoint"),
        (html(400), BadAnswer, "found HTML"),
        (html(401), AccessDenied, "access denied"),
        (html(200), BadAnswer, "found HTML"),
        (ok([]), BadAnswer, "found an array"),
        (ok({}), BadAnswer, "expected access_token"),
        (ok({"access_token": 5}), BadAnswer, "expected access_token"),
        (ok({"access_token": "a\r\nX-Evil: 1"}), BadAnswer, "expected access_token"),
        (ok({"access_token": "tokén"}), BadAnswer, "expected access_token"),
        (ok({"access_token": "a", "expires_in": 0}), BadAnswer, "expected expires_in"),
        (ok({"access_token": "a", "expires_in": True}), BadAnswer, "expected expires_in"),
        (ok({"access_token": "a", "expires_in": "soon"}), BadAnswer, "expected expires_in"),
    ],
)
def test_a_strange_answer_to_a_login_is_named(answer: httpx.Response, kind: type[RemoteError], words: str) -> None:
    with Service(login=in_order(answer)).reader() as client, pytest.raises(kind, match=words) as caught:
        client.me()
    assert type(caught.value) is kind
    assert "canary-body" not in str(caught.value)


def test_a_token_whose_life_is_not_told_is_kept_for_ten_minutes() -> None:
    assert Grant.of({"access_token": "a"}).life == 600


@pytest.mark.parametrize(
    ("role", "roles"),
    [("FullAccess", {"FullAccess"}), (["A", "B", 3], {"A", "B"}), (None, set()), (7, set())],
)
def test_claims_read_one_role_or_many(role: object, roles: set[str]) -> None:
    token = Secret(jwt(cid="c", usr="ann", usrtype="admin", role=role, exp=1_900_000_000))
    assert Claims.of(token) == Claims("c", "ann", "admin", frozenset(roles), 1_900_000_000.0)


def test_claims_tell_when_the_token_was_made() -> None:
    assert Claims.of(Secret(jwt(nbf=1_900_000_000))).issued_at == 1_900_000_000.0


@pytest.mark.parametrize("exp", [None, True, "soon", -1, 10**400])
def test_claims_of_no_use_are_empty(exp: object) -> None:
    assert Claims.of(Secret(jwt(cid=5, exp=exp))) == Claims("", "", "", frozenset(), None)


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "a.W10.c", "a.!!.c", "a.\ud800.c"])
def test_a_token_that_is_no_jwt_has_no_claims(token: str) -> None:
    with pytest.raises(MalformedAnswer, match="expected the access token to be a JWT"):
        Claims.of(Secret(token))


def test_the_client_shows_the_claims_of_its_token() -> None:
    with Service().reader() as client:
        assert client.claims().client_id == "the-client"


def test_claims_of_an_opaque_token_are_a_bad_answer() -> None:
    service = Service(login=always(lambda: ok({"access_token": "opaque"})))
    with service.reader() as client, pytest.raises(BadAnswer, match="JWT"):
        client.claims()
