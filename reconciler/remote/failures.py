"""Convert failed calls to errors whose class determines the reaction, by tables of httpx exceptions and of statuses.

It is not documented which error code comes with which status: the status determines the class, the code the hint.
"""

import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar
from urllib.parse import unquote

import httpx

from reconciler.errors import (
    AccessDenied,
    AnswerLost,
    BadAnswer,
    NotExecuted,
    NotFound,
    Rejected,
    RemoteError,
    RequestFacts,
    Unreachable,
)
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json
from reconciler.model.secret import REDACTED, Secret
from reconciler.remote import messages
from reconciler.remote.messages import LOOK_FIRST, REPORT, Answer, Call, MalformedAnswer, NoAnswer, RequestState, Result
from reconciler.remote.network import TRUST_HINT

EXCEPTIONS: Final[Mapping[type[Exception], tuple[RequestState, str]]] = {
    httpx.ConnectError: (RequestState.NEVER_SENT, "no connection"),
    httpx.ConnectTimeout: (RequestState.NEVER_SENT, "timed out connecting"),
    httpx.PoolTimeout: (RequestState.NEVER_SENT, "no free connection (timed out)"),
    httpx.ProxyError: (RequestState.NEVER_SENT, "the proxy refused to connect"),
    httpx.InvalidURL: (RequestState.UNSENDABLE, "the address is not a valid URL"),
    httpx.UnsupportedProtocol: (RequestState.UNSENDABLE, "the address has an unknown scheme"),
    httpx.ReadTimeout: (RequestState.LOST, "the response timed out"),
    httpx.WriteTimeout: (RequestState.LOST, "the request timed out"),
    httpx.TimeoutException: (RequestState.LOST, "the response timed out"),
    httpx.ReadError: (RequestState.LOST, "the connection was closed during the response"),
    httpx.WriteError: (RequestState.LOST, "the connection was closed during the request"),
    httpx.CloseError: (RequestState.LOST, "the connection was closed"),
    httpx.NetworkError: (RequestState.LOST, "the connection was closed"),
    httpx.RemoteProtocolError: (RequestState.LOST, "the connection was closed before a complete response"),
    httpx.LocalProtocolError: (RequestState.LOST, "the request was not valid HTTP"),
    httpx.ProtocolError: (RequestState.LOST, "the request or the response was not valid HTTP"),
    httpx.TransportError: (RequestState.LOST, "the connection was closed"),
    httpx.RequestError: (RequestState.LOST, "the request failed"),
    httpx.HTTPError: (RequestState.LOST, "the request failed"),
    httpx.StreamError: (RequestState.LOST, "the response could not be read"),
    httpx.StreamClosed: (RequestState.LOST, "the response could not be read"),
    httpx.StreamConsumed: (RequestState.LOST, "the response could not be read"),
    httpx.ResponseNotRead: (RequestState.LOST, "the response could not be read"),
    httpx.RequestNotRead: (RequestState.LOST, "the request could not be read"),
    httpx.DecodingError: (RequestState.UNREADABLE, "invalid compression in the response"),
    httpx.TooManyRedirects: (RequestState.UNREADABLE, "redirect loop"),
    httpx.CookieConflict: (RequestState.UNREADABLE, "conflicting cookies in the response"),
    httpx.HTTPStatusError: (RequestState.UNREADABLE, "error status"),
    OSError: (RequestState.LOST, "the connection was closed"),
}
"""Every exception of httpx -> what is known of the request. OSError is raised by other transports.

Subclasses are looked up by their bases. If it is unclear whether a request was sent, it counts as sent.
"""

_STATUS: Final = re.compile(r"[1-5]\d\d\b")


