"""Applying against the emulator: what is written, what is not, and what is said about it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Lock, Semaphore
from typing import Any

import httpx
import pytest

from reconciler import pipeline
from reconciler.applying.run import Controls
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET
from reconciler.errors import AnswerLost, ReconcilerError, RequestFacts
from reconciler.kinds import KINDS
from reconciler.model.json import Json
from reconciler.model.outcome import ApplyResult, NoRecord, Outcome, Status, Write
from reconciler.model.plan import Action
from reconciler.model.resource import Policy
from reconciler.model.secret import Secret, SecretReference, SecretSource
from reconciler.remote import WireBody
from reconciler.remote.auth import ClientCredentials
from reconciler.remote.client import WriteClient, open_writer
from reconciler.remote.exchange import Connection
from tests.builders import body, desired, manifest
from tests.limits import no_more_threads_than
from tests.service import BASE_URL, Shop, client_id, shop

A, B = client_id(0xA), client_id(0xB)


NEIGHBOURS = {
    "Buyers": [{"ID": "acme", "Name": "Acme"}],
    "Users": [{"ID": "u", "BuyerID": "acme", "Username": "shopper", "Active": True}],
    "IntegrationEvents": [
        {"ID": name, "Name": name, "EventType": kind, "CustomImplementationUrl": "https://shop.example", "HashKey": "k"}
        for name, kind in {"checkout": "OrderCheckout", "return": "OrderReturn", "cart": "AddToCart"}.items()
    ],
}


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of two clients, a and b."""
    with shop(tmp_path, body(A, "a"), body(B, "b")) as opened:
        yield opened


def statuses(result: ApplyResult) -> list[Status]:
    return [outcome.status for outcome in result.outcomes]


def only(result: ApplyResult) -> Outcome:
    (outcome,) = result.outcomes
    return outcome


