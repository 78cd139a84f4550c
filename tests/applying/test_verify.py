"""The last look: what a service does not hold is named, also where its answer said that it does."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.applying.run import Controls
from reconciler.model.json import Json
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import FieldChange
from reconciler.model.resource import DesiredResource, Policy
from reconciler.remote import WireBody
from reconciler.remote.client import WriteClient
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

A, B = client_id(0xA), client_id(0xB)


class Lying(WriteClient):
    """A client of a service that answers a PUT as it should be, and then does something else with it."""

    def __init__(self, inner: WriteClient, after_put: Callable[[WriteClient, dict[str, Any]], None]) -> None:
        self.__dict__ = inner.__dict__ | {"inner": inner, "after_put": after_put}

    def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
        """Answer as if all were well."""
        answer = super().put(path, object_id, body, **options)
        self.__dict__["after_put"](self.__dict__["inner"], answer)
        return answer


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of two clients, a and b."""
    with shop(tmp_path, body(A, "a", xp={"keep": 1}), body(B, "b")) as opened:
        yield opened


def apply(service: Shop, *wanted: DesiredResource, lie: Callable[[WriteClient, dict[str, Any]], None]) -> ApplyResult:
    plan = service.plan(desired(*wanted))
    with service.writer() as writer:
        return pipeline.apply(plan, Lying(writer, lie), service.resolve, Controls(concurrency=1, keep_going=True))


def storing(**fields: Any) -> Callable[[WriteClient, dict[str, Any]], None]:
    def lie(writer: WriteClient, answer: dict[str, Any]) -> None:
        writer.put("/apiclients", answer["ID"], {**answer, **fields})

    return lie


def test_a_service_that_answers_right_and_stores_wrong_is_found_out(two: Shop) -> None:
    (outcome,) = apply(two, manifest("a", AccessTokenDuration=60), lie=storing(AccessTokenDuration=61)).outcomes
    assert outcome.status is Status.NOT_CONVERGED
    assert outcome.fields == (FieldChange("/AccessTokenDuration", 60, 61),)


def test_a_field_that_the_service_drops_is_named(two: Shop) -> None:
    (outcome,) = apply(two, manifest("a", xp={"new": 2}), lie=storing(xp=None)).outcomes
    assert (outcome.status, outcome.fields) == (Status.NOT_CONVERGED, (FieldChange("/xp", {"new": 2}, None),))


def test_what_is_gone_after_it_was_written_is_not_taken_for_applied(two: Shop) -> None:
    def lie(writer: WriteClient, answer: dict[str, Any]) -> None:
        writer.delete("/apiclients", answer["ID"])

    (outcome,) = apply(two, manifest("a", Active=False), lie=lie).outcomes
    assert (outcome.status, outcome.message) == (Status.NOT_CONVERGED, "it was written, but does not exist")


