"""The client against the stand-in: two readings of one API that share no code."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings
from reconciler.errors import AccessDenied, AnswerLost, BadAnswer, NotFound, Rejected, RemoteError, Unreachable
from reconciler.model.secret import Secret
from reconciler.remote.auth import ClientCredentials
from reconciler.remote.client import WriteClient, open_writer
from reconciler.remote.exchange import Connection

ADMIN = ClientCredentials(ADMIN_CLIENT_ID, Secret(ADMIN_CLIENT_SECRET))
CLIENT: dict[str, Any] = {"AppName": "shop", "AccessTokenDuration": 600}
ONE = "11111111-AAAA-4000-8000-000000000001"


def ticking(start: datetime = datetime(2030, 1, 1, tzinfo=UTC)) -> Callable[[], datetime]:
    """A second passes whenever it is looked at: two tokens of one second would be the same token."""
    seconds = count()
    return lambda: start + timedelta(seconds=next(seconds))


def emulator_of(**chosen: Any) -> Emulator:
    return Emulator(Settings(**chosen), ticking(), sleep=lambda _: None)


@contextmanager
def client_of(emulator: Emulator, credentials: ClientCredentials = ADMIN) -> Iterator[WriteClient]:
    transport = httpx.WSGITransport(app=emulator)
    connection = Connection("http://127.0.0.1", credentials)
    with open_writer(connection, transport=transport, sleep=lambda _: None) as client:
        yield client


@contextmanager
def emulated(*faults: str, **chosen: Any) -> Iterator[WriteClient]:
    with client_of(emulator_of(faults=faults, **chosen)) as client:
        yield client


def names(client: WriteClient) -> set[str]:
    return {str(item["AppName"]) for item in client.list_all("/apiclients")}


def test_it_logs_in_and_knows_the_marketplace() -> None:
    with emulated(marketplace="market") as client:
        assert client.me()["Seller"] == {"ID": "market"}
        assert client.claims().client_id.casefold() == ADMIN_CLIENT_ID.casefold()
        assert client.claims().roles == {"FullAccess"}


def test_a_wrong_secret_is_denied_and_not_shown() -> None:
    wrong = ClientCredentials(ADMIN_CLIENT_ID, Secret("canary"))
    with client_of(emulator_of(), wrong) as client, pytest.raises(AccessDenied) as caught:
        client.me()
    assert "clientSecret" in caught.value.hint
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("largest", [7, None])
def test_a_list_of_350_clients_is_read_whole(largest: int | None) -> None:
    with emulated(max_page_size=largest) as client:
        for number in range(350):
            client.post("/apiclients", CLIENT | {"AppName": f"app {number}"})
        assert {f"app {number}" for number in range(350)} <= names(client)


def test_what_is_put_is_got_whatever_the_case_of_the_id() -> None:
    with emulated() as client:
        client.put("/apiclients", ONE, CLIENT | {"xp": {"a": [1, None, "é\u2028"]}})
        assert client.get("/apiclients", ONE.lower())["xp"] == {"a": [1, None, "é\u2028"]}


def test_what_is_deleted_is_not_found() -> None:
    with emulated() as client:
        client.put("/apiclients", ONE, CLIENT)
        client.delete("/apiclients", ONE)
        with pytest.raises(NotFound, match=f"ApiClient '{ONE}'"):
            client.get("/apiclients", ONE)


def test_a_put_that_may_not_create_is_not_found() -> None:
    with emulated(put_creates=False) as client, pytest.raises(NotFound):
        client.put("/apiclients", ONE, CLIENT)


def test_a_put_with_a_reference_to_nothing_is_not_taken_for_a_missing_client() -> None:
    with emulated() as client, pytest.raises(Rejected):
        client.put("/apiclients", ONE, CLIENT | {"OrderCheckoutIntegrationEventID": "nowhere"})


def test_assignments_are_listed_though_they_have_no_id() -> None:
    with emulated(max_page_size=2) as client:
        client.put("/apiclients", ONE, CLIENT)
        for number in range(5):
            client.put("/buyers", f"b{number}", {"Name": "b", "Active": True})
            client.post("/apiclients/assignments", {"ApiClientID": ONE, "BuyerID": f"b{number}"})
        rows = client.list_all("/apiclients/assignments", key=None)
        assert {row["BuyerID"] for row in rows} == {f"b{number}" for number in range(5)}
        client.delete("/buyers/b0/ApiClients/Assignments", ONE)
        assert len(client.list_all("/apiclients/assignments", key=None)) == 4


def test_a_secret_is_shown_once() -> None:
    with emulated() as client:
        client.put("/apiclients", ONE, CLIENT)
        made = client.post(f"/apiclients/{ONE}/secrets", {"Name": "primary"})
        assert made["ClientSecret"]
        assert client.list_all(f"/apiclients/{ONE}/secrets")[0].keys() == {"ID", "Name", "Expiration"}


@pytest.mark.parametrize(
    "fault",
    [
        "status=429 retry-after=2",
        "status=503",
        "status=502",
        "status=401",
        "drop=before",
        "drop=after",
        "body=bom",
        "revoke",
    ],
)
def test_a_read_survives(fault: str) -> None:
    with emulated(f"GET /v1/me {fault}") as client:
        assert client.me()["Seller"] == {"ID": "emulator"}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("status=500", Unreachable),
        ("status=503 count=all", Unreachable),
        ("drop=after count=all", Unreachable),
        ("status=403", AccessDenied),
        ("body=truncated", BadAnswer),
        ("body=html", BadAnswer),
        ("body=empty", BadAnswer),
        ("body=wrong-type", BadAnswer),
    ],
)
def test_a_read_fails_in_its_own_way(fault: str, kind: type[RemoteError]) -> None:
    with emulated(f"GET /v1/apiclients {fault}") as client, pytest.raises(RemoteError) as caught:
        client.list_all("/apiclients")
    assert type(caught.value) is kind


@pytest.mark.parametrize(
    ("fault", "written"),
    [
        ("drop=before", False),
        ("status=503", False),
        ("status=502", False),
        ("drop=after", True),
        ("body=truncated", True),
        ("body=html", True),
        ("body=empty", True),
        ("body=wrong-type", True),
    ],
)
def test_a_write_whose_end_is_unknown_is_lost_and_reading_tells(fault: str, *, written: bool) -> None:
    with emulated(f"PUT * {fault}") as client:
        with pytest.raises(AnswerLost):
            client.put("/apiclients", ONE, CLIENT)
        assert ("shop" in names(client)) is written


@pytest.mark.parametrize("fault", ["status=429", "status=401", "revoke"])
def test_a_write_that_was_turned_away_is_sent_again(fault: str) -> None:
    with emulated(f"PUT * {fault}") as client:
        assert client.put("/apiclients", ONE, CLIENT)["AppName"] == "shop"


@pytest.fixture(scope="module")
def busy_emulator() -> Emulator:
    emulator = emulator_of(max_page_size=5)
    with client_of(emulator) as client:
        for number in range(29):
            client.post("/apiclients", CLIENT | {"AppName": f"app {number}"})
    return emulator


FAULTS = st.sampled_from(
    ["status=429", "status=503", "status=500", "status=401", "status=404"]
    + ["drop=before", "drop=after", "revoke"]
    + [f"body={kind}" for kind in ("truncated", "html", "bom", "empty", "wrong-type")]
)
PLAN = st.lists(st.tuples(FAULTS, st.integers(0, 9), st.sampled_from(["1", "2", "all"])), max_size=5)


@given(plan=PLAN)
def test_no_faults_of_the_service_ever_make_an_incomplete_list(
    busy_emulator: Emulator, plan: list[tuple[str, int, str]]
) -> None:
    control = httpx.Client(transport=httpx.WSGITransport(app=busy_emulator), base_url="http://127.0.0.1")
    control.delete("/_emulator/faults").raise_for_status()
    for fault, after, times in plan:
        spec = f"GET /v1/apiclients {fault} after={after} count={times}"
        control.post("/_emulator/faults", json={"spec": spec}).raise_for_status()
    with client_of(busy_emulator) as client:
        try:
            assert len(names(client)) == 30
        except RemoteError:
            assert plan
    control.close()
