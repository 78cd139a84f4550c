"""A client's id and a secret -> whether the service takes the one for the other, shown by a token request.

A login can be refused for reasons that have nothing to do with the secret: the client is not active, it has no default
context user, the user is locked. In which order the service checks these is published nowhere, so both readings hold:

- What refuses a secret that is certainly wrong for being wrong, and this one for another reason, has taken this one.
- What refuses both alike has not looked at the secret, or says of it in unknown words that it is wrong: nothing is
  proven, and nothing is refuted.

A wrong secret is known by the words of the refusal: the answer has ``error_description`` "invalid client secret"
(Sitecore's .NET SDK, issue 107). Codes alone do not tell: ``invalid_client`` is also said of clients that are not
active.
"""

import re
import secrets
from collections.abc import Callable
from typing import Final

from reconciler.errors import AccessDenied
from reconciler.model.secret import Secret
from reconciler.remote.auth import ClientCredentials, Grant
from reconciler.remote.protocol import Proof

_FAULT: Final = r"(?:invalid|wrong|incorrect|missing|expired|does not match|not valid)"
_WRONG_SECRET: Final = re.compile(rf"{_FAULT}[^.]*\bsecret|\bsecret\b[^.]*{_FAULT}", re.IGNORECASE)
_CHANGING: Final = frozenset({"LockedOut", "TooManyRequests"})
"""Codes that a second try may bring about by itself."""


def prove(try_login: Callable[[ClientCredentials], Grant], client_id: str, secret: Secret) -> Proof:
    """Try a secret, and where that tells nothing, a wrong one beside it."""
    refusal = _refusal(try_login, client_id, secret)
    if refusal is None:
        return Proof(accepted=True)
    if _says_wrong_secret(refusal):
        return Proof(accepted=False, reason=refusal.message)
    wrong = _refusal(try_login, client_id, Secret(secrets.token_urlsafe(32)))
    is_taken = wrong is not None and (_says_wrong_secret(wrong) or _is_another(wrong, refusal))
    return Proof(accepted=is_taken, reason=refusal.message, is_tried=is_taken)


def has_secret(try_login: Callable[[ClientCredentials], Grant], client_id: str) -> bool:
    """Whether a secret that is certainly wrong is refused for being wrong."""
    refusal = _refusal(try_login, client_id, Secret(secrets.token_urlsafe(32)))
    return refusal is not None and _says_wrong_secret(refusal)


def _refusal(try_login: Callable[[ClientCredentials], Grant], client_id: str, secret: Secret) -> AccessDenied | None:
    try:
        try_login(ClientCredentials(client_id, secret))
    except AccessDenied as refusal:
        return refusal
    return None


def _says_wrong_secret(refusal: AccessDenied) -> bool:
    is_about_the_client = any(text.removeprefix("Auth.") == "ClientNotActive" for text in refusal.texts)
    return not is_about_the_client and any(map(_WRONG_SECRET.search, refusal.texts))


def _is_another(wrong: AccessDenied, refusal: AccessDenied) -> bool:
    """Whether they differ by their codes; other texts may differ in a number or a date."""
    codes = {wrong.request.error_code, refusal.request.error_code}
    return len(codes) > 1 and all(codes) and not {code.removeprefix("Auth.") for code in codes} & _CHANGING
