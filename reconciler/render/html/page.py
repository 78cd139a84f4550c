"""The parts of a document -> one HTML file without external requests, in which no markup but our own survives.

The content security policy allows exactly this style and this script, by their SHA-256. Whatever else might get into
the page, it is not carried out and cannot reach any server.
"""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from functools import cache
from html import escape as in_html
from typing import TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.render.escape import escape
from reconciler.render.style import Moment
from reconciler.render.wording import Count

_VOID = frozenset({"meta", "input", "link", "br"})


class Html(str):
    """Finished HTML. A plain `str` is text, and is escaped when it is put into an element."""

    __slots__ = ()


Child: TypeAlias = str | None
"""`Html` as it is, any other text escaped, None left out."""


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
    """Text as one line of visible characters that is no markup."""
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


@dataclass(frozen=True, slots=True)
class Filters:
    """By what the items of a page can be chosen, besides a part of their name."""

    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Name of a ``data-`` attribute -> the values that occur; a choice of one value only is not offered."""
    opens: bool = True
    """Whether items can be opened and closed."""


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
    """Between the numbers and the filter."""
    filters: Filters | None = None
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
    banner = el(
        "div",
        el("h1", page.title),
        el("p", page.verdict, class_=f"verdict {page.tone}"),
        el("p", page.meta, class_="meta"),
    )
    main = el(
        "main",
        numbers(page.numbers),
        page.before,
        _form(page.filters) if page.filters else None,
        el("div", page.items, id="items"),
        page.after,
    )
    body = el("body", el("header", banner), main, Html(f"<script>{_asset('page.js')}</script>"))
    return f"<!doctype html>\n{el('html', head, body, lang='en')}\n"


def numbers(counts: Iterable[Count]) -> Html:
    """Each number in a box."""
    return el("ul", *map(_number, counts), class_="numbers")


def _number(count: Count) -> Html:
    class_ = "none" if not count.number else "alarm" if count.is_alarming else None
    return el("li", el("b", f"{count.number:,}"), el("span", count.name), class_=class_)


def _form(filters: Filters) -> Html:
    """Shown by the script, without which it could do nothing."""
    search = el("input", type="search", name="text", placeholder="press / to search", autocomplete="off")
    choices = [_choice(name, values) for name, values in filters.choices.items() if len(values) > 1]
    buttons = [
        el("button", "Open all", type="button", data_open=True),
        el("button", "Close all", type="button", data_close=True),
    ]
    return el(
        "form",
        el("label", "Name contains", search, class_="wide"),
        *choices,
        *(buttons if filters.opens else []),
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
    """The runs of the journal, the oldest first; nothing where there is none."""
    if not history:
        return NOTHING
    return join(el("h2", "Runs of the journal"), el("ol", *map(_moment, history), class_="timeline"))


def _moment(one: Moment) -> Html:
    when = el("time", one.at, datetime=one.at)
    return el("li", when, el("b", f"{one.what}: {one.end}"), el("code", one.id), class_=one.tone or None)


def bullets(title: str, texts: Sequence[str], class_: str = "plain") -> Html:
    """A list under a heading; nothing where there is nothing."""
    if not texts:
        return NOTHING
    return join(
        el("h2", f"{title} ({len(texts):,})"), el("ul", *(el("li", el("code", one)) for one in texts), class_=class_)
    )
