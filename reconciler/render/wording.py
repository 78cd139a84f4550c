"""Plan, result, report, change or finding -> the words and numbers that every format for people has of it."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.kinds import KINDS
from reconciler.kinds.common import TITLES
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Report
from reconciler.model.drift import Deviation, Drift, DriftKind, Side
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Action, Change, Direction, FieldChange, Finding, Plan
from reconciler.model.resource import Address
from reconciler.render.escape import escape
from reconciler.render.style import Style, Tone
from reconciler.render.values import LONGEST_MESSAGE, brief

FEW: Final = 10
"""How many names a list shows that is there for information only."""


@dataclass(frozen=True, slots=True)
class Words:
    """How one document speaks of changes: a plan of what will be, drift of what is."""

    verbs: Mapping[Action, str]
    pair: str
    """For a changed value, with `{before}` and `{after}`."""
    columns: tuple[str, str]
    """The names of the two sides."""
    was: str
    becomes: str
    """Before each side of a long value, which has a line of its own."""
    come: str
    """Before each member that a set lacks."""
    go: str
    """Before each member that a set has too many."""
    empty_before: str
    empty_after: str
    """For a set that has no members at first, or none in the end."""
    cleared: str
    """For a secret that is to have no value."""
    set: str
    """For a secret that has no value yet."""
    unseen: str
    """For a secret that no answer ever has."""
    made: str
    """For a secret that is not there and is made; with `{places}`, where it is delivered to."""
    left: tuple[str, str]
    """For a value, and for members of a set, that apply leaves as they are; empty where nothing is said of them."""
    gone: str
    """For the secrets and assignments of an object that is deleted; empty where nothing is said of them."""
    waits: str
    """For what a change waits for, with `{wave}`; empty where nothing is said of it."""
    alarm: Direction
    """The direction that gets the mark."""
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
    verbs={Action.CREATE: "missing", Action.UPDATE: "differs", Action.DELETE: "still there"},
    pair="live {before}, wanted {after}",
    columns=("Live", "Wanted"),
    was="live    ",
    becomes="wanted  ",
    come="missing ",
    go="surplus ",
    empty_before="(live: empty)",
    empty_after="(wanted: empty)",
    cleared="(secret, has a value where none is wanted)",
    set="(secret, has no value)",
    unseen="(secret, cannot be compared)",
    made="(secret, is missing)",
    left=("(apply leaves it)", "(apply leaves the surplus)"),
    gone="",
    waits="",
    alarm=Direction.NARROWS,  # what the repair narrows is wider than it should be
    mark="[wider than wanted]",
    marked=frozenset({Action.UPDATE}),
)


def overlay_of(change: Change, field: FieldChange) -> str:
    """File and line of a value that is not the manifest's own; else empty."""
    if not (field.place and change.place) or field.place.file == change.place.file:
        return ""
    return escape(f"{field.place.file}:{field.place.line}")


def fields_in_order(change: Change, words: Words) -> list[FieldChange]:
    """The fields of an update as they are shown, those with a mark first; a new object keeps the kind's order."""
    is_new = change.action is Action.CREATE
    return sorted(change.fields, key=lambda field: not (is_new or is_marked(change, field, words)))


def is_marked(change: Change, field: FieldChange, words: Words) -> bool:
    """Whether somebody should look twice at this field."""
    return change.action in words.marked and field.direction is words.alarm


def secret_words(change: Change, field: FieldChange, words: Words) -> str:
    """What becomes of a secret. Setting one where there was none narrows: until then anyone was let in."""
    if any(f"/{intent.field}" == field.pointer and intent.reference is None for intent in change.secrets):
        return words.cleared
    if places := change.deliveries(field.pointer):
        return words.made.format(places=escape(", ".join(map(str, places))))
    if change.action is Action.CREATE or field.direction is Direction.NARROWS:
        return words.set
    kind = KINDS.get(change.address.kind)
    return words.unseen if kind and field.pointer[1:] in kind.write_only_fields else "(secret, differs)"


def named(change: Change) -> str:
    """The address, and the name that people know the object by where the address has only its id."""
    body = change.before or {}
    name = next((body[field] for field in TITLES if isinstance(body.get(field), str)), None)
    address = brief(str(change.address))
    return (
        f"{address} {brief(json.dumps(name, ensure_ascii=False))}" if name and name != change.address.name else address
    )


def unmanaged(plan: Plan, changes: Iterable[Change], drifted: Collection[Change] = ()) -> Iterator[tuple[Change, str]]:
    """Each object in no manifest, by its name, and whether the run is logged in with it, or it is drift."""
    marked = {change.address for change in drifted}
    for change in changes:
        if change.action is Action.UNMANAGED:
            note = " (this run is logged in with it)" if plan.login and change.key == plan.login else ""
            yield change, f"{named(change)}{note}{' (drift)' if change.address in marked else ''}"


def heading(change: Change) -> str:
    """What a change is headed by: its address, and the name besides where the address has only an id."""
    return named(change) if change.is_pruned else brief(str(change.address))


def in_order(changes: Iterable[Change], words: Words) -> list[Change]:
    """What opens a door first, then what is destroyed, then the rest; within each as they came, by address."""
    return sorted(changes, key=lambda change: _rank(change, words))


def is_alarming(change: Change, words: Words) -> bool:
    """Whether nobody may overlook this change: it widens, or something is destroyed."""
    return _rank(change, words) < _ORDINARY


_ORDINARY: Final = 2


def _rank(change: Change, words: Words) -> int:
    if any(is_marked(change, field, words) for field in change.fields):
        return 0
    return 1 if change.action is Action.DELETE else _ORDINARY


def few(names: Sequence[str]) -> Iterator[str]:
    """The first names, and how many there are besides."""
    yield from names[:FEW]
    if len(names) > FEW:
        yield f"and {len(names) - FEW} more: --format json has all"


def finding_block(finding: Finding, style: Style) -> Iterator[str]:
    """A guard's objection: its rule and numbers, what it is about, and the fix."""
    yield f"  {style.paint(Tone.ALARM, brief(finding.rule))}: {brief(finding.message, LONGEST_MESSAGE)}"
    if finding.addresses:
        yield f"      about: {', '.join(few([brief(str(address)) for address in finding.addresses]))}"
    final = "" if finding.can_be_acknowledged else " (this one cannot be acknowledged)"
    yield f"      fix: {brief(finding.fix, LONGEST_MESSAGE)}{final}"


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
    """Whether it allows more than the manifests declare."""
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
