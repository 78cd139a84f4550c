"""Values of fields -> escaped text, always whole; and every leaf in which two structures differ.

Leaves are not left to deepdiff, which takes ``true`` in a list for ``1``, finds no moved member, and is ten times
slower, which would make documents of a thousand changes slower by as much.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Final, TypeAlias

from reconciler.model.dataclass import dataclass
from reconciler.model.json import ABSENT, Absent, Json, canonical_text, is_array, same, with_whole_numbers
from reconciler.render.escape import escape

LONG: Final = 80
"""A value with more characters gets a line of its own."""
_CONTEXT: Final = 20
"""How many characters around a difference are shown."""
_MOST_WORDS: Final = 200
"""Texts that differ in more words than that, as they stand, are compared as one piece: the time grows as the square."""
_MOST_DIFFERENT: Final = 0.7
"""A summary of the differences that is longer than this part of both values says no more than they do."""
NOT_SET: Final = "(not set)"
LONGEST_NAME: Final = 120
"""How many characters of a name in a heading are shown: ids and files are as long as somebody made them."""
LONGEST_MESSAGE: Final = 2000
_COMPACT: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True)
_BARE_MEMBER: Final = re.compile(r"[A-Za-z][\w.-]*", re.ASCII)
_WORDS: Final = re.compile(r"\w+|\W")


def show(value: Json | Absent) -> str:
    """One value as compact JSON."""
    return escape(_text(value))


def brief(text: str, longest: int = LONGEST_NAME) -> str:
    """A name or a message, escaped, shortened with a note on its length."""
    if len(text) <= longest:
        return escape(text)
    return f"{escape(f'{text[:longest]}...')} ({len(text)} characters)"


def show_member(value: Json) -> str:
    """A member of a set: a plain name goes without quotation marks."""
    return value if isinstance(value, str) and _BARE_MEMBER.fullmatch(value) else show(value)


def differences(before: Json | Absent, after: Json | Absent) -> str:
    """Where two long texts differ, as ``git diff --word-diff`` shows it: each difference with what stands around it.

    Empty for other values, and for texts that have little in common.
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
    """What both begin with."""
    known, beyond = 0, min(len(one), len(other)) + 1
    while beyond - known > 1:
        middle = (known + beyond) // 2
        known, beyond = (middle, beyond) if one[known:middle] == other[known:middle] else (known, middle)
    return one[:known]


def _changes(old: list[str], new: list[str]) -> list[tuple[str, str, str]]:
    """What is the same, what goes after it, what comes in its place."""
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
    """What both have in common, less what is further than that from the difference before it and the one after it."""
    return text if len(text) <= before + after else f"{text[:before]}...{text[len(text) - after :]}"


Path: TypeAlias = tuple[str | int, ...]
_MOST_MEMBERS: Final = 1_000
"""Longer lists are compared by index: the time for finding what was inserted grows as the square."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an empty structure that differs, or a member of a list that has moved."""

    path: Path
    """Keys and indices: those of `after`; of what has gone, those of `before`."""
    before: Json | Absent
    after: Json | Absent
    moved_from: int | None = None
    """The index that a member of a list had before; both sides are then the whole member."""


def leaves(before: Json | Absent, after: Json | Absent) -> list[Leaf]:
    """Give all differences of two values that differ. What is on one side only differs in all its leaves.

    Members of an object are sorted: a saved plan has no other order.
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
    """What has moved is shown as that; the members that are left in one place are compared with each other."""
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
"""Index before and after; None: it is not there."""


def _places(old: Sequence[str], new: Sequence[str]) -> Iterator[_Place]:
    """Which members stand in one place, where that does not go without saying."""
    if max(len(old), len(new)) > _MOST_MEMBERS:
        yield from zip_longest(range(len(old)), range(len(new)))
        return
    for tag, begin, end, first, last in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield from zip_longest(range(begin, end), range(first, last))


def _moves(old: Sequence[str], new: Sequence[str], places: Sequence[_Place]) -> dict[int, int]:
    """Index after -> index before, of the members that are in another place."""
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
    """All leaves of one value; an empty structure is one."""
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
