"""The process environment -> the key that plans are signed with and that keys the fingerprints of secrets in them."""

import os

from reconciler.model.secret import PLAN_KEY_VARIABLE


def plan_key() -> bytes | None:
    """The key; None where there is none."""
    key = os.environ.get(PLAN_KEY_VARIABLE)
    return key.encode() if key else None
