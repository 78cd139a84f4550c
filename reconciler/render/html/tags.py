"""Text and attributes -> HTML in which nothing but our own tags is markup."""

from html import escape as in_html
from typing import TypeAlias

from reconciler.render.escape import escape

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