def test_a_change_costs_one_read_one_put_and_a_last_look_and_nothing_else_is_written(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b")))
    two.forget()
    result = two.apply(plan)
    made = [f"{entry['method']} {entry['path']}" for entry in two.requests() if "oauth" not in entry["path"]]
    assert made == [f"GET /v1/apiclients/{A}", f"PUT /v1/apiclients/{A}", f"GET /v1/apiclients/{A}"]
    assert (statuses(result), result.unchanged) == ([Status.APPLIED], 1)


def test_what_is_in_step_is_not_written(two: Shop) -> None:
    assert two.converge(desired(manifest("a"), manifest("b", Active=True))).outcomes == ()
    assert two.writes() == []


def test_all_writable_fields_survive_a_put_that_changes_one(tmp_path: Path) -> None:
    full = body(
        A,
        "a",
        ClientSecret="kept",
        RefreshTokenDuration=5760,
        AnonymousTokenDuration=20_160,
        DefaultContextUserName="shopper",
        xp={"keep": {"me": [1, None, "x"]}},
        AllowAnyBuyer=True,
        AllowAnySupplier=True,
        AllowSeller=True,
        IsAnonBuyer=True,
        OrderCheckoutIntegrationEventID="checkout",
        OrderReturnIntegrationEventID="return",
        AddToCartIntegrationEventID="cart",
        MinimumRequiredRoles=["Shopper"],
        MinimumRequiredCustomRoles=["mine"],
        MaximumGrantedRoles=["Shopper", "MeAdmin"],
        MaximumGrantedCustomRoles=["yours"],
        FutureFlag="nobody has heard of it",
    )
    kind = KINDS["ApiClient"]
    assert set(full) >= {*kind.fields, *kind.secret_fields}
    with shop(tmp_path, full, objects=NEIGHBOURS, profile="legacy") as legacy:
        before = legacy.bodies()["a"]
        assert statuses(legacy.converge(desired(manifest("a", AccessTokenDuration=60)))) == [Status.APPLIED]
        after = legacy.bodies()["a"]
    assert {name for name in after if after[name] != before[name]} == {"AccessTokenDuration"}
    assert (after["ClientSecret"], after["FutureFlag"]) == ("kept", "nobody has heard of it")


def test_an_object_that_changed_since_the_plan_is_a_conflict_and_is_not_written(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.edit("a", RefreshTokenDuration=99)
    outcome = only(two.apply(plan))
    assert (outcome.status, two.writes()) == (Status.CONFLICT, [])
    assert "RefreshTokenDuration" in outcome.message


def test_an_object_that_vanished_since_the_plan_is_a_conflict(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.converge(desired(manifest("a", policy=Policy(absent=True))))
    assert only(two.apply(plan)).status is Status.CONFLICT


def test_an_object_that_already_is_as_planned_is_not_written_again(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.apply(plan)
    two.forget()
    outcome = only(two.apply(plan))
    assert (outcome.status, outcome.message, two.writes()) == (Status.APPLIED, "already up to date", [])


@pytest.mark.parametrize("put_creates", [True, False])
def test_a_client_is_created_once_by_put_or_where_that_is_not_there_by_post(tmp_path: Path, put_creates: bool) -> None:
    want = desired(manifest("new", AccessTokenDuration=60, Active=True))
    with shop(tmp_path, put_creates=put_creates) as empty:
        outcome = only(empty.converge(want))
        assert (outcome.status, outcome.id) == (Status.APPLIED, empty.bodies()["new"]["ID"])
        assert [write.split()[0] for write in empty.writes()] == (["PUT"] if put_creates else ["PUT", "POST"])
        assert not empty.plan(want).has_changes


def test_an_id_that_came_to_life_since_the_plan_is_a_conflict(two: Shop) -> None:
    plan = two.plan(desired(manifest("new", id=client_id(0xC), AccessTokenDuration=60)))
    two.converge(desired(manifest("other", id=client_id(0xC), AccessTokenDuration=60)))
    assert only(two.apply(plan)).status is Status.CONFLICT


def test_a_delete_is_carried_out_last_and_only_once(two: Shop) -> None:
    want = desired(manifest("a", policy=Policy(absent=True)), manifest("b", Active=False))
    plan = two.plan(want)
    assert statuses(two.apply(plan)) == [Status.APPLIED, Status.APPLIED]
    assert two.writes() == [f"PUT /v1/apiclients/{B}", f"DELETE /v1/apiclients/{A}"]
    again = two.apply(plan)
    assert again.outcomes[0].message == "already deleted"


def test_a_client_that_changed_since_the_plan_is_not_deleted(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", policy=Policy(absent=True))))
    two.edit("a", AllowSeller=True)
    assert only(two.apply(plan)).status is Status.CONFLICT
    assert "a" in two.bodies()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer_to_a_put_is_settled_by_reading(two: Shop, moment: str) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault(f"PUT /v1/apiclients/* drop={moment}")
    assert only(two.apply(plan)).status is Status.APPLIED
    assert (len(two.writes()), two.bodies()["a"]["Active"]) == (1 if moment == "after" else 2, False)


TURNED_AWAY = ["status=429", "revoke"]


@pytest.mark.parametrize("away", TURNED_AWAY)
def test_a_put_that_was_turned_away_is_sent_again_only_after_a_look(two: Shop, away: str) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault(f"PUT /v1/apiclients/* {away}")
    two.forget()
    assert only(two.apply(plan)).status is Status.APPLIED
    seen = [entry["method"] for entry in two.requests() if entry["path"].startswith("/v1/")]
    assert seen == ["GET", "PUT", "GET", "PUT", "GET"]  # the last one is the look at the end of the run


@pytest.mark.parametrize("away", TURNED_AWAY)
@pytest.mark.parametrize("want", [manifest("a", Active=False), manifest("a", policy=Policy(absent=True))])
def test_what_somebody_changed_while_a_write_was_turned_away_is_not_overwritten(
    two: Shop, want: Any, away: str
) -> None:
    plan = two.plan(desired(want))
    two.fault(f'* /v1/apiclients/* {away} after=1 edit=AppName:"from the portal"')
    assert only(two.apply(plan)).status is Status.CONFLICT
    assert set(two.bodies()) == {"b", "from the portal"}


def test_a_secret_that_was_rotated_while_a_put_was_turned_away_is_kept(tmp_path: Path) -> None:
    with shop(tmp_path, body(A, "a", ClientSecret="planted-old"), profile="legacy") as legacy:
        plan = legacy.plan(desired(manifest("a", Active=False)))
        legacy.fault('PUT /v1/apiclients/* status=429 edit=ClientSecret:"planted-new"')
        legacy.apply(plan)
        assert legacy.bodies()["a"]["ClientSecret"] == "planted-new"


def test_a_post_that_was_turned_away_is_sent_again_only_after_a_look(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        plan = empty.plan(desired(manifest("new", AccessTokenDuration=60)))
        empty.fault("POST /v1/apiclients status=429")
        empty.forget()
        assert only(empty.apply(plan)).status is Status.APPLIED
        seen = [entry["method"] for entry in empty.requests() if entry["path"] == "/v1/apiclients"]
        assert seen == ["GET", "POST", "GET", "POST"]


def test_a_write_that_is_turned_away_again_and_again_fails_after_six_attempts(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault("PUT /v1/apiclients/* status=429 count=all")
    outcome = only(two.apply(plan))
    assert (outcome.status, len(two.writes())) == (Status.FAILED, 6)
    assert "429" in outcome.message
    assert "(6 attempts)" in outcome.message


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("put_creates", [True, False])
def test_a_lost_answer_to_a_creation_makes_one_client(tmp_path: Path, put_creates: bool, moment: str) -> None:
    with shop(tmp_path, put_creates=put_creates) as empty:
        empty.fault(f"{'PUT' if put_creates else 'POST'} /v1/apiclients* drop={moment}")
        assert only(empty.converge(desired(manifest("new", AccessTokenDuration=60)))).status is Status.APPLIED
        assert len(empty.bodies()) == 1


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_lost_answer_to_a_delete_is_settled_by_reading(two: Shop, moment: str) -> None:
    plan = two.plan(desired(manifest("a", policy=Policy(absent=True))))
    two.fault(f"DELETE /v1/apiclients/* drop={moment}")
    assert only(two.apply(plan)).status is Status.APPLIED
    assert set(two.bodies()) == {"b"}


@pytest.mark.parametrize(
    ("want", "route"),
    [
        (manifest("a", Active=False), "PUT /v1/apiclients/*"),
        (manifest("new", AccessTokenDuration=60), "PUT /v1/apiclients/*"),
        (manifest("a", policy=Policy(absent=True)), "DELETE /v1/apiclients/*"),
    ],
)
def test_a_write_whose_answer_is_lost_again_and_again_fails_and_says_so(two: Shop, want: Any, route: str) -> None:
    plan = two.plan(desired(want))
    two.fault(f"{route} drop=before count=all")
    outcome = only(two.apply(plan))
    assert (outcome.status, len(two.writes())) == (Status.FAILED, 3)
    assert route.split("/", maxsplit=1)[0] in outcome.message


def test_a_conflict_that_is_found_after_a_lost_answer_may_have_been_written(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault(f"PUT /v1/apiclients/{A} drop=after")
    two.fault(f"GET /v1/apiclients/{A} after=1 edit=RefreshTokenDuration:99")
    outcome = only(two.apply(plan))
    assert (outcome.status, outcome.may_be_written) == (Status.CONFLICT, True)


def test_a_post_whose_answer_is_lost_again_and_again_fails(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        empty.fault("POST /v1/apiclients drop=before count=all")
        assert only(empty.converge(desired(manifest("new", AccessTokenDuration=60)))).status is Status.FAILED


def namesakes(service: Shop, name: str) -> list[str]:
    with service.reader() as reader:
        return [str(one["ID"]) for one in reader.list_all("/apiclients") if one["AppName"] == name]


def test_a_client_of_the_name_that_appeared_since_the_plan_is_not_made_a_second_time(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        plan = empty.plan(desired(manifest("new", AccessTokenDuration=60)))
        with empty.writer() as colleague:
            colleague.post("/apiclients", {"AppName": "new", "AccessTokenDuration": 61})
        outcome = only(empty.apply(plan))
        assert outcome.status is Status.CONFLICT
        assert namesakes(empty, "new")[0] in outcome.message
        assert len(namesakes(empty, "new")) == 1


def test_a_lost_post_after_which_there_are_two_of_the_name_lists_both(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        plan = empty.plan(desired(manifest("new", AccessTokenDuration=60)))
        with empty.writer() as writer:
            outcome = only(pipeline.apply(plan, _Racing(writer), empty.resolve, Controls()))
        assert outcome.status is Status.CONFLICT
        assert all(one in outcome.message for one in namesakes(empty, "new"))


class _Racing(WriteClient):
    """A client whose every POST meets a colleague's who makes the same, and whose answer is lost."""

    def __init__(self, inner: WriteClient) -> None:
        self.__dict__ = inner.__dict__

    def post(self, path: str, body: WireBody, **options: Any) -> dict[str, Json]:
        super().post(path, body, **options)
        super().post(path, body, **options)
        raise AnswerLost("the connection was closed", RequestFacts("POST", path))


class _Late(WriteClient):
    """A client whose first POST is lost, and carried out only while the second is."""

    def __init__(self, inner: WriteClient) -> None:
        self.__dict__ = inner.__dict__ | {"posts": 0}

    def post(self, path: str, body: WireBody, **options: Any) -> dict[str, Json]:
        self.__dict__["posts"] += 1
        if self.__dict__["posts"] == 1:
            raise AnswerLost("the response timed out", RequestFacts("POST", path))
        super().post(path, body, **options)
        return super().post(path, body, **options)


def test_a_lost_post_that_is_carried_out_late_is_noticed(tmp_path: Path) -> None:
    with shop(tmp_path, put_creates=False) as empty:
        plan = empty.plan(desired(manifest("new", AccessTokenDuration=60)))
        with empty.writer() as writer:
            outcome = only(pipeline.apply(plan, _Late(writer), empty.resolve, Controls()))
        assert (outcome.status, outcome.may_be_written) == (Status.CONFLICT, True)
        assert all(one in outcome.message for one in namesakes(empty, "new"))


class _Garbling(WriteClient):
    """A client whose answers to a PUT have a flag that is no flag."""

    def __init__(self, inner: WriteClient) -> None:
        self.__dict__ = inner.__dict__

    def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
        return super().put(path, object_id, body, **options) | {"Active": "no"}


class _Mistaking(WriteClient):
    """A client whose answers to a PUT are about another object; the PUT may not have been carried out at all."""

    def __init__(self, inner: WriteClient, *, writes: bool) -> None:
        self.__dict__ = inner.__dict__ | {"writes": writes}

    def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
        is_real = self.__dict__["writes"]
        answer = super().put(path, object_id, body, **options) if is_real else self.get(path, str(object_id))
        return {**answer, "Active": False, "ID": B}


class _Vanishing(_Garbling):
    """The same, and what was written is gone when one looks."""

    def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
        answer = super().put(path, object_id, body, **options)
        self.delete(path, object_id)
        return answer


class _Forgetting(WriteClient):
    """A service that loses the secret of a client that is PUT; with or without an answer to the PUT."""

    def __init__(self, inner: WriteClient, *, answers: bool) -> None:
        self.__dict__ = inner.__dict__ | {"answers": answers}

    def put(self, path: str, object_id: str | None, body: WireBody, **options: Any) -> dict[str, Json]:
        answer = super().put(path, object_id, {**body, "ClientSecret": None}, **options)
        if not self.__dict__["answers"]:
            raise AnswerLost("the connection was closed", RequestFacts("PUT", path))
        return answer


@pytest.mark.parametrize("answers", [True, False])
def test_a_carried_secret_that_the_service_does_not_keep_is_named(tmp_path: Path, answers: bool) -> None:
    with shop(tmp_path, body(A, "a", ClientSecret="planted"), profile="legacy") as legacy:
        plan = legacy.plan(desired(manifest("a", Active=False)))
        with legacy.writer() as writer:
            outcome = only(pipeline.apply(plan, _Forgetting(writer, answers=answers), legacy.resolve, Controls()))
    assert (outcome.status, [field.pointer for field in outcome.fields]) == (Status.NOT_CONVERGED, ["/ClientSecret"])
    assert "planted" not in repr(outcome)


def test_an_answer_of_unexpected_types_is_followed_by_a_look(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    with two.writer() as writer:
        outcome = only(pipeline.apply(plan, _Garbling(writer), two.resolve, Controls()))
    assert outcome.status is Status.APPLIED


@pytest.mark.parametrize(("writes", "status"), [(True, Status.APPLIED), (False, Status.FAILED)])
def test_an_answer_about_another_object_is_followed_by_a_look(two: Shop, writes: bool, status: Status) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    with two.writer() as writer:
        outcome = only(pipeline.apply(plan, _Mistaking(writer, writes=writes), two.resolve, Controls()))
    assert (outcome.status, outcome.id) == (status, A)


def test_an_answer_of_unexpected_types_after_which_nothing_is_there_is_a_conflict(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    with two.writer() as writer:
        outcome = only(pipeline.apply(plan, _Vanishing(writer), two.resolve, Controls()))
    assert (outcome.status, outcome.may_be_written) == (Status.CONFLICT, True)


def test_what_the_service_refuses_fails_and_what_follows_is_skipped(two: Shop) -> None:
    want = desired(manifest("a", Active=False), manifest("b", Active=False))
    two.fault(f"PUT /v1/apiclients/{A} status=400 count=all")
    result = two.apply(two.plan(want), Controls(concurrency=1))
    assert statuses(result) == [Status.FAILED, Status.SKIPPED]
    assert "ValidationFailure" in result.outcomes[0].message


def test_keep_going_goes_on_with_the_others(two: Shop) -> None:
    want = desired(manifest("a", Active=False), manifest("b", Active=False))
    two.fault(f"PUT /v1/apiclients/{A} status=400 count=all")
    result = two.apply(two.plan(want), Controls(concurrency=1, keep_going=True))
    assert statuses(result) == [Status.FAILED, Status.APPLIED]


def test_a_run_that_is_stopped_starts_nothing_more(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b", Active=False)))
    ended: list[Outcome] = []
    controls = Controls(concurrency=1, on_outcome=ended.append, should_stop=lambda: bool(ended))
    result = two.apply(plan, controls)
    assert statuses(result) == [Status.APPLIED, Status.SKIPPED]
    assert result.interrupted
    assert ended == list(result.outcomes)


def test_a_field_that_the_service_does_not_keep_is_named(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    (change,) = (change for change in plan.changes if change.action is Action.UPDATE)
    dreamt = replace(change, after={**(change.after or {}), "NotAField": 1})
    outcome = only(two.apply(replace(plan, changes=(dreamt,))))
    assert (outcome.status, [field.pointer for field in outcome.fields]) == (Status.NOT_CONVERGED, ["/NotAField"])


@pytest.mark.parametrize("spoiled", ["html", "truncated", "empty", "wrong-type"])
def test_an_unusable_answer_to_a_put_is_followed_by_a_look(two: Shop, spoiled: str) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault(f"PUT /v1/apiclients/* body={spoiled}")
    assert only(two.apply(plan)).status is Status.APPLIED
    assert len(two.writes()) == 1


def test_a_secret_is_set_carried_over_and_cleared_without_being_shown(tmp_path: Path) -> None:
    source = SecretReference(SecretSource.ENVIRONMENT, "NEW")
    with shop(tmp_path, body(A, "a", ClientSecret="planted-old"), profile="legacy") as legacy:
        legacy.secrets["NEW"] = "planted-new"
        result = legacy.converge(desired(manifest("a", secrets={"ClientSecret": source})))
        assert legacy.bodies()["a"]["ClientSecret"] == "planted-new"
        legacy.converge(desired(manifest("a", Active=False)))
        assert legacy.bodies()["a"]["ClientSecret"] == "planted-new"
        legacy.converge(desired(manifest("a", secrets={"ClientSecret": None})))
        assert legacy.bodies()["a"]["ClientSecret"] is None
    assert "planted" not in repr(result)


def test_an_error_of_ours_in_one_change_keeps_the_record_of_the_others(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False), manifest("b", Active=False)))
    broken = tuple(replace(change, id=None) if change.address.name == "a" else change for change in plan.changes)
    result = two.apply(replace(plan, changes=broken), Controls(concurrency=1, keep_going=True))
    assert statuses(result) == [Status.FAILED, Status.APPLIED]
    assert "internal error (ValueError)" in result.outcomes[0].message


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_machine_that_starts_few_threads_or_none_makes_a_run_slower_only(two: Shop, threads: int) -> None:
    wanted = desired(manifest("a", Active=False), manifest("b", Active=False, assignments={"buyers": ()}))
    referring = desired(*(manifest(name, OrderCheckoutIntegrationEventID=f"no-{name}") for name in "ab"))
    with no_more_threads_than(threads):
        plan = two.plan(wanted)
        looked = two.plan(referring)
    assert [one.rule for one in looked.guards] == ["reference-missing", "reference-missing"]
    with two.writer() as writer, no_more_threads_than(threads):
        result = pipeline.apply(plan, writer, two.resolve, Controls(concurrency=2))
    assert statuses(result) == [Status.APPLIED, Status.APPLIED]
    assert len(two.writes()) == 2


class Crowded(httpx.BaseTransport):
    """Holds the first requests back until so many are on their way, and remembers the most that ever were."""

    def __init__(self, service: httpx.BaseTransport, at_a_time: int) -> None:
        self._service = service
        self._all_here = Barrier(at_a_time, timeout=10)
        self._lock = Lock()
        self._left = at_a_time
        self._busy = 0
        self.most = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        with self._lock:
            self._busy += 1
            self.most = max(self.most, self._busy)
            self._left -= request.method == "GET"
            is_early = self._left >= 0 and request.method == "GET"
        if is_early:
            self._all_here.wait()
        answer = self._service.handle_request(request)
        with self._lock:
            self._busy -= 1
        return answer


def test_as_many_requests_are_on_their_way_as_concurrency_allows_and_never_more(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(20)]
    with shop(tmp_path, *(body(client_id(number), name) for number, name in enumerate(names))) as service:
        plan = service.plan(desired(*(manifest(name, Active=False) for name in names)))
        crowd = Crowded(service.transport, 8)
        credentials = ClientCredentials(ADMIN_CLIENT_ID, Secret(ADMIN_CLIENT_SECRET))
        with open_writer(Connection(BASE_URL, credentials, concurrency=8), transport=crowd) as writer:
            result = pipeline.apply(plan, writer, service.resolve, Controls(concurrency=8))
    assert (crowd.most, set(statuses(result))) == (8, {Status.APPLIED})


def test_a_failure_says_how_to_fix_it_where_the_error_does(two: Shop) -> None:
    plan = two.plan(desired(manifest("a", Active=False)))
    two.fault(f"PUT /v1/apiclients/{A} status=429 count=all")
    assert only(two.apply(plan)).message.endswith("; lower `concurrency`, or try again later")


def test_a_failure_without_a_hint_ends_with_its_message(two: Shop) -> None:
    def refuse(_write: Write) -> int:
        raise ReconcilerError("no more room")

    recorder = NoRecord()
    recorder.intend = refuse  # type: ignore[method-assign]  # as a full disk does
    outcome = only(two.apply(two.plan(desired(manifest("a", Active=False))), Controls(recorder=recorder)))
    assert outcome.message == "no more room"


@pytest.mark.parametrize(("concurrency", "workers"), [(1, 1), (4, 5)])
def test_where_whoever_watches_fails_no_other_change_is_begun_even_while_the_first_takes_long(
    tmp_path: Path, concurrency: int, workers: int
) -> None:
    begun, together, others = [], Barrier(workers), Semaphore(0)

    def fail(_outcome: Outcome) -> None:
        others.release()
        raise RuntimeError("the screen is gone")

    def begin(_write: Write) -> int:
        begun.append(name := _write.change.address.name)
        if len(begun) <= workers:
            together.wait(60)
        for _ in range(workers - 1) if name == "client-0" else ():
            others.acquire(timeout=60)
        return 0

    recorder = NoRecord()
    recorder.intend = begin  # type: ignore[method-assign]  # as a service does that asks to wait
    with shop(tmp_path) as empty:
        plan = empty.plan(desired(*(manifest(f"client-{number}", AccessTokenDuration=60) for number in range(60))))
        with pytest.raises(RuntimeError, match="the screen is gone"):
            empty.apply(plan, Controls(concurrency=concurrency, on_outcome=fail, recorder=recorder))
    assert len(begun) == workers
