import pytest

from reconciler.model.json import ABSENT
from reconciler.model.plan import Action, Change, Direction, FieldChange
from reconciler.model.resource import Address
from tests.builders import plan_of


def change(name: str, action: Action, *directions: Direction) -> Change:
    fields = tuple(FieldChange("/x", ABSENT, 1, direction) for direction in directions)
    return Change(Address("ApiClient", name), action, None, None, None, fields)


def test_the_summary_counts_the_changes_that_are_there() -> None:
    plan = plan_of(*(change(action, action) for action in Action))
    counts = plan.summary
    assert (counts.create, counts.update, counts.delete, counts.no_op, counts.unmanaged) == (1, 1, 1, 1, 1)
    assert (counts.writes, plan.has_changes) == (3, True)


@pytest.mark.parametrize("action", [Action.NO_OP, Action.UNMANAGED])
def test_what_writes_nothing_is_no_change(action: Action) -> None:
    assert not plan_of(change("a", action)).has_changes


@pytest.mark.parametrize(
    ("directions", "verdict"),
    [
        ([], Direction.NEUTRAL),
        ([Direction.NEUTRAL], Direction.NEUTRAL),
        ([Direction.NARROWS, Direction.NEUTRAL], Direction.NARROWS),
        ([Direction.NARROWS, Direction.WIDENS], Direction.WIDENS),
    ],
)
def test_one_widening_field_makes_a_change_widening(directions: list[Direction], verdict: Direction) -> None:
    assert change("a", Action.UPDATE, *directions).direction is verdict
