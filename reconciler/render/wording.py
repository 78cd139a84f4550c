"""Plan, result, report, change or finding -> the words and numbers for all formats for people."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from reconciler.errors import GuardRefusal, InputError, ReconcilerError
from reconciler.kinds import KINDS
from reconciler.kinds.common import TITLES
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Checked, Report, Severity
from reconciler.model.drift import Deviation, Drift, DriftKind, Side
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, Direction, FieldChange, Finding, Plan
from reconciler.model.resource import Address
from reconciler.render.escape import brief, escape

FEW: Final = 10
"""The maximum number of names in an informational list."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of a document for changes: of a plan in the future, of drift in the present."""

    verbs: Mapping[Action, str]
    pair: str
    """For a changed value, with `{before}` and `{after}`."""
    columns: tuple[str, str]
    """The names of the two sides."""
    was: str
    becomes: str
    """Before each side of a long value, which has its own line."""
    come: str
    """Before each missing member of a set."""
    go: str
    """Before each surplus member of a set."""
    empty_before: str
    empty_after: str
    """For a set without members before or after."""
    cleared: str
    """For a secret that should have no value."""
    set: str
    """For a secret that does not have a value."""
    unseen: str
    """For a secret that the service never returns."""
    made: str
    """For a secret that is created; `{places}` is where it is delivered."""
    left: tuple[str, str]
    """For a value, and for members of a set, that apply does not change; empty: not shown."""
    gone: str
    """For the secrets and assignments of a deleted object; empty: not shown."""
    waits: str
    """For dependencies of a change, with `{wave}`; empty: not shown."""
    alarm: Direction
    """The direction that is marked."""
    mark: str
    marked: frozenset[Action]
    """The actions to whose fields the mark applies."""


PLAN_WORDS: Final = Words(
    verbs={Action.CREATE: "create", Action.UPDATE: "update", Action.DELETE: "delete"},
    pair="{before} -> {after}",
    columns=("Before", "After"),
    was="- ",
    becomes="+ ",
    come="+ ",
    go="- ",
    empty_before="(was empty)",
    empty_after="(becomes empty)",
    cleared="(secret, will be cleared)",
    set="(secret, will be set)",
    unseen="(secret, will be written again)",
    made="(secret, will be created and delivered to {places})",
    left=("", ""),
    gone="(deleted with it)",
    waits="in wave {wave}",
    alarm=Direction.WIDENS,
    mark="[widens]",
    marked=frozenset({Action.CREATE, Action.UPDATE}),
)
DRIFT_WORDS: Final = Words(
    verbs={Action.CREATE: "missing", Action.UPDATE: "differs", Action.DELETE: "surplus"},
    pair="live {before}, desired {after}",
    columns=("Live", "Desired"),
    was="live     ",
    becomes="desired  ",
    come="missing ",
    go="surplus ",
    empty_before="(live: empty)",
    empty_after="(desired: empty)",
    cleared="(secret, has a value but should have none)",
    set="(secret, has no value)",
    unseen="(secret, cannot be compared)",
    made="(secret, is missing)",
    left=("(not changed by apply)", "(surplus members are not removed by apply)"),
    gone="",
    waits="",
    alarm=Direction.NARROWS,  # a repair that narrows access means that live access is too wide
    mark="[wider than desired]",
    marked=frozenset({Action.UPDATE}),
)


def is_marked(change: Change, field: FieldChange, words: Words) -> bool:
    """Whether this field is marked."""
    return change.action in words.marked and field.direction is words.alarm


def secret_words(change: Change, field: FieldChange, words: Words) -> str:
    """The note on a secret. Setting the first one narrows access: before, no secret was required."""
    if any(f"/{intent.field}" == field.pointer and intent.reference is None for intent in change.secrets):
        return words.cleared
    if places := change.deliveries(field.pointer):
        return words.made.format(places=escape(", ".join(map(str, places))))
    if change.action is Action.CREATE or field.direction is Direction.NARROWS:
        return words.set
    kind = KINDS.get(change.address.kind)
    return words.unseen if kind and field.pointer[1:] in kind.write_only_fields else "(secret, differs)"


def named(change: Change) -> str:
    """The address, and the name of the object if the address has only its id."""
    body = change.before or {}
    name = next((body[field] for field in TITLES if isinstance(body.get(field), str)), None)
    address = brief(str(change.address))
    return (
        f"{address} {brief(json.dumps(name, ensure_ascii=False))}" if name and name != change.address.name else address
    )


def heading(change: Change) -> str:
    """The heading of a change: its address, and the name if the address has only an id."""
    return named(change) if change.is_pruned else brief(str(change.address))


