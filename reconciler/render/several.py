"""The documents of several environments -> one, each under its name; plans and drift with a matrix of resources.

Each comes as the text that it has in the format of the whole, so that it reads the same alone and among others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Generic, TypeAlias, TypeVar

from reconciler.errors import ReconcilerError
from reconciler.model.drift import Drift
from reconciler.model.json import Json
from reconciler.model.plan import Action, Change, Plan
from reconciler.render.escape import escape, json_text
from reconciler.render.failure import failure
from reconciler.render.json import error_of
from reconciler.render.style import Style, Tone, laid_out
from reconciler.render.titles import number

FORMAT_VERSION: Final = "1.0"


class State(StrEnum):
    """How one resource is in one environment, before anything is applied."""

    IN_STEP = "in-step"
    DIFFERS = "differs"
    MISSING = "missing"
    WOULD_BE_DELETED = "would-be-deleted"
    NOT_HERE = "not-here"
    """No manifest asks for it in this environment, or one asks for it to be absent, and it is."""
    UNKNOWN = "unknown"
    """There is no plan for this environment."""


Matrix: TypeAlias = Mapping[str, Mapping[str, State]]
"""Address -> environment -> state; sorted by address, environments in their order."""


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
    text: str = ""
    """The document in the format of the whole."""
    digest: str = ""
    """Of the changes of a plan, as `changes_digest` has it; empty where there are none."""


Planned: TypeAlias = Part[Plan | Drift]


def plan_of(one: Planned) -> Plan | None:
    """The plan, or the one that the drift was seen in."""
    return one.found.plan if isinstance(one.found, Drift) else one.found


_STATES: Final = {
    Action.CREATE: State.MISSING,
    Action.UPDATE: State.DIFFERS,
    Action.DELETE: State.WOULD_BE_DELETED,
    Action.NO_OP: State.IN_STEP,
}


def matrix(planned: Sequence[Planned]) -> Matrix:
    """How each resource that a manifest speaks of is in each environment. Unmanaged resources are left out."""
    known = {one.environment: _states(plan) for one in planned if (plan := plan_of(one))}
    addresses = sorted({address for states in known.values() for address in states})
    return {
        address: {one.environment: _state_in(known.get(one.environment), address) for one in planned}
        for address in addresses
    }


def _state_in(states: Mapping[str, State] | None, address: str) -> State:
    return State.UNKNOWN if states is None else states.get(address, State.NOT_HERE)


def _states(plan: Plan) -> dict[str, State]:
    return {str(change.address): _state(change) for change in plan.changes if change.action in _STATES}


def _state(change: Change) -> State:
    is_absent = change.action is Action.NO_OP and change.after is None
    return State.NOT_HERE if is_absent else _STATES[change.action]


# ---------------------------------------------------------------------------------------------------------------- text

_WORDS: Final = {State.NOT_HERE: "-", State.UNKNOWN: "?"}
_TONES: Final = {
    State.DIFFERS: Tone.UPDATE,
    State.MISSING: Tone.CREATE,
    State.WOULD_BE_DELETED: Tone.DELETE,
    State.UNKNOWN: Tone.ALARM,
}


def is_out_of_step(one: Planned) -> bool:
    """Whether something would change, or has drifted."""
    match one.found:
        case Drift():
            return one.found.has_drift
        case Plan():
            return one.found.has_changes
        case None:
            return False


def verdict(planned: Sequence[Planned]) -> str:
    """All of them in a few words."""
    failed, moved = sum(one.found is None for one in planned), sum(map(is_out_of_step, planned))
    known = f"{len(planned) - failed - moved} in step, {moved} not"
    return f"{known}, {failed} failed" if failed else known


def text(planned: Sequence[Planned], style: Style) -> str:
    """Every plan, or error in its place, under a heading; then the matrix and the totals."""
    return _sections(planned, [*_table(matrix(planned), style), _totals(planned)], style)


def parts_text(parts: Sequence[Part[object]], style: Style) -> str:
    """Every document under a heading, its error below it; then how many environments are as they should be."""
    others = [escape(one.environment) for one in parts if one.code]
    counts = [f"{len(parts) - len(others)} ok", *([f"{len(others)} not: {', '.join(others)}"] if others else [])]
    return _sections(parts, [f"{number(len(parts), 'environment')}: {', '.join(counts)}."], style)


def _sections(parts: Sequence[Part[object]], end: Sequence[str], style: Style) -> str:
    sections = "".join(f"{_heading(one.environment, style)}{_content(one, style)}\n" for one in parts)
    return sections + _heading("all environments", style) + laid_out(end, style)


def _heading(title: str, style: Style) -> str:
    return laid_out([style.paint(Tone.STRONG, f"=== {escape(title)} ==="), ""], style)


def _content(one: Part[object], style: Style) -> str:
    return ("" if one.found is None else one.text) + (failure(one.error, style) if one.error else "")


def _table(cells: Matrix, style: Style) -> Iterator[str]:
    """A line for each resource, a column for each environment."""
    if not cells:
        return
    heads = [(escape(name), None) for name in next(iter(cells.values()))]
    lines: list[list[_Cell]] = [[("", None), *heads]]
    lines += [[(escape(address), None), *map(_cell, row.values())] for address, row in cells.items()]
    widths = [max(len(word) for word, _ in column) for column in zip(*lines, strict=True)]
    for line in lines:
        yield "  ".join(_shown(*cell, width, style) for cell, width in zip(line, widths, strict=True)).rstrip()
    yield ""


_Cell: TypeAlias = tuple[str, Tone | None]


def _cell(state: State) -> _Cell:
    return _WORDS.get(state, state.replace("-", " ")), _TONES.get(state)


def _shown(word: str, tone: Tone | None, width: int, style: Style) -> str:
    return (style.paint(tone, word) if tone else word) + " " * (width - len(word))


def _totals(planned: Sequence[Planned]) -> str:
    plans = [plan for one in planned if (plan := plan_of(one))]
    changed = sum(plan.has_changes for plan in plans)
    counts = {"in step": len(plans) - changed, "with changes": changed, "failed": len(planned) - len(plans)}
    return f"{number(len(planned), 'environment')}: {', '.join(f'{count} {words}' for words, count in counts.items())}."


# ---------------------------------------------------------------------------------------------------------------- JSON


def document(planned: Sequence[Planned], _style: Style) -> str:
    """The JSON document; each plan in it is the one that its environment gives alone."""
    return json_text(_document(planned) | {"matrix": {address: dict(row) for address, row in matrix(planned).items()}})


def parts_document(parts: Sequence[Part[object]], _style: Style) -> str:
    """The same without a matrix."""
    return json_text(_document(parts))


def _document(parts: Sequence[Part[object]]) -> dict[str, Json]:
    return {"format_version": FORMAT_VERSION, "environments": [_environment(one) for one in parts]}


def _environment(one: Part[object]) -> Json:
    found: dict[str, Json] = {} if one.found is None else {one.noun: json.loads(one.text)}
    return {"environment": one.environment, **found, **({"error": error_of(one.error)} if one.error else {})}
