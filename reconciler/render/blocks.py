"""One change or finding -> lines of text: the pieces that the text documents are put together from."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.model.plan import Action, Change, Direction, FieldChange, Finding
from reconciler.model.resource import Address
from reconciler.render.escape import escape
from reconciler.render.style import Style, Tone
from reconciler.render.values import LONGEST_MESSAGE, brief, show, show_member, show_pair

FEW: Final = 10
"""How many names a list shows that is there for information only."""
_WIDEST_NAME: Final = 40
_NAMES: Final = ("AppName", "Name", "Username")
"""Fields by which people know an object whose id says nothing."""


@dataclass(frozen=True, slots=True)
class Words:
    """How one document speaks of changes: a plan of what will be, drift of what is."""

    verbs: Mapping[Action, str]
    pair: str
    """For a changed value, with `{before}` and `{after}`."""
    come: str
    """Before each member that a set lacks."""
    go: str
    """Before each member that a set has too many."""
    empty_before: str
    empty_after: str
    """For a set that has no members at first, or none in the end."""
    cleared: str
    """For a secret that is to have no value."""
    set: str
    """For a secret that has no value yet."""
    made: str
    """For a secret that is not there and is made; with `{places}`, where it is delivered to."""
    alarm: Direction
    """The direction that gets the mark."""
    mark: str
    marked: frozenset[Action]
    """The actions to whose fields the mark applies."""


PLAN_WORDS: Final = Words(
    verbs={Action.CREATE: "create", Action.UPDATE: "update", Action.DELETE: "delete"},
    pair="{before} -> {after}",
    come="+ ",
    go="- ",
    empty_before="(was empty)",
    empty_after="(becomes empty)",
    cleared="(secret, will be cleared)",
    set="(secret, will be set)",
    made="(secret, will be made and delivered to {places})",
    alarm=Direction.WIDENS,
    mark="[widens]",
    marked=frozenset({Action.CREATE, Action.UPDATE}),
)
DRIFT_WORDS: Final = Words(
    verbs={Action.CREATE: "missing", Action.UPDATE: "differs", Action.DELETE: "still there"},
    pair="live {before}, wanted {after}",
    come="missing ",
    go="surplus ",
    empty_before="(live: empty)",
    empty_after="(wanted: empty)",
    cleared="(secret, has a value where none is wanted)",
    set="(secret, has no value)",
    made="(secret, is missing)",
    alarm=Direction.NARROWS,  # what the repair narrows is wider than it should be
    mark="[wider than wanted]",
    marked=frozenset({Action.UPDATE}),
)

Notes: TypeAlias = Mapping[tuple[Address, str], str]
"""Address and JSON pointer, which is empty for the whole -> what else is said there, finished."""
NO_NOTES: Final[Notes] = MappingProxyType({})

_SIGNS: Final = {
    Action.CREATE: ("+", Tone.CREATE),
    Action.UPDATE: ("~", Tone.UPDATE),
    Action.DELETE: ("-", Tone.DELETE),
}


def change_block(change: Change, words: Words, style: Style, notes: Notes = NO_NOTES) -> Iterator[str]:
    """The lines about one resource that a plan writes to."""
    sign, tone = _SIGNS[change.action]
    head = style.paint(tone, f"{sign} {words.verbs[change.action]} {brief(str(change.address))}")
    yield f"{head} ({_identification(change)}){_note(notes, change, '')}"
    if change.action is Action.DELETE:
        yield from _going(change, style)
    else:
        yield from _field_lines(change, words, style, notes)


def _note(notes: Notes, change: Change, at: str) -> str:
    note = notes.get((change.address, at))
    return f"  {note}" if note else ""


def _identification(change: Change) -> str:
    parts = [f"id {brief(change.id)}"] if change.id else ["id not known yet"]
    if change.place:
        parts.append(escape(str(change.place)))
    elif change.is_pruned:
        parts.append("in no manifest")
    if change.protected:
        parts.append("protected")
    return ", ".join(parts)


def _going(change: Change, style: Style) -> Iterator[str]:
    """Everything that a deleted object has, less what is empty or was said already."""
    body = {name: value for name, value in (change.before or {}).items() if value and value != change.id}
    width = _width(body)
    for name, value in body.items():
        yield f"    {brief(name):<{width}}  {style.paint(Tone.DELETE, show(value))}"


def _field_lines(change: Change, words: Words, style: Style, notes: Notes) -> Iterator[str]:
    width = _width(_field_name(field) for field in change.fields)
    for field in fields_in_order(change, words):
        mark = f"  {style.paint(Tone.ALARM, words.mark)}" if is_marked(change, field, words) else ""
        mark += _note(notes, change, field.pointer)
        mark += f"  ({place})" if (place := overlay_of(change, field)) else ""
        name = f"{_field_name(field):<{width}}"
        shown = secret_words(change, field, words) if field.sensitive else _difference(change, field, words)
        yield f"    {name}  {shown}{mark}".rstrip() if shown else f"    {name}{mark}".rstrip()
        for prefix, members, tone in ((words.come, field.added, Tone.CREATE), (words.go, field.removed, Tone.DELETE)):
            for member in members:
                yield "      " + style.paint(tone, f"{prefix}{show_member(member)}")


def overlay_of(change: Change, field: FieldChange) -> str:
    """File and line of a value that is not the manifest's own; else empty."""
    if not (field.place and change.place) or field.place.file == change.place.file:
        return ""
    return escape(f"{field.place.file}:{field.place.line}")


