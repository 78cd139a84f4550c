"""The process environment -> the key that plans are signed with and that keys the fingerprints of secrets in them."""

import os
import re
from typing import Final

import click

from reconciler.cli.failures import tell_problem
from reconciler.errors import ReconcilerError
from reconciler.model.secret import PLAN_KEY_VARIABLE

_UNREPLACED: Final = re.compile(r"\$\([^()]*\)|\$\{.*\}")
"""What a CI system leaves in place of a variable that it does not know: everybody knows it."""


def plan_key() -> bytes | None:
    """The key, without the line end that an editor or a shell left on it; None where there is none, or only blanks.

    Raises:
        ReconcilerError: it is not UTF-8, or no value but the name of a variable.
    """
    key = os.environ.get(PLAN_KEY_VARIABLE, "").rstrip("\r\n")
    if _UNREPLACED.fullmatch(key.strip()):
        message = f"{PLAN_KEY_VARIABLE} is {key.strip()}, the name of a variable that this CI job does not have"
        raise ReconcilerError(message, hint="define the variable, or do not set the key")
    try:
        return key.encode() if key.strip() else None
    except UnicodeEncodeError:
        hint = "set it to text: openssl rand -hex 32"
        raise ReconcilerError(f"{PLAN_KEY_VARIABLE} is not UTF-8", hint=hint) from None


def warn_if_blank(noun: str) -> None:
    """Say, once in a run, that what is about to be written is not signed, although the variable is set.

    An empty variable is what CI systems give for a secret that is missing or out of reach, as in a pull request from a
    fork: so it is no error.
    """
    known = click.get_current_context().meta
    if plan_key() is None and PLAN_KEY_VARIABLE in os.environ and not known.get(__name__):
        known[__name__] = True
        message = f"{PLAN_KEY_VARIABLE} is set and empty, so the {noun} is not signed"
        tell_problem(ReconcilerError(message, hint="give the job the key, or do not set the variable"))
