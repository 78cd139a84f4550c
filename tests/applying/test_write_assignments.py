"""Buyers and suppliers of a client: an exact set where a manifest names it, untouched where it does not."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.applying.run import Controls
from reconciler.applying.task import repeated
from reconciler.errors import AnswerLost, BadAnswer, NotExecuted, RequestFacts
from reconciler.live import with_assignments
from reconciler.model.inputs import Selection
from reconciler.model.json import ABSENT
from reconciler.model.outcome import Status
from reconciler.model.plan import Change, Direction, FieldChange
from reconciler.model.resource import Policy
from reconciler.planning import planfile
from reconciler.planning.comparison import Target
from reconciler.planning.planfile import reading
from tests.builders import body, desired, live, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

A, B, C = client_id(0xA), client_id(0xB), client_id(0xC)
CLIENTS = (body(A, "a"), body(B, "b"), body(C, "c"))
PARTIES = {
    "Buyers": [{"ID": one, "Name": one, "Active": True} for one in ("b1", "b2", "b3")],
    "Suppliers": [{"ID": one, "Name": one, "Active": True} for one in ("s1", "s2")],
}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace in which the buyers b1 and b2 are assigned to the client a."""
    rows = [{"ApiClientID": A, "BuyerID": buyer, "SupplierID": None} for buyer in ("b1", "b2")]
    with shop(tmp_path, body(A, "a"), body(B, "b"), objects=PARTIES, assignments=rows) as opened:
        yield opened


def test_assignments_that_no_manifest_names_are_not_even_read(one: Shop) -> None:
    one.converge(desired(manifest("a", Active=False)))
    assert "/v1/apiclients/assignments" not in {entry["path"] for entry in one.requests()}
    assert one.assigned() == {(A, "b1", None), (A, "b2", None)}


def test_the_set_that_a_manifest_names_becomes_the_set_that_is_live(one: Shop) -> None:
    want = desired(manifest("a", assignments={"buyers": ("b2", "b3"), "suppliers": ("s1",)}))
    plan = one.plan(want)
    (change,) = [change for change in plan.changes if change.action.writes]
    shown = {field.pointer: (field.added, field.removed, field.direction) for field in change.fields}
    assert shown == {
        "/assignments/buyers": (("b3",), ("b1",), Direction.WIDENS),
        "/assignments/suppliers": (("s1",), (), Direction.WIDENS),
    }
    assert one.apply(plan).is_complete
    assert one.assigned() == {(A, "b2", None), (A, "b3", None), (A, None, "s1")}
    assert not one.plan(want).has_changes


def test_the_last_look_at_one_object_reads_its_rows_alone(one: Shop) -> None:
    def looks(*names: str) -> list[str]:
        plan = one.plan(desired(*(manifest(name, assignments={"buyers": ("b3",)}) for name in names)))
        one.forget()
        assert one.apply(plan).is_complete
        return [str(entry["query"]) for entry in one.requests() if entry["path"] == "/v1/apiclients/assignments"]

    assert [f"apiClientID={A}" in query for query in looks("a") if "pageSize" in query] == [True]
    one.converge(desired(manifest("a", assignments={"buyers": ("b1",)})))
    assert [f"apiClientID={A}" in query for query in looks("a", "b") if "pageSize" in query] == [False]  # one page


def _asked(one: Shop, names: Sequence[str], target: Target = NO_LIMITS) -> tuple[list[str], tuple[Change, ...]]:
    """What a plan asks of the list of assignments, less its page size, and the changes that write."""
    one.forget()
    plan = one.plan(desired(*(manifest(name, assignments={"buyers": ("b3",)}) for name in names)), target)
    queries = [str(entry["query"]) for entry in one.requests() if entry["path"] == "/v1/apiclients/assignments"]
    plain = [query.removesuffix("&pageSize=100").removesuffix("&page=1") for query in queries]
    return plain, tuple(one for one in plan.changes if one.action.writes)


def test_a_plan_reads_the_rows_of_the_one_client_whose_manifest_names_assignments(one: Shop) -> None:
    queries, (change,) = _asked(one, ["a"])
    assert queries == [f"apiClientID={A}"]
    assert [(step.id, step.assign) for step in change.assignments] == [("b3", True), ("b1", False), ("b2", False)]


