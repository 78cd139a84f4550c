"""The result of a run -> its exit code. The one table of codes; `docs/exit-codes.md` is compared with it."""

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from reconciler.errors import Skipped
from reconciler.model.drift import Drift
from reconciler.model.named_secret import Ended
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Plan

if TYPE_CHECKING:
    from reconciler.project.rotate import Rotation
    from reconciler.render.several import Part


class ExitCode(IntEnum):
    """The same for every command; what each means: docs/exit-codes.md."""

    DONE = 0
    ERROR = 1
    CHANGES = 2
    REFUSED = 3
    PLAN_REFUSED = 4
    PARTLY_APPLIED = 5
    NOT_CONVERGED = 6
    USAGE = 64
    INTERRUPTED = 130


def of_plan(plan: Plan, acknowledged: str | None, *, detailed: bool) -> ExitCode:
    """Count from the changes and findings that are shown; a refusal outweighs changes."""
    from reconciler.planning.planfile import refusal  # noqa: PLC0415  # what makes no plan does without it

    if refusal(plan, acknowledged):
        return ExitCode.REFUSED
    return ExitCode.CHANGES if detailed and plan.has_changes else ExitCode.DONE


def of_drift(drift: Drift) -> ExitCode:
    """Deviations that are shown."""
    return ExitCode.CHANGES if drift.has_drift else ExitCode.DONE


_BY_WEIGHT: Final = (ExitCode.DONE, ExitCode.CHANGES, ExitCode.PLAN_REFUSED, ExitCode.REFUSED, ExitCode.ERROR)


def worst(found: Sequence[ExitCode]) -> ExitCode:
    """The code of several environments is the worst of them.

    An error outweighs a refusal, since nothing is known of that environment. Wrong usage in only one of them is an
    error, since the others were contacted.
    """
    if set(found) == {ExitCode.USAGE}:
        return ExitCode.USAGE
    known = [code if code in _BY_WEIGHT else ExitCode.ERROR for code in found]
    return max(known, key=_BY_WEIGHT.index, default=ExitCode.DONE)


def of_promotion(parts: "Sequence[Part[ApplyResult]]") -> ExitCode:
    """The code of environments that were applied one after another is that of the one that stopped them.

    Where its code says that nothing was written, and another one was written before, the run has failed in part.
    """
    stops = [ExitCode(one.code) for one in parts if one.code and not isinstance(one.error, Skipped)]
    code = stops[0] if len(stops) == 1 else worst(stops)
    written = any(outcome.may_be_written for one in parts if one.found for outcome in one.found.outcomes)
    return of_writing(code, is_written=written)


_NOTHING_WRITTEN: Final = {ExitCode.ERROR, ExitCode.REFUSED, ExitCode.PLAN_REFUSED, ExitCode.USAGE}


def of_writing(code: ExitCode, *, is_written: bool) -> ExitCode:
    """The same code, unless it says that nothing was written and something was, in another environment."""
    return ExitCode.PARTLY_APPLIED if is_written and code in _NOTHING_WRITTEN else code


def of_result(result: ApplyResult) -> ExitCode:
    """Computed from the outcomes that are shown: an interruption outweighs a failure, which outweighs non-convergence.

    A run whose journal is incomplete has partly failed, whatever its outcomes.
    """
    if result.interrupted:
        return ExitCode.INTERRUPTED
    ends = {outcome.status for outcome in result.outcomes}
    if ends & {Status.FAILED, Status.SKIPPED, Status.CONFLICT} or not result.is_recorded:
        written = any(outcome.may_be_written for outcome in result.outcomes)
        return ExitCode.PARTLY_APPLIED if written else ExitCode.ERROR
    return ExitCode.NOT_CONVERGED if Status.NOT_CONVERGED in ends else ExitCode.DONE


def of_rotation(rotation: "Rotation") -> ExitCode:
    """A postponed rotation counts as done; one whose journal is incomplete has partly failed."""
    ends = {turned.ended for turned in rotation.rotated.turns}
    if rotation.is_refused:
        return ExitCode.REFUSED
    if ends & {Ended.INTERRUPTED, Ended.NOT_STARTED}:
        return ExitCode.INTERRUPTED
    if Ended.FAILED in ends or not rotation.is_recorded:
        return ExitCode.PARTLY_APPLIED if rotation.has_written else ExitCode.ERROR
    return ExitCode.DONE