def no_answer(error: Exception) -> NoAnswer:
    """What is known of a request that raised this exception, which is in `EXCEPTIONS` or a subclass."""
    root = _system_error(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        reason = f"the server's certificate was not accepted: {root.verify_message}"
        return NoAnswer(RequestState.UNSENDABLE, reason, error, TRUST_HINT)
    if isinstance(error, httpx.ProxyError):
        return _proxy_refusal(error)
    state, reason = next(EXCEPTIONS[cls] for cls in type(error).__mro__ if cls in EXCEPTIONS)
    if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
        reason += _to_host(error)
    # Only the text of the operating system is shown: messages of HTTP libraries quote headers.
    return NoAnswer(state, f"{reason}: {root.strerror}" if root and root.strerror else reason, error)


def _to_host(error: httpx.TransportError) -> str:
    """The host of the request, if known: it shows a mistyped base URL."""
    try:
        return f" to {error.request.url.host}"
    except RuntimeError:
        return ""


def _proxy_refusal(error: httpx.ProxyError) -> NoAnswer:
    """A refusal by a proxy. A 4xx to CONNECT is permanent: the password is wrong, or the host is not allowed."""
    state, reason = EXCEPTIONS[httpx.ProxyError]
    status = _STATUS.match(str(error))
    if status is None:
        return NoAnswer(state, reason, error)
    state = RequestState.UNSENDABLE if status[0].startswith("4") else state
    return NoAnswer(state, f"{reason} (status {status[0]})", error, "check HTTPS_PROXY, HTTP_PROXY and NO_PROXY")


def _system_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


MAX_MESSAGE_LENGTH: Final = 500
MAX_CODE_LENGTH: Final = 100
SUCCESS: Final = range(200, 300)

WAIT: Final = "try again later; if it persists, report the log id to Sitecore support"

_CREDENTIALS: Final = "check clientId and clientSecret (or username and password) of this environment"
_ACTIVATE: Final = "activate it in the portal"
_GRANT_ROLE: Final = "assign the user a security profile with a required role, and allow the API client to grant it"
_FEWER_ROLES: Final = "request fewer roles in `scope`, or grant them to the user and the API client"

FOR_CODE: Final[Mapping[str, str]] = {
    "AnonUserProhibited": "log in as a seller user: the API client must not be one for anonymous shopping",
    "BetaForbiddenProduction": "this is not available in production yet",
    "ClientNotActive": f"the API client that this environment logs in with is not active; {_ACTIVATE}",
    "CompanyNotActive": f"the organisation of the user is not active; {_ACTIVATE}",
    "InsecurePassword": "reset the user's password in the portal",
    "InsufficientRole": _GRANT_ROLE,
    "InsufficientRoles": _GRANT_ROLE,
    "InvalidToken": "the login succeeded but its token was refused: check that the base URL is that of the marketplace",
    "InvalidUsernameOrPassword": _CREDENTIALS,
    "LockedOut": "the account is locked after failed logins: wait, or unlock it in the portal",
    "MustPassAnonUserToken": "log in as a seller user: the API client must not be one for anonymous shopping",
    "OauthError": f"{_CREDENTIALS}, and that the secret has not expired",
    "PasswordExpired": "reset the user's password in the portal",
    "SellerNotActive": "the marketplace is not active: contact Sitecore support",
    "TokenRevoked": "the token was revoked while it was used: run again",
    "UnauthorizedRole": _FEWER_ROLES,
    "UserNotActive": f"the user is not active; {_ACTIVATE}",
    "UserNotAuthorizedToAdmin": "log in as a seller user: buyers and suppliers may not manage configuration",
    "UserNotFound": "check the username, or the default context user of the API client",
    "UsernameAndPasswordRequired": "set both username and password, or neither",
    "ApiClient.InvalidClientID": "use an API client of this marketplace; for a login, check clientId and base URL",
    "ApiClient.CannotDeleteLastFullAccess": "keep it: it is the last API client with full access",
    "ApiClient.UsedByImpersonationConfig": "delete the impersonation configuration first",
    "ApiClient.UsedByIntegration": "delete the subscription integration first",
    "ApiClient.RequiredNotAnonBuyer": "set DefaultContextUserName to a buyer user, or IsAnonBuyer to false",
    "ApiClientSecret.MaximumClientSecretsReached": "delete an unused secret first (the limit is ten)",
    "ApiClientSecret.InvalidExpirationDate": "set an expiration in the future",
    "IntegrationEvent.IncompatibleEventType": "refer to an integration event of the type that the field requires",
    "invalid_client": _CREDENTIALS,
    "invalid_grant": f"{_CREDENTIALS}, and that the secret has not expired",
    "invalid_scope": _FEWER_ROLES,
}
"""Error code without the prefix ``Auth.`` -> advice; the last three are from OAuth (RFC 6749, section 5.2)."""


def roles_hint(data: Mapping[str, Json]) -> str:
    """The required roles and those of the token, from the data of a refusal; empty if it has none.

    The name of the first field differs between versions of the service.
    """
    fields = ("SufficientRoles", "RequiredRoles", "AssignedRoles")
    sufficient, required, assigned = (", ".join(messages.names_in(data.get(name))) for name in fields)
    sufficient_roles = sufficient or required
    parts = [f"one of these roles is sufficient: {sufficient_roles}" if sufficient_roles else ""]
    parts.append(f"the token has {assigned}" if assigned else "")
    return "; ".join(filter(None, parts))


_Error = TypeVar("_Error", bound=RemoteError)


@dataclass(frozen=True, slots=True)
class FailedCall:
    """A failed call: the call, its response, and the errors in the response."""

    call: Call
    answer: Answer
    errors: tuple[messages.ServiceError, ...]
    """Empty if the body is not an error body of the API."""
    attempts: int
    hidden: tuple[Secret, ...]

    def as_error(self, kind: type[_Error], message: str = "", *, hint: str = "") -> _Error:
        """Create the error, with the message and the text of the service."""
        code = clean(self.code, self.hidden)[:MAX_CODE_LENGTH]
        log_id = clean(self.answer.log_id, self.hidden)
        facts = RequestFacts(self.call.method, self.call.shown, self.answer.status, code, log_id)
        first = [error.message or error.code for error in self.errors[:1]]  # its code is shown with the request already
        service_text = clean("; ".join([*first, *map(str, self.errors[1:])]), self.hidden)
        text = "; ".join(filter(None, [message, service_text])) or "the response contains no reason"
        tries = f" ({self.attempts} attempts)" if self.attempts > 1 else ""
        return kind(text + tries, facts, hint=clean(hint, self.hidden))

    @property
    def code(self) -> str:
        """The code of the first error, which determines the advice."""
        return self.errors[0].code if self.errors else ""

    def advice(self, default: str) -> str:
        """The advice for the code, which may have a prefix: ``Auth.InsufficientRoles``."""
        return FOR_CODE.get(self.code.removeprefix("Auth."), default)


def accept(call: Call, result: Result, *, attempts: int = 1, hidden: tuple[Secret, ...] = ()) -> Answer:
    """Return the response if its status is a success. No message contains a secret of `hidden`.

    Raises:
        RemoteError: the call failed; see `reconciler.errors` for the classes.
    """
    if isinstance(result, NoAnswer):
        raise _unanswered(call, result, attempts) from result.cause
    if result.status in SUCCESS:
        return result
    failed = FailedCall(call, result, messages.service_errors(result), attempts, (*call.secrets, *hidden))
    raise _builder(failed)(failed)


def not_executed(call: Call) -> NotExecuted:
    """The error for a write that was not executed and can be sent again now."""
    return NotExecuted("it was not executed; try again", RequestFacts(call.method, call.path))


def clean(text: str, hidden: Sequence[Secret]) -> str:
    """Remove secrets from a text of the service, and truncate it to `MAX_MESSAGE_LENGTH`."""
    values = {secret.reveal() for secret in hidden} - {""}
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, REDACTED)
    return text if len(text) <= MAX_MESSAGE_LENGTH else text[: MAX_MESSAGE_LENGTH - 3] + "..."


