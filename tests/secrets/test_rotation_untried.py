"""Secrets of clients through which nobody can log in: what proves one, what postpones the proof, and what is left."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

import httpx
import pytest

from reconciler.manifests.files import AllowedPaths
from reconciler.model.named_secret import Ended, NamedSecret, StepKind
from reconciler.model.outcome import Status
from reconciler.model.plan import Limits
from reconciler.model.resource import DesiredState
from reconciler.model.secret import Delivery, Secret, ToCommand, ToEnvFile, ToFile, ToKubernetesSecret
from reconciler.planning.comparison import Target
from reconciler.project import secret_status
from reconciler.project.secret_status import SecretChoice
from reconciler.remote import Proof
from reconciler.secrets import rotation
from reconciler.secrets.delivery import Deliverer
from reconciler.secrets.rotation import Done, RotationTools
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

A = client_id(0xA)
OPEN: Final[dict[str, Any]] = {"AllowSeller": True, "DefaultContextUserName": "emulator-admin"}
READABLE: Final = (ToFile("a.secret"), ToEnvFile("a.env", "A"))
UNREADABLE: Final = (ToCommand(("cat",)),)
BOTH: Final = (
    pytest.param(READABLE, id="readable"),
    pytest.param(UNREADABLE, id="unreadable", marks=pytest.mark.sweep),
)
BUYERS: Final = {
    "Buyers": [{"ID": "b1", "Name": "b1", "Active": True}],
    "BuyerUsers": [
        {"ID": "shopper", "BuyerID": "b1", "Username": "shopper", "Active": True}
        | {"FirstName": "a", "LastName": "b", "Email": "a@example.com"}
    ],
    "AdminUsers": [
        {"ID": "left", "Username": "left", "Active": False}
        | {"FirstName": "a", "LastName": "b", "Email": "b@example.com"}
    ],
}

Answer = dict[str, Any] | None
"""The body of a refusal; None: the emulator answers."""


class Doorkeeper(httpx.BaseTransport):
    """Refuses logins through the client in the words of a script, which is told whether the secret is right."""

    def __init__(self, behind: httpx.BaseTransport, script: Callable[[bool], Answer]) -> None:
        self._behind, self._script = behind, script

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        answer = self._behind.handle_request(request)
        form = parse_qs(request.content.decode()) if request.url.path == "/oauth/token" else {}
        if form.get("client_id") != [A]:
            return answer
        answer.read()
        refusal = self._script(answer.is_success)
        return answer if refusal is None else httpx.Response(400, json=refusal)


def oauth(description: str, error: str = "invalid_client") -> dict[str, Any]:
    return {"error": error, "error_description": description}


def coded(code: str, message: str) -> dict[str, Any]:
    return {"Errors": [{"ErrorCode": code, "Message": message, "Data": None}], **oauth("")}


WRONG: Final = oauth("invalid client secret")
INACTIVE: Final = coded("Auth.ClientNotActive", "Client ID is not active.")
LOCKED: Final = coded("Auth.LockedOut", "The account is locked.")


@dataclass
class World:
    """A marketplace with one client, and the manifest that wants a secret of it."""

    shop: Shop
    folder: Path
    secret: NamedSecret
    now: datetime

    @property
    def desired(self) -> DesiredState:
        return desired(replace(manifest("a"), named_secrets=(self.secret,)))

    @property
    def deliverer(self) -> Deliverer:
        return Deliverer(AllowedPaths(self.folder), lambda _text: None)

    def apply(self) -> Status | None:
        """What became of the client; None: there was nothing to do."""
        plan = self.shop.plan(self.desired)
        return next((one.status for one in self.shop.apply(plan, deliverer=self.deliverer).outcomes), None)

    def rotate(self, *, only_due: bool = False) -> list[Done]:
        with self.shop.writer() as remote:
            target = Target("test", None, Limits(), now=self.now)
            plan = secret_status.plan(
                self.desired,
                remote,
                target,
                SecretChoice(None if only_due else "ApiClient/a", None, only_due=only_due),
                self.deliverer,
            )
            tools = RotationTools(remote, self.deliverer, lambda: self.now)
            return [rotation.carry_out(turn.subject, turn.steps, tools) for turn in plan.turns]

    def live(self) -> list[dict[str, Any]]:
        """All secrets of the client."""
        with self.shop.reader() as reader:
            return list(reader.list_all(f"/apiclients/{A}/secrets"))

    def names(self) -> list[str]:
        """Of all secrets, less the marks of their values."""
        return sorted(str(one["Name"]).partition("-")[0] for one in self.live())

    def proof(self, value: str) -> Proof:
        with self.shop.writer() as writer:
            return writer.proves(A, Secret(value))


@contextmanager
def opened(folder: Path, deliver: tuple[Delivery, ...] = READABLE, **fields: Any) -> Iterator[World]:
    """Open a marketplace with a client of these fields."""
    now = datetime.now(UTC)
    secret = NamedSecret("primary", None, timedelta(days=90), timedelta(days=2), deliver)
    with shop(folder, body(A, "a", **(OPEN | fields)), objects=BUYERS) as service:
        yield World(service, folder, secret, now)


# --------------------------------------------------------------------------------------------------------------- proof

SCRIPTS: Final[dict[str, tuple[Answer, Answer, Proof]]] = {
    "the secret is checked before the client": (INACTIVE, WRONG, Proof(accepted=True)),
    "the client is checked before the secret": (INACTIVE, INACTIVE, Proof(accepted=False, is_tried=False)),
    "the user is looked at after the secret": (LOCKED, WRONG, Proof(accepted=True)),
    "the user is looked at before the secret": (LOCKED, LOCKED, Proof(accepted=False, is_tried=False)),
    "the first try has locked the account": (INACTIVE, LOCKED, Proof(accepted=False, is_tried=False)),
    "the secret is wrong": (WRONG, WRONG, Proof(accepted=False)),
    "the words of a wrong secret are in a message": (
        coded("Auth.OauthError", "The client secret is wrong."),
        coded("Auth.OauthError", "The client secret is wrong."),
        Proof(accepted=False),
    ),
    "the client is switched off, in unknown words": (
        oauth("This application is disabled."),
        oauth("This application is disabled."),
        Proof(accepted=False, is_tried=False),
    ),
    "unknown words that only differ in a number": (
        oauth("Try again in 299 s.", "slow_down"),
        oauth("Try again in 298 s.", "slow_down"),
        Proof(accepted=False, is_tried=False),
    ),
    "codes alone tell them apart": (
        coded("Auth.UserNotFound", "User not found."),
        coded("Auth.OauthError", "no"),
        Proof(accepted=True),
    ),
    "one answer speaks of both": (
        coded("Auth.ClientNotActive", "Client ID is not active.") | {"error_description": "invalid client secret"},
        coded("Auth.ClientNotActive", "Client ID is not active.") | {"error_description": "invalid client secret"},
        Proof(accepted=False, is_tried=False),
    ),
    "any secret is taken": (INACTIVE, None, Proof(accepted=False, is_tried=False)),
}


@pytest.mark.parametrize(("right", "wrong", "expected"), SCRIPTS.values(), ids=SCRIPTS)
def test_a_secret_is_judged_by_how_its_refusal_differs_from_that_of_a_wrong_one(
    tmp_path: Path, right: Answer, wrong: Answer, expected: Proof
) -> None:
    with opened(tmp_path) as world:
        world.apply()
        value = (tmp_path / "a.secret").read_text()
        answers = {True: right, False: wrong}
        if wrong is None:
            world.shop.transport = Always(world.shop.transport, right or {})
        else:
            world.shop.transport = Doorkeeper(world.shop.transport, lambda is_right: answers[is_right])
        found = world.proof(value)
    assert (found.accepted, found.is_tried) == (expected.accepted, expected.is_tried)


class Always(httpx.BaseTransport):
    """Refuses the first login through the client, and takes whatever comes after it."""

    def __init__(self, behind: httpx.BaseTransport, refusal: dict[str, Any]) -> None:
        self._behind, self._refusals = behind, [refusal]

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        is_ours = request.url.path == "/oauth/token" and parse_qs(request.content.decode()).get("client_id") == [A]
        if is_ours and self._refusals:
            return httpx.Response(400, json=self._refusals.pop())
        token = {"access_token": "t", "expires_in": 60, "token_type": "bearer"}
        return httpx.Response(200, json=token) if is_ours else self._behind.handle_request(request)


# --------------------------------------------------------------------------------------------------------------- count

CLOSED: Final[dict[str, dict[str, Any]]] = {
    "active": {},
    "inactive": {"Active": False},
    "anonymous": {"AllowSeller": False, "AllowAnyBuyer": True, "IsAnonBuyer": True}
    | {"DefaultContextUserName": "shopper"},
    "inactive and anonymous": {"Active": False, "AllowSeller": False, "AllowAnyBuyer": True, "IsAnonBuyer": True}
    | {"DefaultContextUserName": "shopper"},
    "without a context user": {"DefaultContextUserName": None},
    "with a user who may not log in": {"DefaultContextUserName": "left"},
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("deliver", BOTH)
@pytest.mark.parametrize("fields", CLOSED.values(), ids=CLOSED)
def test_thirteen_runs_leave_as_many_secrets_as_one(
    tmp_path: Path, fields: dict[str, Any], deliver: tuple[Delivery, ...]
) -> None:
    with opened(tmp_path, deliver, **fields) as world:
        assert world.apply() is Status.APPLIED
        once = world.names()
        assert len(once) == 1
        for _ in range(12):
            assert world.apply() is None
        assert world.names() == once
        ends = {world.rotate()[0].ended for _ in range(13)}
        count = len(world.names())
        assert not ends & {Ended.FAILED, Ended.INTERRUPTED}
        assert count == (1 if fields.get("Active") is False else 2)
        assert "primary.unproven" not in world.names()


@pytest.mark.sample(1)
@pytest.mark.parametrize("refusal", [LOCKED, oauth("Not today."), WRONG], ids=["locked", "unknown", "wrong"])
@pytest.mark.parametrize("deliver", BOTH)
def test_thirteen_runs_leave_as_many_secrets_as_one_where_every_login_is_refused(
    tmp_path: Path, refusal: dict[str, Any], deliver: tuple[Delivery, ...]
) -> None:
    with opened(tmp_path, deliver) as world:
        world.shop.transport = Doorkeeper(world.shop.transport, lambda _is_right: refusal)
        for _ in range(13):
            world.apply()
            world.rotate()
            world.rotate(only_due=True)
            assert len(world.names()) == (0 if refusal is WRONG else 1)


def test_thirteen_runs_whose_logins_are_refused_leave_the_secret_in_use_and_deliver_none(tmp_path: Path) -> None:
    with opened(tmp_path, (ToCommand(("tee", "stored")),)) as world:
        world.apply()
        in_use, value = world.live(), (tmp_path / "stored").read_text()
        world.shop.transport = Doorkeeper(world.shop.transport, lambda _is_right: WRONG)
        for _ in range(13):
            assert [done.ended for done in world.rotate()] == [Ended.FAILED]
            assert (world.live(), (tmp_path / "stored").read_text()) == (in_use, value)


@pytest.mark.sweep
def test_thirteen_failing_deliveries_leave_as_many_as_one(tmp_path: Path) -> None:
    with opened(tmp_path, (ToFile("a.secret"), ToCommand(("false",)))) as world:
        for _ in range(13):
            assert world.apply() is Status.FAILED
            assert world.names() == ["primary.unproven"]


@pytest.mark.sweep
def test_thirteen_applies_that_deliver_in_part_leave_the_secret_of_the_first_where_it_was_delivered(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, (ToCommand(("tee", "stored")), ToCommand(("false",)))) as world:
        assert world.apply() is Status.FAILED
        once, value = world.live(), (tmp_path / "stored").read_text()
        assert world.names() == ["primary.unproven"]
        for _ in range(12):
            assert world.apply() is Status.FAILED
            assert (world.live(), (tmp_path / "stored").read_text()) == (once, value)
        assert world.proof(value).accepted
        world.secret = replace(world.secret, deliver=UNREADABLE)
        assert world.apply() is Status.APPLIED
        assert world.names() == ["primary"]


def test_an_apply_says_which_secret_it_gives_up_where_commands_do_not_say_whether_they_have_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with opened(tmp_path, (ToCommand(("cat", str(tmp_path / "pipe")), timeout=0),)) as world:
        for _ in range(10):
            assert world.apply() is Status.FAILED
            assert not any("to make room" in one for one in world.shop.plan(world.desired).warnings[:-1])
        assert "to make room, secret primary-" in world.shop.plan(world.desired).warnings[-1]
        assert world.apply() is Status.FAILED
        assert world.names() == ["primary.unproven"] * 10


def test_an_expired_secret_of_an_inactive_client_is_not_replaced_until_it_is_active(tmp_path: Path) -> None:
    with opened(tmp_path) as world:
        world.apply()
        world.shop.edit("a", Active=False)
        world.now += timedelta(days=91)
        for _ in range(13):
            assert [done.ended for done in world.rotate()] == [Ended.COMPLETED]
            assert world.rotate(only_due=True) == []
        assert world.names() == ["primary"]


# -------------------------------------------------------------------------------------------------------- postponement


def test_an_inactive_client_gets_its_secret_delivered_and_the_proof_is_made_once_it_is_active(tmp_path: Path) -> None:
    with opened(tmp_path, Active=False) as world:
        plan = world.shop.plan(world.desired)
        (outcome,) = world.shop.apply(plan, deliverer=world.deliverer).outcomes
        assert (outcome.status, world.names()) == (Status.APPLIED, ["primary.untried"])
        assert "secret primary was delivered, but cannot be verified yet" in outcome.message
        assert "once the client is active, run reconciler secrets rotate" in world.shop.plan(world.desired).warnings[0]
        assert world.rotate(only_due=True) == []
        value = (tmp_path / "a.secret").read_text()
        world.shop.edit("a", Active=True)
        (done,) = world.rotate(only_due=True)
        assert [step.kind for step in done.steps] == [StepKind.PROVE, StepKind.CONFIRM]
        assert (world.names(), (tmp_path / "a.secret").read_text() == value) == (["primary"], True)
        assert world.rotate(only_due=True) == []


def test_where_an_untried_value_is_nowhere_to_be_read_it_is_replaced_and_stays_valid_for_the_overlap(
    tmp_path: Path,
) -> None:
    with opened(tmp_path, UNREADABLE, Active=False) as world:
        world.apply()
        world.shop.edit("a", Active=True)
        (done,) = world.rotate(only_due=True)
        assert [step.kind for step in done.steps][:2] == [StepKind.TRY, StepKind.CREATE]
        assert (done.ended, world.names()) == (Ended.COMPLETED, ["primary", "primary.retired"])
        assert world.rotate(only_due=True) == []


def test_a_proven_secret_is_not_ended_by_one_that_could_not_be_tried(tmp_path: Path) -> None:
    with opened(tmp_path) as world:
        world.apply()
        old, unrefused = (tmp_path / "a.secret").read_text(), world.shop.transport
        world.shop.transport = Doorkeeper(world.shop.transport, lambda _is_right: LOCKED)
        assert [done.ended for done in (*world.rotate(), *world.rotate())] == [Ended.POSTPONED, Ended.POSTPONED]
        assert world.names() == ["primary", "primary.untried"]
        world.shop.transport = unrefused
        assert world.proof(old).accepted
        assert [done.ended for done in world.rotate()] == [Ended.COMPLETED]
        assert world.names() == ["primary", "primary.retired"]


def test_an_untried_secret_is_delivered_again_before_a_newer_unproven_one_is_deleted(tmp_path: Path) -> None:
    command, file = ToCommand(("sh", "-c", f"cat > {tmp_path / 'stored'}")), ToFile("a.secret")
    with opened(tmp_path, (command, file), Active=False) as world:
        world.apply()
        value = (tmp_path / "a.secret").read_text()
        world.shop.edit("a", Active=True)
        (tmp_path / "a.secret").unlink()
        world.secret = replace(world.secret, deliver=(command, ToCommand(("false",))))
        assert [done.ended for done in world.rotate()] == [Ended.FAILED]
        assert (tmp_path / "stored").read_text() != value
        (tmp_path / "a.secret").write_text(value)
        world.secret = replace(world.secret, deliver=(command, file))
        assert [done.ended for done in world.rotate()] == [Ended.COMPLETED]
        assert (world.names(), (tmp_path / "stored").read_text()) == (["primary"], value)


@pytest.mark.parametrize(
    "delivery",
    [ToFile("x"), ToEnvFile("x", "A"), ToKubernetesSecret("x", "name", "key")],
    ids=["file", "dotenv", "kubernetes"],
)
def test_a_value_is_read_back_from_where_it_was_delivered_and_another_one_is_not_taken_for_it(
    tmp_path: Path, delivery: Delivery
) -> None:
    with opened(tmp_path, (delivery,), Active=False) as world:
        world.apply()
        world.shop.edit("a", Active=True)
        kept = (tmp_path / "x").read_text()
        (tmp_path / "x").write_text("A='other'\n")
        assert world.rotate()[0].steps[0].kind is StepKind.TRY
    with opened(tmp_path, (delivery,), Active=False) as world:
        world.apply()
        assert kept != (tmp_path / "x").read_text()
        world.shop.edit("a", Active=True)
        assert [step.kind for step in world.rotate()[0].steps] == [StepKind.PROVE, StepKind.CONFIRM]


def test_a_new_secret_that_the_service_does_not_know_at_once_is_tried_again(tmp_path: Path) -> None:
    with opened(tmp_path) as world:
        refusals: list[Answer] = [WRONG, WRONG]
        world.shop.transport = Doorkeeper(world.shop.transport, lambda _is_right: refusals.pop() if refusals else None)
        assert world.apply() is Status.APPLIED
        assert (refusals, world.names()) == ([], ["primary"])


def test_a_secret_that_the_service_makes_with_another_expiry_is_refused_and_delivered_nowhere(tmp_path: Path) -> None:
    class Otherwise(Doorkeeper):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            answer = super().handle_request(request)
            if request.method == "POST" and request.url.path.endswith("/secrets"):
                answer.read()
                return httpx.Response(201, json=json.loads(answer.content) | {"Expiration": None})
            return answer

    with opened(tmp_path) as world:
        world.shop.transport = Otherwise(world.shop.transport, lambda _is_right: None)
        for _ in range(3):
            assert world.apply() is Status.FAILED
            assert (world.names(), (tmp_path / "a.secret").exists()) == ([], False)
