"""One change -> lines of text."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from reconciler.model.drift import Side
from reconciler.model.plan import Action, Change
from reconciler.render.blocks import Words, heading
from reconciler.render.escape import escape
from reconciler.render.rows import Row, pair, rows
from reconciler.render.style import Style, Tone
from reconciler.render.titles import SIDE_WORDS
from reconciler.render.values import brief

_WIDEST_NAME: Final = 40
_SIGNS: Final = {
    Action.CREATE: ("+", Tone.CREATE),
    Action.UPDATE: ("~", Tone.UPDATE),
    Action.DELETE: ("-", Tone.DELETE),
}


def change_block(change: Change, words: Words, style: Style, sides: Mapping[str, str]) -> Iterator[str]:
    """The lines about one resource that a plan writes to. `sides` has who moved, by JSON pointer."""
    sign, tone = _SIGNS[change.action]
    head = style.paint(tone, f"{sign} {words.verbs[change.action]} {heading(change)}")
    yield "  ".join(filter(None, [f"{head} ({_identification(change)})", said_of(sides.get("", ""), style)]))
    yield from row_lines(rows(change, words, sides), words, style, change.action)


def said_of(side: str, style: Style) -> str:
    """Who moved, as it is said at the end of a line."""
    tone = Tone.QUIET if side == SIDE_WORDS[Side.GIT_AHEAD] else Tone.ALARM
    return style.paint(tone, f"[{side}]") if side else ""


def _identification(change: Change) -> str:
    parts = [f"id {brief(change.id)}"] if change.id else ["id known after apply"]
    if change.place:
        parts.append(escape(str(change.place)))
    elif change.is_pruned:
        parts.append("in no manifest")
    if change.protected:
        parts.append("protected")
    return ", ".join(parts)


def row_lines(found: Iterable[Row], words: Words, style: Style, action: Action) -> Iterator[str]:
    """A line for each field or leaf, a line besides for each member of a set and for each side of a long value."""
    shown = list(found)
    width = min(max((len(row.name) for row in shown), default=0), _WIDEST_NAME)
    for row in shown:
        mark = style.paint(Tone.ALARM, words.mark) if row.is_alarming else ""
        said = [_value(row, words, style, action), row.note, mark, said_of(row.side, style)]
        said.append(f"({row.place})" if row.place else "")
        yield "  ".join([f"    {row.name:<{width}}", *filter(None, said)]).rstrip()
        yield from _besides(row, words, style, action)


def _value(row: Row, words: Words, style: Style, action: Action) -> str:
    match action:
        case Action.CREATE:
            return row.after
        case Action.DELETE:
            return style.paint(Tone.DELETE, row.before)
        case _:
            return row.differences if row.is_long else pair(row, words.pair)


def _besides(row: Row, words: Words, style: Style, action: Action) -> Iterator[str]:
    for prefix, members, tone in ((words.come, row.added, Tone.CREATE), (words.go, row.removed, Tone.DELETE)):
        yield from (f"      {style.paint(tone, f'{prefix}{member}')}" for member in members)
    if row.is_long and action is Action.UPDATE:
        for prefix, side, tone in ((words.was, row.before, Tone.DELETE), (words.becomes, row.after, Tone.CREATE)):
            if side:
                yield f"      {style.paint(tone, f'{prefix}{side}')}"
