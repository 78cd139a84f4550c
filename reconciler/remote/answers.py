"""Answer -> its JSON, strictly read, or a word for what was found instead; nothing of a body in any message.

The shape of error bodies is that of the OrderCloud knowledge base, "Errors": ``{"Errors": [{ErrorCode, Message,
Data}]}``.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from reconciler.errors import AnswerLost, BadAnswer, RemoteError, RequestFacts
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, is_array
from reconciler.remote.messages import Answer, Call, Misshapen


@dataclass(frozen=True, slots=True)
class ServiceError:
    """One entry of an error body."""

    code: str
    message: str
    data: Mapping[str, Json]

    def __str__(self) -> str:
        return f"{self.code}: {self.message}" if self.code and self.message else self.code or self.message


def parse(answer: Answer) -> Json:
    """Read a body as strict JSON: no duplicate keys, no NaN, no infinite numbers; a byte order mark is dropped.

    The mark was seen on live answers: Sitecore's JavaScript SDK drops it, too.

    Raises:
        Misshapen: it is none, or takes more memory than an answer may; the message says only what was found.
    """
    if sum(map(answer.body.count, (b",", b"{", b"["))) > _MOST_VALUES:
        raise Misshapen(f"JSON of more than {_MOST_VALUES} values")
    try:
        return _DECODER.decode(answer.body.decode("utf-8-sig"))  # type: ignore[no-any-return]  # the decoder is untyped
    except RecursionError:
        raise Misshapen(f"JSON that is nested too deep{_nested(answer.body)}") from None
    except ValueError:
        # `from None`: the decoder's error carries the whole text
        raise Misshapen(_found(answer)) from None


def object_in(call: Call, answer: Answer) -> dict[str, Json]:
    """Read a body that must be one JSON object.

    Raises:
        BadAnswer: it is something else.
        AnswerLost: likewise, of a write: it was carried out, but what came of it is unknown.
    """
    try:
        body = parse(answer)
    except Misshapen as fault:
        raise unusable(call, answer, f"expected a JSON object and found {fault}") from None
    if not isinstance(body, dict):
        raise unusable(call, answer, f"expected a JSON object and found {kind_of(body)}")
    return body


def unusable(call: Call, answer: Answer, message: str) -> RemoteError:
    """Make the error for an answer that is not what the API promises."""
    facts = RequestFacts(call.method, call.shown, answer.status, log_id=answer.log_id)
    if call.is_write:
        return AnswerLost(f"the write's answer cannot be used: {message}", facts, hint=LOOK_FIRST)
    return BadAnswer(message, facts, hint=REPORT)


def kind_of(value: Json) -> str:
    """Name a value's JSON type, as in 'found a string'."""
    if value is None:
        return "null"
    return next(words for cls, words in _KINDS.items() if isinstance(value, cls))


def text_or_empty(value: Json) -> str:
    """Give a string; anything else is none."""
    return value if isinstance(value, str) else ""


def service_errors(answer: Answer) -> tuple[ServiceError, ...]:
    """Read an error body; empty where it is none. The token endpoint may give only OAuth's own two fields."""
    try:
        body = parse(answer)
    except Misshapen:
        return ()
    if not isinstance(body, dict):
        return ()
    entries = body.get("Errors")
    if is_array(entries):
        found = tuple(_service_error(entry) for entry in entries if isinstance(entry, Mapping))
        return tuple(error for error in found if error.code or error.message)
    if isinstance(body.get("error"), str):
        return (ServiceError(text_or_empty(body["error"]), text_or_empty(body.get("error_description")), {}),)
    return ()


def texts(answer: Answer) -> tuple[str, ...]:
    """Everything that an error body says in words; the token endpoint may give OAuth's two fields beside the API's."""
    try:
        body = parse(answer)
    except Misshapen:
        return ()
    oauth = [text_or_empty(body.get(name)) for name in _OAUTH] if isinstance(body, dict) else []
    own = [text for error in service_errors(answer) for text in (error.code, error.message)]
    return tuple(filter(None, dict.fromkeys([*oauth, *own])))


def _nested(body: bytes) -> str:
    """Name the item of a list that is nested too deep: of some thousand nobody could find it."""
    depth, deepest, name = 0, 0, b""
    for token in _TOKEN.finditer(body):
        if token[0] in b"{[":
            depth += 1
            deepest = max(deepest, depth)
            if depth == _OF_AN_ITEM:
                deepest, name = depth, b""
        elif token[0] in b"]}":
            depth -= 1
            if depth == _OF_AN_ITEM - 1 and deepest > _FLAT and name:
                return f", in the object of ID {name.decode('utf-8', 'replace')}"
        elif depth == _OF_AN_ITEM and token["name"]:
            name = token["name"]
    return ""


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Misshapen("JSON with a key that occurs twice")
    return found


def _constant(_: str) -> Json:
    raise Misshapen("JSON with NaN or Infinity")


def _float(text: str) -> float:
    number = float(text)
    if number in {float("inf"), float("-inf")}:
        raise Misshapen("JSON with a number that is too large")
    return number


_OAUTH: Final = ("error", "error_description")

_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_float)

