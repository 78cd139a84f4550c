"""Plans of several environments -> one document: each plan under its name, then a matrix of resources and environments.

Each plan comes as the text that it has in the format of the whole, so that it reads the same alone and among others.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeAlias

from reconciler.errors import ReconcilerError
from reconciler.model.drift import Drift
from reconciler.model.json import Json
from reconciler.model.plan import Action, Change, Plan
from reconciler.render.escape import escape, json_text
from reconciler.render.failure import failure
from reconciler.render.json import error_of
from reconciler.render.layout import laid_out
from reconciler.render.style import Style, Tone

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


@dataclass(frozen=True, slots=True)
class Planned:
    """One environment: its plan, or the error that there is instead."""

    environment: str
    plan: Plan | None
    error: ReconcilerError | None = None
    text: str = ""
    """The plan, or the drift that it comes to, in the format of the whole document."""
    noun: str = "plan"
    """What the text is called in a JSON document."""
    drift: Drift | None = None
    """What the plan was seen as, where that was asked for."""


_STATES: Final = {
    Action.CREATE: State.MISSING,
    Action.UPDATE: State.DIFFERS,
    Action.DELETE: State.WOULD_BE_DELETED,
    Action.NO_OP: State.IN_STEP,
}


def matrix(planned: Sequence[Planned]) -> Matrix:
    """How each resource that a manifest speaks of is in each environment. Unmanaged resources are left out."""
    known = {one.environment: _states(one.plan) for one in planned if one.plan}
    addresses = sorted({address for states in known.values() for address in states})
    return {
        address: {
            one.environment: known[one.environment].get(address, State.NOT_HERE) if one.plan else State.UNKNOWN
            for one in planned
        }
        for address in addresses
    }


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
    return one.drift.has_drift if one.drift else one.plan is not None and one.plan.has_changes


def verdict(planned: Sequence[Planned]) -> str:
    """All of them in a few words."""
    failed, moved = sum(one.plan is None for one in planned), sum(map(is_out_of_step, planned))
    known = f"{len(planned) - failed - moved} in step, {moved} not"
    return f"{known}, {failed} failed" if failed else known


def text(planned: Sequence[Planned], style: Style) -> str:
    """Every plan, or error in its place, under a heading; then the matrix and the totals."""
    sections = "".join(f"{_heading(one.environment, style)}{_content(one, style)}\n" for one in planned)
    return (
        sections
        + _heading("all environments", style)
        + laid_out([*_table(matrix(planned), style), _totals(planned)], style)
    )


def _heading(title: str, style: Style) -> str:
    return laid_out([style.paint(Tone.STRONG, f"=== {escape(title)} ==="), ""], style)


def _content(one: Planned, style: Style) -> str:
    return failure(one.error, style) if one.error else one.text


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
    plans = [one.plan for one in planned if one.plan]
    changed = sum(plan.has_changes for plan in plans)
    counts = {"in step": len(plans) - changed, "with changes": changed, "failed": len(planned) - len(plans)}
    environments = "1 environment" if len(planned) == 1 else f"{len(planned)} environments"
    return f"{environments}: {', '.join(f'{count} {words}' for words, count in counts.items())}."


# ---------------------------------------------------------------------------------------------------------------- JSON


def document(planned: Sequence[Planned], _style: Style) -> str:
    """The JSON document; each plan in it is the one that its environment gives alone."""
    content = {
        "format_version": FORMAT_VERSION,
        "environments": [_environment(one) for one in planned],
        "matrix": {address: dict(row) for address, row in matrix(planned).items()},
    }
    return json_text(content)


def _environment(one: Planned) -> Json:
    if one.error is None:
        return {"environment": one.environment, one.noun: json.loads(one.text)}
    return {"environment": one.environment, "error": error_of(one.error)}
