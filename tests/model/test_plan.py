import pytest

from reconciler.model.diagnostic import Diagnostic, Place
from reconciler.model.json import ABSENT
from reconciler.model.outcome import ApplyResult, Outcome, Status
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


def test_a_result_is_complete_when_every_change_was_applied() -> None:
    done, failed = (Outcome(change("a", Action.UPDATE), status) for status in (Status.APPLIED, Status.FAILED))
    assert ApplyResult((done,), 0).is_complete
    assert not ApplyResult((done, failed), 0).is_complete
    assert ApplyResult((done, failed), 0).count(Status.FAILED) == 1


def test_a_diagnostic_reads_as_place_message_and_way_out() -> None:
    fault = Diagnostic(Place("a.yaml", 3, 5), "unknown field", "unknown-field", "/spec/Actve", "did you mean Active?")
    assert str(fault) == "a.yaml:3:5: error: unknown field (at /spec/Actve); did you mean Active? [unknown-field]"
    assert str(Place("a.yaml")) == "a.yaml"
