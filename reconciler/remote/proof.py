"""A client's id and a secret -> whether the service takes the one for the other, shown by a token request.

A client can be closed to the client-credentials grant for reasons that have nothing to do with the secret: it has no
default context user, or his party may not log in through it. In which order the service checks these is published
nowhere. So a refusal is compared with the refusal of a secret that is certainly wrong: where the two differ, the right
one was taken, and something else refused.
"""

import secrets
from collections.abc import Callable

from reconciler.errors import AccessDenied
from reconciler.model.secret import Secret
from reconciler.remote.auth import ClientCredentials, Grant
from reconciler.remote.protocol import Proof


def prove(try_login: Callable[[ClientCredentials], Grant], client_id: str, secret: Secret) -> Proof:
    """Try a secret, and where it is refused, a wrong one beside it."""
    refusal = _refusal(try_login, client_id, secret)
    if refusal is None:
        return Proof(accepted=True)
    wrong = _refusal(try_login, client_id, Secret(secrets.token_urlsafe(32)))
    if wrong is not None and _cause(wrong) != _cause(refusal):
        return Proof(accepted=True, reason=refusal.message)
    return Proof(accepted=False, reason=refusal.message)


def _refusal(try_login: Callable[[ClientCredentials], Grant], client_id: str, secret: Secret) -> AccessDenied | None:
    try:
        try_login(ClientCredentials(client_id, secret))
    except AccessDenied as refusal:
        return refusal
    return None


def _cause(refusal: AccessDenied) -> tuple[int | None, str]:
    return refusal.request.status, refusal.request.error_code
