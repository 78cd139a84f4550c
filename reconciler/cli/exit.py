"""The result of a run -> its exit code. Tests compare this table with `docs/exit-codes.md`."""

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Final

from reconciler.errors import Skipped
from reconciler.model.drift import Drift
from reconciler.model.named_secret import Ended
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Plan

if TYPE_CHECKING:
    from reconciler.project.rotate import RotationResult
    from reconciler.render.several import Part


class ExitCode(IntEnum):
    """The exit codes of all commands; see docs/exit-codes.md."""

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
    """The code of a plan; a refusal takes precedence over changes."""
    from reconciler.planning.planfile import refusal  # noqa: PLC0415  # only plans need it

    if refusal(plan, acknowledged):
        return ExitCode.REFUSED
    return ExitCode.CHANGES if detailed and plan.has_changes else ExitCode.DONE


def of_drift(drift: Drift) -> ExitCode:
    """The code of drift."""
    return ExitCode.CHANGES if drift.has_drift else ExitCode.DONE


_BY_WEIGHT: Final = (ExitCode.DONE, ExitCode.CHANGES, ExitCode.PLAN_REFUSED, ExitCode.REFUSED, ExitCode.ERROR)


def of_parts(parts: "Sequence[Part[object]]") -> ExitCode:
    """The worst of the codes of several environments; see `worst`."""
    return worst([ExitCode(one.code) for one in parts])


def worst(found: Sequence[ExitCode]) -> ExitCode:
    """The worst of several codes.

    An error takes precedence over a refusal, since the state of that environment is unknown. Wrong usage in only some
    of them is an error, since the others were contacted.
    """
    if set(found) == {ExitCode.USAGE}:
        return ExitCode.USAGE
    known = [code if code in _BY_WEIGHT else ExitCode.ERROR for code in found]
    return max(known, key=_BY_WEIGHT.index, default=ExitCode.DONE)


def of_promotion(parts: "Sequence[Part[ApplyResult]]") -> ExitCode:
    """The code of environments that were applied one by one: that of the environment that stopped the run.

    If that code means that nothing was written but another environment was, the run is partly applied.
    """
    stops = [ExitCode(one.code) for one in parts if one.code and not isinstance(one.error, Skipped)]
    code = stops[0] if len(stops) == 1 else worst(stops)
    written = any(outcome.may_be_written for one in parts if one.found for outcome in one.found.outcomes)
    return of_writing(code, is_written=written)


_NOTHING_WRITTEN: Final = {ExitCode.ERROR, ExitCode.REFUSED, ExitCode.PLAN_REFUSED, ExitCode.USAGE}


def of_writing(code: ExitCode, *, is_written: bool) -> ExitCode:
    """The code, or `PARTLY_APPLIED` if it means that nothing was written but another environment was."""
    return ExitCode.PARTLY_APPLIED if is_written and code in _NOTHING_WRITTEN else code


def of_result(result: ApplyResult) -> ExitCode:
    """The code of a result: an interruption takes precedence over a failure, a failure over non-convergence.

    A run with an incomplete journal is partly applied, whatever its outcomes.
    """
    if result.interrupted:
        return ExitCode.INTERRUPTED
    ends = {outcome.status for outcome in result.outcomes}
    if ends & {Status.FAILED, Status.SKIPPED, Status.CONFLICT} or not result.is_recorded:
        written = any(outcome.may_be_written for outcome in result.outcomes)
        return ExitCode.PARTLY_APPLIED if written else ExitCode.ERROR
    return ExitCode.NOT_CONVERGED if Status.NOT_CONVERGED in ends else ExitCode.DONE


def of_rotation(rotation: "RotationResult") -> ExitCode:
    """The code of a rotation. A postponed one is done; one with an incomplete journal is partly applied."""
    ends = {turned.ended for turned in rotation.rotated.turns}
    if rotation.is_refused:
        return ExitCode.REFUSED
    if ends & {Ended.INTERRUPTED, Ended.NOT_STARTED}:
        return ExitCode.INTERRUPTED
    if Ended.FAILED in ends or not rotation.is_recorded:
        return ExitCode.PARTLY_APPLIED if rotation.has_written else ExitCode.ERROR
    return ExitCode.DONE
