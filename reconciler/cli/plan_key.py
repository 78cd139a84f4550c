"""The process environment -> the key that plans are signed with and that keys the fingerprints of secrets in them."""

import os

from reconciler.errors import ReconcilerError
from reconciler.model.secret import PLAN_KEY_VARIABLE


def plan_key() -> bytes | None:
    """The key, without the line end that an editor or a shell left on it; None where there is none, or only blanks.

    Raises:
        ReconcilerError: it is not UTF-8.
    """
    key = os.environ.get(PLAN_KEY_VARIABLE, "").rstrip("\r\n")
    try:
        return key.encode() if key.strip() else None
    except UnicodeEncodeError:
        hint = "set it to text: openssl rand -hex 32"
        raise ReconcilerError(f"{PLAN_KEY_VARIABLE} is not UTF-8", hint=hint) from None
