"""The documents of several environments -> one. For people, environments with the same document are shown as one.

Each comes as the text that it has in the format of the whole, so that it reads the same alone and among others.
"""

import json
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final, TypeAlias

from reconciler.model.json import Json
from reconciler.model.plan import Action, Change, Plan
from reconciler.render.escape import escape, json_text
from reconciler.render.failure import failure
from reconciler.render.groups import Found_co, Group, Part, Planned, TextOf, groups, plan_of, title
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


def text(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """Every document, or error in its place, under a heading; then the totals."""
    found = groups(planned)
    sections = "".join(_section(one, text_of, style) for one in found)
    return sections + _heading("all environments", style) + laid_out([f"{title(found)}."], style)


def _section(group: Group, text_of: TextOf, style: Style) -> str:
    names = [*map(escape, group.names)]
    heading = _heading(names[0] if len(names) == 1 else number(len(names), "environment"), style)
    note = group.note(names[0])
    lines = [", ".join(names), "", *([note, ""] if note else [])] if len(names) > 1 else []
    others = [f"    {copied}" for copied in group.others(style)]
    end = laid_out(["In the others:", *others], style) if others else ""
    return f"{heading}{laid_out(lines, style)}{_document_of(group.first, text_of, style)}{end}\n"


def parts_text(parts: Sequence[Part[object]], text_of: TextOf, style: Style) -> str:
    """Every document under a heading, its error below it; then how many environments are as they should be."""
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
    return ("" if one.found is None else text_of(one, style)) + (failure(one.error, style) if one.error else "")


# ---------------------------------------------------------------------------------------------------------------- JSON


def document(planned: Sequence[Planned], text_of: TextOf, style: Style) -> str:
    """The JSON document; each plan in it is the one that its environment gives alone. Results have no matrix."""
    cells: dict[str, Json] = {address: dict(row) for address, row in matrix(planned).items()}
    is_planned = all(one.noun in {"plan", "drift"} for one in planned)
    return json_text(_document(planned, text_of, style) | ({"matrix": cells} if is_planned else {}))


def parts_document(parts: Sequence[Part[object]], text_of: TextOf, style: Style) -> str:
    """The same without a matrix."""
    return json_text(_document(parts, text_of, style))


def _document(parts: Sequence[Part[Found_co]], text_of: TextOf, style: Style) -> dict[str, Json]:
    return {"format_version": FORMAT_VERSION, "environments": [_environment(one, text_of, style) for one in parts]}


def _environment(one: Part[Found_co], text_of: TextOf, style: Style) -> Json:
    found: dict[str, Json] = {} if one.found is None else {one.noun: json.loads(text_of(one, style))}
    return {"environment": one.environment, **found, **({"error": error_of(one.error)} if one.error else {})}
