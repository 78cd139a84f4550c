"""A user, a client and roles -> a signed access token; a token -> who calls.

Claims as in the .NET Catalyst's `DecodedToken` and the JavaScript SDK's test token: `usr`, `cid` (lower case), `u`,
`usrtype`, `role` (a bare string when there is only one), `iss`, `aud`, `exp`, `nbf`, `orderid` for anonymous users; the
algorithm is RS256 with the `kid` in the header. No claim names the marketplace. `jti` is an addition of the emulator:
without it two logins within one second would get the same token, and revoking one would revoke the other.

Making a key takes about 0.1 s, so all emulators of a process share one; each has key IDs of its own, which is how a
token of one is foreign to another. To revoke every token, the emulator moves on to a new key ID.
"""

from __future__ import annotations

import functools
import json
import uuid
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from reconciler.emulator.calls import Caller
from reconciler.emulator.errors import ApiError, Fault, not_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from jwt.types import Options

    from reconciler.emulator.marketplace import Marketplace, User
    from reconciler.emulator.store import Body

_KIND = "_Key"
_ALGORITHM = "RS256"
_BITS = 2048


_REMEMBERED = 1000  # tokens whose signature need not be checked again
# The emulator's own clock decides what has expired; issuer and audience are as public as the rest of it.
_ONLY_THE_SIGNATURE: Options = {"verify_exp": False, "verify_nbf": False, "verify_aud": False, "verify_iss": False}


@dataclass(frozen=True, slots=True)
class _Known:
    """A token whose signature was checked; `expires` in seconds since 1970."""

    caller: Caller
    expires: float

    @classmethod
    def of(cls, token: str, claims: dict[str, Any]) -> _Known:
        roles = claims["role"]
        names = (roles,) if isinstance(roles, str) else tuple(roles)
        return cls(Caller(claims["cid"], claims["usr"], claims["usrtype"], names, token), float(claims["exp"]))


@functools.cache
def _fresh_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=_BITS)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@functools.cache
def _private_key(pem: str) -> rsa.RSAPrivateKey:
    # Nobody but _fresh_key has written it.
    return cast("rsa.RSAPrivateKey", serialization.load_pem_private_key(pem.encode(), password=None))


class TokenOffice:
    """Issues access tokens and recognises them; the signing key lives in the store, so tokens outlive the process."""

    def __init__(self, market: Marketplace) -> None:
        self._market = market
        self._known: dict[str, _Known] = {}
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
        return jwt.encode(
            claims, _private_key(self._key["pem"]), algorithm=_ALGORITHM, headers={"kid": self._key["kid"]}
        )

    def caller(self, token: str) -> Caller:
        """Tell who calls; raises ApiError when the token is invalid, expired or revoked."""
        known = self._known.get(token) or self._verify(token)
        if token in self._revoked:
            raise ApiError(Fault("Auth.TokenRevoked"))
        if self._market.clock().timestamp() >= known.expires:
            raise ApiError(Fault("InvalidToken"))
        return known.caller

    def client_of(self, token: str) -> str | None:
        """Give the client ID of a token that this emulator has signed, whether or not it is still good."""
        try:
            return (self._known.get(token) or self._verify(token)).caller.client
        except ApiError:
            return None

    def revoke(self, token: str) -> None:
        """Make one token invalid from now on, until the end of this process."""
        self._revoked.add(token)

    def revoke_all(self) -> None:
        """Make every token invalid that was issued so far."""
        key = self._key
        self._known.clear()
        self._market.store.put(
            _KIND, "current", key | {"kid": str(uuid.uuid4()), "revoked": [*key["revoked"], key["kid"]]}
        )

    def certificate(self, kid: str) -> dict[str, Any]:
        """Give the public key as a JWK; raises ApiError for an unknown key ID."""
        if kid not in [self._key["kid"], *self._key["revoked"]]:
            raise ApiError(not_found("Certificate", kid))
        public = json.loads(RSAAlgorithm.to_jwk(self._public_key()))
        return {"kty": "RSA", "n": public["n"], "e": public["e"], "alg": _ALGORITHM, "use": "sig", "kid": kid}

    def _verify(self, token: str) -> _Known:
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
        known = self._known[token] = _Known.of(token, claims)
        return known

    def _public_key(self) -> rsa.RSAPublicKey:
        return _private_key(self._key["pem"]).public_key()
