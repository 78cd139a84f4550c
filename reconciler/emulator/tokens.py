"""A form sent to the token endpoint -> a signed access token, or the refusal of RFC 6749; a token -> who calls.

Claims as in the .NET Catalyst's `DecodedToken` and the JavaScript SDK's test token: `usr`, `cid` (lower case), `u`,
`usrtype`, `role` (a bare string when there is only one), `iss`, `aud`, `exp`, `nbf`, `orderid` for anonymous users; the
algorithm is RS256 with the `kid` in the header. No claim names the marketplace. `jti` is an addition of the emulator:
without it two logins within one second would get the same token, and revoking one would revoke the other.

Making a key takes about 0.1 s, so all emulators of a process share one; each has key IDs of its own, which is how a
token of one is foreign to another. To revoke every token, the emulator moves on to a new key ID.

Grants: OrderCloud docs, "Authentication" and "API clients". Documented: the four grants, the secret that is needed with
every grant as soon as the client has one, the client-credentials grant acting as the default context user, the
anonymous token with its own lifetime and no refresh token, an omitted scope meaning all roles, MaximumGrantedRoles
capping and MinimumRequiredRoles demanding.

Guesses: the OAuth error names (RFC 6749) and some error codes; FullAccess covers every role that a scope, a cap or a
demand names; each cap bounds its own sort of role; a scope of which nothing is left is refused; a refresh token can be
used once; `anonuserid` is what the `orderid` claim then holds; an anonymous client that has a secret needs it too.
"""

import functools
import json
import secrets
import uuid
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from reconciler.emulator.calls import API_ROLES, FULL_ACCESS, Answer, Call, Caller
from reconciler.emulator.errors import ApiError, Fault, not_found
from reconciler.emulator.marketplace import Marketplace, User
from reconciler.emulator.rows.clients import ANONYMOUS_DEFAULT, has_any_secret, require_secret
from reconciler.emulator.store import Body, key_of

if TYPE_CHECKING:
    from jwt.types import Options  # which older versions of PyJWT do not have


_KIND = "_Key"
_ALGORITHM = "RS256"
_BITS = 2048


_REMEMBERED = 1000  # tokens whose signature need not be checked again
# The emulator's own clock decides what has expired; issuer and audience are as public as the rest of it.
_ONLY_THE_SIGNATURE: "Options" = {"verify_exp": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False}


@functools.cache
def _fresh_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@functools.cache
def _private_key(pem: str) -> rsa.RSAPrivateKey:
    # Nobody but _fresh_key has written it.
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(pem.encode(), password=None))


