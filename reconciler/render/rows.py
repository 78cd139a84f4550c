"""One change -> its fields, ready to be laid out: what Markdown, HTML and annotations show of it.

Every text here has been through `escape`: it is one line of visible characters, and means nothing to a terminal or a CI
log. What it may mean to the format that shows it is that format's own business.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from reconciler.model.json import Absent
from reconciler.model.plan import Action, Change, Direction, FieldChange
from reconciler.render.blocks import Words, fields_in_order, is_marked, overlay_of, secret_words
from reconciler.render.values import NOT_SET, brief, show, show_member, show_pair


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a change."""

    name: str
    before: str = ""
    """Empty where there is nothing to show on this side."""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Members of a set; then both sides are empty."""
    note: str = ""
    """What is said in place of values, or besides them."""
    side: str = ""
    """Who moved, where that is known."""
    place: str = ""
    """The overlay that sets the value, where one does."""
    is_alarming: bool = False
    direction: Direction = Direction.NEUTRAL


_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def rows(change: Change, words: Words, sides: Mapping[str, str] = _NOBODY) -> Iterator[Row]:
    """The fields of a change; of a deleted object, all that it has. `sides` has who moved, by JSON pointer."""
    if change.action in {Action.DELETE, Action.UNMANAGED}:
        yield from _whole(change)
    else:
        for field in fields_in_order(change, words):
            place = overlay_of(change, field)
            yield replace(_row(change, field, words), side=sides.get(field.pointer, ""), place=place)


def _whole(change: Change) -> Iterator[Row]:
    for name, value in (change.before or {}).items():
        if value and value != change.id:
            yield Row(brief(name), before=show(value))


def _row(change: Change, field: FieldChange, words: Words) -> Row:
    name, alarming = brief(field.pointer.removeprefix("/")), is_marked(change, field, words)
    if field.sensitive:
        note = secret_words(change, field, words)
        return Row(name, note=note, is_alarming=alarming, direction=field.direction)
    if field.added or field.removed:
        added, removed = (tuple(map(show_member, members)) for members in (field.added, field.removed))
        note = _emptiness(change, field)
        return Row(name, added=added, removed=removed, note=note, is_alarming=alarming, direction=field.direction)
    before, after = _sides(field)
    return Row(name, before, after, is_alarming=alarming, direction=field.direction)


def _sides(field: FieldChange) -> tuple[str, str]:
    if isinstance(field.before, Absent):
        return "", show(field.after)
    if isinstance(field.after, Absent):
        return show(field.before), ""
    return show_pair(field.before, field.after)


def _emptiness(change: Change, field: FieldChange) -> str:
    """Which side of a set is empty, if any: an empty list of roles may stand for all of them."""
    if change.action is not Action.UPDATE:
        return ""
    return "was empty" if not field.before else "" if field.after else "becomes empty"


def line(row: Row, words: Words) -> str:
    """One field in one line."""
    members = [f"{words.come}{member}" for member in row.added] + [f"{words.go}{member}" for member in row.removed]
    sides = words.pair.format(before=row.before or NOT_SET, after=row.after or NOT_SET)
    shown = ", ".join(members) or (row.note or sides)
    return f"{row.name}: {shown}{f'  {words.mark}' if row.is_alarming else ''}{f'  [{row.side}]' if row.side else ''}"
