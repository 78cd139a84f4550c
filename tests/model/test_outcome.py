from dataclasses import replace

from reconciler.model.outcome import ApplyResult, Certainty, Outcome, RecordedChange, Status
from reconciler.model.plan import Action
from reconciler.model.resource import Address
from tests.model.test_plan import change


def test_a_result_is_complete_when_every_change_was_applied() -> None:
    done, failed = (Outcome(change("a", Action.UPDATE), status) for status in (Status.APPLIED, Status.FAILED))
    assert ApplyResult((done,), 0).is_complete
    assert not ApplyResult((done, failed), 0).is_complete
    assert ApplyResult((done, failed), 0).count(Status.FAILED) == 1


def test_a_begun_secret_counts_as_a_write_that_may_have_been_executed() -> None:
    planned = RecordedChange(Address("ApiClient", "a"), Action.UPDATE, "ID", {}, {})
    assert (planned.certainty, planned.may_be_written) == (Certainty.NOT_STARTED, False)
    begun = replace(planned, has_begun_secrets=True)
    assert (begun.certainty, begun.may_be_written) == (Certainty.WRITTEN, True)
