"""An OrderCloud stand-in in this process, and the real client that speaks to it: above the bytes all code is real."""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx

from reconciler import pipeline
from reconciler.applying.run import Controls
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings, utc_now
from reconciler.errors import SecretMissing
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Finding, Limits, Plan
from reconciler.model.resource import DesiredState
from reconciler.model.secret import Secret, SecretReference
from reconciler.planning.check import check_saved
from reconciler.planning.comparison import Target
from reconciler.remote.auth import ClientCredentials
from reconciler.remote.client import ReadClient, WriteClient, open_reader, open_writer
from reconciler.remote.exchange import Connection

BASE_URL = "http://127.0.0.1"
NO_LIMITS = Target("test", None, Limits(deletes=None))


def client_id(number: int) -> str:
    """A GUID that is easy to read in a failing test."""
    return f"{number:08X}-0000-4000-8000-000000000000"


class Shop:
    """One emulated marketplace."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        self.transport: httpx.BaseTransport = httpx.WSGITransport(app=emulator)
        self.http = httpx.Client(transport=self.transport, base_url=BASE_URL)
        self.secrets: dict[str, str] = {}
        self.credentials = ClientCredentials(ADMIN_CLIENT_ID, Secret(ADMIN_CLIENT_SECRET))

    def _connection(self) -> Connection:
        return Connection(BASE_URL, self.credentials, concurrency=2)

    def reader(self) -> ReadClient:
        """A client that cannot write; it does not wait between tries."""
        return open_reader(self._connection(), transport=self.transport, sleep=lambda _seconds: None)

    def writer(self) -> WriteClient:
        """A client that can; it does not wait between tries."""
        return open_writer(self._connection(), transport=self.transport, sleep=lambda _seconds: None)

    def plan(self, desired: DesiredState, target: Target | None = None) -> Plan:
        """Plan as the command does, at this moment."""
        with self.reader() as reader:
            return pipeline.plan(desired, reader, target or replace(NO_LIMITS, now=datetime.now(UTC)), self.resolve)

    def objections(self, saved: Plan, desired: DesiredState, target: Target = NO_LIMITS) -> tuple[Finding, ...]:
        """What is against a saved plan by now."""
        with self.reader() as reader:
            return check_saved(saved, desired, reader, target, datetime.now(UTC))

    def apply(self, plan: Plan, controls: Controls | None = None, **options: Any) -> ApplyResult:
        """Apply as the command does."""
        with self.writer() as writer:
            return pipeline.apply(plan, writer, self.resolve, controls or Controls(concurrency=2), **options)

    def converge(self, desired: DesiredState) -> ApplyResult:
        """Plan and apply."""
        return self.apply(self.plan(desired))

    def resolve(self, reference: SecretReference) -> Secret:
        """What the commands do with the process environment."""
        try:
            return Secret(self.secrets[reference.name])
        except KeyError:
            raise SecretMissing(f"{reference} is not set") from None

    def bodies(self) -> dict[str, dict[str, Any]]:
        """All API clients by AppName, less the emulator's own."""
        with self.reader() as reader:
            found = reader.list_all("/apiclients")
        return {str(one["AppName"]): one for one in found if one["ID"] != ADMIN_CLIENT_ID}

    def assigned(self) -> set[tuple[str, str | None, str | None]]:
        """Client, buyer and supplier of every assignment; ids in the case of the test."""
        with self.reader() as reader:
            rows = reader.list_all("/apiclients/assignments", key=None)
        return {(str(row["ApiClientID"]).upper(), row["BuyerID"], row["SupplierID"]) for row in rows}  # type: ignore[misc]  # ids are texts

    def edit(self, name: str, **fields: Any) -> None:
        """Change a client as somebody in the portal would."""
        with self.writer() as writer:
            body = self.bodies()[name]
            writer.put("/apiclients", body["ID"], {**body, **fields})
        self.forget()

    def fault(self, spec: str) -> None:
        """Let requests go wrong from now on."""
        self.http.post("/_emulator/faults", json={"spec": spec}).raise_for_status()

    def clear_faults(self) -> None:
        """Let all be well again."""
        self.http.delete("/_emulator/faults").raise_for_status()

    def forget(self) -> None:
        """Empty the journal."""
        self.http.delete("/_emulator/requests").raise_for_status()

    def requests(self) -> list[dict[str, Any]]:
        """The journal since it was last emptied."""
        return list(self.http.get("/_emulator/requests").json()["requests"])

    def writes(self) -> list[str]:
        """Methods and paths of all requests that may have written."""
        made = [entry for entry in self.requests() if entry["method"] != "GET" and entry["path"] != "/oauth/token"]
        return [f"{entry['method']} {entry['path']}" for entry in made]


@contextmanager
def shop(
    folder: Path,
    *clients: Mapping[str, Any],
    objects: Mapping[str, Any] = MappingProxyType({}),
    assignments: Sequence[Mapping[str, Any]] = (),
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    **settings: Any,
) -> Iterator[Shop]:
    """Open a marketplace with these API clients, one integration event, `checkout`, and whatever else is named."""
    seed = folder / "seed.json"
    event = {
        "ID": "checkout",
        "Name": "Checkout",
        "EventType": "OrderCheckout",
        "CustomImplementationUrl": "https://shop.example/checkout",
        "HashKey": "key",
        "ElevatedRoles": [],
    }
    everything = {"ApiClients": clients, "IntegrationEvents": [event], **objects}
    seed.write_text(json.dumps({"Objects": everything, "Assignments": {"ApiClientAssignments": list(assignments)}}))
    emulator = Emulator(Settings(seed=seed, **settings), clock, sleep)
    try:
        yield Shop(emulator)
    finally:
        emulator.close()
