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


def test_the_steps_of_named_secrets_count_as_writes() -> None:
    planned = RecordedChange(Address("ApiClient", "a"), Action.UPDATE, "ID", {}, {})
    assert (planned.certainty, planned.may_be_written) == (Certainty.NOT_STARTED, False)
    written = replace(planned, has_written_secrets=True)
    assert (written.certainty, written.may_be_written) == (Certainty.WRITTEN, True)
    assert replace(written, restored=True).may_be_written  # only the body is restored
    unknown = replace(planned, has_open_secrets=True)
    assert (unknown.certainty, unknown.may_be_written) == (Certainty.UNCERTAIN, True)
