"""Log in, renew the token before it expires, and verify secrets. Threads share one login.

The grants and their fields are those of the OrderCloud knowledge base, "Authentication"; the token request goes to
the API's own host.
"""

import base64
import json
import math
import re
import secrets
import threading
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlencode

from reconciler.errors import AccessDenied
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.secret import Secret
from reconciler.remote import Proof
from reconciler.remote.messages import TOKEN_PATH, Call, MalformedAnswer, names_in, text_or_empty

EARLY_SECONDS: Final = 30.0
EARLY_SHARE: Final = 0.1
"""A token is renewed 30 s before it expires, or after nine tenths of its life if that is later."""

SHORTEST_LIFE: Final = 600.0
"""The default life of a token, in seconds: the API's minimum AccessTokenDuration is 10 minutes."""

_FORM: Final = "application/x-www-form-urlencoded"

MAX_MOMENT: Final = 2**53
"""Seconds since the epoch, far beyond any date."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """The login of an API client, as its default context user."""

    client_id: str
    client_secret: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Values that must not appear in messages."""
        return (self.client_secret,) if self.client_secret else ()

    def fields(self) -> dict[str, str]:
        """The form of the token request, with secrets in clear text."""
        form = {"grant_type": "client_credentials", "client_id": self.client_id}
        return form | ({"client_secret": self.client_secret.reveal()} if self.client_secret else {})


@dataclass(frozen=True, slots=True)
class PasswordGrant:
    """The login of a user through an API client. The secret is required if the client has one."""

    client_id: str
    username: str
    password: Secret
    client_secret: Secret | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Values that must not appear in messages."""
        return (self.password, self.client_secret) if self.client_secret else (self.password,)

    def fields(self) -> dict[str, str]:
        """The form of the token request, with secrets in clear text."""
        form = {"grant_type": "password", "client_id": self.client_id, "username": self.username}
        form["password"] = self.password.reveal()
        return form | ({"client_secret": self.client_secret.reveal()} if self.client_secret else {})


Credentials = ClientCredentials | PasswordGrant


def login_call(credentials: Credentials, scope: str) -> Call:
    """Build the token request. An empty scope requests all roles of the user."""
    form = credentials.fields() | ({"scope": scope} if scope else {})
    content = urlencode(form).encode("ascii")
    return Call("POST", TOKEN_PATH, content=content, content_type=_FORM, secrets=credentials.secrets)


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and its lifetime in seconds, from the time of the request."""

    token: Secret
    life: float

    @classmethod
    def of(cls, body: Mapping[str, Json]) -> "Grant":
        """Read the response to a token request.

        Raises:
            MalformedAnswer: it has no usable token.
        """
        token = body.get("access_token")
        if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()) or " " in token:
            raise MalformedAnswer("expected access_token to be a non-empty string of printable ASCII without spaces")
        return cls(Secret(token), _life(body.get("expires_in", SHORTEST_LIFE)))


