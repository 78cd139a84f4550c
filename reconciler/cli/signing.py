"""The plan key of this process, and a warning where it is blank."""

import os

import click

from reconciler.cli.failures import tell_problem
from reconciler.errors import ReconcilerError
from reconciler.model.secret import PLAN_KEY_VARIABLE
from reconciler.project.settings import plan_key


def key() -> bytes | None:
    """The key; see `project.settings`."""
    return plan_key(os.environ)


def warn_if_blank(noun: str) -> None:
    """Say, once in a run, that what is about to be written is not signed, although the variable is set.

    An empty variable is what CI systems give for a secret that is missing or out of reach, as in a pull request from a
    fork: so it is no error.
    """
    known = click.get_current_context().meta
    if key() is None and PLAN_KEY_VARIABLE in os.environ and not known.get(__name__):
        known[__name__] = True
        message = f"{PLAN_KEY_VARIABLE} is set and empty, so the {noun} is not signed"
        tell_problem(ReconcilerError(message, hint="give the job the key, or do not set the variable"))