def is_alarming(change: Change, words: Words) -> bool:
    """Whether the change widens access or deletes something."""
    return _rank(change, words) < _ORDINARY


_ORDINARY: Final = 2


def _rank(change: Change, words: Words) -> int:
    if any(is_marked(change, field, words) for field in change.fields):
        return 0
    return 1 if change.action is Action.DELETE else _ORDINARY


def few(names: Sequence[str], rest: str = ": --format json has all") -> Iterator[str]:
    """The first names, and the number of others, with a note."""
    yield from names[:FEW]
    if len(names) > FEW:
        yield f"and {len(names) - FEW:,} more{rest}"


@dataclass(frozen=True, slots=True)
class Count:
    """One number of a document."""

    name: str
    number: int
    is_alarming: bool = False
    """Whether it is alarming if it is not 0."""


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun, singular and plural."""

    one: str
    many: str = ""

    def of(self, count: int) -> str:
        """The word that fits the number."""
        return self.one if count == 1 else self.many or f"{self.one}s"


def number(count: int, one: str, many: str = "") -> str:
    """``1 change``, ``2 changes``, ``5,000 changes``."""
    return f"{count:,} {Noun(one, many).of(count)}"


def summed(counts: Mapping[str, int]) -> str:
    """``2 new, 1 changed``: the words, each with its number; what is 0 is left out."""
    return ", ".join(f"{count:,} {word}" for word, count in counts.items() if count)


def snapshot_note(plan: Plan) -> str:
    """A note on a plan from a snapshot; empty for other plans."""
    return f"created from a snapshot of {plan.snapshot}: it cannot be applied" if plan.snapshot else ""


SIDE_WORDS: Final = {
    Side.GIT_AHEAD: "git changed",
    Side.LIVE_DRIFTED: "live changed",
    Side.BOTH: "both changed",
}
"""Words for the side that changed, if known."""
Sides: TypeAlias = Mapping[Address, Mapping[str, str]]
"""Address -> JSON pointer, empty for the whole -> which side changed, in words."""
SENT_WORDS: Final = replace(
    PLAN_WORDS, pair="sent {before}, stored {after}", columns=("Sent", "Stored"), was="sent    ", becomes="stored  "
)
"""For a field that the service did not keep."""


@dataclass(frozen=True, slots=True)
class View:
    """A plan or drift, for all formats for people."""

    title: str
    """The title before the name of the environment."""
    plan: Plan
    changes: Sequence[Change]
    words: Words
    sides: Sides
    drifted: Collection[Change]
    """The unmanaged objects that are drift."""

    @property
    def environment(self) -> str:
        """The environment of the plan."""
        return self.plan.binding.environment

    @property
    def written(self) -> list[Change]:
        """Changes that widen access, then deletions, then the rest; each by address."""
        made = (change for change in self.changes if change.action.writes)
        return sorted(made, key=lambda change: _rank(change, self.words))

    @property
    def unmanaged(self) -> Iterator[tuple[Change, str]]:
        """Each unmanaged object by name, and whether the run is logged in with it, or it is drift."""
        drifted, login = {change.address for change in self.drifted}, self.plan.login
        for change in self.changes:
            if change.action is Action.UNMANAGED:
                note = " (this run is logged in with it)" if login and change.key == login else ""
                yield change, f"{named(change)}{note}{' (drift)' if change.address in drifted else ''}"

    @property
    def notices(self) -> list[str]:
        """Notices about other live objects."""
        return [one.message for one in self.plan.notices]

    def sides_of(self, change: Change) -> Mapping[str, str]:
        """JSON pointer, empty for the whole -> which side changed."""
        return self.sides.get(change.address, {})


def view(found: Plan | Drift) -> View:
    """The view of a plan or drift."""
    if isinstance(found, Plan):
        return View("Plan for", found, found.changes, PLAN_WORDS, {}, ())
    return View("Drift in", found.plan, found.changes, DRIFT_WORDS, _sides(found), found.uncontrolled)


def _sides(drift: Drift) -> Sides:
    found: dict[Address, dict[str, str]] = {}
    for one in drift.deviations:
        if words := SIDE_WORDS.get(one.side):
            found.setdefault(one.address, {})[one.pointer] = words
    return found


def is_wider(deviation: Deviation) -> bool:
    """Whether it allows more than the manifests declare."""
    return deviation.field is not None and is_marked(deviation.change, deviation.field, DRIFT_WORDS)


def widened(changes: Iterable[Change], words: Words) -> int:
    """How many changes have a marked field."""
    return sum(any(is_marked(change, field, words) for field in change.fields) for change in changes)


# ---------------------------------------------------------------------------------------- the verdict and the numbers


def verdict(found: Plan | Drift | ApplyResult | Report) -> str:
    """The summary in a few words."""
    match found:
        case Plan():
            return _plan_verdict(found)
        case Drift() if not found.has_drift:
            return "no new drift" if found.left_out else "no drift"
        case Drift():
            return f"{number(drifted_count(found), 'resource')} drifted"
        case ApplyResult():
            return _result_verdict(found)
        case Report(valid=True, warning_count=warnings):
            return f"valid, {number(warnings, 'warning')}" if warnings else "valid"
        case Report():
            return f"not valid, {number(found.error_count, 'error')}"


def drifted_count(drift: Drift) -> int:
    """How many resources drifted."""
    return len({one.address for one in drift.deviations if one.is_drift})


def _plan_verdict(plan: Plan) -> str:
    if not plan.has_changes:
        return "no changes"
    changes = number(plan.summary.writes, "change")
    if not plan.guards:
        return changes
    final = not all(finding.can_be_acknowledged for finding in plan.guards)
    return f"{changes}, refused by a guard" if final else f"{changes}, acknowledgement required"


def _result_verdict(result: ApplyResult) -> str:
    if result.interrupted:
        return "interrupted"
    if not result.outcomes:
        return "nothing to do"
    changes = number(len(result.outcomes), "change")
    return f"{changes} applied" if result.is_complete else f"{result.count(Status.APPLIED):,} of {changes} applied"


def counts(found: Plan | Drift | ApplyResult | Report) -> list[Count]:
    """Resources by action or kind of drift, outcomes by status, faults by severity."""
    match found:
        case Plan():
            return _plan_counts(found)
        case Drift():
            return _drift_counts(found)
        case ApplyResult():
            by_status = [Count(status.value, found.count(status), status is not Status.APPLIED) for status in Status]
            return [*by_status, Count("unchanged", found.unchanged)]
        case Report():
            return [
                Count("errors", found.error_count, is_alarming=True),
                Count("warnings", found.warning_count),
                Count("waived", len(found.waived)),
                Count("files", found.files),
                *([] if found.documents is None else [Count("documents", found.documents)]),
            ]


def _plan_counts(plan: Plan) -> list[Count]:
    """Resources with wider access are also counted among the others."""
    count = plan.summary
    return [
        Count("create", count.create),
        Count("update", count.update),
        Count("delete", count.delete, is_alarming=True),
        Count("widens", widened(plan.changes, PLAN_WORDS), is_alarming=True),
        Count("in step", count.no_op),
        Count("unmanaged", count.unmanaged),
        *_unless_0(Count("out of scope", plan.out_of_scope)),
    ]


def _drift_counts(drift: Drift) -> list[Count]:
    """Resources that are wider than desired are also counted among the others."""
    count = drift.count
    return [
        Count("differ", count(DriftKind.CHANGED), is_alarming=True),
        Count("missing", count(DriftKind.MISSING), is_alarming=True),
        Count("surplus", count(DriftKind.SURPLUS), is_alarming=True),
        Count("wider than desired", len({one.address for one in drift.deviations if is_wider(one)}), is_alarming=True),
        Count("in step", drift.in_step),
        Count("unmanaged", count(DriftKind.UNMANAGED)),
        *_unless_0(
            Count("out of scope", drift.plan.out_of_scope),
            Count("removed by the restore", count(DriftKind.RESTORED), is_alarming=True),
            Count("in the baseline", drift.accepted),
            Count("live unchanged since the last apply", drift.unmoved),
        ),
    ]


def _unless_0(*counts: Count) -> Iterator[Count]:
    return (count for count in counts if count.number)


# -------------------------------------------------------------------------------------------------- outcomes and faults

DOUBT: Final = "it may still have been written"
"""The note on an uncertain outcome."""


def failures_first(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Outcomes, applied ones last."""
    return sorted(outcomes, key=lambda outcome: outcome.status is Status.APPLIED)


def errors_first(found: Iterable[Checked]) -> list[Checked]:
    """Faults, warnings last."""
    return sorted(found, key=lambda one: one.diagnostic.severity is not Severity.ERROR)


def waived(report: Report) -> list[str]:
    """Each waived fault, and its waiver."""
    return [f"{one.diagnostic}: {why.reason} ({why.owner}, until {why.expires})" for one, why in report.waived]


def faults_of(error: ReconcilerError) -> list[Checked]:
    """The faults of an input error."""
    return [Checked(one) for one in error.diagnostics] if isinstance(error, InputError) else []


def findings_of(error: ReconcilerError) -> Sequence[Finding]:
    """The findings of a guard refusal."""
    return error.findings if isinstance(error, GuardRefusal) else ()
