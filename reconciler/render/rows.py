"""One change -> its fields as rows, which all formats for people show; values as escaped text, always whole.

Every text here is escaped with `escape`: one line of visible characters, safe for terminals and CI logs. Formats escape
it for their own syntax. No value is shortened here.

Leaves are not compared with deepdiff, which equates ``true`` in a list with ``1``, does not detect moved members, and
is ten times slower.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import zip_longest
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.kinds import KINDS
from reconciler.kinds.common import TITLES
from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Absent, Json, canonical_text, is_array, pointer, same, with_whole_numbers
from reconciler.model.plan import Action, Change, FieldChange
from reconciler.render.escape import escape
from reconciler.render.wording import Words, is_marked, secret_words


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a change, or one leaf of a field that is a structure."""

    name: str
    before: str = ""
    """Empty if there is nothing to show on this side."""
    after: str = ""
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """Members of a set; then both sides are empty."""
    differences: str = ""
    """The differences of two long values, which are shown as well."""
    note: str = ""
    """A note in place of values, or in addition."""
    side: str = ""
    """Which side changed, if known."""
    place: str = ""
    """The overlay that sets the value, if any."""
    is_alarming: bool = False

    @property
    def is_long(self) -> bool:
        """Whether its values need their own lines."""
        return max(len(self.before), len(self.after)) > LONG


def rows(change: Change, words: Words, sides: Mapping[str, str] = MappingProxyType({})) -> Iterator[Row]:
    """The fields of a change; of a deleted object, all fields. `sides`: JSON pointer -> which side changed."""
    if change.action in {Action.DELETE, Action.UNMANAGED}:
        yield from _whole(change, words)
    else:
        yield from _fields(change, words, sides)
    if change.depends_on and words.waits:
        awaited = ", ".join(escape(str(address)) for address in change.depends_on)
        yield Row("waits for", note=f"{awaited}, {words.waits.format(wave=change.wave)}")


def _fields(change: Change, words: Words, sides: Mapping[str, str]) -> Iterator[Row]:
    """Marked fields come first; a new object keeps the order of the kind."""
    is_new = change.action is Action.CREATE
    for field in sorted(change.fields, key=lambda field: not (is_new or is_marked(change, field, words))):
        side, place = sides.get(field.pointer, ""), _overlay_of(change, field)
        for row in _of_field(change, field, words):
            yield replace(row, side=side, place=place) if side or place else row


def _overlay_of(change: Change, field: FieldChange) -> str:
    """File and line of a value from an overlay; else empty."""
    if not (field.place and change.place) or field.place.file == change.place.file:
        return ""
    return escape(f"{field.place.file}:{field.place.line}")


def _whole(change: Change, words: Words) -> Iterator[Row]:
    """All non-empty fields of the object; without the ID of an unmanaged object, which is in its address.

    The name comes first, the rest is sorted: a saved plan does not keep the order of the service.
    """
    for name, value in sorted((change.before or {}).items(), key=lambda item: (item[0] not in TITLES, item[0])):
        for leaf in leaves(value, ABSENT):
            if leaf.before not in (None, "", [], {}) and (name != "ID" or change.action is Action.DELETE):
                yield Row(_leaf_name(_name(pointer(name)), leaf), show(leaf.before))
    if change.action is Action.DELETE and words.gone and (others := _deleted_with_it(change)):
        yield Row(others, note=words.gone)


def _deleted_with_it(change: Change) -> str:
    """Parts of the object that are not in its body, such as secrets."""
    kind, body = KINDS.get(change.address.kind), change.before or {}
    if kind is None:
        return ""
    secrets = kind.named_secrets or any(kind.may_have(one, body) for one in kind.secret_rows)
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
        for leaf in leaves(field.before, field.after):
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


def _name(at: str) -> str:
    return escape(at.removeprefix("/"))


def _emptiness(change: Change, field: FieldChange, words: Words) -> str:
    """Which side of a set is empty, if any: an empty list of roles may mean all roles."""
    if change.action is not Action.UPDATE:
        return ""
    return words.empty_before if not field.before else "" if field.after else words.empty_after


