"""The process environment -> the key that plans are signed with and that keys the fingerprints of secrets in them."""

import os
from typing import Final

KEY_VARIABLE: Final = "RECONCILER_PLAN_KEY"


def plan_key() -> bytes | None:
    """The key; None where there is none."""
    key = os.environ.get(KEY_VARIABLE)
    return key.encode() if key else None
