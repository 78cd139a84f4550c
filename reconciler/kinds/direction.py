"""Two canonical values of a field -> whether the change widens access, or narrows it.

Swapping the two values flips the result, unless neither side contains the other: such an exchange grants
something new, and is widening in both directions.
"""

import math
from collections.abc import Callable, Mapping
from typing import TypeAlias

from reconciler.model.json import Json, is_array
from reconciler.model.plan import Direction, host_of

DirectionOf: TypeAlias = Callable[[Json, Json], Direction]
"""The direction of a change from one canonical value to another."""


def neutral(_before: Json, _after: Json) -> Direction:
    """The field does not affect access."""
    return Direction.NEUTRAL


def _members(value: Json) -> frozenset[Json]:
    return frozenset(value) if is_array(value) else frozenset()


def grows(before: Json, after: Json) -> Direction:
    """A flag that grants access, or a duration: more is wider."""
    old, new = int(before or 0), int(after or 0)  # type: ignore[arg-type]  # such fields are booleans and integers
    if old == new:
        return Direction.NEUTRAL
    return Direction.WIDENS if new > old else Direction.NARROWS


def acts_as(before: Json, after: Json) -> Direction:
    """The user that a client acts as: any new user was not reachable before."""
    if before == after:
        return Direction.NEUTRAL
    return Direction.NARROWS if after is None else Direction.WIDENS


def granted(before: Json, after: Json) -> Direction:
    """A cap on roles. An empty cap does not limit them, so it is the widest (OrderCloud release 1.0.196)."""
    old, new = _members(before), _members(after)
    if old == new:
        return Direction.NEUTRAL
    if not old:
        return Direction.NARROWS
    return Direction.NARROWS if new and new < old else Direction.WIDENS


def required_roles(before: Json, after: Json) -> Direction:
    """Roles that a user must have: a longer list excludes more users."""
    old, new = _members(before), _members(after)
    if old == new:
        return Direction.NEUTRAL
    return Direction.NARROWS if new > old else Direction.WIDENS


def holds(before: Json, after: Json) -> Direction:
    """Granted roles: a new one widens access."""
    old, new = _members(before), _members(after)
    if old == new:
        return Direction.NEUTRAL
    return Direction.NARROWS if new < old else Direction.WIDENS


def sends_to(before: Json, after: Json) -> Direction:
    """A URL that tokens or orders are sent to: another host did not receive them before."""
    if before == after or host_of(before) == host_of(after) is not None:
        return Direction.NEUTRAL
    return Direction.NARROWS if after is None else Direction.WIDENS


def limited_to(before: Json, after: Json) -> Direction:
    """The party that something is limited to, where none means all."""
    if before == after:
        return Direction.NEUTRAL
    return Direction.NARROWS if before is None else Direction.WIDENS


def at_least(before: Json, after: Json) -> Direction:
    """A required minimum or flag: a lower one is easier to meet, and none is the easiest."""
    return _requirement(_number(before, -math.inf), _number(after, -math.inf))


def at_most(before: Json, after: Json) -> Direction:
    """An allowed maximum: a higher one is easier to meet, and none is the easiest."""
    return _requirement(-_number(before, math.inf), -_number(after, math.inf))


def _number(value: Json, otherwise: float) -> float:
    return value if isinstance(value, int | float) else otherwise


def _requirement(before: float, after: float) -> Direction:
    if before == after:
        return Direction.NEUTRAL
    return Direction.WIDENS if after < before else Direction.NARROWS


def any_of(members: Mapping[str, DirectionOf]) -> DirectionOf:
    """The direction of an object from those of its members: a single one that widens is enough."""

    def direction_of(before: Json, after: Json) -> Direction:
        old, new = (side if isinstance(side, Mapping) else {} for side in (before, after))
        found = {one(old.get(name), new.get(name)) for name, one in members.items()}
        return next((one for one in (Direction.WIDENS, Direction.NARROWS) if one in found), Direction.NEUTRAL)

    return direction_of