def outcome_rows(fields: Iterable[FieldChange]) -> Iterator[Row]:
    """The fields that the service did not keep: `before` was sent, `after` is live."""
    for field in fields:
        if field.sensitive:
            yield Row(_name(field.pointer), note="(secret, differs from the live value)")
        else:
            yield from (_of_leaf(_name(field.pointer), leaf) for leaf in leaves(field.before, field.after))


def line(row: Row, words: Words) -> str:
    """One field in one line."""
    members = [f"{words.come}{member}" for member in row.added] + [f"{words.go}{member}" for member in row.removed]
    shown = ", ".join(members) or pair(row, words.pair)
    notes = (shown, row.note, words.mark if row.is_alarming else "", f"[{row.side}]" if row.side else "")
    return f"{row.name}: {'  '.join(filter(None, notes))}"


def pair(row: Row, form: str) -> str:
    """Both sides of a value; of a moved member, the member."""
    if (row.note and not row.before) or not (row.before or row.after):
        return row.after
    return form.format(before=row.before or NOT_SET, after=row.after or NOT_SET)


# ---------------------------------------------------------------------------------------------------- values

LONG: Final = 80
"""A value with more characters gets its own line."""
_CONTEXT: Final = 20
"""How many characters around a difference are shown."""
_MOST_WORDS: Final = 200
"""Texts that differ in more words are compared as a whole: the time grows quadratically."""
_MOST_DIFFERENT: Final = 0.7
"""A summary of differences that is longer than this fraction of both values is not shown."""
NOT_SET: Final = "(not set)"
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_BARE_MEMBER: Final = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_WORDS: Final = re.compile(r"\w+|\W")


def show(value: Json | Absent) -> str:
    """One value as compact JSON."""
    return escape(_text(value))


def show_member(value: Json) -> str:
    """A member of a set; a plain name has no quotation marks."""
    return value if isinstance(value, str) and _BARE_MEMBER.fullmatch(value) else show(value)


def differences(before: Json | Absent, after: Json | Absent) -> str:
    """The differences of two long texts as in ``git diff --word-diff``, each with its context.

    Empty for other values, and for texts with little in common.
    """
    if not (isinstance(before, str) and isinstance(after, str)) or max(len(before), len(after)) <= LONG:
        return ""
    shown = _word_diff(_text(before), _text(after))
    return escape(shown) if len(shown) < _MOST_DIFFERENT * (len(before) + len(after)) else ""


def _text(value: Json | Absent) -> str:
    if isinstance(value, Absent):
        return NOT_SET
    return _COMPACT.encode(value)


def _word_diff(before: str, after: str) -> str:
    head = _beginning(before, after)
    old, new = before[len(head) :], after[len(head) :]
    tail = _beginning(old[::-1], new[::-1])[::-1]
    old, new = old.removesuffix(tail), new.removesuffix(tail)
    pieces = [_around(head, before=0)]
    for kept, gone, come in _changes(_WORDS.findall(old), _WORDS.findall(new)):
        pieces += [_around(kept), f"[-{gone}-]" if gone else "", f"{{+{come}+}}" if come else ""]
    return "".join([*pieces, _around(tail, after=0)])


def _beginning(one: str, other: str) -> str:
    """The common prefix."""
    known, beyond = 0, min(len(one), len(other)) + 1
    while beyond - known > 1:
        middle = (known + beyond) // 2
        known, beyond = (middle, beyond) if one[known:middle] == other[known:middle] else (known, middle)
    return one[:known]


def _changes(old: list[str], new: list[str]) -> list[tuple[str, str, str]]:
    """Yield equal text, and the removed and added text after it."""
    if max(len(old), len(new)) > _MOST_WORDS:
        return [("", "".join(old), "".join(new))]
    found, same = [], ""
    for tag, begin, end, first, last in SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal":
            same = "".join(old[begin:end])
        else:
            found.append((same, "".join(old[begin:end]), "".join(new[first:last])))
            same = ""
    return found


def _around(text: str, before: int = _CONTEXT, after: int = _CONTEXT) -> str:
    """Equal text, without characters further than that from the differences before and after it."""
    return text if len(text) <= before + after else f"{text[:before]}...{text[len(text) - after :]}"


