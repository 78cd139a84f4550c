"""Changes, outcomes, faults and other parts of a document -> one HTML file, in which all text is escaped.

The content security policy allows only this style and this script, by their SHA-256. Anything else in the page is not
executed and cannot reach a server.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape as in_html
from typing import Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Checked, Place, Severity
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, Change, Direction
from reconciler.render import wording
from reconciler.render.escape import LONGEST_MESSAGE, brief, escape
from reconciler.render.rows import NOT_SET, Row, outcome_rows, rows
from reconciler.render.style import Moment
from reconciler.render.wording import Count, View, Words, heading

_VOID = frozenset({"meta", "input", "link", "br"})


class Html(str):
    """Finished HTML. A plain `str` is text and is escaped in an element."""

    __slots__ = ()


Child: TypeAlias = str | None
"""Join children: `Html` unchanged, other text escaped, None left out."""


NOTHING = Html("")


def el(tag: str, *children: Child, **attributes: str | bool | None) -> Html:
    """One element. ``class_`` stands for ``class``, ``data_x`` for ``data-x``; False and None are left out."""
    given = "".join(_attribute(name, value) for name, value in attributes.items())
    content = "".join(map(_child, children))
    return Html(f"<{tag}{given}>" if tag in _VOID else f"<{tag}{given}>{content}</{tag}>")


def join(*children: Child) -> Html:
    """Several pieces without an element around them."""
    return Html("".join(map(_child, children)))


def text(value: str) -> Html:
    """Text as one line of visible characters, escaped for HTML."""
    return Html(in_html(escape(value), quote=True))


def _child(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Html) else text(child)


def _attribute(name: str, value: str | bool | None) -> str:  # noqa: FBT001  # an attribute without a value
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{text(value)}"'


Choices: TypeAlias = Mapping[str, Sequence[str]]
"""Filters of a page, in addition to the name: name of a ``data-`` attribute -> its values; a filter with one value is
not shown."""


@dataclass(frozen=True, slots=True)
class Page:
    """One document."""

    title: str
    verdict: str
    tone: str
    """``good``, ``warn`` or ``bad``."""
    meta: Html
    numbers: Sequence[Count]
    before: Html = NOTHING
    """Content between the numbers and the filter."""
    choices: Choices | None = None
    """None: no filter."""
    items: Html = NOTHING
    after: Html = NOTHING


@cache
def _asset(name: str) -> str:
    from importlib.resources import files  # noqa: PLC0415  # only pages need it

    return (files("reconciler.render.html") / name).read_text(encoding="utf-8")


@cache
def policy() -> str:
    """The content security policy."""
    style, script = (_hash(_asset(name)) for name in ("page.css", "page.js"))
    return (
        f"default-src 'none'; style-src {style}; script-src {script}; "
        "img-src data:; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def html(page: Page) -> str:
    """The text of the file."""
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy()),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("meta", name="referrer", content="no-referrer"),
        el("meta", name="color-scheme", content="light dark"),
        el("link", rel="icon", href="data:,"),
        el("title", f"{page.title}: {page.verdict}"),
        Html(f"<style>{_asset('page.css')}</style>"),
    )
    verdict = el("p", page.verdict, class_=f"verdict {page.tone}")
    banner = el("div", el("h1", page.title), verdict, el("p", page.meta, class_="meta"))
    main = el(
        "main",
        el("ul", *map(_number, page.numbers), class_="numbers"),
        page.before,
        None if page.choices is None else _form(page.choices),
        el("div", page.items, id="items"),
        page.after,
    )
    body = el("body", el("header", banner), main, Html(f"<script>{_asset('page.js')}</script>"))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def _number(count: Count) -> Html:
    """A number in a box."""
    class_ = "none" if not count.number else "alarm" if count.is_alarming else None
    return el("li", el("b", f"{count.number:,}"), el("span", count.name), class_=class_)


def _form(choices: Choices) -> Html:
    """The filter, shown by the script."""
    search = el("input", type="search", name="text", placeholder="press / to search", autocomplete="off")
    return el(
        "form",
        el("label", "Name contains", search, class_="wide"),
        *(_choice(name, values) for name, values in choices.items() if len(values) > 1),
        el("button", "Open all", type="button", data_open=True),
        el("button", "Close all", type="button", data_close=True),
        el("button", "Clear", type="reset"),
        el("output", role="status"),
        hidden=True,
        aria_label="Filter",
    )


def _choice(name: str, values: Sequence[str]) -> Html:
    words = values if name == "environment" else [value.replace("-", " ") for value in values]
    options = [el("option", word, value=value) for word, value in zip(("all", *words), ("", *values), strict=True)]
    return el("label", name.capitalize(), el("select", *options, name=name))


def timeline(history: Sequence[Moment]) -> Html:
    """The runs of the journal, the oldest first; empty if there are none."""
    if not history:
        return NOTHING
    return join(el("h2", "Runs in the journal"), el("ol", *map(_moment, history), class_="timeline"))


def _moment(one: Moment) -> Html:
    when = el("time", one.at, datetime=one.at)
    return el("li", when, el("b", f"{one.what}: {one.end}"), el("code", one.id), class_=one.tone or None)


def bullets(title: str, texts: Sequence[str]) -> Html:
    """A list under a heading; empty without items."""
    if not texts:
        return NOTHING
    items = [el("li", el("code", one)) for one in texts]
    return join(el("h2", f"{title} ({len(items):,})"), el("ul", *items, class_="plain"))


# ---------------------------------------------------------------------------------------------------- changes

_ACTION_TONES: Final = {Action.CREATE: "good", Action.UPDATE: "warn", Action.DELETE: "bad"}
_OPEN: Final = 8
"""Up to this number, changes are expanded initially."""


def changes(seen: View, environments: str = "") -> list[Html]:
    """Every change, alarming ones first."""
    made = seen.written
    return [_change(one, seen, environments, is_open=len(made) <= _OPEN) for one in made]


def _change(change: Change, seen: View, environments: str, *, is_open: bool) -> Html:
    words, sides = seen.words, seen.sides_of(change)
    shown = list(rows(change, words, sides))
    verb = words.verbs[change.action]
    marked = any(row.is_alarming for row in shown)
    summary = (
        _badge(verb, _ACTION_TONES[change.action]),
        el("b", heading(change), class_="name"),
        _badge(words.mark[1:-1], "bad") if marked else None,
        _badge("protected") if change.protected else None,
        _badge(sides[""], "warn") if "" in sides else None,
        _place(change.place),
    )
    return _item(
        summary,
        [_pairs(shown, words)],
        class_="wide" if marked else "gone" if wording.is_alarming(change, words) else None,
        open=is_open,
        data_name=heading(change),
        data_action=verb.replace(" ", "-"),
        data_direction=_direction(change, words),
        data_source=" ".join(sorted({side.replace(" ", "-") for side in sides.values()})) or None,
        data_environment=environments or None,
    )


def _item(summary: Iterable[Child], inside: Iterable[Child], **attributes: str | bool | None) -> Html:
    """A collapsed item that can be filtered by its attributes."""
    return el("details", el("summary", *summary), el("div", *inside, class_="inside"), **attributes)


def _badge(word: str, tone: str = "") -> Html:
    return el("span", word, class_=f"badge {tone}".rstrip())


_SEEN_FROM_LIVE: Final = {Direction.NARROWS: "wider", Direction.WIDENS: "narrower"}


def _direction(change: Change, words: Words) -> str:
    """What the change does; of drift, the direction of the live side."""
    if words is wording.PLAN_WORDS:
        return change.direction.value
    return _SEEN_FROM_LIVE.get(change.direction, change.direction.value)


def _place(place: Place | None) -> Html | None:
    return el("span", el("code", brief(str(place))), class_="place") if place else None


def _pairs(shown: Sequence[Row], words: Words) -> Html:
    """The fields of a change, with both sides side by side."""
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
        join(" ", _badge(words.mark[1:-1], "bad")) if row.is_alarming else None,
        *(join(" ", _badge(note)) for note in notes),
        scope="row",
    )
    sides = (("del", left, row.removed, row.before), ("ins", right, row.added, row.after))
    cells = [_side(tag, label, members, value, row) for tag, label, members, value in sides]
    summary = el("tr", el("td", el("code", row.differences), colspan="3")) if row.differences else None
    return join(el("tr", name, *cells), summary)


def _side(tag: str, label: str, members: Sequence[str], value: str, row: Row) -> Html:
    """One side of a field: its members, or its value, collapsed if the differences are shown."""
    shown = [el(tag, member) for member in members]
    if row.differences and value:
        whole = el("summary", f"full value ({len(value):,} characters)")
        shown += [el("details", whole, el(tag, value))]
    elif value:
        shown += [el(tag, value)]
    if not shown and not row.note:
        shown = [el("span", "(none)" if row.added or row.removed else NOT_SET, class_="none-here")]
    return el("td", *shown, data_label=label if shown else None)


def kinds_of(seen: View) -> dict[str, list[str]]:
    """The filters of changes."""
    made, words = seen.written, seen.words
    return {
        "action": sorted({words.verbs[change.action].replace(" ", "-") for change in made}),
        "direction": sorted({_direction(change, words) for change in made}),
    }


# ------------------------------------------------------------------------------------------------------------- outcomes

_STATUS_TONES: Final = {Status.APPLIED: "good", Status.SKIPPED: "warn"}


def outcomes(given: Iterable[Outcome], environments: str = "") -> list[Html]:
    """The outcome of each change, failures first."""
    return [_outcome(one, environments) for one in wording.failures_first(given)]


def _outcome(outcome: Outcome, environments: str) -> Html:
    change, status = outcome.change, outcome.status
    known = outcome.id or change.id
    inside = [
        el("p", brief(outcome.message, LONGEST_MESSAGE)) if outcome.message else None,
        el("p", "It may still have been written.") if outcome.uncertain else None,
        _pairs(list(outcome_rows(outcome.fields)), wording.SENT_WORDS) if outcome.fields else None,
        el("p", "id ", el("code", brief(known))) if known else None,
    ]
    summary = (
        _badge(status.value, _STATUS_TONES.get(status, "bad")),
        el("b", heading(change), class_="name"),
        _badge(change.action.value),
        _place(change.place),
    )
    return _item(
        summary,
        inside,
        open=status is not Status.APPLIED,
        data_name=heading(change),
        data_status=status.value,
        data_action=change.action.value,
        data_environment=environments or None,
    )


# --------------------------------------------------------------------------------------------------------------- faults


def faults(found: Iterable[Checked]) -> list[Html]:
    """Every fault, errors first."""
    return [_fault(one) for one in wording.errors_first(found)]


def _fault(one: Checked) -> Html:
    fault = one.diagnostic
    summary = (
        _badge(fault.severity.value, "bad" if fault.severity is Severity.ERROR else "warn"),
        el("b", brief(str(fault.place)), class_="name"),
        el("span", brief(fault.message, LONGEST_MESSAGE)),
    )
    return _item(
        summary,
        _facts(one),
        data_name=brief(f"{fault.place} {fault.message}", LONGEST_MESSAGE),
        data_severity=fault.severity.value,
        data_rule=fault.rule,
    )


def _facts(one: Checked) -> Iterator[Html]:
    fault = one.diagnostic
    if fault.hint:
        yield el("p", brief(fault.hint, LONGEST_MESSAGE))
    if fault.pointer:
        yield el("p", "at ", el("code", brief(fault.pointer)))
    yield el("p", "rule ", el("code", brief(fault.rule)))
    if one.environments:
        yield el("p", "in ", el("code", ", ".join(one.environments)))
