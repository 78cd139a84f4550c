"""The results of several environments -> one document. Formats for people group environments with equal documents.

Two documents are equal if their texts are equal without ids, lines of files, and resources that are in step, unmanaged
or out of scope. Each environment has the same text as alone.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Generic, TypeAlias, TypeVar

from reconciler.errors import ReconcilerError, Skipped
from reconciler.kinds import KINDS
from reconciler.kinds.references import with_references
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.drift import Deviation, Drift
from reconciler.model.json import Absent, Body, Json
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Action, Binding, Change, FieldChange, Plan
from reconciler.render import late
from reconciler.render import text as terminal
from reconciler.render.command import how_to_apply, how_to_apply_all
from reconciler.render.escape import escape, json_document
from reconciler.render.json import error_of
from reconciler.render.style import PLAIN, Style, Tone, laid_out
from reconciler.render.text import error_text
from reconciler.render.wording import drifted_count, number

Found_co = TypeVar("Found_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Part(Generic[Found_co]):
    """One of several environments: its result, or an error, or both."""

    environment: str
    found: Found_co | None
    error: ReconcilerError | None = None
    noun: str = "plan"
    """The name of the document in JSON."""
    code: int = 0
    """The exit code of this environment."""
    digest: str = ""
    """The digest of the changes of a plan, from `changes_digest`; empty if there are none."""


Document: TypeAlias = Plan | Drift | ApplyResult
Planned: TypeAlias = Part[Document]
TextOf: TypeAlias = Callable[[Part[Any], Style], str]
"""Returns the document of a part, or its error, in the format of the whole."""


def plan_of(one: Planned) -> Plan | None:
    """The plan, or the plan of the drift."""
    found = one.found.plan if isinstance(one.found, Drift) else one.found
    return found if isinstance(found, Plan) else None


class End(StrEnum):
    """The state of an environment, or the result of apply."""

    IN_STEP = "in step"
    CHANGED = "changed"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Group:
    """Environments with equal documents; see above."""

    end: End
    parts: tuple[Planned, ...]

    @property
    def first(self) -> Planned:
        """The part that is shown."""
        return self.parts[0]

    @property
    def names(self) -> list[str]:
        """The names of the environments."""
        return [one.environment for one in self.parts]

    def note(self, first: str) -> str:
        """A note that the document of `first` also represents the others; empty for one environment.

        An error needs none: it is equal for all.
        """
        if len(self.parts) == 1 or self.first.found is None:
            return ""
        also = "the last apply, " if isinstance(self.first.found, Drift) else ""
        differing = f"ids, lines of files, {also}and what is in step, unmanaged or out of scope"
        snapshots = [plan.snapshot for one in self.parts if (plan := plan_of(one)) and plan.snapshot]
        oldest = f" The oldest snapshot is of {min(snapshots)}." if snapshots else ""
        return f"Shown for {first}. The others differ at most in {differing}.{oldest}"

    @property
    def size(self) -> str:
        """What they have in common, in a few words."""
        match self.first.found:
            case _ if self.end is not End.CHANGED:
                return self.end.value
            case Drift() as drift:
                return number(drifted_count(drift), "drifted resource")
            case Plan() as plan:
                return number(plan.summary.writes, "change")
            case ApplyResult() as result:
                return number(len(result.outcomes), "applied change")
            case None:
                return self.end.value

    def others(self, style: Style) -> Iterator[str]:
        """Commands for the environments that are not shown."""
        for one in self.parts[1:]:
            if isinstance(one.found, Plan | Drift):
                yield from (how.copied for how in how_to_apply(one.found, one.digest, style) if how.copied)


def groups(planned: Sequence[Planned]) -> list[Group]:
    """Group equal documents, in the order of their first environments."""
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
    """The text of an environment, without what may differ in a group."""
    error = error_text(one.error, PLAIN) if one.error else ""
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
    """Id in lower case -> the address of its object, which is equal in all environments."""
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
    """The body with addresses in place of the ids of objects in the plan."""
    kind = KINDS.get(change.address.kind)

    def named(_to: object, value: Json) -> Json:
        return ids.get(value.casefold(), value) if isinstance(value, str) else value

    return with_references(kind, body, named) if kind else body


def verdict(found: Sequence[Group]) -> str:
    """A summary of all: ``187 in step, 12 share the same 3 changes, 1 failed``."""
    changed = [one for one in found if one.end is End.CHANGED]
    shared = sorted((one for one in changed if len(one.parts) > 1), key=lambda one: -len(one.parts))[:_SHARED]
    alone = sum(len(one.parts) for one in changed if one not in shared)
    counts = {one: sum(len(group.parts) for group in found if group.end is one) for one in End}
    words = [
        (counts[End.IN_STEP], "in step"),
        *((len(one.parts), f"share the same {one.size.removeprefix('1 ')}") for one in shared),
        (alone, f"with {'other ' if shared else ''}{_CHANGES.get(found[0].first.noun, 'changes')}"),
        (counts[End.FAILED], "failed"),
        (counts[End.SKIPPED], "skipped"),
    ]
    return ", ".join(f"{count:,} {what}" for count, what in words if count)


_SHARED: Final = 5
"""The maximum number of groups in the verdict."""
_CHANGES: Final = {"drift": "drift", "apply": "applied changes"}


def title(found: Sequence[Group]) -> str:
    """The title of the document."""
    count = sum(len(one.parts) for one in found)
    return f"{number(count, 'environment')}: {verdict(found)}"


# -------------------------------------------------------------------------------------------------- matrix


class CellState(StrEnum):
    """The state of a resource in an environment, before apply."""

    IN_STEP = "in-step"
    DIFFERS = "differs"
    MISSING = "missing"
    WOULD_BE_DELETED = "would-be-deleted"
    NOT_HERE = "not-here"
    """No manifest declares it in this environment, or it is declared absent and is absent."""
    UNKNOWN = "unknown"
    """There is no plan for this environment."""


Matrix: TypeAlias = Mapping[str, Mapping[str, CellState]]
"""Address -> environment -> state; sorted by address, environments in their order."""


_STATES: Final = {
    Action.CREATE: CellState.MISSING,
    Action.UPDATE: CellState.DIFFERS,
    Action.DELETE: CellState.WOULD_BE_DELETED,
    Action.NO_OP: CellState.IN_STEP,
}


def matrix(planned: Sequence[Planned]) -> Matrix:
    """The state of each managed resource in each environment."""
    found = {one.environment: _states(plan_of(one)) for one in planned}
    addresses = sorted({address for states in found.values() for address in states})
    return {address: {name: states[address] for name, states in found.items()} for address in addresses}


def _states(plan: Plan | None) -> Mapping[str, CellState]:
    """Address -> state, and the state of addresses that the plan does not have."""
    if plan is None:
        return defaultdict(lambda: CellState.UNKNOWN)
    known = {str(change.address): _state(change) for change in plan.changes if change.action in _STATES}
    return defaultdict(lambda: CellState.NOT_HERE, known)


def _state(change: Change) -> CellState:
    is_absent = change.action is Action.NO_OP and change.after is None
    return CellState.NOT_HERE if is_absent else _STATES[change.action]


# ---------------------------------------------------------------------------------------------------------------- text


def text(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """Every document, or its error, under a heading; then the totals."""
    found = groups(planned)
    sections = "".join(_section(one, text_of, style) for one in found)
    applied = (line for how in how_to_apply_all(style) for line in terminal.offered(how))
    return sections + _heading("all environments", style) + laid_out([f"{title(found)}.", *applied], style)


def _section(group: Group, text_of: TextOf, style: Style) -> str:
    names = [*map(escape, group.names)]
    heading = _heading(names[0] if len(names) == 1 else number(len(names), "environment"), style)
    note = group.note(names[0])
    lines = [", ".join(names), "", *([note, ""] if note else [])] if len(names) > 1 else []
    others = [f"    {copied}" for copied in group.others(style)]
    end = laid_out(["In the other environments:", *others], style) if others else ""
    return f"{heading}{laid_out(lines, style)}{_document_of(group.first, text_of, style)}{end}\n"


def parts_text(parts: Sequence[Part[object]], text_of: TextOf, style: Style) -> str:
    """Every document under a heading, its error below it; then the number of successful environments."""
    others = [escape(one.environment) for one in parts if one.code]
    counts = [f"{len(parts) - len(others)} ok", *([f"{len(others)} not: {', '.join(others)}"] if others else [])]
    sections = "".join(
        f"{_heading(escape(one.environment), style)}{_document_of(one, text_of, style)}\n" for one in parts
    )
    end = f"{number(len(parts), 'environment')}: {', '.join(counts)}."
    return sections + _heading("all environments", style) + laid_out([end], style)


def _heading(title: str, style: Style) -> str:
    return laid_out([style.paint(Tone.STRONG, f"=== {title} ==="), ""], style)


def _document_of(one: Part[Found_co], text_of: TextOf, style: Style) -> str:
    return ("" if one.found is None else text_of(one, style)) + (error_text(one.error, style) if one.error else "")


# ---------------------------------------------------------------------------------------------------------------- JSON


def document(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """The JSON document; each plan is equal to that of its environment alone. Results have no matrix."""
    cells: dict[str, Json] = {address: dict(row) for address, row in matrix(planned).items()}
    is_planned = all(one.noun in {"plan", "drift"} for one in planned)
    return parts_document(planned, text_of, style, **({"matrix": cells} if is_planned else {}))


def parts_document(parts: Sequence[Part[object]], text_of: TextOf, style: Style, **more: Json) -> str:
    """The JSON document of any documents, with further members."""
    return json_document(environments=[_environment(one, text_of, style) for one in parts], **more)


def _environment(one: Part[Found_co], text_of: TextOf, style: Style) -> Json:
    found: dict[str, Json] = {} if one.found is None else {one.noun: json.loads(text_of(one, style))}
    return {"environment": one.environment, **found, **({"error": error_of(one.error)} if one.error else {})}


def one_after_the_other(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """Concatenate documents in line-based formats."""
    return "".join(texts_of(planned, text_of, style))


def texts_of(planned: Sequence[Planned], text_of: TextOf, style: Style) -> Iterator[str]:
    """The document of each, and its error if there are both."""
    for one in planned:
        yield text_of(one, style)
        if one.found and one.error:
            yield text_of(replace(one, found=None), style)


SeveralWriter: TypeAlias = Callable[[Sequence[Planned], TextOf, Style], str]
PartsWriter: TypeAlias = Callable[[Sequence[Part[object]], TextOf, Style], str]

SEVERAL: Final[Mapping[str, SeveralWriter]] = MappingProxyType(
    {"text": text, "json": document, "jsonl": one_after_the_other}
    | {name: late(name, "several") for name in ("markdown", "html", "junit", "sarif", "github")}
)
"""Name of a format -> the writer of plans, drift or results of several environments."""
PARTS: Final[Mapping[str, PartsWriter]] = MappingProxyType({"text": parts_text, "json": parts_document})
"""The same for all other documents."""
