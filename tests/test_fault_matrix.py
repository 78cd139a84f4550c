"""Every fault x every request of a plan and of an apply, once and for ever: what the worst days look like.

Whatever goes wrong: the exit code is the right one, nothing is planned from a failed read, nothing is written twice,
the message names the request, and when the service is well again one more run brings everything in step.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler.applying.run import Controls
from reconciler.cli.exit import of_result
from reconciler.errors import ReconcilerError
from reconciler.model.outcome import Status
from reconciler.model.resource import Policy
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

pytestmark = pytest.mark.sweep

CHANGED, DOOMED, OTHER, NEW = (client_id(number) for number in (0xA, 0xB, 0xC, 0xD))
LIVE = [body(CHANGED, "changed"), body(DOOMED, "doomed"), body(OTHER, "other")]
PARTIES = {
    "Buyers": [{"ID": one, "Name": one, "Active": True} for one in ("b1", "b2")],
    "AdminUsers": [
        {"ID": "u", "Username": "clerk", "FirstName": "A", "LastName": "B", "Email": "a@example.com", "Active": True}
    ],
}
ASSIGNED = [{"ApiClientID": CHANGED, "BuyerID": "b2"}]
WANT = desired(
    manifest(
        "changed",
        id=CHANGED,
        Active=False,
        OrderCheckoutIntegrationEventID="checkout",
        DefaultContextUserName="clerk",
        assignments={"buyers": ("b1",)},
    ),
    manifest("doomed", id=DOOMED, policy=Policy(absent=True)),
    manifest("new", id=NEW, AccessTokenDuration=60, Active=True),
)

# A route, and where it is asked for several times, the one that is meant.
READING: Final = {
    "login": "POST /oauth/token",
    "who": "GET /v1/me",
    "list": "GET /v1/apiclients",
    "later page": "GET /v1/apiclients after=1",
    "assignments": "GET /v1/apiclients/assignments",
}
REFERRING: Final = {  # what is said of a 403 and a 404 here, is in test_references.py
    "event": "GET /v1/integrationEvents/checkout",
    "user": "GET /v1/adminusers",
    "buyer": "GET /v1/buyers/b1",
}
PLANNING: Final = READING | REFERRING
APPLYING: Final = {
    "login": "POST /oauth/token after=1",
    "look": f"GET /v1/apiclients/{CHANGED}",
    "update": f"PUT /v1/apiclients/{CHANGED}",
    "assign": "POST /v1/apiclients/assignments",
    "unassign": f"DELETE /v1/buyers/b2/ApiClients/Assignments/{CHANGED}",
    "create": f"PUT /v1/apiclients/{NEW}",
    "delete": f"DELETE /v1/apiclients/{DOOMED}",
    "last look": "GET /v1/apiclients after=2",
}
CREATING: Final = {  # where the service makes the ids of new clients
    "look for the name": "GET /v1/apiclients after=2",
    "create by POST": "POST /v1/apiclients",
}
HARMLESS: Final = ("body=bom", "latency=1")
REFUSALS: Final = ("status=400", "status=403", "status=404")
SPOILED: Final = ("body=html", "body=truncated", "body=wrong-type", "body=empty")
PASSING: Final = (
    "status=401",
    "status=429",
    "status=429 retry-after=1",
    "status=500",
    "status=502",
    "status=503",
    "drop=before",
    "drop=after",
    "revoke",
)
FAULTS: Final = (*HARMLESS, *REFUSALS, *SPOILED, *PASSING)
STAYING: Final = ("status=403", "status=404", "status=429", "status=503", "body=html", "drop=before", "drop=after")


@contextmanager
def marketplace(folder: Path, **settings: Any) -> Iterator[Shop]:
    """Four clients, one of them the administrator's, on two pages."""
    with shop(
        folder, *LIVE, objects=PARTIES, assignments=ASSIGNED, max_page_size=2, revisions=True, **settings
    ) as service:
        yield service


def run(service: Shop) -> tuple[int, str, bool]:
    """Plan and apply as one command; gives exit code, message, and whether there was a plan."""
    try:
        plan = service.plan(WANT)
    except ReconcilerError as error:
        return error.exit_code, str(error), False
    result = service.apply(plan, Controls(concurrency=1, keep_going=True))
    told = [outcome.message for outcome in result.outcomes if outcome.status is not Status.APPLIED]
    return of_result(result), " ".join(told), True


def demand_no_write_was_repeated(service: Shop) -> None:
    """Neither by the journal, nor, where a fault took the answer away, by what was written."""
    done = Counter(
        (entry["method"], entry["path"].casefold())
        for entry in service.requests()
        if entry["method"] != "GET" and "/v1/" in entry["path"] and entry["status"] in {200, 201, 204}
    )
    assert not [write for write, times in done.items() if times > 1]
    service.clear_faults()
    with service.reader() as reader:
        live: list[Any] = reader.list_all("/apiclients")
    assert max(Counter(one["AppName"] for one in live).values()) == 1
    assert all(one["EmulatorRevision"] <= (2 if one["AppName"] == "changed" else 1) for one in live)