def test_a_plan_reads_only_the_rows_of_what_is_selected(one: Shop) -> None:
    selected = replace(NO_LIMITS, selection=Selection(only=("ApiClient/b",)))
    queries, (change,) = _asked(one, ["a", "b"], selected)
    assert (queries, str(change.address)) == ([f"apiClientID={B}"], "ApiClient/b")


def test_the_rows_of_some_clients_are_read_by_client_where_that_takes_fewer_requests_than_all_pages(
    tmp_path: Path,
) -> None:
    buyers = [{"ID": f"b{number}", "Name": "b", "Active": True} for number in range(301)]
    rows = [{"ApiClientID": C, "BuyerID": buyer["ID"], "SupplierID": None} for buyer in buyers]
    few = shop(tmp_path, *CLIENTS, objects={"Buyers": buyers}, assignments=rows[:300])
    with few as one:
        assert sorted(_asked(one, ["a", "b"])[0]) == ["page=1", "page=2", "page=3"]
    many = shop(tmp_path, *CLIENTS, objects={"Buyers": buyers}, assignments=rows)
    with many as one:
        queries, changes = _asked(one, ["a", "b"])
    assert sorted(queries) == [f"apiClientID={A}", f"apiClientID={B}", "page=1"]
    assert [(step.id, step.assign) for change in changes for step in change.assignments] == [("b3", True)] * 2


@pytest.mark.parametrize(
    ("refused", "is_written"),
    [("POST /v1/apiclients/assignments", False), ("DELETE /v1/buyers/*", True)],
)
def test_a_refused_assignment_leaves_no_doubt_about_what_was_written(one: Shop, refused: str, is_written: bool) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b1",), "suppliers": ("s1",)})))
    one.fault(f"{refused} count=all status=400")
    (outcome,) = one.apply(plan).outcomes
    assert (outcome.status, outcome.uncertain, outcome.may_be_written) == (Status.FAILED, False, is_written)
    assert outcome.message.startswith("not all assignments were written: ")


