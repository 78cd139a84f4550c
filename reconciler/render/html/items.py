"""A change, an outcome or a fault -> one item of a page, with what it can be found by."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from reconciler.model.diagnostic import Checked, Diagnostic, Place, Severity
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, Change, Direction
from reconciler.render.html.page import Html, el, join
from reconciler.render.rows import Row, outcome_rows, rows
from reconciler.render.values import LONGEST_MESSAGE, NOT_SET, brief
from reconciler.render.wording import PLAN_WORDS, SENT_WORDS, Sides, Words, heading, in_order, is_alarming

_ACTION_TONES: Final = {Action.CREATE: "good", Action.UPDATE: "warn", Action.DELETE: "bad"}
_OPEN: Final = 8
"""So many changes are open at first, if there are no more than that."""

# -------------------------------------------------------------------------------------------------------------- changes


def changes(given: Iterable[Change], words: Words, sides: Sides, environment: str = "") -> list[Html]:
    """Every change that would be made, in the order in which they must not be overlooked."""
    made = [change for change in in_order(given, words) if change.action.writes]
    return [_change(one, words, sides.get(one.address, {}), environment, is_open=len(made) <= _OPEN) for one in made]


def _change(change: Change, words: Words, sides: Mapping[str, str], environment: str, *, is_open: bool) -> Html:
    shown = list(rows(change, words, sides))
    verb = words.verbs[change.action]
    marked = any(row.is_alarming for row in shown)
    summary = el(
        "summary",
        el("span", verb, class_=f"badge {_ACTION_TONES[change.action]}"),
        el("b", heading(change), class_="name"),
        el("span", words.mark[1:-1], class_="badge bad") if marked else None,
        el("span", "protected", class_="badge") if change.protected else None,
        el("span", sides[""], class_="badge warn") if "" in sides else None,
        _place(change.place),
    )
    return el(
        "details",
        summary,
        el("div", _pairs(shown, words), class_="inside"),
        class_="wide" if marked else "gone" if is_alarming(change, words) else None,
        open=is_open,
        data_name=heading(change),
        data_action=verb.replace(" ", "-"),
        data_direction=_direction(change, words),
        data_moved=" ".join(sorted({side.replace(" ", "-") for side in sides.values()})) or None,
        data_environment=environment or None,
    )


_SEEN_FROM_LIVE: Final = {Direction.NARROWS: "wider", Direction.WIDENS: "narrower"}


def _direction(change: Change, words: Words) -> str:
    """What the change does; of drift, how the live side is compared with the wanted one."""
    if words is PLAN_WORDS:
        return change.direction.value
    return _SEEN_FROM_LIVE.get(change.direction, change.direction.value)


def _place(place: Place | None) -> Html | None:
    return el("span", el("code", brief(str(place))), class_="place") if place else None


def _pairs(shown: Sequence[Row], words: Words) -> Html:
    """The fields of one change, the two sides side by side."""
    if not shown:
        return el("p", "No field is set.", class_="none-here")
    head = el("tr", *(el("th", name, scope="col") for name in ("Field", *words.columns)))
    return el("table", el("thead", head), el("tbody", *(_pair(row, words) for row in shown)), class_="pairs")


def _pair(row: Row, words: Words) -> Html:
    left, right = words.columns
    notes = [note.strip("()") for note in (row.note, row.side, row.place) if note]
    name = el(
        "th",
        el("code", row.name),
        *(join(" ", el("span", words.mark[1:-1], class_="badge bad")) for _ in (1,) if row.is_alarming),
        *(join(" ", el("span", note, class_="badge")) for note in notes),
        scope="row",
    )
    sides = (("del", left, row.removed, row.before), ("ins", right, row.added, row.after))
    cells = [_side(tag, label, members, value, row) for tag, label, members, value in sides]
    summary = el("tr", el("td", el("code", row.differences), colspan="3")) if row.differences else None
    return join(el("tr", name, *cells), summary)


def _side(tag: str, label: str, members: Sequence[str], value: str, row: Row) -> Html:
    """One side of a field: its members, or its value, which opens at a click where the differences are shown."""
    shown = [el(tag, member) for member in members]
    if row.differences and value:
        whole = el("summary", f"the whole value ({len(value):,} characters)")
        shown += [el("details", whole, el(tag, value))]
    elif value:
        shown += [el(tag, value)]
    if not shown and not row.note:
        shown = [el("span", "(none)" if row.added or row.removed else NOT_SET, class_="none-here")]
    return el("td", *shown, data_label=label if shown else None)


def kinds_of(given: Iterable[Change], words: Words) -> dict[str, list[str]]:
    """What changes can be chosen by: the values that occur."""
    made = [change for change in given if change.action.writes]
    return {
        "action": sorted({words.verbs[change.action].replace(" ", "-") for change in made}),
        "direction": sorted({_direction(change, words) for change in made}),
    }


# ------------------------------------------------------------------------------------------------------------- outcomes

_STATUS_TONES: Final = {Status.APPLIED: "good", Status.SKIPPED: "warn"}


def outcomes(given: Iterable[Outcome], environment: str = "") -> list[Html]:
    """What became of each change, failures first."""
    return [_outcome(one, environment) for one in sorted(given, key=lambda outcome: outcome.status is Status.APPLIED)]


def _outcome(outcome: Outcome, environment: str) -> Html:
    change, status = outcome.change, outcome.status
    doubt = "It may still have been written." if outcome.uncertain else None
    known = outcome.id or change.id
    inside = [
        el("p", brief(outcome.message, LONGEST_MESSAGE)) if outcome.message else None,
        el("p", doubt) if doubt else None,
        _pairs(list(outcome_rows(outcome.fields)), SENT_WORDS) if outcome.fields else None,
        el("p", "id ", el("code", brief(known))) if known else None,
    ]
    summary = el(
        "summary",
        el("span", status.value, class_=f"badge {_STATUS_TONES.get(status, 'bad')}"),
        el("b", heading(change), class_="name"),
        el("span", change.action.value, class_="badge"),
        _place(change.place),
    )
    return el(
        "details",
        summary,
        el("div", *inside, class_="inside"),
        open=status is not Status.APPLIED,
        data_name=heading(change),
        data_status=status.value,
        data_action=change.action.value,
        data_environment=environment or None,
    )


# --------------------------------------------------------------------------------------------------------------- faults


def faults(found: Iterable[Checked]) -> list[Html]:
    """Every fault, errors first."""
    ordered = sorted(found, key=lambda one: one.diagnostic.severity is not Severity.ERROR)
    return [_fault(one.diagnostic, one.environments) for one in ordered]


def _fault(fault: Diagnostic, environments: Sequence[str]) -> Html:
    is_error = fault.severity is Severity.ERROR
    inside = list(_facts(fault, environments))
    summary = el(
        "summary",
        el("span", fault.severity.value, class_=f"badge {'bad' if is_error else 'warn'}"),
        el("b", brief(str(fault.place)), class_="name"),
        el("span", brief(fault.message, LONGEST_MESSAGE)),
    )
    return el(
        "details",
        summary,
        el("div", *inside, class_="inside"),
        data_name=brief(f"{fault.place} {fault.message}", LONGEST_MESSAGE),
        data_severity=fault.severity.value,
        data_rule=fault.rule,
    )


def _facts(fault: Diagnostic, environments: Sequence[str]) -> Iterator[Html]:
    if fault.hint:
        yield el("p", brief(fault.hint, LONGEST_MESSAGE))
    if fault.pointer:
        yield el("p", "at ", el("code", brief(fault.pointer)))
    yield el("p", "rule ", el("code", brief(fault.rule)))
    if environments:
        yield el("p", "in ", el("code", ", ".join(environments)))