_TOKEN: Final = re.compile(rb'"ID"\s*:\s*"(?P<name>[^"\\]*)"|"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_MOST_VALUES: Final = 2_000_000
"""A value takes two bytes of an answer and a hundred of memory; a page of a hundred objects has some thousand."""
_OF_AN_ITEM: Final = 3
"""How deep an item of a list is: in the answer, in its Items."""
_FLAT: Final = 200
"""Levels that are surely no fault of the item."""

_KINDS: Final[Mapping[type, str]] = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "an array",
    dict: "an object",
}


def _found(answer: Answer) -> str:
    text = answer.body.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        return "an empty body"
    if text.startswith(b"<") or "html" in answer.content_type.lower():
        return "HTML or XML, which a proxy or a gateway may have sent"
    return f"{len(answer.body)} bytes that are not JSON, or JSON that is cut off"


def _service_error(entry: Mapping[str, Json]) -> ServiceError:
    data = entry.get("Data")
    return ServiceError(
        text_or_empty(entry.get("ErrorCode")),
        text_or_empty(entry.get("Message")),
        data if isinstance(data, Mapping) else {},
    )


REPORT: Final = "check the base URL and any proxy in between; if both are right, quote the log id to Sitecore's support"
WAIT: Final = "try again later; if it lasts, quote the log id to Sitecore's support"
LOOK_FIRST: Final = "it may have been executed: plan again to see what the service has now"

_CREDENTIALS: Final = "check clientId and clientSecret (or username and password) of this environment"
_ACTIVATE: Final = "somebody with access to the portal must make it active again"

FOR_CODE: Final[Mapping[str, str]] = {
    "AnonUserProhibited": "log in as a seller user: the API client must not be one for anonymous shopping",
    "BetaForbiddenProduction": "this is not available in production yet",
    "ClientNotActive": f"the API client that this environment logs in with is not active; {_ACTIVATE}",
    "CompanyNotActive": f"the organisation of the user is not active; {_ACTIVATE}",
    "InsecurePassword": "give the user a new password in the portal",
    "InsufficientRole": "give the user a security profile with such a role, and let the API client grant it",
    "InsufficientRoles": "give the user a security profile with such a role, and let the API client grant it",
    "InvalidToken": "the login worked but its token does not: check that the base URL is that of the marketplace",
    "InvalidUsernameOrPassword": _CREDENTIALS,
    "LockedOut": "the account is locked after failed logins: wait, or unlock it in the portal",
    "MustPassAnonUserToken": "log in as a seller user: the API client must not be one for anonymous shopping",
    "OauthError": f"{_CREDENTIALS}, and that the secret has not expired",
    "PasswordExpired": "give the user a new password in the portal",
    "SellerNotActive": "the marketplace is not active: ask Sitecore",
    "TokenRevoked": "the token was revoked while it was used: run again",
    "UnauthorizedRole": "ask for fewer roles in `scope`, or let the API client and the user have them",
    "UserNotActive": f"the user is not active; {_ACTIVATE}",
    "UserNotAuthorizedToAdmin": "log in as a seller user: buyers and suppliers may not manage configuration",
    "UserNotFound": "check the username, or the default context user of the API client",
    "UsernameAndPasswordRequired": "set both username and password, or neither",
    "ApiClient.InvalidClientID": "name an API client of this marketplace; for a login, check clientId and base URL",
    "ApiClient.CannotDeleteLastFullAccess": "keep it: no other API client has full access",
    "ApiClient.UsedByImpersonationConfig": "delete the impersonation configuration first",
    "ApiClient.UsedByIntegration": "delete the subscription integration first",
    "ApiClient.RequiredNotAnonBuyer": "set DefaultContextUserName to a buyer user, or IsAnonBuyer to false",
    "ApiClientSecret.MaximumClientSecretsReached": "delete a secret that is no longer used first: ten is the limit",
    "ApiClientSecret.InvalidExpirationDate": "choose an expiration in the future",
    "IntegrationEvent.IncompatibleEventType": "refer to an integration event of the type that the field asks for",
    "invalid_client": _CREDENTIALS,
    "invalid_grant": f"{_CREDENTIALS}, and that the secret has not expired",
    "invalid_scope": "ask for fewer roles in `scope`, or let the API client and the user have them",
}
"""By code, less the prefix ``Auth.``; the last three are OAuth's own (RFC 6749, section 5.2)."""

_WANTED: Final = ("SufficientRoles", "RequiredRoles")


def roles_hint(data: Mapping[str, Json]) -> str:
    """Say which roles would do and which the token has, from the data of a refusal; empty where it does not say.

    The name of the first field differs between versions of the service.
    """
    wanted = next((_names(data[name]) for name in _WANTED if _names(data.get(name))), "")
    assigned = _names(data.get("AssignedRoles"))
    parts = [f"one of these roles is enough: {wanted}" if wanted else ""]
    parts.append(f"the token has {assigned}" if assigned else "")
    return "; ".join(filter(None, parts))


def _names(value: Json) -> str:
    if isinstance(value, str):
        return value
    return ", ".join(item for item in value if isinstance(item, str)) if is_array(value) else ""