def test_an_assignment_whose_answer_is_lost_leaves_doubt(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b1", "b2", "b3")})))
    one.fault("POST /v1/apiclients/assignments count=all drop=after")
    assert one.apply(plan).outcomes[0].uncertain


def test_a_refusal_after_a_lost_answer_leaves_doubt(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b1", "b2", "b3")})))
    one.fault("POST /v1/apiclients/assignments drop=after")
    one.fault("POST /v1/apiclients/assignments status=400 after=1 count=all")
    (outcome,) = one.apply(plan).outcomes
    assert (outcome.status, outcome.uncertain) == (Status.FAILED, True)
    assert (A, "b3", None) in one.assigned()


@pytest.mark.parametrize(
    ("spec", "buyers", "lost", "refused"),
    [
        ({"Active": False}, ("b1",), f"PUT /v1/apiclients/{A}", "b2"),
        ({}, (), "DELETE /v1/buyers/b1/*", "b2"),
    ],
)
def test_what_was_written_although_its_answer_was_lost_counts_as_written(
    one: Shop, spec: dict[str, Any], buyers: tuple[str, ...], lost: str, refused: str
) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": buyers}, **spec)))
    one.fault(f"{lost} drop=after")
    one.fault(f"DELETE /v1/buyers/{refused}/* status=400 count=all")
    (outcome,) = one.apply(plan, Controls(concurrency=1)).outcomes
    assert (outcome.status, outcome.uncertain, outcome.may_be_written) == (Status.FAILED, False, True)


def test_a_body_that_the_service_does_not_keep_is_assigned_all_the_same(one: Shop) -> None:
    want = desired(manifest("a", Active=False, assignments={"buyers": ("b3",)}))
    plan = one.plan(want)
    (change,) = [change for change in plan.changes if change.action.writes]
    lost = replace(change, after={**(change.after or {}), "NotAField": 1})
    (outcome,) = one.apply(replace(plan, changes=(lost,))).outcomes
    assert (outcome.status, [field.pointer for field in outcome.fields]) == (Status.NOT_CONVERGED, ["/NotAField"])
    assert one.assigned() == {(A, "b3", None)}


def test_a_client_whose_body_is_in_step_is_not_put_for_the_sake_of_its_assignments(one: Shop) -> None:
    result = one.converge(desired(manifest("a", assignments={"buyers": ()})))
    assert [(outcome.status, outcome.message) for outcome in result.outcomes] == [(Status.APPLIED, "")]
    assert sorted(one.writes()) == [f"DELETE /v1/buyers/{buyer}/ApiClients/Assignments/{A}" for buyer in ("b1", "b2")]


def test_taking_a_party_away_narrows(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b1",)})))
    assert {change.direction for change in plan.changes if change.action.writes} == {Direction.NARROWS}


def test_ids_of_parties_are_compared_without_case(one: Shop) -> None:
    assert not one.plan(desired(manifest("a", assignments={"buyers": ("B1", "B2")}))).has_changes


@pytest.mark.parametrize("put_creates", [True, False])
def test_a_new_client_is_made_first_and_then_assigned_to(tmp_path: Path, put_creates: bool) -> None:
    want = desired(manifest("new", AccessTokenDuration=60, assignments={"buyers": ("b1",)}))
    with shop(tmp_path, objects=PARTIES, put_creates=put_creates) as empty:
        assert empty.converge(want).is_complete
        assert empty.assigned() == {(empty.bodies()["new"]["ID"], "b1", None)}
        assert not empty.plan(want).has_changes


@pytest.mark.parametrize("fault", ["drop=after", "drop=before", "status=503"])
def test_a_step_whose_answer_is_lost_is_done(one: Shop, fault: str) -> None:
    one.fault(f"POST /v1/apiclients/assignments {fault}")
    assert one.converge(desired(manifest("a", assignments={"buyers": ("b1", "b2", "b3")}))).is_complete
    assert (A, "b3", None) in one.assigned()


def test_an_assignment_that_is_there_already_is_done_and_one_that_is_said_to_be_is_looked_for(one: Shop) -> None:
    want = desired(manifest("a", assignments={"buyers": ("b1", "b2", "b3")}))
    plan = one.plan(want)
    one.fault("POST /v1/apiclients/assignments status=409")
    (outcome,) = one.apply(plan).outcomes
    assert (outcome.status, outcome.fields) == (
        Status.NOT_CONVERGED,
        (FieldChange("/assignments/buyers", "b3", ABSENT),),
    )
    one.converge(want)
    one.fault("POST /v1/apiclients/assignments status=409")
    assert one.apply(plan).is_complete


def test_an_assignment_that_is_said_to_be_gone_is_looked_for(one: Shop) -> None:
    one.fault("DELETE /v1/buyers/b1/* status=404")
    (outcome,) = one.converge(desired(manifest("a", assignments={"buyers": ()}))).outcomes
    assert (outcome.status, outcome.fields) == (
        Status.NOT_CONVERGED,
        (FieldChange("/assignments/buyers", ABSENT, "b1"),),
    )


def test_assignments_that_cannot_be_read_again_are_not_taken_for_made(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b1", "b3")})))
    one.fault("GET /v1/apiclients/assignments status=403 count=all")
    (outcome,) = one.apply(plan).outcomes
    assert outcome.status is Status.NOT_CONVERGED
    assert "could not be read again: GET /v1/apiclients/assignments" in outcome.message
    assert "reading assignments of API clients requires one of the roles ApiClientReader" in outcome.message


def test_an_assignment_that_somebody_removed_meanwhile_is_gone_as_wanted(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ()})))
    one.converge(desired(manifest("a", assignments={"buyers": ("b1",)})))
    assert one.apply(plan).is_complete
    assert one.assigned() == set()


@pytest.mark.parametrize("fault", ["status=403", "drop=before count=all"])
def test_a_step_that_fails_is_told_and_the_next_run_finishes(one: Shop, fault: str) -> None:
    want = desired(manifest("a", Active=False, assignments={"buyers": ("b3",)}))
    one.fault(f"POST /v1/apiclients/assignments {fault}")
    (outcome,) = one.converge(want).outcomes
    assert outcome.status is Status.FAILED
    assert "not all assignments" in outcome.message
    assert outcome.may_be_written
    one.clear_faults()
    assert one.converge(want).is_complete
    assert one.assigned() == {(A, "b3", None)}


def test_a_client_that_is_deleted_is_not_assigned_to(one: Shop) -> None:
    one.converge(desired(manifest("a", policy=Policy(absent=True), assignments={"buyers": ("b3",)})))
    assert one.assigned() == set()


def test_assigning_where_everybody_is_let_in_is_warned_of(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", AllowAnyBuyer=True, assignments={"buyers": ("b1", "b2", "b3")})))
    assert plan.warnings == ("ApiClient/a: assigning buyers changes nothing while AllowAnyBuyer is true",)


def test_a_saved_plan_keeps_its_assignments(one: Shop) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b3",)})))
    assert reading.loads(planfile.dumps(plan), "plan.json") == plan


class _Odd:
    """A service with an assignment of nothing."""

    def list_all(self, path: str, **_options: object) -> list[dict[str, object]]:
        return [{"BuyerID": "b1"}] if path.endswith("assignments") else []


def test_an_assignment_of_nothing_gives_no_live_state() -> None:
    with pytest.raises(BadAnswer, match="ApiClientID"):
        with_assignments(_Odd(), live(body(A, "a")))  # type: ignore[arg-type]  # only list_all() is asked


def test_assignments_that_cannot_be_read_again_say_nothing_of_a_client_whose_assignments_did_not_change(
    one: Shop,
) -> None:
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b3",)}), manifest("b", Active=False)))
    one.fault("GET /v1/apiclients/assignments status=403 count=all")
    assert [outcome.status for outcome in one.apply(plan).outcomes] == [Status.NOT_CONVERGED, Status.APPLIED]


def test_a_step_that_is_turned_away_uses_up_none_of_the_tries_of_a_lost_answer() -> None:
    ends = [NotExecuted, NotExecuted, AnswerLost, NotExecuted, AnswerLost, None]
    seen: list[int] = []

    def send(attempt: int) -> None:
        seen.append(attempt)
        error = ends[attempt - 1]
        if error:
            raise error("later", RequestFacts("POST", "/v1/apiclients/assignments"))

    repeated(send)
    assert seen == [1, 2, 3, 4, 5, 6]


def test_the_assignments_of_one_client_are_written_side_by_side(tmp_path: Path) -> None:
    everybody_is_here = threading.Barrier(2, timeout=60)  # as many as the connection of `shop` allows

    def wait(_seconds: float) -> None:
        everybody_is_here.wait()

    buyers = [{"ID": f"b{number}", "Name": "b", "Active": True} for number in range(8)]
    rows = [{"ApiClientID": A, "BuyerID": f"b{number}", "SupplierID": None} for number in range(4)]
    want = desired(manifest("a", assignments={"buyers": tuple(f"b{number}" for number in range(4, 8))}))
    with shop(tmp_path, body(A, "a"), objects={"Buyers": buyers}, assignments=rows, sleep=wait) as one:
        plan = one.plan(want)
        one.fault("POST /v1/apiclients/assignments latency=1 count=4")
        one.fault("DELETE * latency=1 count=4")
        assert one.apply(plan, Controls(concurrency=2)).is_complete
        assert [line.split()[0] for line in one.writes()] == ["POST"] * 4 + ["DELETE"] * 4
        assert one.assigned() == {(A, f"b{number}", None) for number in range(4, 8)}


def test_after_an_assignment_that_fails_none_is_started_that_waits(tmp_path: Path) -> None:
    buyers = [{"ID": f"b{number}", "Name": "b", "Active": True} for number in range(30)]
    want = desired(manifest("a", assignments={"buyers": tuple(f"b{number}" for number in range(30))}))
    with shop(tmp_path, body(A, "a"), objects={"Buyers": buyers}) as one:
        plan = one.plan(want)
        one.fault("POST /v1/apiclients/assignments status=400 count=all")
        (outcome,) = one.apply(plan, Controls(concurrency=2)).outcomes
        assert outcome.status is Status.FAILED
        assert "not all assignments were written: POST" in outcome.message
        assert len(one.writes()) <= 2