def fields_in_order(change: Change, words: Words) -> list[FieldChange]:
    """The fields of an update as they are shown, those with a mark first; a new object keeps the kind's order."""
    is_new = change.action is Action.CREATE
    return sorted(change.fields, key=lambda field: not (is_new or is_marked(change, field, words)))


def is_marked(change: Change, field: FieldChange, words: Words) -> bool:
    """Whether somebody should look twice at this field."""
    return change.action in words.marked and field.direction is words.alarm


def _field_name(field: FieldChange) -> str:
    return brief(field.pointer.removeprefix("/"))


def _width(names: Iterable[str]) -> int:
    return min(max(map(len, names), default=0), _WIDEST_NAME)


def _difference(change: Change, field: FieldChange, words: Words) -> str:
    if field.added or field.removed:
        return _emptiness(field, words) if change.action is Action.UPDATE else ""
    if change.action is Action.CREATE:
        return show(field.after)
    before, after = show_pair(field.before, field.after)
    return words.pair.format(before=before, after=after)


def _emptiness(field: FieldChange, words: Words) -> str:
    """Which side of a set is empty, if any: an empty list of roles may stand for all of them."""
    if not field.before:
        return words.empty_before
    return "" if field.after else words.empty_after


def secret_words(change: Change, field: FieldChange, words: Words) -> str:
    """What becomes of a secret. Setting one where there was none narrows: until then anyone was let in."""
    if any(f"/{intent.field}" == field.pointer and intent.reference is None for intent in change.secrets):
        return words.cleared
    if places := change.deliveries(field.pointer):
        return words.made.format(places=escape(", ".join(map(str, places))))
    if change.action is Action.CREATE or field.direction is Direction.NARROWS:
        return words.set
    return "(secret, differs)"


def named(change: Change) -> str:
    """The address, and the name that people know the object by where the address has only its id."""
    body = change.before or {}
    name = next((body[field] for field in _NAMES if isinstance(body.get(field), str)), None)
    address = brief(str(change.address))
    return f"{address} {show(name)}" if name and name != change.address.name else address


def in_order(changes: Iterable[Change], words: Words) -> list[Change]:
    """What opens a door first, then what is destroyed, then the rest; within each as they came, by address."""
    return sorted(changes, key=lambda change: _rank(change, words))


def is_alarming(change: Change, words: Words) -> bool:
    """Whether nobody may overlook this change: it widens, or something is destroyed."""
    return _rank(change, words) < _ORDINARY


_ORDINARY: Final = 2


def _rank(change: Change, words: Words) -> int:
    if any(is_marked(change, field, words) for field in change.fields):
        return 0
    return 1 if change.action is Action.DELETE else _ORDINARY


def few(names: Sequence[str]) -> Iterator[str]:
    """The first names, and how many there are besides."""
    yield from names[:FEW]
    if len(names) > FEW:
        yield f"and {len(names) - FEW} more"


def finding_block(finding: Finding, style: Style) -> Iterator[str]:
    """A guard's objection: its rule and numbers, whom it is about, and the way out."""
    yield f"  {style.paint(Tone.ALARM, brief(finding.rule))}: {brief(finding.message, LONGEST_MESSAGE)}"
    if finding.addresses:
        yield f"      about: {', '.join(few([brief(str(address)) for address in finding.addresses]))}"
    final = "" if finding.can_be_acknowledged else " (this one cannot be acknowledged)"
    yield f"      way out: {brief(finding.way_out, LONGEST_MESSAGE)}{final}"
