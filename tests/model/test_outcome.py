from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action
from tests.model.test_plan import change


def test_a_result_is_complete_when_every_change_was_applied() -> None:
    done, failed = (Outcome(change("a", Action.UPDATE), status) for status in (Status.APPLIED, Status.FAILED))
    assert ApplyResult((done,), 0).is_complete
    assert not ApplyResult((done, failed), 0).is_complete
    assert ApplyResult((done, failed), 0).count(Status.FAILED) == 1