class TokenIssuer:
    """Issues access tokens and recognises them; the signing key lives in the store, so tokens outlive the process."""

    def __init__(self, market: Marketplace) -> None:
        self._market = market
        self._known: dict[str, Caller] = {}
        self._revoked: set[str] = set()
        if market.store.get(_KIND, "current") is None:
            market.store.put(_KIND, "current", {"pem": _fresh_key(), "kid": str(uuid.uuid4()), "revoked": []})

    @property
    def _key(self) -> Body:
        return self._market.store.all(_KIND)["current"]

    def issue(self, client: Body, user: User, roles: Sequence[str], minutes: int, order: str | None = None) -> str:
        """Sign a token that is good for that many minutes from now."""
        now = int(self._market.clock().timestamp())
        base_url = self._market.settings.base_url
        claims: dict[str, Any] = {
            "usr": user.name,
            "cid": client["ID"].lower(),
            "u": str(zlib.crc32(user.body["ID"].encode())),
            "usrtype": user.party.usrtype,
            "role": roles[0] if len(roles) == 1 else list(roles),
            "iss": base_url,
            "aud": base_url,
            "exp": now + minutes * 60,
            "nbf": now,
            "jti": str(uuid.uuid4()),
        }
        if order is not None:
            claims["orderid"] = order
        headers = {"kid": self._key["kid"]}
        return jwt.encode(claims, _private_key(self._key["pem"]), algorithm=_ALGORITHM, headers=headers)

    def caller(self, token: str) -> Caller:
        """Tell who calls; raises ApiError when the token is invalid, expired or revoked."""
        caller = self._known.get(token) or self._verify(token)
        if token in self._revoked:
            raise ApiError(Fault("Auth.TokenRevoked"))
        if self._market.clock().timestamp() >= caller.expires:
            raise ApiError(Fault("InvalidToken"))
        return caller

    def client_of(self, token: str) -> str | None:
        """Give the client ID of a token that this emulator has signed, whether or not it is still good."""
        try:
            return (self._known.get(token) or self._verify(token)).client
        except ApiError:
            return None

    def revoke(self, token: str) -> None:
        """Make one token invalid from now on, until the end of this process."""
        self._revoked.add(token)

    def revoke_all(self) -> None:
        """Make every token invalid that was issued so far."""
        key = self._key
        self._known.clear()
        revoked = [*key["revoked"], key["kid"]]
        self._market.store.put(_KIND, "current", key | {"kid": str(uuid.uuid4()), "revoked": revoked})

    def certificate(self, kid: str) -> dict[str, Any]:
        """Give the public key as a JWK; raises ApiError for an unknown key ID."""
        if kid not in [self._key["kid"], *self._key["revoked"]]:
            raise ApiError(not_found("Certificate", kid))
        public = json.loads(RSAAlgorithm.to_jwk(self._public_key()))
        return {"kty": "RSA", "n": public["n"], "e": public["e"], "alg": _ALGORITHM, "use": "sig", "kid": kid}

    def _verify(self, token: str) -> Caller:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if kid in self._key["revoked"]:
                raise ApiError(Fault("Auth.TokenRevoked"))
            claims = jwt.decode(token, self._public_key(), algorithms=[_ALGORITHM], options=_ONLY_THE_SIGNATURE)
        except jwt.InvalidTokenError as error:
            raise ApiError(Fault("InvalidToken")) from error
        if kid != self._key["kid"]:
            raise ApiError(Fault("InvalidToken"))
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        roles = (claims["role"],) if isinstance(claims["role"], str) else tuple(claims["role"])
        caller = Caller(claims["cid"], claims["usr"], claims["usrtype"], roles, float(claims["exp"]))
        self._known[token] = caller
        return caller

    def _public_key(self) -> rsa.RSAPublicKey:
        return _private_key(self._key["pem"]).public_key()


_FORM = "application/x-www-form-urlencoded"
_REFRESH = "_RefreshToken"


@dataclass(frozen=True, slots=True)
class Login:
    """A login that is understood: which client, as whom, wanting which roles."""

    client: Body
    user: User
    scope: str
    anonymous_id: str | None = None


def token(call: Call) -> Answer:
    """Answer a token request.

    Raises:
        ApiError: refused; its body has `error` and `error_description` before `Errors`.
    """
    if call.content_type.partition(";")[0].strip().lower() != _FORM:
        raise ApiError(Fault("Request.InvalidContentType"), oauth="invalid_request")
    form = dict(parse_qsl(call.raw.decode("utf-8", "replace"), keep_blank_values=True))
    grant = _GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        raise _refusal("Auth.OauthError", "unsupported_grant_type", "grant_type is missing or not supported.")
    client = _client(call.market, form)
    login = grant(call.market, client, form)
    _admit(call.market, login)
    return Answer(200, _issue(call.market, call.site.office, login))


def _refusal(code: str, oauth: str = "invalid_grant", message: str = "", status: int | None = None) -> ApiError:
    return ApiError(Fault(code, message), status=status, oauth=oauth)


def _client(market: Marketplace, form: Mapping[str, str]) -> Body:
    client = market.find("ApiClient", form.get("client_id", ""))
    if client is None:
        raise _refusal("ApiClient.InvalidClientID", "invalid_client")
    if not client.get("Active"):
        raise _refusal("Auth.ClientNotActive", "invalid_client")
    require_secret(market, client, form.get("client_secret"))
    return client


def _by_client_credentials(market: Marketplace, client: Body, form: Mapping[str, str]) -> Login:
    is_anonymous = bool(client.get("IsAnonBuyer"))
    if not is_anonymous and not has_any_secret(market, client):
        # SDK comment on ClientSecret: it "enables the OAuth 2.0 Client Credentials grant type".
        raise _refusal("Auth.OauthError", "unauthorized_client", "The client has no secret.", status=401)
    user = market.user_named(client.get("DefaultContextUserName") or "")
    if user is None:
        raise _refusal("Auth.UserNotFound", message="The client has no default context user.")
    anonymous_id = form.get("anonuserid") or str(uuid.uuid4())
    return Login(client, user, form.get("scope", ""), anonymous_id if is_anonymous else None)