def _unanswered(call: Call, result: NoAnswer, attempts: int) -> RemoteError:
    facts = RequestFacts(call.method, call.shown)
    text = result.reason + (f" ({attempts} attempts)" if attempts > 1 else "")
    may_have_happened = result.state in {RequestState.LOST, RequestState.UNREADABLE}
    if call.is_write and may_have_happened:
        return AnswerLost(text, facts, hint=LOOK_FIRST)
    if result.state is RequestState.UNREADABLE:
        return BadAnswer(text, facts, hint=REPORT)
    return Unreachable(text, facts, hint=result.hint or "check the network, the proxy settings and the base URL")


def _denied(failed: FailedCall) -> RemoteError:
    if not failed.errors:
        hint = "the response is not from the API: check for a proxy or a firewall"
        return failed.as_error(AccessDenied, "access denied", hint=hint)
    advice = failed.advice("check the credentials of this environment and the roles of its user")
    roles = roles_hint(failed.errors[0].data)
    error = failed.as_error(AccessDenied, hint="; ".join(filter(None, [roles, advice])))
    error.texts = tuple(clean(text, failed.hidden) for text in messages.texts(failed.answer))
    return error


def _login_refused(failed: FailedCall) -> RemoteError:
    return _denied(failed) if failed.errors else _not_the_api(failed)


