"""Two canonical values of a field -> does the change let more people in, or fewer.

Swapping the two values flips the answer, except where neither side contains the other: such an exchange grants
something that was not granted before, and is called widening both ways.
"""

from reconciler.model.json import Json, is_array
from reconciler.model.plan import Direction


def _members(value: Json) -> frozenset[Json]:
    return frozenset(value) if is_array(value) else frozenset()


def grows(before: Json, after: Json) -> Direction:
    """A flag that opens a door, or a duration: more is wider."""
    old, new = int(before or 0), int(after or 0)  # type: ignore[arg-type]  # fields judged so are booleans and integers
    if old == new:
        return Direction.NEUTRAL
    return Direction.WIDENS if new > old else Direction.NARROWS


def acts_as(before: Json, after: Json) -> Direction:
    """The user as whom a client acts: any new one is somebody who was not reachable before."""
    if before == after:
        return Direction.NEUTRAL
    return Direction.NARROWS if after is None else Direction.WIDENS


def granted(before: Json, after: Json) -> Direction:
    """A cap on roles. The empty cap is no cap at all, so it is the widest (OrderCloud release 1.0.196)."""
    old, new = _members(before), _members(after)
    if old == new:
        return Direction.NEUTRAL
    if not old:
        return Direction.NARROWS
    return Direction.NARROWS if new and new < old else Direction.WIDENS


def demanded(before: Json, after: Json) -> Direction:
    """Roles that a user must have: a longer list shuts more people out."""
    old, new = _members(before), _members(after)
    if old == new:
        return Direction.NEUTRAL
    return Direction.NARROWS if new > old else Direction.WIDENS
