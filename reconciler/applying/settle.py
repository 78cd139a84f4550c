"""Look, write, and look again: until it is known how a change ended, whatever became of answers on the way."""

from collections.abc import Callable
from typing import Final, TypeAlias

from reconciler.errors import AnswerLost, RemoteError, TurnedAway
from reconciler.model.outcome import Outcome

_TRIES: Final = 3
"""How often a write whose answer is lost is sent; each time only after a look that shows it was not carried out."""

Next: TypeAlias = Outcome | Callable[[int], Outcome]
"""How a change ended, or else the write that is due, which is told how often it has been tried, itself included."""


class Conflict(Exception):
    """The object is not what the plan saw; the message says how."""

    after_a_write = False
    """A write of ours, whose answer is lost, may be a part of what it is now."""


def repeated(send: Callable[[int], None], tries: int = _TRIES, attempt: int = 1) -> None:
    """Send a write that may be repeated until there is an answer to it, or no more tries."""
    try:
        send(attempt)
    except TurnedAway:
        repeated(send, tries, attempt + 1)
    except AnswerLost:
        if tries == 1:
            raise
        repeated(send, tries - 1, attempt + 1)


def settle(
    step: Callable[[AnswerLost | None], Next], tries: int = _TRIES, lost: AnswerLost | None = None, attempt: int = 1
) -> Outcome:
    """Look, write, and where the answer is lost or the write turned away look again, until it is known how it ended.

    Args:
        step: looks, and gives the outcome or else the write to be sent; told the error of the write before, if any.
        tries: how many writes may be sent.
        lost: the error of the write before.
        attempt: counts the writes that were sent; the remote waits the longer after each, and its patience with one
            that is turned away ends, not ours.

    Raises:
        AnswerLost: nobody knows whether it was written, or every answer was lost and the object is as it was.
    """
    try:
        now = step(lost)
    except Conflict as conflict:
        conflict.after_a_write = lost is not None
        raise
    except RemoteError as error:
        raise lost or error from error
    if isinstance(now, Outcome):
        return now
    if lost and not tries:
        raise lost
    try:
        return now(attempt)
    except TurnedAway:
        return settle(step, tries, lost, attempt + 1)
    except AnswerLost as error:
        return settle(step, tries - 1, error, attempt + 1)
