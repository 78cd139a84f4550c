"""A form sent to the token endpoint -> an access token, or the refusal in the shape of RFC 6749 with `Errors`.

OrderCloud docs, "Authentication" and "API clients". Documented: the four grants, the secret that is needed with every
grant as soon as the client has one, the client-credentials grant acting as the default context user, the anonymous
token with its own lifetime and no refresh token, an omitted scope meaning all roles, MaximumGrantedRoles capping and
MinimumRequiredRoles demanding.

Guesses: the OAuth error names (RFC 6749) and some error codes; FullAccess covers every role that a scope, a cap or a
demand names; each cap bounds its own sort of role; a scope of which nothing is left is refused; a refresh token can be
used once; `anonuserid` is what the `orderid` claim then holds; an anonymous client that has a secret needs it too.
"""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from reconciler.emulator.calls import Answer
from reconciler.emulator.errors import ApiError, Fault
from reconciler.emulator.roles import API_ROLES, FULL_ACCESS
from reconciler.emulator.rows.clients import ANONYMOUS_DEFAULT, has_any_secret, require_secret
from reconciler.emulator.store import key_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from reconciler.emulator.calls import Call
    from reconciler.emulator.marketplace import Marketplace, User
    from reconciler.emulator.store import Body
    from reconciler.emulator.tokens import TokenOffice

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


def _issue(market: Marketplace, office: TokenOffice, login: Login) -> dict[str, object]:
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