def test_many_are_looked_at_in_a_list_and_only_the_odd_one_by_itself(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b", Active=False)))
    two.forget()
    assert two.apply(plan).is_complete
    reads = [one["path"] for one in two.requests() if one["method"] == "GET"]
    assert sorted(reads) == ["/v1/apiclients", f"/v1/apiclients/{A}", f"/v1/apiclients/{B}"]
    result = apply(two, manifest("a", Active=True), manifest("b", Active=True), lie=storing(Active=False))
    assert [outcome.status for outcome in result.outcomes] == [Status.NOT_CONVERGED, Status.NOT_CONVERGED]


def test_a_list_that_cannot_be_read_is_done_without(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b", Active=False)))
    two.fault("GET /v1/apiclients status=403 count=all")
    assert two.apply(plan).is_complete


def test_what_cannot_be_read_again_is_not_taken_for_applied(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault(f"GET /v1/apiclients/{A} status=403 after=1 count=all")
    (outcome,) = two.apply(plan).outcomes
    assert outcome.status is Status.NOT_CONVERGED
    assert "it was written, but could not be read again: GET /v1/apiclients/" in outcome.message
    assert "reading API clients requires one of the roles ApiClientReader, ApiClientAdmin" in outcome.message


@pytest.mark.parametrize(
    "faults",
    [
        [f"PUT /v1/apiclients/{A} drop=after", f"GET /v1/apiclients/{A} status=403 after=1 count=all"],
        ["POST /v1/apiclients drop=after", "GET /v1/apiclients status=403 after=1 count=all"],
    ],
    ids=["update", "create"],
)
def test_a_look_after_a_lost_answer_that_lacks_a_role_names_it(two: Shop, faults: list[str]) -> None:
    wanted = manifest("a", Active=False) if "PUT" in faults[0] else manifest("new", AccessTokenDuration=60)
    plan = two.plan(desired(wanted), replace(NO_LIMITS, creation="post"))
    for fault in faults:
        two.fault(fault)
    (outcome,) = two.apply(plan, Controls(creation="post")).outcomes
    assert (outcome.status, outcome.uncertain) == (Status.FAILED, True)
    assert "could not be read" in outcome.message
    assert "reading API clients requires one of the roles ApiClientReader, ApiClientAdmin" in outcome.message


def test_an_object_that_is_there_after_its_deletion_is_named(two: Shop) -> None:
    two.fault(f"DELETE /v1/apiclients/{A} status=404")
    (outcome,) = two.converge(desired(manifest("a", policy=Policy(absent=True)))).outcomes
    assert (outcome.status, outcome.message) == (Status.NOT_CONVERGED, "it still exists")


def test_of_many_that_were_deleted_the_one_that_is_still_listed_is_named(two: Shop) -> None:
    gone = Policy(absent=True)
    two.fault(f"DELETE /v1/apiclients/{A} status=404")
    outcomes = two.converge(desired(manifest("a", policy=gone), manifest("b", policy=gone))).outcomes
    assert [(one.status, one.message) for one in outcomes] == [
        (Status.NOT_CONVERGED, "it still exists"),
        (Status.APPLIED, ""),
    ]


def test_an_answer_that_was_wrong_about_a_write_that_was_right_does_not_stand(two: Shop) -> None:
    class Garbled(Lying):
        def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
            return super().put(path, object_id, body, **options) | {"AccessTokenDuration": 99}

    plan = two.plan(desired(manifest("a", Active=False)))
    with two.writer() as writer:
        result = pipeline.apply(plan, Garbled(writer, lambda *_: None), two.resolve, Controls())
    assert [(one.status, one.fields) for one in result.outcomes] == [(Status.APPLIED, ())]


def test_a_created_client_whose_id_is_the_services_own_is_looked_at_by_that_id(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        result = empty.converge(desired(manifest("new", AccessTokenDuration=60)))
        assert result.is_complete
        made = empty.bodies()["new"]["ID"]
        assert [one["path"] for one in empty.requests() if one["method"] == "GET"][-2] == f"/v1/apiclients/{made}"


class Renotating(WriteClient):
    """A client of a service that writes every moment in its own notation."""

    def __init__(self, inner: WriteClient) -> None:
        self.__dict__ = inner.__dict__

    def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
        """Keep what was sent, and answer in UTC."""
        answer = super().put(path, object_id, body, **options)
        return {**answer, "xp": {"launch": "2027-01-01T00:00:00+00:00"}}


def test_a_moment_that_comes_back_in_another_notation_is_equal(two: Shop) -> None:
    want = desired(manifest("a", xp={"launch": "2027-01-01T01:00:00.000+01:00"}))
    plan = two.plan(want)
    with two.writer() as writer:
        (outcome,) = pipeline.apply(plan, Renotating(writer), two.resolve, Controls(concurrency=1)).outcomes
    assert (outcome.status, outcome.message) == (Status.APPLIED, "equal, but stored in a different notation: /xp")
    two.edit("a", xp={"launch": "2027-01-01T00:00:00+00:00"})
    assert not two.plan(want).has_changes