def demand_recovery(service: Shop) -> None:
    """One more run brings all of it about: by what is there, since a plan is made of what may be wrong."""
    service.clear_faults()
    assert run(service)[0] == 0
    assert not service.plan(WANT).has_changes
    with service.reader() as reader:
        live: dict[Any, Any] = {one["AppName"]: one for one in reader.list_all("/apiclients")}
        rows = reader.list_all("/apiclients/assignments", key=None)
    assert live.keys() - {"Emulator Administration"} == {"changed", "new", "other"}
    changed, new = live["changed"], live["new"]
    assert (changed["Active"], changed["DefaultContextUserName"]) == (False, "clerk")
    assert changed["OrderCheckoutIntegrationEventID"] == "checkout"
    assert (new["Active"], new["AccessTokenDuration"]) == (True, 60)
    assert [(str(row["ApiClientID"]).upper(), row["BuyerID"]) for row in rows] == [(CHANGED, "b1")]


def route(phase: str) -> tuple[str, str]:
    """Method and path of a phase."""
    method, path, *_ = phase.split()
    return method, path


@pytest.mark.parametrize(
    ("phase", "fault"), [*product(READING.values(), REFUSALS), *product(PLANNING.values(), (*SPOILED, *PASSING))]
)
def test_a_read_that_keeps_failing_ends_in_an_error_without_a_plan(phase: str, fault: str, tmp_path: Path) -> None:
    if (phase, fault) == (READING["login"], "revoke"):
        fault = "status=401"  # a login has no token that could be revoked
    with marketplace(tmp_path) as service:
        service.fault(f"{phase} {fault} count=all")
        code, message, planned = run(service)
        assert (code, planned, service.writes()) == (1, False, [])
        assert " ".join(route(phase)) in message
        demand_recovery(service)


@pytest.mark.parametrize(("phase", "fault"), [*product(PLANNING.values(), PASSING)])
def test_a_read_that_fails_once_is_tried_again(phase: str, fault: str, tmp_path: Path) -> None:
    refused = (phase, fault) == (READING["login"], "status=401")  # is what wrong credentials get
    with marketplace(tmp_path) as service:
        service.fault(f"{phase} {fault}")
        # A 500 may be a bug that a retry would repeat.
        assert run(service)[0] == (1 if refused or fault == "status=500" else 0)
        demand_recovery(service)


@pytest.mark.parametrize(
    ("phase", "fault"),
    [*product((*APPLYING.values(), *CREATING.values()), (*FAULTS, *(f"{fault} count=all" for fault in STAYING)))],
)
def test_an_apply_that_meets_a_fault_writes_nothing_twice_and_recovers(phase: str, fault: str, tmp_path: Path) -> None:
    method, path = route(phase)
    with marketplace(tmp_path, put_creates=phase not in CREATING.values()) as service:
        service.fault(f"{phase} {fault}")
        code, message, planned = run(service)
        assert planned
        assert code in {0, 5, 6} or (code, service.writes()) == (1, [])
        if code == 6:  # what is said to be there or not, is not so; or it could not be looked at again
            assert "status=404" in fault or method == "GET"
        elif code and "since the plan was made" not in message:
            assert path in message
            assert method in message or "GET" in message
        demand_no_write_was_repeated(service)
        demand_recovery(service)


@pytest.mark.parametrize("phase", [*PLANNING.values(), *(one for name, one in APPLYING.items() if name != "update")])
def test_what_somebody_else_changes_meanwhile_is_never_overwritten(phase: str, tmp_path: Path) -> None:
    with marketplace(tmp_path) as service:
        service.fault(f"{phase} edit=RefreshTokenDuration:99 client={CHANGED}")
        code, message, _ = run(service)
        assert code in {0, 5, 6}
        assert (code == 5) == ("it has changed since the plan was made" in message)
        demand_recovery(service)
        assert service.bodies()["changed"]["RefreshTokenDuration"] == 99


@pytest.mark.parametrize(
    ("phase", "fault", "code"),
    [
        *[
            (phase, fault, 5)
            for phase in APPLYING
            for fault in ("status=403", "status=503")
            if phase not in {"login", "look", "last look"} and (phase, fault) != ("create", "status=403")
        ],
        ("create", "status=403", 0),  # it is created by POST
        *[(phase, fault, 0) for phase in ("update", "create", "delete") for fault in ("body=bom", "drop=after")],
        ("update", "body=html", 0),  # the answer is unusable, but a look shows that it was written
        ("update", "drop=before", 5),
        ("look", "status=403", 5),
        ("login", "status=403", 1),
    ],
)
def test_a_fault_that_stays_has_this_exit_code(phase: str, fault: str, code: int, tmp_path: Path) -> None:
    with marketplace(tmp_path) as service:
        service.fault(f"{APPLYING[phase]} {fault} count=all")
        assert run(service)[0] == code


def test_an_apply_in_which_nothing_was_ever_sent_is_an_error_and_not_a_partial_apply(tmp_path: Path) -> None:
    with marketplace(tmp_path) as service:
        service.fault("GET /v1/apiclients/* status=403 count=all after=1")
        assert (run(service)[0], service.writes()) == (1, [])
