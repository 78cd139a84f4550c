"""The login client: changed last, and changed back if that ends the access."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.applying.run import Controls
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.resource import DesiredResource, Policy
from reconciler.planning.planfile import acknowledgement
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

A = client_id(0xA)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of one client besides the one that the run is logged in with."""
    with shop(tmp_path, body(A, "z", AllowSeller=True)) as opened:
        yield opened


def me(**spec: Any) -> DesiredResource:
    """The login client; its address sorts before all others."""
    return manifest("a", id=ADMIN_CLIENT_ID, **{"AppName": "Admin", **spec})


def apply(service: Shop, *wanted: DesiredResource) -> ApplyResult:
    plan = service.plan(desired(*wanted))
    service.forget()
    return service.apply(plan, Controls(concurrency=2), acknowledged=acknowledgement(plan))


def own(result: ApplyResult) -> Outcome:
    return next(one for one in result.outcomes if one.change.address.name == "a")


def made(service: Shop) -> list[str]:
    """Writes and logins in their order."""
    return [
        "login" if "oauth" in one["path"] else f"{one['method']} {one['path'].rpartition('/')[2][-4:]}"
        for one in service.requests()
        if one["method"] != "GET"
    ]


def seen(service: Shop) -> dict[str, Any]:
    with service.reader() as reader:
        return reader.get("/apiclients", ADMIN_CLIENT_ID)


def test_the_own_client_is_changed_last_between_two_fresh_logins(one: Shop) -> None:
    result = apply(one, me(AccessTokenDuration=60), manifest("z", policy=Policy(absent=True)))
    assert result.is_complete
    assert made(one) == ["login", "DELETE 0000", "login", "PUT AD01", "login"]
    assert own(result).message == "a new login works"


@pytest.mark.parametrize("harm", [{"Active": False}, {"DefaultContextUserName": None}, {"AllowSeller": False}])
def test_a_change_that_ends_the_login_is_taken_back(one: Shop, harm: dict[str, Any]) -> None:
    before = seen(one)
    result = apply(one, me(**harm), manifest("z", AccessTokenDuration=60))
    outcome = own(result)
    assert (outcome.status, outcome.restored, outcome.uncertain) == (Status.FAILED, True, False)
    assert outcome.message.startswith("the login failed after this change (POST /oauth/token, answered 4")
    assert outcome.message.endswith("; the previous body was restored, and the login works again")
    assert made(one) == ["login", "PUT 0000", "login", "PUT AD01", "login", "PUT AD01", "login"]
    assert seen(one) == before


def test_a_secret_of_the_own_client_that_the_run_does_not_know_is_taken_back(tmp_path: Path) -> None:
    with shop(tmp_path, profile="legacy") as legacy:
        outcome = own(apply(legacy, manifest("a", id=ADMIN_CLIENT_ID, AppName="Admin", secrets={"ClientSecret": None})))
        assert outcome.restored
        assert seen(legacy)["ClientSecret"] == ADMIN_CLIENT_SECRET


def test_a_login_that_does_not_work_anyway_is_no_reason_to_write(one: Shop) -> None:
    plan = one.plan(desired(me(AccessTokenDuration=60)))
    one.fault("POST /oauth/token status=400 count=all")
    one.forget()
    result = one.apply(plan, acknowledged=acknowledgement(plan))
    assert (own(result).status, own(result).may_be_written, one.writes()) == (Status.FAILED, False, [])
    assert "the login already failed before this change" in own(result).message


def test_a_body_of_before_that_cannot_be_put_back_is_told(one: Shop) -> None:
    plan = one.plan(desired(me(Active=False)))
    one.fault(f"PUT /v1/apiclients/{ADMIN_CLIENT_ID} status=403 after=1 count=all")
    outcome = own(one.apply(plan, acknowledged=acknowledgement(plan)))
    assert (outcome.status, outcome.uncertain, outcome.may_be_written) == (Status.FAILED, False, True)
    assert "and the change could not be reverted: PUT /v1/apiclients/" in outcome.message


