"""Environments to examine: an emulated one in this process, or a service in one function; the clock stands still."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, Final

import httpx

from reconciler.config.settings import Auth, Environment
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings
from reconciler.errors import ReconcilerError
from reconciler.live import check_marketplace
from reconciler.model.reports import Check, Diagnosis
from reconciler.model.resource import FieldsPolicy, Policy
from reconciler.model.secret import Secret, SecretReference, SecretSource
from reconciler.project.doctor import DoctorTools, Subject, examine
from reconciler.remote.auth import ClientCredentials, Credentials, PasswordGrant
from reconciler.remote.client import ReadClient, open_reader
from reconciler.remote.exchange import Connection
from reconciler.remote.hosts import require_allowed
from reconciler.remote.network import Reached
from tests.remote.service import Service, jwt, ok
from tests.service import client_id

NOW: Final = datetime(2026, 10, 5, 12, tzinfo=UTC)
URL: Final = "http://127.0.0.1"
SECRET: Final = SecretReference(SecretSource.ENVIRONMENT, "OC_SECRET")
WATCHED: Final = Environment(
    "test", URL, marketplace="shop", defaults=Policy(FieldsPolicy.EXCLUSIVE), unmanaged_is_drift=True
)
SUBJECT: Final = Subject("reconciler.yaml", replace(WATCHED, auth=Auth("ID", SECRET)))
ADMIN: Final = ClientCredentials(ADMIN_CLIENT_ID, Secret(ADMIN_CLIENT_SECRET))
OPEN: Final = client_id(0xA)
BRIEF: Final = client_id(0xB)
PASSWORD: Final = "canary-password"
PERSON: Final = {"FirstName": "A", "LastName": "B", "Email": "a@example.com", "Active": True, "Password": PASSWORD}
OBJECTS: Final[dict[str, list[dict[str, Any]]]] = {
    "Buyers": [{"ID": "acme", "Name": "Acme", "Active": True}],
    "Suppliers": [{"ID": "tools", "Name": "DoctorTools", "Active": True}],
    "AdminUsers": [
        {"ID": "reader", "Username": "reader", "AvailableRoles": ["ApiClientReader", "BuyerAdmin"], **PERSON},
        {"ID": "shopper", "Username": "stranger", "AvailableRoles": ["Shopper"], **PERSON},
        {"ID": "profiles", "Username": "profiles", "AvailableRoles": ["SetSecurityProfile"], **PERSON},
        {"ID": "nobody", "Username": "nobody", **PERSON},
    ],
    "Users": [{"ID": "buyer", "Username": "buyer", "BuyerID": "acme", "AvailableRoles": ["Shopper"], **PERSON}],
    "SupplierUsers": [{"ID": "supplier", "Username": "supplier", "SupplierID": "tools", **PERSON}],
    "ApiClients": [
        {"ID": OPEN, "AppName": "open", "Active": True, "AccessTokenDuration": 600}
        | {"AllowSeller": True, "AllowAnyBuyer": True, "AllowAnySupplier": True},
        {"ID": BRIEF, "AppName": "brief", "Active": True, "AccessTokenDuration": 29, "AllowSeller": True},
    ],
}


@contextmanager
def emulated(folder: Path, **settings: Any) -> Iterator[Emulator]:
    seed = folder / "seed.json"
    seed.write_text(json.dumps({"Objects": OBJECTS}))
    chosen = Settings(**{"seed": seed, "marketplace": "shop", **settings})
    with closing(Emulator(chosen, clock=lambda: NOW, sleep=lambda _: None)) as emulator:
        yield emulator


def as_user(name: str, client: str = OPEN) -> PasswordGrant:
    return PasswordGrant(client, name, Secret(PASSWORD))


def missing(reference: SecretReference) -> object:
    raise ReconcilerError(f"the environment variable {reference.name} is not set")


def tools(open_: Callable[[], ReadClient], **chosen: Any) -> DoctorTools:
    """Ways to ask the world that ask nobody but `open_`; the clock stands still."""
    marketplace = chosen.pop("marketplace", "shop")
    return DoctorTools(
        **{
            "resolve": str,
            "require_allowed": partial(require_allowed, allowed=()),
            "reach": lambda _url: Reached("127.0.0.1", addresses=("127.0.0.1",)),
            "open": open_,
            "identify": partial(check_marketplace, environment="test", marketplace=marketplace),
            "now": NOW.timestamp,
            **chosen,
        }
    )


def examined(emulator: Emulator, who: Credentials = ADMIN, subject: Subject = SUBJECT, **chosen: Any) -> Diagnosis:
    seconds = count()
    seams: dict[str, Any] = {"sleep": lambda _seconds: None, "clock": lambda: next(seconds) / 1000}
    transport = httpx.WSGITransport(app=emulator)
    opening = partial(open_reader, Connection(URL, who), transport=transport, **seams)
    return examine(subject, tools(opening, **chosen))


def examined_service(service: Service, **chosen: Any) -> Diagnosis:
    return examine(SUBJECT, tools(service.reader, **chosen))


def check(diagnosis: Diagnosis, name: str) -> Check:
    return next(one for one in diagnosis.checks if one.name == name)


def verdicts(diagnosis: Diagnosis) -> dict[str, str]:
    return {one.name: one.verdict.value for one in diagnosis.checks}


def requests(emulator: Emulator) -> list[str]:
    with httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url=URL) as http:
        made = http.get("/_emulator/requests").json()["requests"]
    return [f"{one['method']} {one['path']}" for one in made]


def logging_in(date: str = "", **claims: object) -> Service:
    headers = {"Date": date} if date else {}
    return Service(login=lambda _: ok({"access_token": jwt(**claims), "expires_in": 600}, headers=headers))
