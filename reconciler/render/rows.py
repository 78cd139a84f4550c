"""One change -> its fields as rows, which all formats for people show, and as lines of text.

Every text here has been through `escape`: it is one line of visible characters, and means nothing to a terminal or a CI
log. What it may mean to the format that shows it is that format's own business. No value is ever shortened here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from reconciler.kinds import KINDS
from reconciler.kinds.common import TITLES
from reconciler.kinds.secrecy import may_have
from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Side
from reconciler.model.json import ABSENT, Absent, Json, pointer
from reconciler.model.plan import Action, Change, FieldChange
from reconciler.render.escape import escape
from reconciler.render.style import Style, Tone
from reconciler.render.values import LONG, NOT_SET, brief, differences, show, show_member
from reconciler.render.wording import SIDE_WORDS, Words, fields_in_order, heading, is_marked, overlay_of, secret_words

if TYPE_CHECKING:
    from reconciler.render.values import Leaf


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a change, or one leaf of a field that is a structure."""

    name: str
    before: str = ""
    """Empty where there is nothing to show on this side."""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Members of a set; then both sides are empty."""
    differences: str = ""
    """Where two long values differ; both are shown besides."""
    note: str = ""
    """What is said in place of values, or besides them."""
    side: str = ""
    """Who moved, where that is known."""
    place: str = ""
    """The overlay that sets the value, where one does."""
    is_alarming: bool = False

    @property
    def is_long(self) -> bool:
        """Whether its values need a line each."""
        return max(len(self.before), len(self.after)) > LONG


_NOBODY: Final[Mapping[str, str]] = MappingProxyType({})


def rows(change: Change, words: Words, sides: Mapping[str, str] = _NOBODY) -> Iterator[Row]:
    """The fields of a change; of a deleted object, all that it has. `sides` has who moved, by JSON pointer."""
    if change.action in {Action.DELETE, Action.UNMANAGED}:
        yield from _whole(change, words)
    else:
        yield from _fields(change, words, sides)
    if change.depends_on and words.waits:
        awaited = ", ".join(escape(str(address)) for address in change.depends_on)
        yield Row("waits for", note=f"{awaited}, {words.waits.format(wave=change.wave)}")


def _fields(change: Change, words: Words, sides: Mapping[str, str]) -> Iterator[Row]:
    for field in fields_in_order(change, words):
        side, place = sides.get(field.pointer, ""), overlay_of(change, field)
        for row in _of_field(change, field, words):
            yield replace(row, side=side, place=place) if side or place else row


def _whole(change: Change, words: Words) -> Iterator[Row]:
    """Everything that the object has, less what is empty, and the ID of what is unmanaged, whose address has it.

    Its name comes first, the rest is sorted: a saved plan does not keep the order of the service.
    """
    for name, value in sorted((change.before or {}).items(), key=lambda item: (item[0] not in TITLES, item[0])):
        for leaf in _leaves(value, ABSENT):
            if leaf.before not in (None, "", [], {}) and (name != "ID" or change.action is Action.DELETE):
                yield Row(_leaf_name(_name(pointer(name)), leaf), show(leaf.before))
    if change.action is Action.DELETE and words.gone and (beside := _beside(change)):
        yield Row(beside, note=words.gone)


def _beside(change: Change) -> str:
    """What the object may have that its body does not show."""
    kind, body = KINDS.get(change.address.kind), change.before or {}
    if kind is None:
        return ""
    secrets = kind.named_secrets or any(may_have(path, row, body) for path, row in kind.secret_rows.items())
    return " and ".join([*["secrets"] * bool(secrets), *["assignments"] * bool(kind.assignments)])


def _of_field(change: Change, field: FieldChange, words: Words) -> Iterator[Row]:
    name, marked = _name(field.pointer), is_marked(change, field, words)
    if field.sensitive:
        yield Row(name, note=secret_words(change, field, words), is_alarming=marked)
    elif field.added or field.removed:
        added, removed = (tuple(map(show_member, members)) for members in (field.added, field.removed))
        notes = (_emptiness(change, field, words), words.left[1] if field.is_left else "")
        yield Row(name, "", "", added, removed, note="  ".join(filter(None, notes)), is_alarming=marked)
    else:
        for leaf in _leaves(field.before, field.after):
            row = _of_leaf(name, leaf, is_alarming=marked)
            yield replace(row, note=words.left[0]) if field.is_left else row


def _of_leaf(field: str, leaf: "Leaf", *, is_alarming: bool = False) -> Row:
    name = _leaf_name(field, leaf)
    if leaf.moved_from is not None:
        return Row(name, after=show(leaf.after), note=f"(moved from {leaf.moved_from})", is_alarming=is_alarming)
    before, after = leaf.before, leaf.after
    return Row(
        name,
        "" if isinstance(before, Absent) else show(before),
        "" if isinstance(after, Absent) else show(after),
        differences=differences(before, after),
        is_alarming=is_alarming,
    )


def _leaf_name(field: str, leaf: "Leaf") -> str:
    return f"{field}{escape(pointer(*leaf.path))}" if leaf.path else field


def _leaves(before: Json | Absent, after: Json | Absent) -> "Iterable[Leaf]":
    from reconciler.render.values import leaves  # noqa: PLC0415  # not every document has a structure

    return leaves(before, after)


def _name(at: str) -> str:
    return escape(at.removeprefix("/"))


def _emptiness(change: Change, field: FieldChange, words: Words) -> str:
    """Which side of a set is empty, if any: an empty list of roles may stand for all of them."""
    if change.action is not Action.UPDATE:
        return ""
    return words.empty_before if not field.before else "" if field.after else words.empty_after


def outcome_rows(fields: Iterable[FieldChange]) -> Iterator[Row]:
    """The fields that the service did not keep: `before` is what was sent, `after` what it holds."""
    for field in fields:
        if field.sensitive:
            yield Row(_name(field.pointer), note="(secret, the service holds another one)")
        else:
            yield from (_of_leaf(_name(field.pointer), leaf) for leaf in _leaves(field.before, field.after))


def line(row: Row, words: Words) -> str:
    """One field in one line."""
    members = [f"{words.come}{member}" for member in row.added] + [f"{words.go}{member}" for member in row.removed]
    shown = ", ".join(members) or pair(row, words.pair)
    notes = (shown, row.note, words.mark if row.is_alarming else "", f"[{row.side}]" if row.side else "")
    return f"{row.name}: {'  '.join(filter(None, notes))}"


def pair(row: Row, form: str) -> str:
    """Both sides of a value, where there are any; of a member that has moved, the member."""
    if (row.note and not row.before) or not (row.before or row.after):
        return row.after
    return form.format(before=row.before or NOT_SET, after=row.after or NOT_SET)


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
        said = [_text_value(row, words, style, action), row.note, mark, said_of(row.side, style)]
        said.append(f"({row.place})" if row.place else "")
        yield "  ".join([f"    {row.name:<{width}}", *filter(None, said)]).rstrip()
        yield from _besides(row, words, style, action)


def _text_value(row: Row, words: Words, style: Style, action: Action) -> str:
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