Path: TypeAlias = tuple[str | int, ...]
_MOST_MEMBERS: Final = 1_000
"""Longer lists are compared by index: the time for finding insertions grows quadratically."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an empty structure that differs, or a moved member of a list."""

    path: Path
    """Keys and indices in `after`; of a removed leaf, in `before`."""
    before: Json | Absent
    after: Json | Absent
    moved_from: int | None = None
    """The former index of a moved member; both sides are then the whole member."""


def leaves(before: Json | Absent, after: Json | Absent) -> list[Leaf]:
    """Return all differences of two values. A value on one side only differs in all its leaves.

    Members of an object are sorted, as in a saved plan.
    """
    if type(before) in _SCALARS and type(after) in _SCALARS:  # most fields; see `same`
        return [Leaf((), before, after)]
    return list(_leaves(before, after, (), ()))


_SCALARS: Final = frozenset({str, int, float, bool, type(None)})


def _leaves(before: Json | Absent, after: Json | Absent, was_at: Path, is_at: Path) -> Iterator[Leaf]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in sorted({*before, *after}):
            old, new = before.get(key, ABSENT), after.get(key, ABSENT)
            if not same(old, new):
                yield from _leaves(old, new, (*was_at, key), (*is_at, key))
    elif is_array(before) and is_array(after):
        yield from _of_lists(before, after, was_at, is_at)
    elif _is_structure(before) or _is_structure(after):
        yield from (Leaf(path, value, ABSENT) for path, value in _ends(before, was_at))
        yield from (Leaf(path, ABSENT, value) for path, value in _ends(after, is_at))
    else:
        yield Leaf(was_at if isinstance(after, Absent) else is_at, before, after)


def _of_lists(before: Sequence[Json], after: Sequence[Json], was_at: Path, is_at: Path) -> Iterator[Leaf]:
    """Moved members are shown as moved; members that remain in one place are compared."""
    old, new = list(map(_leaf_text, before)), list(map(_leaf_text, after))
    places = [(was, becomes) for was, becomes in _places(old, new) if _at(old, was) != _at(new, becomes)]
    moves = _moves(old, new, places)
    sources = set(moves.values())
    for was, becomes in places:
        source = moves.get(becomes) if becomes is not None else None
        if becomes is not None and source is not None:
            yield Leaf((*is_at, becomes), after[becomes], after[becomes], source)
        gone = ABSENT if was is None or was in sources else before[was]
        come = ABSENT if becomes is None or source is not None else after[becomes]
        if not (isinstance(gone, Absent) and isinstance(come, Absent)):
            yield from _leaves(gone, come, (*was_at, was or 0), (*is_at, becomes or 0))


_Place: TypeAlias = tuple[int | None, int | None]
"""Index before and after; None: absent."""


def _places(old: Sequence[str], new: Sequence[str]) -> Iterator[_Place]:
    """Pair the members of both lists."""
    if max(len(old), len(new)) > _MOST_MEMBERS:
        yield from zip_longest(range(len(old)), range(len(new)))
        return
    for tag, begin, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from zip_longest(range(begin, end), range(first, last))


def _moves(old: Sequence[str], new: Sequence[str], places: Sequence[_Place]) -> dict[int, int]:
    """Index after -> index before, of moved members."""
    gone: dict[str, list[int]] = {}
    for was, _ in reversed(places):
        if was is not None:
            gone.setdefault(old[was], []).append(was)
    return {is_: gone[new[is_]].pop() for _, is_ in places if is_ is not None and gone.get(new[is_])}


def _at(texts: Sequence[str], index: int | None) -> str | None:
    return None if index is None else texts[index]


def _leaf_text(value: Json) -> str:
    return canonical_text(with_whole_numbers(value))


def _ends(value: Json | Absent, at: Path) -> Iterator[tuple[Path, Json]]:
    """All leaves of a value; an empty structure is a leaf."""
    if isinstance(value, Absent):
        return
    children: Sequence[tuple[str | int, Json]] = ()
    if isinstance(value, Mapping):
        children = sorted(value.items())
    elif is_array(value):
        children = list(enumerate(value))
    if not children:
        yield at, value
    for key, child in children:
        yield from _ends(child, (*at, key))


def _is_structure(value: Json | Absent) -> bool:
    return isinstance(value, Mapping) or is_array(value)
