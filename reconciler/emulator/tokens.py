"""A form sent to the token endpoint -> a signed access token, or an error of RFC 6749; a token -> its caller.

Claims are those of the .NET Catalyst's `DecodedToken` and the JavaScript SDK's test token: `usr`, `cid` (lower case),
`u`, `usrtype`, `role` (a string if there is only one), `iss`, `aud`, `exp`, `nbf`, and `orderid` for anonymous users;
the algorithm is RS256 with the `kid` in the header. No claim has the marketplace. `jti` is specific to the emulator:
without it, two logins within a second would get the same token, and revoking one would revoke the other.

Generating a key takes about 0.1 s, so all emulators of a process share one; each has its own key IDs, so that it
rejects the tokens of the others. To revoke all tokens, the emulator switches to a new key ID.

Grants: OrderCloud docs, "Authentication" and "API clients". Documented: the four grants; a secret is required for every
grant if the client has one; the client-credentials grant acts as the default context user; an anonymous token has its
own lifetime and no refresh token; an omitted scope means all roles; MaximumGrantedRoles limits the granted roles, and
MinimumRequiredRoles must be granted.

Guesses: the OAuth error names (RFC 6749) and some error codes; FullAccess includes every role in a scope, in
MaximumGrantedRoles or in MinimumRequiredRoles; MaximumGrantedRoles and MaximumGrantedCustomRoles each limit their own
type of role; a scope without any granted role is rejected; a refresh token can be used once; `anonuserid` is the value
of the `orderid` claim; an anonymous client with a secret requires it too.
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
from reconciler.emulator.errors import ApiError, ServiceError, not_found
from reconciler.emulator.marketplace import Marketplace, User
from reconciler.emulator.rows.clients import ANONYMOUS_DEFAULT, has_any_secret, require_secret
from reconciler.emulator.store import Body, key_of

if TYPE_CHECKING:
    from jwt.types import Options  # missing in older versions of PyJWT


_KIND = "_Key"
_ALGORITHM = "RS256"
_BITS = 2048


_MAX_CACHED = 1000  # tokens whose verified claims are cached
# Expiry is checked with the emulator's clock; issuer and audience are not secret.
_SIGNATURE_ONLY: "Options" = {"verify_exp": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False}


@functools.cache
def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@functools.cache
def _private_key(pem: str) -> rsa.RSAPrivateKey:
    # Always written by _new_key, so it is an RSA key.
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(pem.encode(), password=None))


class TokenIssuer:
    """Issues and verifies access tokens; the signing key is in the store, so tokens stay valid after a restart."""

    def __init__(self, market: Marketplace) -> None:
        self._market = market
        self._verified: dict[str, Caller] = {}
        self._revoked: set[str] = set()
        if market.store.get(_KIND, "current") is None:
            market.store.put(_KIND, "current", {"pem": _new_key(), "kid": str(uuid.uuid4()), "revoked": []})

    @property
    def _key(self) -> Body:
        return self._market.store.all(_KIND)["current"]

    def issue(self, client: Body, user: User, roles: Sequence[str], minutes: int, order: str | None = None) -> str:
        """Sign a token that expires in this number of minutes."""
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
        """The caller of a request; raises ApiError if the token is invalid, expired or revoked."""
        caller = self._verified.get(token) or self._verify(token)
        if token in self._revoked:
            raise ApiError(ServiceError("Auth.TokenRevoked"))
        if self._market.clock().timestamp() >= caller.expires:
            raise ApiError(ServiceError("InvalidToken"))
        return caller

    def client_of(self, token: str) -> str | None:
        """The client ID in a token that this emulator has signed, even if it is expired; else None."""
        try:
            return (self._verified.get(token) or self._verify(token)).client
        except ApiError:
            return None

    def revoke(self, token: str) -> None:
        """Revoke one token, until the end of this process."""
        self._revoked.add(token)

    def revoke_all(self) -> None:
        """Revoke all tokens that were issued so far."""
        key = self._key
        self._verified.clear()
        revoked = [*key["revoked"], key["kid"]]
        self._market.store.put(_KIND, "current", key | {"kid": str(uuid.uuid4()), "revoked": revoked})

    def certificate(self, kid: str) -> dict[str, Any]:
        """The public key as a JWK; raises ApiError for an unknown key ID."""
        if kid not in [self._key["kid"], *self._key["revoked"]]:
            raise ApiError(not_found("Certificate", kid))
        public = json.loads(RSAAlgorithm.to_jwk(self._public_key()))
        return {"kty": "RSA", "n": public["n"], "e": public["e"], "alg": _ALGORITHM, "use": "sig", "kid": kid}

    def _verify(self, token: str) -> Caller:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
            if kid in self._key["revoked"]:
                raise ApiError(ServiceError("Auth.TokenRevoked"))
            claims = jwt.decode(token, self._public_key(), algorithms=[_ALGORITHM], options=_SIGNATURE_ONLY)
        except jwt.InvalidTokenError as error:
            raise ApiError(ServiceError("InvalidToken")) from error
        if kid != self._key["kid"]:
            raise ApiError(ServiceError("InvalidToken"))
        if len(self._verified) >= _MAX_CACHED:
            self._verified.clear()
        roles = (claims["role"],) if isinstance(claims["role"], str) else tuple(claims["role"])
        caller = Caller(claims["cid"], claims["usr"], claims["usrtype"], roles, float(claims["exp"]))
        self._verified[token] = caller
        return caller

    def _public_key(self) -> rsa.RSAPublicKey:
        return _private_key(self._key["pem"]).public_key()


_FORM = "application/x-www-form-urlencoded"
_REFRESH = "_RefreshToken"


@dataclass(frozen=True, slots=True)
class Login:
    """A validated token request."""

    client: Body
    user: User
    scope: str
    anonymous_id: str | None = None


def token(call: Call) -> Answer:
    """Handle a token request.

    Raises:
        ApiError: the request is rejected; the body has `error` and `error_description` before `Errors`.
    """
    if call.content_type.partition(";")[0].strip().lower() != _FORM:
        raise ApiError(ServiceError("Request.InvalidContentType"), oauth="invalid_request")
    form = dict(parse_qsl(call.raw.decode("utf-8", "replace"), keep_blank_values=True))
    grant = _GRANTS.get(form.get("grant_type", ""))
    if grant is None:
        raise _oauth_error("Auth.OauthError", "unsupported_grant_type", "grant_type is missing or not supported.")
    client = _client(call.market, form)
    login = grant(call.market, client, form)
    _check_user(call.market, login)
    return Answer(200, _issue(call.market, call.backend.issuer, login))


def _oauth_error(code: str, oauth: str = "invalid_grant", message: str = "", status: int | None = None) -> ApiError:
    return ApiError(ServiceError(code, message), status=status, oauth=oauth)


def _client(market: Marketplace, form: Mapping[str, str]) -> Body:
    client = market.find("ApiClient", form.get("client_id", ""))
    if client is None:
        raise _oauth_error("ApiClient.InvalidClientID", "invalid_client")
    if not client.get("Active"):
        raise _oauth_error("Auth.ClientNotActive", "invalid_client")
    require_secret(market, client, form.get("client_secret"))
    return client


def _by_client_credentials(market: Marketplace, client: Body, form: Mapping[str, str]) -> Login:
    is_anonymous = bool(client.get("IsAnonBuyer"))
    if not is_anonymous and not has_any_secret(market, client):
        # SDK comment on ClientSecret: it "enables the OAuth 2.0 Client Credentials grant type".
        raise _oauth_error("Auth.OauthError", "unauthorized_client", "The client has no secret.", status=401)
    user = market.user_named(client.get("DefaultContextUserName") or "")
    if user is None:
        raise _oauth_error("Auth.UserNotFound", message="The client has no default context user.")
    anonymous_id = form.get("anonuserid") or str(uuid.uuid4())
    return Login(client, user, form.get("scope", ""), anonymous_id if is_anonymous else None)


def _by_password(market: Marketplace, client: Body, form: Mapping[str, str]) -> Login:
    name, password = form.get("username"), form.get("password")
    if not name or not password:
        raise _oauth_error("Auth.UsernameAndPasswordRequired", "invalid_request")
    user = market.user_named(name)
    if user is None or not _is_password(user, password):
        raise _oauth_error("Auth.InvalidUsernameOrPassword")
    return Login(client, user, form.get("scope", ""))


def _is_password(user: User, password: str) -> bool:
    stored = user.body.get("Password")
    return bool(stored) and secrets.compare_digest(str(stored).encode(), password.encode())


def _by_refresh_token(market: Marketplace, client: Body, form: Mapping[str, str]) -> Login:
    key = key_of(form.get("refresh_token", ""))
    row = market.store.get(_REFRESH, key)
    user = market.user_named(row["user"]) if row else None
    if row is None or user is None or row["client"] != client["ID"] or row["until"] <= market.clock().timestamp():
        raise _oauth_error("Auth.OauthError", message="The refresh token is unknown, used or expired.")
    market.store.delete(_REFRESH, key)
    return Login(client, user, form.get("scope") or row["scope"])


_GRANTS: Mapping[str, Callable[[Marketplace, Body, Mapping[str, str]], Login]] = {
    "client_credentials": _by_client_credentials,
    "password": _by_password,
    "refresh_token": _by_refresh_token,
}


def _check_user(market: Marketplace, login: Login) -> None:
    user = login.user
    if not user.body.get("Active"):
        raise _oauth_error("Auth.UserNotActive")
    company = market.find(user.party.company, user.company) if user.party.company and user.company else None
    if company is not None and not company.get("Active"):
        raise _oauth_error("Auth.CompanyNotActive")
    if not market.may_log_in(login.client, user):
        raise _oauth_error("Auth.UnauthorizedRole", message=f"{user.party.usrtype} users may not use this client.")


def _issue(market: Marketplace, issuer: TokenIssuer, login: Login) -> dict[str, object]:
    client, roles = login.client, granted_roles(market, login)
    minutes = int(client["AccessTokenDuration"])
    if login.anonymous_id is not None:
        minutes = int(client.get("AnonymousTokenDuration") or ANONYMOUS_DEFAULT)
    body: dict[str, object] = {
        "access_token": issuer.issue(client, login.user, roles, minutes, login.anonymous_id),
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
    """The roles of the token: those of the user, limited by the scope and by the client.

    Raises:
        ApiError: the user lacks a required role, or no role in the scope can be granted.
    """
    held, client = market.roles_of(login.user), login.client
    required = [*_names(client, "MinimumRequiredRoles"), *_names(client, "MinimumRequiredCustomRoles")]
    missing = [role for role in required if not _includes(held, role)]
    requested = login.scope.split()
    roles = [role for role in requested if _includes(held, role)] if requested else held
    roles = _limited(roles, _names(client, "MaximumGrantedRoles"), is_custom=False)
    roles = _limited(roles, _names(client, "MaximumGrantedCustomRoles"), is_custom=True)
    if missing or (requested and not roles):
        data = {"SufficientRoles": missing or requested, "AssignedRoles": held}
        raise ApiError(ServiceError("Auth.InsufficientRoles", data=data), status=400, oauth="invalid_scope")
    return list(dict.fromkeys(roles))


def _names(client: Body, field: str) -> list[str]:
    return list(client.get(field) or ())


def _includes(held: Iterable[str], role: str) -> bool:
    return role in held or (FULL_ACCESS in held and role in API_ROLES)


def _limited(roles: list[str], maximum: list[str], *, is_custom: bool) -> list[str]:
    if not maximum:
        return roles
    others = [role for role in roles if (role not in API_ROLES) != is_custom]
    if FULL_ACCESS in roles and not is_custom:
        return [*others, *maximum]
    return [*others, *(role for role in roles if role in maximum)]
