"""Variables -> the key that plans are signed with and that keys the fingerprints of secrets in them."""

import re
from collections.abc import Mapping
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.secret import PLAN_KEY_VARIABLE

_UNREPLACED: Final = re.compile(r"\$\([^()]*\)|\$\{.*\}")
"""What a CI system leaves in place of a variable that it does not know: everybody knows it."""


def plan_key(variables: Mapping[str, str]) -> bytes | None:
    """The key, without the line end that an editor or a shell left on it; None where there is none, or only blanks.

    Raises:
        ReconcilerError: it is not UTF-8, or no value but the name of a variable.
    """
    key = variables.get(PLAN_KEY_VARIABLE, "").rstrip("\r\n")
    if _UNREPLACED.fullmatch(key.strip()):
        message = f"{PLAN_KEY_VARIABLE} is {key.strip()}, the name of a variable that this CI job does not have"
        raise ReconcilerError(message, hint="define the variable, or do not set the key")
    try:
        return key.encode() if key.strip() else None
    except UnicodeEncodeError:
        hint = "set it to text: openssl rand -hex 32"
        raise ReconcilerError(f"{PLAN_KEY_VARIABLE} is not UTF-8", hint=hint) from None
