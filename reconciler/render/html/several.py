"""Plans or drift of several environments -> one page: a matrix of resources and environments, then each of them."""

from collections.abc import Sequence
from typing import Final

from reconciler.errors import GuardRefusal
from reconciler.model.drift import Drift
from reconciler.model.plan import Change
from reconciler.render import html as single
from reconciler.render import titles
from reconciler.render.blocks import DRIFT_WORDS, PLAN_WORDS, Words
from reconciler.render.html import items
from reconciler.render.html.page import NOTHING, Filters, Html, Page, el, html, join, timeline
from reconciler.render.several import Planned, State, is_out_of_step, matrix, plan_of, verdict
from reconciler.render.style import Style
from reconciler.render.titles import Count, number
from reconciler.render.values import LONGEST_MESSAGE, brief

_TONES: Final = {
    State.IN_STEP: "good",
    State.DIFFERS: "warn",
    State.MISSING: "warn",
    State.WOULD_BE_DELETED: "bad",
    State.UNKNOWN: "bad",
}


def page(planned: Sequence[Planned], style: Style) -> str:
    """One page of all."""
    failed = sum(one.found is None for one in planned)
    moved = sum(map(is_out_of_step, planned))
    noun = planned[0].noun if planned else "plan"
    in_step = len(planned) - failed - moved
    return html(
        Page(
            f"{noun.capitalize()} of {number(len(planned), 'environment')}",
            verdict(planned),
            "bad" if failed else "warn" if moved else "good",
            join(*(el("code", f"{one.environment} ") for one in planned)),
            [Count("in step", in_step), Count("not in step", moved), Count("failed", failed, is_alarming=True)],
            join(timeline(style.history), _matrix(planned)),
            _filters(planned),
            join(*(_section(one, style) for one in planned)),
        )
    )


def _changes(one: Planned) -> tuple[Change, ...]:
    return one.found.changes if one.found else ()


def _words(one: Planned) -> Words:
    return DRIFT_WORDS if one.noun == "drift" else PLAN_WORDS


def _filters(planned: Sequence[Planned]) -> Filters | None:
    found = [change for one in planned for change in _changes(one)]
    if not any(change.action.writes for change in found):
        return None
    with_changes = [one.environment for one in planned if any(change.action.writes for change in _changes(one))]
    return Filters({"environment": with_changes, **items.kinds_of(found, _words(planned[0]))})


def _matrix(planned: Sequence[Planned]) -> Html:
    cells = matrix(planned)
    if not cells:
        return NOTHING
    head = el("tr", el("th", "Resource", scope="col"), *(el("th", one.environment, scope="col") for one in planned))
    rows = [
        el("tr", el("th", brief(address), scope="row"), *(el("td", _state(state)) for state in states.values()))
        for address, states in cells.items()
    ]
    table = el("table", el("thead", head), el("tbody", *rows), class_="matrix")
    return join(el("h2", "Resources and environments"), el("div", el("div", table, class_="inside"), class_="box"))


def _state(state: State) -> Html:
    words = state.value.replace("-", " ")
    return el("span", words, class_=f"badge {_TONES[state]}" if state in _TONES else "none-here")


def _section(one: Planned, style: Style) -> Html:
    plan = plan_of(one)
    if plan is None or one.found is None:
        return el("section", el("h2", one.environment), _error(one))
    found, changes = one.found, _changes(one)
    verdict, sides = (
        (titles.drift_verdict(found), titles.sides(found))
        if isinstance(found, Drift)
        else (titles.plan_verdict(plan), titles.NO_SIDES)
    )
    shown = items.changes(changes, _words(one), sides, one.environment)
    return el(
        "section",
        el("h2", f"{one.environment}: {verdict}"),
        el("p", single.origin(plan), class_="meta"),
        single.refused(plan.guards),
        *shown,
        single.besides(plan, changes, found.uncontrolled if isinstance(found, Drift) else ()),
        single.ways(found, one.digest, style),
        data_group=bool(shown),
    )


def _error(one: Planned) -> Html:
    if isinstance(one.error, GuardRefusal):
        return single.refused(one.error.findings)
    message, hint = (one.error.message, one.error.hint) if one.error else ("", "")
    texts = [brief(text, LONGEST_MESSAGE) for text in (message, f"hint: {hint}" if hint else "") if text]
    faults = items.faults(single.faults_of(one.error)) if one.error else []
    return join(el("section", *(el("p", text) for text in texts), class_="refused"), *faults)
