"""Plans, drift or results of several environments -> one page: the groups of those that are the same, then each."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from reconciler.errors import GuardRefusal
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Change, Plan
from reconciler.render import html as single
from reconciler.render import titles
from reconciler.render.blocks import DRIFT_WORDS, PLAN_WORDS, Words
from reconciler.render.groups import Document, End, Group, Planned, TextOf, groups, verdict
from reconciler.render.html import items
from reconciler.render.html.page import NOTHING, Filters, Html, Page, bullets, el, html, join, timeline
from reconciler.render.style import Style
from reconciler.render.titles import Count, number
from reconciler.render.values import LONGEST_MESSAGE, brief

_TONES: Final[Mapping[End, str]] = {End.IN_STEP: "good", End.CHANGED: "warn", End.FAILED: "bad", End.SKIPPED: "warn"}
_FEW: Final = 10


def page(planned: Sequence[Planned], _text_of: TextOf, style: Style) -> str:
    """One page of all."""
    found = groups(planned)
    counts = {end: sum(len(one.parts) for one in found if one.end is end) for end in End}
    tones = [_TONES[one.end] for one in found]
    is_applied = planned[0].noun == "apply"
    return html(
        Page(
            f"{planned[0].noun.capitalize()} of {number(len(planned), 'environment')}",
            verdict(found),
            "bad" if "bad" in tones else "good" if is_applied or set(tones) == {"good"} else "warn",
            NOTHING,
            [Count(end, count, end is End.FAILED) for end, count in counts.items() if count or end is not End.SKIPPED],
            join(timeline(style.history), _overview(found)),
            _filters(found),
            join(*(_section(one, style) for one in found)),
        )
    )


def _overview(found: Sequence[Group]) -> Html:
    """A line for each group."""
    head = el("tr", el("th", "Environments", scope="col"), el("th", "Result", scope="col"))
    rows = [
        el("tr", el("th", _title(one), scope="row"), el("td", el("span", one.size, class_=f"badge {_TONES[one.end]}")))
        for one in found
    ]
    table = el("table", el("thead", head), el("tbody", *rows), class_="matrix")
    return el("div", el("div", table, class_="inside"), class_="box")


def _title(group: Group) -> str:
    names = group.names
    return ", ".join(names) if len(names) <= _FEW else f"{', '.join(names[:_FEW])} and {len(names) - _FEW:,} more"


def _changes(found: Document | None) -> tuple[Change, ...]:
    if isinstance(found, ApplyResult):
        return tuple(one.change for one in found.outcomes)
    return found.changes if found else ()


def _words(found: Document | None) -> Words:
    return DRIFT_WORDS if isinstance(found, Drift) else PLAN_WORDS


def _filters(found: Sequence[Group]) -> Filters | None:
    """By environment, however it is grouped, and by what can be chosen in each."""
    shown = [one for one in found if any(change.action.writes for change in _changes(one.first.found))]
    if not shown:
        return None
    names = [name for one in shown for name in one.names]
    results = [one.first.found for one in shown if isinstance(one.first.found, ApplyResult)]
    if results:
        return Filters({"environment": names, "status": sorted({o.status.value for r in results for o in r.outcomes})})
    changes = [change for one in shown for change in _changes(one.first.found)]
    return Filters({"environment": names, **items.kinds_of(changes, _words(shown[0].first.found))})


def _section(group: Group, style: Style) -> Html:
    one, names = group.first, group.names
    heading = names[0] if len(names) == 1 else number(len(names), "environment")
    shown = _shown(group)
    others = [*group.others(style)]
    return el(
        "section",
        el("h2", f"{heading}: {_verdict(one.found)}" if one.found else heading),
        el("p", ", ".join(names), class_="meta") if len(names) > 1 else None,
        el("p", note, class_="meta") if (note := group.note(names[0])) else None,
        *(_before(one.found) if one.found else [_error(one)]),
        *shown,
        *(_after(one, style) if one.found else []),
        bullets("In the others", others) if others else None,
        _error(one) if one.found and one.error else None,
        data_group=bool(shown),
    )


def _verdict(found: Document) -> str:
    match found:
        case Drift():
            return titles.drift_verdict(found)
        case Plan():
            return titles.plan_verdict(found)
        case ApplyResult():
            return titles.result_verdict(found)


def _shown(group: Group) -> list[Html]:
    found, names = group.first.found, " ".join(group.names)
    if isinstance(found, ApplyResult):
        return items.outcomes(found.outcomes, names)
    sides = titles.sides(found) if isinstance(found, Drift) else titles.NO_SIDES
    return items.changes(_changes(found), _words(found), sides, names)


def _before(found: Document) -> Iterator[Html]:
    if isinstance(found, ApplyResult):
        return
    plan = found.plan if isinstance(found, Drift) else found
    yield el("p", single.origin(plan), class_="meta")
    yield single.refused(plan.guards)


def _after(one: Planned, style: Style) -> Iterator[Html]:
    match one.found:
        case Drift() as drift:
            yield single.besides(drift.plan, drift.changes, drift.uncontrolled)
            yield single.ways(drift, one.digest, style)
        case Plan() as plan:
            yield single.besides(plan, plan.changes)
            yield single.ways(plan, one.digest, style)
        case _:
            pass


def _error(one: Planned) -> Html:
    if isinstance(one.error, GuardRefusal):
        return single.refused(one.error.findings)
    message, hint = (one.error.message, one.error.hint) if one.error else ("", "")
    texts = [brief(text, LONGEST_MESSAGE) for text in (message, f"hint: {hint}" if hint else "") if text]
    faults = items.faults(single.faults_of(one.error)) if one.error else []
    return join(el("section", *(el("p", text) for text in texts), class_="refused"), *faults)
