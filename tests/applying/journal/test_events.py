"""The journal of an apply: what is kept of each change, and what can be said from it wherever the run was stopped."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from reconciler.applying import journal, verify
from reconciler.applying.journal.events import ApplyRecorder, Facts, facts_of, recorded, unfinished
from reconciler.applying.journal.write import Journal
from reconciler.applying.run import Controls
from reconciler.applying.verify import Condition
from reconciler.errors import ReconcilerError
from reconciler.model.json import canonical_text
from reconciler.model.outcome import ApplyResult, Certainty, Ending, RecordedRun, Status, WriteStep
from reconciler.model.plan import AssignmentChange, Plan
from reconciler.model.resource import DesiredResource, Policy
from reconciler.model.secret import SecretReference, SecretSource
from reconciler.planning.planfile import plan_digest
from tests.builders import body, desired, manifest
from tests.events import event
from tests.service import Shop, client_id, shop

A, B = client_id(0xA), client_id(0xB)
BUYERS = {"Buyers": [{"ID": one, "Name": one, "Active": True} for one in ("b1", "b2")]}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of two clients, a and b, and two buyers."""
    with shop(tmp_path, body(A, "a"), body(B, "b"), objects=BUYERS) as opened:
        yield opened


def recorder(folder: Path, plan: Plan) -> ApplyRecorder:
    facts = facts_of(plan, plan_digest(plan))
    return ApplyRecorder(plan, lambda: facts, lambda facts: Journal.start(folder / "runs", facts))


def apply(service: Shop, folder: Path, *wanted: DesiredResource, keep_going: bool = False) -> ApplyResult:
    plan = service.plan(desired(*wanted))
    record = recorder(folder, plan)
    result = service.apply(plan, Controls(concurrency=1, keep_going=keep_going, recorder=record))
    record.end(result)
    return result


def newest(folder: Path, lines: int | None = None) -> RecordedRun:
    """The newest run, or what it was when it had only so many lines."""
    path = journal.find(folder / "runs", "last")
    if lines:
        path.write_text("".join(path.read_text().splitlines(keepends=True)[:lines]))
    run = recorded(journal.read(path))
    assert run
    return run