def test_a_lost_write_that_cannot_be_looked_at_or_taken_back_leaves_doubt(one: Shop) -> None:
    plan = one.plan(desired(me(Active=False)))
    one.fault(f"PUT /v1/apiclients/{ADMIN_CLIENT_ID} drop=after")
    one.fault(f"GET /v1/apiclients/{ADMIN_CLIENT_ID} status=403 after=1 count=all")
    outcome = own(one.apply(plan, acknowledged=acknowledgement(plan)))
    assert (outcome.status, outcome.uncertain) == (Status.FAILED, True)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer_while_it_is_put_back_is_settled_by_reading(one: Shop, moment: str) -> None:
    plan = one.plan(desired(me(Active=False)))
    one.fault(f"PUT /v1/apiclients/{ADMIN_CLIENT_ID} drop={moment} after=1")
    assert own(one.apply(plan, acknowledged=acknowledgement(plan))).restored
    assert seen(one)["Active"] is True


def test_what_somebody_else_has_made_of_it_meanwhile_is_left_alone(one: Shop) -> None:
    plan = one.plan(desired(me(Active=False)))
    one.fault(f"GET /v1/apiclients/{ADMIN_CLIENT_ID} after=1 edit=AccessTokenDuration:77")
    outcome = own(one.apply(plan, acknowledged=acknowledgement(plan)))
    assert (outcome.status, outcome.restored) == (Status.FAILED, False)
    assert outcome.message.endswith("the change was not reverted: the object has changed since this run wrote it")


def test_a_login_that_is_broken_for_another_reason_is_told_after_the_restoring(one: Shop) -> None:
    plan = one.plan(desired(me(AccessTokenDuration=60)))
    one.fault("POST /oauth/token status=400 after=1 count=all")
    outcome = own(one.apply(plan, acknowledged=acknowledgement(plan)))
    assert outcome.restored
    assert outcome.message.endswith("; the previous body was restored, but the login still fails")


def test_a_conflict_on_the_own_client_needs_no_proof(one: Shop) -> None:
    plan = one.plan(desired(me(AccessTokenDuration=60)))
    with one.writer() as colleague:
        colleague.put("/apiclients", ADMIN_CLIENT_ID, {**seen(one), "AccessTokenDuration": 77})
    one.forget()
    assert own(one.apply(plan, acknowledged=acknowledgement(plan))).status is Status.CONFLICT
    assert made(one) == ["login"]


def test_what_is_in_step_already_cannot_be_taken_back(one: Shop) -> None:
    plan = one.plan(desired(me(AccessTokenDuration=60)))
    one.apply(plan, acknowledged=acknowledgement(plan))
    one.fault("POST /oauth/token status=400 after=1 count=all")
    outcome = own(one.apply(plan, acknowledged=acknowledgement(plan)))
    assert outcome.message.endswith("the change was not reverted: it was not written by this run")


def test_a_failure_among_the_others_keeps_the_own_client_from_being_touched(one: Shop) -> None:
    one.fault(f"PUT /v1/apiclients/{A} status=400 count=all")
    assert own(apply(one, me(AccessTokenDuration=60), manifest("z", Active=False))).status is Status.SKIPPED


def test_a_deviation_that_only_the_last_look_finds_keeps_the_own_client_from_being_touched(one: Shop) -> None:
    plan = one.plan(desired(me(AccessTokenDuration=60), manifest("z", AccessTokenDuration=60)))
    one.fault(f"GET /v1/apiclients/{A} after=1 edit=AccessTokenDuration:77")  # between the PUT and the last look
    one.forget()
    result = one.apply(plan, Controls(concurrency=2), acknowledged=acknowledgement(plan))
    assert [outcome.status for outcome in result.outcomes] == [Status.SKIPPED, Status.NOT_CONVERGED]
    assert not any("AD01" in write for write in made(one))