def _life(value: Json) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise MalformedAnswer("expected expires_in to be a positive number of seconds")
    return float(min(value, MAX_MOMENT))  # an integer may be too large for a float


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of a token, for display and comparison. The signature is not checked: they grant nothing."""

    client_id: str
    username: str
    user_type: str
    """``admin`` (a seller user), ``buyer`` or ``supplier``."""
    roles: frozenset[str]
    expires_at: float | None
    """Seconds since the epoch."""
    issued_at: float | None = None
    """The start of its validity, which is its creation, in seconds since the epoch."""

    @classmethod
    def of(cls, token: Secret) -> "Claims":
        """Read the payload of a JWT. A claim that is missing or has another type is empty.

        Raises:
            MalformedAnswer: the token is not a JWT.
        """
        payload = _payload(token)
        return cls(
            client_id=text_or_empty(payload.get("cid")),
            username=text_or_empty(payload.get("usr")),
            user_type=text_or_empty(payload.get("usrtype")),
            roles=frozenset(names_in(payload.get("role"))),
            expires_at=_moment(payload.get("exp")),
            issued_at=_moment(payload.get("nbf")),
        )


def _payload(token: Secret) -> dict[str, Json]:
    try:
        _, middle, _ = token.reveal().split(".")
        padded = middle + "=" * (-len(middle) % 4)
        payload = json.loads(base64.urlsafe_b64decode(padded))
    except (ValueError, RecursionError):
        payload = None
    if not isinstance(payload, dict):
        # `from None`: the decoder's error contains the token
        raise MalformedAnswer("expected the access token to be a JWT") from None
    return payload


def _moment(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer may be too large for a float.
    return float(value) if 0 <= value < MAX_MOMENT else None


class TokenSource:
    """The current token. Thread-safe: while one thread logs in, the others wait.

    No thread repeats a refused login, since repeated failures lock the account.
    """

    def __init__(self, login: Callable[[], Grant], clock: Callable[[], float]) -> None:
        self._login = login
        self._clock = clock
        self._lock = threading.Lock()
        self._token: Secret | None = None
        self._renew_at = 0.0
        self._refusal: AccessDenied | None = None

    def current(self) -> Secret:
        """Return a token that does not expire soon; logs in if there is none.

        Raises:
            RemoteError: the login failed.
        """
        with self._lock:
            if self._refusal:
                raise self._refusal
            if self._token is None or self._clock() >= self._renew_at:
                try:
                    self._token = self._granted()
                except AccessDenied as refusal:
                    self._refusal = refusal
                    raise
            return self._token

    def invalidate(self, token: Secret) -> None:
        """Discard a token that the service refused; no effect if it was already renewed."""
        with self._lock:
            if self._token is token:
                self._token = None

    def renew(self) -> None:
        """Log in again and use the new token.

        Raises:
            RemoteError: the login failed; the previous token is used while it is valid.
        """
        with self._lock:
            self._token = self._granted()

    def _granted(self) -> Secret:
        asked_at = self._clock()
        grant = self._login()
        self._renew_at = asked_at + grant.life - min(EARLY_SECONDS, EARLY_SHARE * grant.life)
        return grant.token


_FAULT: Final = r"(?:invalid|wrong|incorrect|missing|expired|does not match|not valid)"
_WRONG_SECRET: Final = re.compile(rf"{_FAULT}[^.]*\bsecret|\bsecret\b[^.]*{_FAULT}", re.IGNORECASE)
_CHANGING: Final = frozenset({"LockedOut", "TooManyRequests"})
"""Error codes that a second attempt can cause itself."""


def prove(try_login: Callable[[ClientCredentials], Grant], client_id: str, secret: Secret) -> Proof:
    """Verify a secret by a login and, if the response is ambiguous, compare it with that for a wrong secret."""
    refusal = _refusal(try_login, client_id, secret)
    if refusal is None:
        return Proof(accepted=True)
    if _is_for_wrong_secret(refusal):
        return Proof(accepted=False, reason=refusal.message)
    wrong_secret_refusal = _refusal(try_login, client_id, Secret(secrets.token_urlsafe(32)))
    is_recognised = wrong_secret_refusal is not None and (
        _is_for_wrong_secret(wrong_secret_refusal) or _has_other_code(wrong_secret_refusal, refusal)
    )
    return Proof(accepted=is_recognised, reason=refusal.message, is_tried=is_recognised)


def has_secret(try_login: Callable[[ClientCredentials], Grant], client_id: str) -> bool:
    """Whether a wrong secret is refused as such."""
    refusal = _refusal(try_login, client_id, Secret(secrets.token_urlsafe(32)))
    return refusal is not None and _is_for_wrong_secret(refusal)


def _refusal(try_login: Callable[[ClientCredentials], Grant], client_id: str, secret: Secret) -> AccessDenied | None:
    try:
        try_login(ClientCredentials(client_id, secret))
    except AccessDenied as refusal:
        return refusal
    return None


def _is_for_wrong_secret(refusal: AccessDenied) -> bool:
    is_about_the_client = any(text.removeprefix("Auth.") == "ClientNotActive" for text in refusal.texts)
    return not is_about_the_client and any(map(_WRONG_SECRET.search, refusal.texts))


def _has_other_code(wrong_secret_refusal: AccessDenied, refusal: AccessDenied) -> bool:
    """Whether two refusals differ in their codes. Other texts may differ in a number or a date."""
    codes = {wrong_secret_refusal.request.error_code, refusal.request.error_code}
    return len(codes) > 1 and all(codes) and not {code.removeprefix("Auth.") for code in codes} & _CHANGING