def test_a_run_is_kept_with_everything_that_a_rollback_needs(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", Active=False, assignments={"buyers": ("b1",)}), manifest("b"))
    run = newest(tmp_path)
    (change,) = run.changes
    assert (run.kind, run.environment, run.is_finished, run.unchanged) == ("apply", "test", True, 1)
    assert (change.certainty, change.status, change.id) == (Certainty.ENDED, Status.APPLIED, A)
    assert (change.before or {})["Active"] is True
    assert (change.after or {})["Active"] is False
    assert [(write.method, write.step, write.ending) for write in change.writes] == [
        ("PUT", WriteStep.BODY, Ending.ANSWERED),
        ("POST", WriteStep.ASSIGNMENT, Ending.ANSWERED),
    ]


def test_what_writes_nothing_leaves_no_journal(two: Shop, tmp_path: Path) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.edit("a", RefreshTokenDuration=99)
    record = recorder(tmp_path, plan)
    record.end(two.apply(plan, Controls(recorder=record)))
    assert (record.run_id, journal.runs(tmp_path / "runs")) == ("", {})


def test_what_ended_before_the_first_write_is_kept_as_well(two: Shop, tmp_path: Path) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b", Active=False)))
    two.edit("a", RefreshTokenDuration=99)
    record = recorder(tmp_path, plan)
    record.end(two.apply(plan, Controls(concurrency=1, keep_going=True, recorder=record)))
    assert [change.status for change in newest(tmp_path).changes] == [Status.CONFLICT, Status.APPLIED]


def test_no_value_of_a_secret_is_in_a_journal(tmp_path: Path) -> None:
    source = SecretReference(SecretSource.ENVIRONMENT, "NEW")
    with shop(tmp_path, body(A, "a", ClientSecret="planted-old"), profile="legacy") as legacy:
        legacy.secrets["NEW"] = "planted-new"
        apply(legacy, tmp_path, manifest("a", Active=False, secrets={"ClientSecret": source}))
    text = journal.find(tmp_path / "runs", "last").read_text()
    assert "planted" not in text
    assert newest(tmp_path).changes[0].secrets == ("ClientSecret",)


def test_a_change_that_the_service_refuses_and_those_after_it_are_told_apart(two: Shop, tmp_path: Path) -> None:
    two.fault(f"PUT /v1/apiclients/{A} status=400 count=all")
    apply(two, tmp_path, manifest("a", Active=False), manifest("b", Active=False))
    first, second = newest(tmp_path).changes
    assert (first.status, first.writes[0].ending, first.may_be_written) == (Status.FAILED, Ending.REFUSED, False)
    assert (second.certainty, second.writes) == (Certainty.NOT_STARTED, ())


LINES = {
    2: (Certainty.NOT_STARTED, Certainty.NOT_STARTED),
    3: (Certainty.UNCERTAIN, Certainty.NOT_STARTED),
    4: (Certainty.WRITTEN, Certainty.NOT_STARTED),
    5: (Certainty.ENDED, Certainty.NOT_STARTED),
    6: (Certainty.ENDED, Certainty.UNCERTAIN),
}


@pytest.mark.parametrize("lines", LINES)
def test_a_run_that_was_cut_off_says_what_is_certain(two: Shop, tmp_path: Path, lines: int) -> None:
    apply(two, tmp_path, manifest("a", Active=False), manifest("b", Active=False))
    run = newest(tmp_path, lines)
    assert (tuple(change.certainty for change in run.changes), run.is_finished) == (LINES[lines], False)


def test_a_run_that_was_cut_off_before_its_plan_has_written_nothing(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", Active=False))
    assert newest(tmp_path, 1).changes == ()


def test_a_refused_write_without_an_outcome_is_certain(two: Shop, tmp_path: Path) -> None:
    two.fault(f"PUT /v1/apiclients/{A} status=400")
    apply(two, tmp_path, manifest("a", Active=False))
    assert newest(tmp_path, 4).changes[0].certainty is Certainty.REFUSED


def test_a_lost_answer_leaves_an_uncertain_change(two: Shop, tmp_path: Path) -> None:
    two.fault("PUT /v1/apiclients/* drop=before count=all")
    apply(two, tmp_path, manifest("a", Active=False))
    (change,) = newest(tmp_path).changes
    assert (change.certainty, change.uncertain, len(change.open_writes)) == (Certainty.UNCERTAIN, True, 3)


# ------------------------------------------------------------------------------------------------- a look at the rest


def found(service: Shop, run: RecordedRun) -> list[Condition]:
    with service.reader() as reader:
        return [looked.found for looked in verify.look(run, reader)]


CASES = {
    "update": manifest("a", Active=False),
    "create": manifest("new", AccessTokenDuration=60),
    "delete": manifest("a", policy=Policy(absent=True)),
}


@pytest.mark.parametrize("case", CASES)
def test_a_look_shows_that_an_uncertain_write_was_carried_out(two: Shop, tmp_path: Path, case: str) -> None:
    apply(two, tmp_path, CASES[case])
    assert found(two, newest(tmp_path, 3)) == [Condition.AS_SENT]


@pytest.mark.parametrize("case", CASES)
def test_a_look_shows_that_an_uncertain_write_was_not_carried_out(two: Shop, tmp_path: Path, case: str) -> None:
    two.fault("* /v1/apiclients/* drop=before after=1")
    apply(two, tmp_path, CASES[case])
    run = newest(tmp_path, 3)
    with shop(tmp_path, body(A, "a"), body(B, "b")) as as_before:
        assert found(as_before, run) == [Condition.AS_BEFORE]


@pytest.mark.parametrize("lost", ["before", "after"])
def test_of_a_write_of_secrets_alone_a_look_shows_nothing(two: Shop, tmp_path: Path, lost: str) -> None:
    two.secrets |= {"HASH_KEY": "key", "GATEWAY": "first"}
    event_ = event("shop", CustomAuthHeaderName="x-key")
    value = {"CustomAuthHeaderValue": SecretReference(SecretSource.ENVIRONMENT, "GATEWAY")}
    apply(two, tmp_path, replace(event_, secrets={**event_.secrets, **value}))
    two.secrets["HASH_KEY"] = "other"
    two.fault(f"PUT /v1/integrationEvents/* drop={lost} count=all")
    apply(two, tmp_path, replace(event_, secrets={**event_.secrets, **value}))
    assert found(two, newest(tmp_path, 3)) == [Condition.UNKNOWN]


def test_a_look_that_lacks_a_role_names_it(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", Active=False, assignments={"buyers": ("b1",)}))
    run = newest(tmp_path, 3)
    two.fault("GET /v1/apiclients* status=403 count=all")
    with two.reader() as reader:
        told = [looked.message for looked in verify.look(run, reader)]
    assert told
    assert all("requires one of the roles ApiClientReader, ApiClientAdmin" in one for one in told)


def test_a_client_whose_id_the_service_makes_is_looked_for_by_name(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        apply(empty, tmp_path, CASES["create"])
        run = newest(tmp_path, 5)
        assert [write.method for write in run.changes[0].open_writes] == ["POST"]
        assert found(empty, run) == [Condition.AS_SENT]


def test_an_assignment_is_looked_for_among_the_assignments(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", assignments={"buyers": ("b1",)}))
    run = newest(tmp_path, 3)
    assert found(two, run) == [Condition.AS_SENT]
    two.converge(desired(manifest("a", assignments={"buyers": ()})))
    assert found(two, run) == [Condition.AS_BEFORE]


def test_each_assignment_that_was_under_way_is_looked_for(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", assignments={"buyers": ("b1",)}))
    run = newest(tmp_path, 3)
    (change,), other = run.changes, AssignmentChange("buyers", "b2", assign=True)
    write = replace(change.writes[0], number=9, assignment=other)
    both = replace(run, changes=(replace(change, writes=(*change.writes, write)),))
    assert found(two, both) == [Condition.AS_SENT, Condition.AS_BEFORE]


def test_an_object_that_is_neither_is_said_to_be(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", Active=False))
    run = newest(tmp_path, 3)
    two.edit("a", AccessTokenDuration=77)
    assert found(two, run) == [Condition.OTHERWISE]
    two.converge(desired(manifest("a", policy=Policy(absent=True))))
    assert found(two, run) == [Condition.OTHERWISE]


def test_an_object_that_cannot_be_read_is_said_to_be(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", Active=False))
    run = newest(tmp_path, 3)
    two.fault("GET /v1/apiclients/* status=403")
    assert found(two, run) == [Condition.UNREADABLE]


# ---------------------------------------------------------------------------------------------- when it cannot be kept


class Failing(Journal):
    """A journal whose disk is full once it has so many lines."""

    lines = 0

    def append(self, event: str, facts: object, *, wait: bool = True) -> None:
        """Write a line, while there is room."""
        if self._last and self._last.line >= self.lines:
            raise ReconcilerError("the journal cannot be written: No space left on device")
        super().append(event, facts, wait=wait)  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize(
    ("lines", "statuses", "writes"),
    [
        (2, [Status.FAILED, Status.FAILED], 0),
        (3, [Status.APPLIED, Status.FAILED], 1),
        (4, [Status.APPLIED, Status.FAILED], 1),
    ],
)
def test_what_cannot_be_announced_is_not_written(
    two: Shop, tmp_path: Path, lines: int, statuses: list[Status], writes: int
) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b", Active=False)))
    two.forget()

    class Full(Failing):
        pass

    Full.lines = lines
    facts = facts_of(plan, plan_digest(plan))
    record = ApplyRecorder(plan, lambda: facts, lambda facts: Full.start(tmp_path / "runs", facts))
    result = two.apply(plan, Controls(concurrency=1, keep_going=True, recorder=record))
    record.end(result)
    assert ([outcome.status for outcome in result.outcomes], len(two.writes())) == (statuses, writes)
    assert "No space left on device" in result.outcomes[1].message
    assert record.fault is None or "No space left" in record.fault.message


def test_what_the_first_lines_say_is_worked_out_before_anything_is_written_and_once(two: Shop, tmp_path: Path) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    facts, asked = facts_of(plan, plan_digest(plan)), []

    def work_out() -> Facts:
        asked.append("facts")
        return facts

    record = ApplyRecorder(plan, work_out, lambda facts: Journal.start(tmp_path / "runs", facts))
    record.make_ready()
    assert (asked, (tmp_path / "runs").exists()) == (["facts"], False)
    record.end(two.apply(plan, Controls(concurrency=1, recorder=record)))
    assert (asked, newest(tmp_path).is_finished) == (["facts"], True)


def test_a_step_of_another_sort_is_kept_as_well(two: Shop, tmp_path: Path) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    record = recorder(tmp_path, plan)
    record.note("secret-step-begun", {"step": "create"})
    record.fault = ReconcilerError("full")
    with pytest.raises(ReconcilerError, match="full"):
        record.note("secret-step-done", {})
    kept = journal.read(journal.find(tmp_path / "runs", "last"))
    assert [one.event for one in kept.entries] == ["start", "plan", "secret-step-begun"]


def test_a_journal_of_another_version_or_kind_is_no_traceback(two: Shop, tmp_path: Path) -> None:
    apply(two, tmp_path, manifest("a", Active=False))
    path = journal.find(tmp_path / "runs", "last")
    path.write_text(path.read_text().replace('"number":1', '"number":[]'))
    with pytest.raises(ReconcilerError, match="not in the format of this version"):
        recorded(journal.read(path))
    with Journal.start(tmp_path / "runs", {"kind": "rotation"}) as other:
        pass
    assert recorded(journal.read(other.path)) is None


def test_a_run_that_was_looked_at_is_not_looked_at_again(two: Shop, tmp_path: Path) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    apply(two, tmp_path, manifest("a", Active=False))
    cut = newest(tmp_path, 3)
    assert unfinished([cut], plan.binding) == [cut]
    facts = facts_of(plan, plan_digest(plan), follows_up=(cut.id,))
    with Journal.start(tmp_path / "runs", facts) as later:
        later.append("end", {})
    assert unfinished([cut, newest(tmp_path)], plan.binding) == []
    assert canonical_text(facts["follows_up"]) == canonical_text([cut.id])


class Waiting(httpx.BaseTransport):
    """Lets no request pass until the record's first lines are worked out."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.ready = threading.Event()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert self.ready.wait(10) or request.url.path == "/oauth/token"
        return self.inner.handle_request(request)


def test_the_first_lines_are_worked_out_while_the_first_read_is_on_its_way(two: Shop, tmp_path: Path) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.transport = waiting = Waiting(two.transport)

    def facts() -> Facts:
        waiting.ready.set()
        return facts_of(plan, plan_digest(plan))

    record = ApplyRecorder(plan, facts, lambda facts: Journal.start(tmp_path / "runs", facts))
    assert two.apply(plan, Controls(recorder=record)).is_complete