def _no_login_here(failed: FailedCall) -> RemoteError:
    return failed.as_error(BadAnswer, "this address has no login endpoint", hint="check the base URL")


def _absent(failed: FailedCall) -> RemoteError:
    if not failed.errors:
        return _not_the_api(failed)
    if failed.call.is_write and not _is_about_this(failed):
        return _rejected(failed)
    hint = "check the ID, and that the environment is the right marketplace"
    return failed.as_error(NotFound, _object_name(failed.errors[0].data), hint=hint)


def _is_about_this(failed: FailedCall) -> bool:
    """Whether the path names the missing object. A write may also be refused for an object in its body."""
    missing = failed.errors[0].data.get("ObjectID")
    named = {unquote(part).casefold() for part in failed.call.path.split("/")}
    return not isinstance(missing, str) or missing.casefold() in named


def _object_name(data: Mapping[str, Json]) -> str:
    kind, name = messages.text_or_empty(data.get("ObjectType")), messages.text_or_empty(data.get("ObjectID"))
    return f"{kind} '{name}'" if kind and name else ""


def _rejected(failed: FailedCall) -> RemoteError:
    if not failed.errors:
        return _not_the_api(failed)
    about = _object_name(failed.errors[0].data)
    advice = failed.advice("correct what the service reports, then plan again")
    return failed.as_error(Rejected, about, hint=advice)


def _redirected(failed: FailedCall) -> RemoteError:
    hint = "redirects are not followed, since they would send the token to another host: check the base URL"
    return failed.as_error(_unusable_class(failed), "the service redirects", hint=hint)


def _throttled(failed: FailedCall) -> RemoteError:
    return failed.as_error(Unreachable, "too many requests", hint="lower `concurrency`, or try again later")


def _unavailable(failed: FailedCall) -> RemoteError:
    if failed.call.is_write:
        return failed.as_error(AnswerLost, "the service failed during the write", hint=LOOK_FIRST)
    return failed.as_error(Unreachable, "the service is not available", hint=WAIT)


def _not_the_api(failed: FailedCall) -> RemoteError:
    message = f"expected a response of the API and found {_body_description(failed.answer)}"
    return failed.as_error(_unusable_class(failed), message, hint=LOOK_FIRST if failed.call.is_write else REPORT)


def _unusable_class(failed: FailedCall) -> type[RemoteError]:
    return AnswerLost if failed.call.is_write else BadAnswer


def _body_description(answer: Answer) -> str:
    try:
        return messages.kind_of(messages.parse(answer)) + " without Errors"
    except MalformedAnswer as fault:
        return str(fault)


Builder = Callable[[FailedCall], RemoteError]

_LOGIN: Final[Mapping[int, Builder]] = {400: _login_refused, 404: _no_login_here}
_BY_STATUS: Final[Mapping[int, Builder]] = {
    401: _denied,
    403: _denied,
    404: _absent,
    408: _unavailable,
    429: _throttled,
}
_BY_CLASS: Final[Mapping[int, Builder]] = {3: _redirected, 4: _rejected, 5: _unavailable}


def _builder(failed: FailedCall) -> Builder:
    status = failed.answer.status
    special = _LOGIN if failed.call.is_login else {}
    return special.get(status) or _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, _not_the_api)
