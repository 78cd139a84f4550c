"""Plan, result or report -> its verdict in a few words, and its numbers: what every format for people puts first."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.diagnostic import Report
from reconciler.model.drift import Deviation, Drift, DriftKind, Side
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Change, Plan
from reconciler.model.resource import Address
from reconciler.render.blocks import DRIFT_WORDS, PLAN_WORDS, is_marked


@dataclass(frozen=True, slots=True)
class Count:
    """One number of a document."""

    name: str
    number: int
    is_alarming: bool = False
    """Whether somebody should look, where it is not 0."""


@dataclass(frozen=True, slots=True)
class Noun:
    """What something is called, one and many of it."""

    one: str
    many: str = ""

    def of(self, count: int) -> str:
        """The word that fits the number."""
        return self.one if count == 1 else self.many or f"{self.one}s"


def number(count: int, one: str, many: str = "") -> str:
    """``1 change``, ``2 changes``, ``5,000 changes``."""
    return f"{count:,} {Noun(one, many).of(count)}"


def plan_verdict(plan: Plan) -> str:
    """What whoever approves it has to know."""
    if not plan.has_changes:
        return "no changes"
    changes = number(plan.summary.writes, "change")
    if not plan.guards:
        return changes
    final = not all(finding.can_be_acknowledged for finding in plan.guards)
    return f"{changes}, refused by a guard" if final else f"{changes}, to be acknowledged"


def snapshot_note(plan: Plan) -> str:
    """What to know of a plan that was made without the service; empty for any other."""
    return f"made from a snapshot of {plan.snapshot}: for reading only, it cannot be applied" if plan.snapshot else ""


def plan_counts(plan: Plan) -> list[Count]:
    """Resources by action; those that widen are counted among the others, too."""
    count = plan.summary
    return [
        Count("create", count.create),
        Count("update", count.update),
        Count("delete", count.delete, is_alarming=True),
        Count("widens", sum(map(widens, plan.changes)), is_alarming=True),
        Count("in step", count.no_op),
        Count("unmanaged", count.unmanaged),
        *_out_of_scope(plan),
    ]


def _out_of_scope(plan: Plan) -> list[Count]:
    """How many objects belong to other repositories, where there are any."""
    return [Count("out of scope", plan.out_of_scope)] if plan.out_of_scope else []


def widens(change: Change) -> bool:
    """Whether a change that will be made widens access."""
    return any(is_marked(change, field, PLAN_WORDS) for field in change.fields)


SIDE_WORDS: Final = {
    Side.GIT_AHEAD: "git is ahead",
    Side.LIVE_DRIFTED: "live drifted",
    Side.BOTH: "both moved",
}
"""Which side moved, where that is known and says something."""
Sides: TypeAlias = Mapping[Address, Mapping[str, str]]
"""Address -> JSON pointer, empty for the whole -> which side moved, in words."""
NO_SIDES: Final[Sides] = MappingProxyType({})
SENT_WORDS: Final = replace(
    PLAN_WORDS, pair="sent {before} -> held {after}", columns=("Sent", "Held"), was="sent  ", becomes="held  "
)
"""For a field that the service did not keep."""


def sides(drift: Drift) -> Sides:
    """Which side moved, of everything that is shown."""
    found: dict[Address, dict[str, str]] = {}
    for one in drift.deviations:
        if words := SIDE_WORDS.get(one.side):
            found.setdefault(one.address, {})[one.pointer] = words
    return found


def drift_verdict(drift: Drift) -> str:
    """What whoever is called at night has to know."""
    if not drift.has_drift:
        return "no new drift" if drift.left_out else "no drift"
    return f"{number(len({one.address for one in drift.deviations if one.is_drift}), 'resource')} drifted"


def drift_counts(drift: Drift) -> list[Count]:
    """Resources by kind of drift; those that are wider than wanted are counted among the others, too."""
    lost = drift.count(DriftKind.RESTORED)
    return [
        Count("differ", drift.count(DriftKind.CHANGED), is_alarming=True),
        Count("missing", drift.count(DriftKind.MISSING), is_alarming=True),
        Count("still there", drift.count(DriftKind.SURPLUS), is_alarming=True),
        Count("wider than wanted", len({one.address for one in drift.deviations if is_wider(one)}), is_alarming=True),
        Count("in step", drift.in_step),
        Count("unmanaged", drift.count(DriftKind.UNMANAGED)),
        *_out_of_scope(drift.plan),
        *([Count("taken by the restore", lost, is_alarming=True)] if lost else []),
        *([Count("in the baseline", drift.accepted)] if drift.accepted else []),
        *([Count("not moved since the apply", drift.unmoved)] if drift.unmoved else []),
    ]


def is_wider(deviation: Deviation) -> bool:
    """Whether it lets in more than the manifests want."""
    return deviation.field is not None and is_marked(deviation.change, deviation.field, DRIFT_WORDS)


_ALARMING: Final = frozenset({Status.FAILED, Status.CONFLICT, Status.NOT_CONVERGED, Status.SKIPPED})


def result_verdict(result: ApplyResult) -> str:
    """How it ended."""
    if result.interrupted:
        return "interrupted"
    if not result.outcomes:
        return "nothing to do"
    if result.is_complete:
        return f"{number(len(result.outcomes), 'change')} applied"
    return f"{result.count(Status.APPLIED):,} of {number(len(result.outcomes), 'change')} applied"


def result_counts(result: ApplyResult) -> list[Count]:
    """Outcomes by status."""
    counts = [Count(status.value, result.count(status), status in _ALARMING) for status in Status]
    return [*counts, Count("in step before", result.unchanged)]


def report_verdict(report: Report) -> str:
    """Whether a plan can be made."""
    if report.valid:
        return "valid" if not report.warning_count else f"valid, {number(report.warning_count, 'warning')}"
    return f"not valid, {number(report.error_count, 'error')}"


def report_counts(report: Report) -> list[Count]:
    """Faults by severity, and how much was looked at."""
    counts = [
        Count("errors", report.error_count, is_alarming=True),
        Count("warnings", report.warning_count),
        Count("waived", len(report.waived)),
        Count("files", report.files),
    ]
    return counts if report.documents is None else [*counts, Count("documents", report.documents)]
