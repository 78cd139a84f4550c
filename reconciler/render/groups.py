"""What was found in several environments -> groups of those whose documents are the same, and a verdict on all.

Two documents are the same where they read the same, less ids, lines of files, and what is in step, unmanaged or out of
scope.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import Any, Final, Generic, TypeAlias, TypeVar

from reconciler.errors import ReconcilerError, Skipped
from reconciler.kinds import KINDS
from reconciler.kinds.references import with_references
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.drift import Deviation, Drift
from reconciler.model.json import Absent, Body, Json
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Binding, Change, FieldChange, Plan
from reconciler.render import text as terminal
from reconciler.render.command import way
from reconciler.render.failure import failure
from reconciler.render.style import PLAIN, Style
from reconciler.render.wording import number

Found_co = TypeVar("Found_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Part(Generic[Found_co]):
    """One environment of several: what was found there, or the error that there is instead or as well."""

    environment: str
    found: Found_co | None
    error: ReconcilerError | None = None
    noun: str = "plan"
    """What the document is called in JSON."""
    code: int = 0
    """The exit code that this environment has alone."""
    digest: str = ""
    """Of the changes of a plan, as `changes_digest` has it; empty where there are none."""


Document: TypeAlias = Plan | Drift | ApplyResult
Planned: TypeAlias = Part[Document]
TextOf: TypeAlias = Callable[[Part[Any], Style], str]
"""Gives the document of one part in the format of the whole; where there is none, its error."""


def plan_of(one: Planned) -> Plan | None:
    """The plan, or the one that the drift was seen in."""
    found = one.found.plan if isinstance(one.found, Drift) else one.found
    return found if isinstance(found, Plan) else None


class End(StrEnum):
    """How an environment is, or how applying to it has ended, in words."""

    IN_STEP = "in step"
    CHANGED = "changed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Group:
    """Environments whose documents are the same; see above."""

    end: End
    parts: tuple[Planned, ...]

    @property
    def first(self) -> Planned:
        """The one that is shown."""
        return self.parts[0]

    @property
    def names(self) -> list[str]:
        """Of all of them."""
        return [one.environment for one in self.parts]

    def note(self, first: str) -> str:
        """What the document of the first, as the format writes its name, says of the others; empty where it is alone.

        An error says the same of all.
        """
        if len(self.parts) == 1 or self.first.found is None:
            return ""
        differing = "ids, lines of files, "
        differing += "the last apply, " if isinstance(self.first.found, Drift) else ""
        said = (
            f"Shown as it is in {first}. The others differ in {differing}and what is in step, unmanaged or out of scope"
        )
        snapshots = [plan.snapshot for one in self.parts if (plan := plan_of(one)) and plan.snapshot]
        oldest = f" The oldest snapshot is of {min(snapshots)}." if snapshots else ""
        return f"{said} at most.{oldest}"

    @property
    def size(self) -> str:
        """What all of them have in common, in a few words."""
        match self.first.found:
            case _ if self.end is not End.CHANGED:
                return self.end.value
            case Drift() as drift:
                return number(len({one.address for one in drift.deviations if one.is_drift}), "drifted resource")
            case Plan() as plan:
                return number(plan.summary.writes, "change")
            case ApplyResult() as result:
                return f"{number(len(result.outcomes), 'change')} applied"
            case None:
                return self.end.value

    def others(self, style: Style) -> Iterator[str]:
        """What to type, or to copy, for those that are not shown."""
        for one in self.parts[1:]:
            if isinstance(one.found, Plan | Drift) and (how := way(one.found, one.digest, style)) and how.copied:
                yield how.copied


def groups(planned: Sequence[Planned]) -> list[Group]:
    """Put together what is the same, in the order of the first of each."""
    found: dict[tuple[End, str], list[Planned]] = {}
    for one in planned:
        found.setdefault((_end(one), _content(one)), []).append(one)
    return [Group(end, tuple(parts)) for (end, _), parts in found.items()]


def _end(one: Planned) -> End:
    match one.found:
        case _ if one.error:
            return End.SKIPPED if isinstance(one.error, Skipped) else End.FAILED
        case Drift() as drift:
            return End.CHANGED if drift.has_drift else End.IN_STEP
        case Plan() as plan:
            return End.CHANGED if plan.has_changes else End.IN_STEP
        case ApplyResult(outcomes=()):
            return End.IN_STEP
        case _:
            return End.FAILED if one.code else End.CHANGED


def _content(one: Planned) -> str:
    """All that a reader learns of an environment, less what may differ in a group."""
    error = failure(one.error, PLAIN) if one.error else ""
    match one.found:
        case Drift() as drift:
            return terminal.drift(_bare_drift(drift), "", PLAIN) + error
        case Plan() as plan:
            return terminal.plan(_bare_plan(plan), "", PLAIN) + error
        case ApplyResult() as result:
            ids = _ids(one.change for one in result.outcomes)
            outcomes = tuple(replace(one, change=_bare(one.change, ids), id=None) for one in result.outcomes)
            return terminal.result(replace(result, outcomes=outcomes, unchanged=0, run=""), PLAIN) + error
        case None:
            return error


_SOMEWHERE: Final = Place("manifest")
_BINDING: Final = Binding("", "", "", "", "")


def _bare_plan(plan: Plan) -> Plan:
    ids = _ids(plan.changes)
    changes = tuple(_bare(change, ids) for change in plan.changes if change.action.writes)
    taken_at = plan.snapshot
    warnings = tuple(one.replace(taken_at, "") for one in plan.warnings) if taken_at else plan.warnings
    return replace(plan, changes=changes, binding=_BINDING, warnings=warnings, snapshot=None, out_of_scope=0)


def _bare_drift(drift: Drift) -> Drift:
    ids = _ids(drift.plan.changes)
    deviations = tuple(_bare_deviation(one, ids) for one in drift.deviations if one.is_drift)
    return replace(drift, plan=_bare_plan(drift.plan), deviations=deviations, receipt=None)


def _bare_deviation(one: Deviation, ids: Mapping[str, str]) -> Deviation:
    field = one.field and _bare_field(one.change, one.field, ids)
    return replace(one, change=_bare(one.change, ids), field=field)


def _ids(changes: Iterable[Change]) -> Mapping[str, str]:
    """Id in lower case -> the address of its object, which is the same in all environments."""
    return {change.id.casefold(): str(change.address) for change in changes if change.id}


def _bare(change: Change, ids: Mapping[str, str]) -> Change:
    before = {name: value for name, value in (change.before or {}).items() if name != "ID"}
    return replace(
        change,
        id=None,
        before=_without_ids(change, before, ids) if change.before else None,
        fields=tuple(_bare_field(change, field, ids) for field in change.fields),
        place=change.place and _SOMEWHERE,
    )


def _bare_field(change: Change, field: FieldChange, ids: Mapping[str, str]) -> FieldChange:
    name = field.pointer.removeprefix("/")

    def bare(value: Json) -> Json:
        return _without_ids(change, {name: value}, ids)[name]

    return replace(
        field,
        before=field.before if isinstance(field.before, Absent) else bare(field.before),
        after=field.after if isinstance(field.after, Absent) else bare(field.after),
        added=tuple(map(bare, field.added)),
        removed=tuple(map(bare, field.removed)),
        place=field.place and _SOMEWHERE,
    )


def _without_ids(change: Change, body: Body, ids: Mapping[str, str]) -> Body:
    """The body with addresses where it refers to objects of the same plan by their ids."""
    kind = KINDS.get(change.address.kind)

    def named(_to: object, value: Json) -> Json:
        return ids.get(value.casefold(), value) if isinstance(value, str) else value

    return with_references(kind, body, named) if kind else body


def verdict(found: Sequence[Group]) -> str:
    """All of them in a few words: ``187 in step, 12 with the same 3 changes, 1 failed``."""
    changed = [one for one in found if one.end is End.CHANGED]
    shared = sorted((one for one in changed if len(one.parts) > 1), key=lambda one: -len(one.parts))[:_SHARED]
    alone = sum(len(one.parts) for one in changed if one not in shared)
    counts = {one: sum(len(group.parts) for group in found if group.end is one) for one in End}
    words = [
        (counts[End.IN_STEP], "in step"),
        *((len(one.parts), f"with the same {one.size.removeprefix('1 ')}") for one in shared),
        (alone, f"with {'other ' if shared else ''}{_CHANGES.get(found[0].first.noun, 'changes')}"),
        (counts[End.FAILED], "failed"),
        (counts[End.SKIPPED], "skipped"),
    ]
    return ", ".join(f"{count:,} {what}" for count, what in words if count)


_SHARED: Final = 5
"""How many groups the verdict names."""
_CHANGES: Final = {"drift": "drift", "apply": "changes applied"}


def title(found: Sequence[Group]) -> str:
    """What the document is about."""
    count = sum(len(one.parts) for one in found)
    return f"{number(count, 'environment')}: {verdict(found)}"
