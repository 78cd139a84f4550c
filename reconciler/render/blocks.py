"""One change or finding -> its words: how documents speak of it, and in which order."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.kinds import KINDS
from reconciler.kinds.common import TITLES
from reconciler.model.plan import Action, Change, Direction, FieldChange, Finding, Plan
from reconciler.render.escape import escape
from reconciler.render.style import Style, Tone
from reconciler.render.values import LONGEST_MESSAGE, brief

FEW: Final = 10
"""How many names a list shows that is there for information only."""


@dataclass(frozen=True, slots=True)
class Words:
    """How one document speaks of changes: a plan of what will be, drift of what is."""

    verbs: Mapping[Action, str]
    pair: str
    """For a changed value, with `{before}` and `{after}`."""
    columns: tuple[str, str]
    """The names of the two sides."""
    was: str
    becomes: str
    """Before each side of a long value, which has a line of its own."""
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
    unseen: str
    """For a secret that no answer ever has."""
    made: str
    """For a secret that is not there and is made; with `{places}`, where it is delivered to."""
    left: tuple[str, str]
    """For a value, and for members of a set, that apply leaves as they are; empty where nothing is said of them."""
    gone: str
    """For the secrets and assignments of an object that is deleted; empty where nothing is said of them."""
    waits: str
    """For what a change waits for, with `{wave}`; empty where nothing is said of it."""
    alarm: Direction
    """The direction that gets the mark."""
    mark: str
    marked: frozenset[Action]
    """The actions to whose fields the mark applies."""


PLAN_WORDS: Final = Words(
    verbs={Action.CREATE: "create", Action.UPDATE: "update", Action.DELETE: "delete"},
    pair="{before} -> {after}",
    columns=("Before", "After"),
    was="- ",
    becomes="+ ",
    come="+ ",
    go="- ",
    empty_before="(was empty)",
    empty_after="(becomes empty)",
    cleared="(secret, will be cleared)",
    set="(secret, will be set)",
    unseen="(secret, will be written again)",
    made="(secret, will be made and delivered to {places})",
    left=("", ""),
    gone="(deleted with it)",
    waits="in wave {wave}",
    alarm=Direction.WIDENS,
    mark="[widens]",
    marked=frozenset({Action.CREATE, Action.UPDATE}),
)
DRIFT_WORDS: Final = Words(
    verbs={Action.CREATE: "missing", Action.UPDATE: "differs", Action.DELETE: "still there"},
    pair="live {before}, wanted {after}",
    columns=("Live", "Wanted"),
    was="live    ",
    becomes="wanted  ",
    come="missing ",
    go="surplus ",
    empty_before="(live: empty)",
    empty_after="(wanted: empty)",
    cleared="(secret, has a value where none is wanted)",
    set="(secret, has no value)",
    unseen="(secret, cannot be compared)",
    made="(secret, is missing)",
    left=("(apply leaves it)", "(apply leaves the surplus)"),
    gone="",
    waits="",
    alarm=Direction.NARROWS,  # what the repair narrows is wider than it should be
    mark="[wider than wanted]",
    marked=frozenset({Action.UPDATE}),
)


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


def secret_words(change: Change, field: FieldChange, words: Words) -> str:
    """What becomes of a secret. Setting one where there was none narrows: until then anyone was let in."""
    if any(f"/{intent.field}" == field.pointer and intent.reference is None for intent in change.secrets):
        return words.cleared
    if places := change.deliveries(field.pointer):
        return words.made.format(places=escape(", ".join(map(str, places))))
    if change.action is Action.CREATE or field.direction is Direction.NARROWS:
        return words.set
    kind = KINDS.get(change.address.kind)
    return words.unseen if kind and field.pointer[1:] in kind.write_only_fields else "(secret, differs)"


def named(change: Change) -> str:
    """The address, and the name that people know the object by where the address has only its id."""
    body = change.before or {}
    name = next((body[field] for field in TITLES if isinstance(body.get(field), str)), None)
    address = brief(str(change.address))
    return (
        f"{address} {brief(json.dumps(name, ensure_ascii=False))}" if name and name != change.address.name else address
    )


def unmanaged(plan: Plan, changes: Iterable[Change], drifted: Collection[Change] = ()) -> Iterator[tuple[Change, str]]:
    """Each object in no manifest, by its name, and whether the run is logged in with it, or it is drift."""
    marked = {change.address for change in drifted}
    for change in changes:
        if change.action is Action.UNMANAGED:
            note = " (this run is logged in with it)" if plan.login and change.key == plan.login else ""
            yield change, f"{named(change)}{note}{' (drift)' if change.address in marked else ''}"


def heading(change: Change) -> str:
    """What a change is headed by: its address, and the name besides where the address has only an id."""
    return named(change) if change.is_pruned else brief(str(change.address))


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
        yield f"and {len(names) - FEW} more: --format json has all"


def finding_block(finding: Finding, style: Style) -> Iterator[str]:
    """A guard's objection: its rule and numbers, what it is about, and the fix."""
    yield f"  {style.paint(Tone.ALARM, brief(finding.rule))}: {brief(finding.message, LONGEST_MESSAGE)}"
    if finding.addresses:
        yield f"      about: {', '.join(few([brief(str(address)) for address in finding.addresses]))}"
    final = "" if finding.can_be_acknowledged else " (this one cannot be acknowledged)"
    yield f"      fix: {brief(finding.fix, LONGEST_MESSAGE)}{final}"
