"""Two JSON values -> every leaf in which they differ. The home of deepdiff, which takes 0.1 s to import.

Deepdiff is given scalars and the members of lists as their canonical texts: it takes ``true`` in a list for ``1``, and
it compares objects in a list by index alone, so that one insertion would change everything after it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from reconciler.model.json import ABSENT, Absent, Json, canonical_text, is_array, with_whole_numbers

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Leaf:
    """A scalar or an empty structure that differs, or a member of a list that has moved."""

    path: Path
    """Keys and indices: those of `after`; of what has gone, those of `before`."""
    before: Json | Absent
    after: Json | Absent
    moved_from: int | None = None
    """The index that a member of a list had before; both sides are then the whole member."""


@dataclass(frozen=True, slots=True)
class _Pair:
    """What deepdiff has found: a value that has gone, one that has come, or one in place of another."""

    was_at: Path
    before: Json | Absent
    is_at: Path
    after: Json | Absent


def leaves(before: Json | Absent, after: Json | Absent) -> list[Leaf]:
    """Give all differences of two values that differ. What is on one side only differs in all its leaves."""
    return list(_leaves(_Pair((), before, (), after)))


def differing_paths(before: Mapping[str, Json], after: Mapping[str, Json]) -> set[tuple[str, ...]]:
    """The shortest paths at which two objects differ. A list counts as one value."""
    return {_above_lists(pair.was_at) for pair in _pairs(before, after)}


def _leaves(pair: _Pair) -> Iterator[Leaf]:
    before, after = pair.before, pair.after
    if _are_alike(before, after):
        yield from _compared(pair)
    elif _is_structure(before) or _is_structure(after):
        yield from (Leaf(path, value, ABSENT) for path, value in _ends(before, pair.was_at))
        yield from (Leaf(path, ABSENT, value) for path, value in _ends(after, pair.is_at))
    else:
        yield Leaf(pair.was_at if isinstance(after, Absent) else pair.is_at, before, after)


def _compared(whole: _Pair) -> Iterator[Leaf]:
    """The leaves of two objects or two lists."""
    pairs = _pairs(whole.before, whole.after)
    moves = _moves(pairs)
    sources = set(moves.values())
    for pair in pairs:
        before, after = pair.before, pair.after
        is_at = (*whole.is_at, *pair.is_at)
        if not isinstance(after, Absent) and pair.is_at in moves:
            index = moves[pair.is_at][-1]
            yield Leaf(is_at, after, after, index if isinstance(index, int) else None)
            after = ABSENT
        if pair.was_at in sources:
            before = ABSENT
        if not (isinstance(before, Absent) and isinstance(after, Absent)):
            yield from _leaves(_Pair((*whole.was_at, *pair.was_at), before, is_at, after))


def _moves(pairs: Sequence[_Pair]) -> dict[Path, Path]:
    """Where each member of a list is -> where it was; only those that are in another place of the same list."""
    gone: dict[tuple[Path, str], list[Path]] = {}
    for pair in pairs:
        if _is_member(pair.was_at) and not isinstance(pair.before, Absent):
            gone.setdefault((pair.was_at[:-1], _text(pair.before)), []).append(pair.was_at)
    moves: dict[Path, Path] = {}
    for pair in pairs:
        if _is_member(pair.is_at) and not isinstance(pair.after, Absent):
            known = gone.get((pair.is_at[:-1], _text(pair.after)))
            if known:
                moves[pair.is_at] = known.pop(0)
    return moves


def _pairs(before: Json | Absent, after: Json | Absent) -> list[_Pair]:
    """What deepdiff finds, in the order of the paths; lists are compared member by member, not looked into."""
    from deepdiff import DeepDiff  # noqa: PLC0415  # slow to import, and most runs find no difference
    from deepdiff.helper import notpresent  # noqa: PLC0415

    found = DeepDiff(
        _comparable(before),
        _comparable(after),
        view="tree",
        threshold_to_diff_deeper=0,  # else two quite different objects count as one change of the root
        ignore_private_variables=False,  # else keys that begin with "__" are never looked at
    )
    pairs = []
    for level in (level for levels in found.values() for level in levels):
        was_at, is_at = (tuple(level.path(output_format="list", use_t2=second)) for second in (False, True))
        old = ABSENT if level.t1 is notpresent else _at(before, was_at)
        new = ABSENT if level.t2 is notpresent else _at(after, is_at)
        pairs.append(_Pair(was_at, old, is_at, new))
    return sorted(pairs, key=lambda pair: [_rank(part) for part in pair.is_at])


def _comparable(value: Json | Absent) -> object:
    if isinstance(value, Mapping):
        return {key: _comparable(child) for key, child in value.items()}
    return [_text(member) for member in value] if is_array(value) else _text(value)


def _text(value: Json | Absent) -> str:
    return "" if isinstance(value, Absent) else canonical_text(with_whole_numbers(value))


def _rank(part: str | int) -> tuple[int, str]:
    return (part, "") if isinstance(part, int) else (0, part)


def _at(value: Json | Absent, path: Path) -> Json | Absent:
    for part in path:
        value = value[part]  # type: ignore[index]  # deepdiff has just been there
    return value


def _ends(value: Json | Absent, at: Path) -> Iterator[tuple[Path, Json]]:
    """All leaves of one value; an empty structure is one."""
    if isinstance(value, Absent):
        return
    children: Sequence[tuple[str | int, Json]] = ()
    if isinstance(value, Mapping):
        children = list(value.items())
    elif is_array(value):
        children = list(enumerate(value))
    if not children:
        yield at, value
    for key, child in children:
        yield from _ends(child, (*at, key))


def _is_structure(value: Json | Absent) -> bool:
    return isinstance(value, Mapping) or is_array(value)


def _are_alike(before: Json | Absent, after: Json | Absent) -> bool:
    """Whether both are objects, or both are lists."""
    return is_array(before) if is_array(after) else isinstance(before, Mapping) and isinstance(after, Mapping)


def _is_member(path: Path) -> bool:
    return bool(path) and isinstance(path[-1], int)


def _above_lists(path: Path) -> tuple[str, ...]:
    """The path, cut off before the first index."""
    keys: list[str] = []
    for part in path:
        if isinstance(part, int):
            break
        keys.append(part)
    return tuple(keys)
