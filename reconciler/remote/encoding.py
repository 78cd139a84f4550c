"""Body -> the bytes of a request: the only place where secrets are written in clear."""

import json
from collections.abc import Mapping

from reconciler.errors import ReconcilerError
from reconciler.model.secret import Secret
from reconciler.remote.protocol import WireBody


def encode(body: WireBody) -> tuple[bytes, tuple[Secret, ...]]:
    """Write JSON, and give the secrets that it now shows.

    Raises:
        ReconcilerError: a secret is what is shown in its place.
        ValueError: a number is infinite or none.
        TypeError: a value is not JSON and no secret.
    """
    revealed: list[Secret] = []

    def default(value: object) -> object:
        if isinstance(value, Mapping):
            return dict(value)
        if isinstance(value, Secret):
            revealed.append(value)
            return _reveal(value)
        raise TypeError(f"cannot be sent as JSON: {type(value).__name__}")

    text = json.dumps(body, default=default, allow_nan=False, separators=(",", ":"))
    return text.encode("ascii"), tuple(revealed)


def _reveal(secret: Secret) -> str:
    if secret.is_placeholder:
        message = "a secret is what an export or the service shows in its place; sent, it would become the secret"
        raise ReconcilerError(message, hint="give the object a true secret: ClientSecret: {fromEnv: NAME}")
    return secret.reveal()