def _by_password(market: Marketplace, client: Body, form: Mapping[str, str]) -> Login:
    name, password = form.get("username"), form.get("password")
    if not name or not password:
        raise _refusal("Auth.UsernameAndPasswordRequired", "invalid_request")
    user = market.user_named(name)
    if user is None or not _is_password(user, password):
        raise _refusal("Auth.InvalidUsernameOrPassword")
    return Login(client, user, form.get("scope", ""))


def _is_password(user: User, password: str) -> bool:
    stored = user.body.get("Password")
    return bool(stored) and secrets.compare_digest(str(stored).encode(), password.encode())


def _by_refresh_token(market: Marketplace, client: Body, form: Mapping[str, str]) -> Login:
    key = key_of(form.get("refresh_token", ""))
    row = market.store.get(_REFRESH, key)
    user = market.user_named(row["user"]) if row else None
    if row is None or user is None or row["client"] != client["ID"] or row["until"] <= market.clock().timestamp():
        raise _refusal("Auth.OauthError", message="The refresh token is unknown, used or expired.")
    market.store.delete(_REFRESH, key)
    return Login(client, user, form.get("scope") or row["scope"])


_GRANTS: Mapping[str, Callable[[Marketplace, Body, Mapping[str, str]], Login]] = {
    "client_credentials": _by_client_credentials,
    "password": _by_password,
    "refresh_token": _by_refresh_token,
}


def _admit(market: Marketplace, login: Login) -> None:
    user = login.user
    if not user.body.get("Active"):
        raise _refusal("Auth.UserNotActive")
    company = market.find(user.party.company, user.company) if user.party.company and user.company else None
    if company is not None and not company.get("Active"):
        raise _refusal("Auth.CompanyNotActive")
    if not market.may_log_in(login.client, user):
        raise _refusal("Auth.UnauthorizedRole", message=f"{user.party.usrtype} users may not use this client.")


def _issue(market: Marketplace, office: TokenIssuer, login: Login) -> dict[str, object]:
    client, roles = login.client, granted_roles(market, login)
    minutes = int(client["AccessTokenDuration"])
    if login.anonymous_id is not None:
        minutes = int(client.get("AnonymousTokenDuration") or ANONYMOUS_DEFAULT)
    body: dict[str, object] = {
        "access_token": office.issue(client, login.user, roles, minutes, login.anonymous_id),
        "expires_in": minutes * 60 - 1,  # the documented sample shows 35999 for 600 minutes
        "token_type": "bearer",
    }
    if login.anonymous_id is None and client.get("RefreshTokenDuration"):
        body["refresh_token"] = _refresh_token(market, login)
    return body


def _refresh_token(market: Marketplace, login: Login) -> str:
    value = str(uuid.uuid4())
    until = market.clock().timestamp() + int(login.client["RefreshTokenDuration"]) * 60
    row = {"client": login.client["ID"], "user": login.user.name, "scope": login.scope, "until": until}
    market.store.put(_REFRESH, key_of(value), row)
    return value


def granted_roles(market: Marketplace, login: Login) -> list[str]:
    """Work out the roles of the token: what the user has, what is asked for, what the client demands and caps.

    Raises:
        ApiError: a demanded role is missing, or none is left.
    """
    held, client = market.roles_of(login.user), login.client
    required = [*_names(client, "MinimumRequiredRoles"), *_names(client, "MinimumRequiredCustomRoles")]
    missing = [role for role in required if not _covers(held, role)]
    asked = login.scope.split()
    roles = [role for role in asked if _covers(held, role)] if asked else held
    roles = _capped(roles, _names(client, "MaximumGrantedRoles"), is_custom=False)
    roles = _capped(roles, _names(client, "MaximumGrantedCustomRoles"), is_custom=True)
    if missing or (asked and not roles):
        data = {"SufficientRoles": missing or asked, "AssignedRoles": held}
        raise ApiError(Fault("Auth.InsufficientRoles", data=data), status=400, oauth="invalid_scope")
    return list(dict.fromkeys(roles))


def _names(client: Body, field: str) -> list[str]:
    return list(client.get(field) or ())


def _covers(held: Iterable[str], role: str) -> bool:
    return role in held or (FULL_ACCESS in held and role in API_ROLES)


def _capped(roles: list[str], cap: list[str], *, is_custom: bool) -> list[str]:
    if not cap:
        return roles
    others = [role for role in roles if (role not in API_ROLES) != is_custom]
    if FULL_ACCESS in roles and not is_custom:
        return [*others, *cap]
    return [*others, *(role for role in roles if role in cap)]
