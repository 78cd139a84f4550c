"""A rotation against the emulator, with a clock that stands still: what is due, and what a crash leaves behind."""

import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from reconciler.errors import PartlyDelivered, ReconcilerError, UsageError
from reconciler.manifests.files import AllowedPaths
from reconciler.model.json import Json
from reconciler.model.named_secret import NamedSecret, RotationStep, StepKind
from reconciler.model.plan import Limits
from reconciler.model.resource import DesiredState, Policy
from reconciler.model.secret import Delivery, Secret, ToCommand, ToEnvFile, ToFile
from reconciler.planning.comparison import Target
from reconciler.project import secret_status
from reconciler.project.secret_status import RotationPlan, SecretChoice
from reconciler.remote import Proof
from reconciler.remote.client import WriteClient
from reconciler.secrets import rotation
from reconciler.secrets.delivery import Deliverer, NewSecret
from reconciler.secrets.rotation import Done, RotationTools
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

A = client_id(0xA)
OPEN: dict[str, Any] = {"AllowSeller": True, "DefaultContextUserName": "emulator-admin"}
START = datetime(2027, 1, 31, 12, tzinfo=UTC)
OVERLAP = timedelta(days=2)
WANTED = NamedSecret("primary", None, timedelta(days=90), OVERLAP, (ToFile("a.secret"), ToEnvFile("a.env", "A")))
FEW_EXAMPLES = settings(  # each is several runs
    max_examples=max(1, settings().max_examples // 10),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Crash(BaseException):
    """The machine stops. Nothing catches it."""


class FragileDeliverer(Deliverer):
    """Passes a point before and after each delivery."""

    point: Callable[..., None]

    def deliver(self, new: NewSecret, delivery: Delivery) -> None:
        self.point()
        super().deliver(new, delivery)
        self.point(something_changed=True)


class FragileRemote:
    """Passes a point before and after each request that is no mere read."""

    def __init__(self, remote: WriteClient, point: Callable[..., None]) -> None:
        self._remote, self._point = remote, point

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._remote, name)
        if name not in {"post_for_secret", "patch", "delete", "proves"}:
            return found

        def fragile(*arguments: Any) -> Any:
            self._point()
            answer = found(*arguments)
            self._point(something_changed=True)
            return answer

        return fragile


@dataclass
class World:
    """A marketplace with one client, a folder that its servers read, a clock, and a place to stop the machine."""

    shop: Shop
    folder: Path
    now: datetime = START
    crash_at: int | None = None
    points: int = 0
    is_watched: bool = True
    """Whether a delivered secret that opens no login is a fault at any moment."""
    events: list[tuple[str, Mapping[str, Json]]] = field(default_factory=list)

    @property
    def desired(self) -> DesiredState:
        return desired(replace(manifest("a"), named_secrets=(WANTED,)))

    def target(self) -> Target:
        return Target("test", None, Limits(), now=self.now)

    def point(self, *, something_changed: bool = False) -> None:
        """Be a moment at which somebody may log in, and at which the machine may stop."""
        self.points += 1
        if something_changed and self.is_watched:
            assert self.delivered_secret_is_valid()
        if self.points == self.crash_at:
            raise Crash

    def record(self, event: str, facts: Mapping[str, Json]) -> None:
        self.events.append((event, facts))
        self.point()

    def rotate(self, wanted: NamedSecret = WANTED, deliverer: Deliverer | None = None, **tools: Any) -> Done:
        """Do what `secrets rotate` does, in a process of its own."""
        self.points = 0
        state = desired(replace(manifest("a"), named_secrets=(wanted,)))
        if deliverer is None:
            deliverer = FragileDeliverer(AllowedPaths(self.folder), lambda _text: None)
            object.__setattr__(deliverer, "point", self.point)
        with self.shop.writer() as writer:
            remote: Any = FragileRemote(writer, self.point)
            (turn,) = secret_status.plan(state, remote, self.target(), SecretChoice("apiclient/A"), deliverer).turns
            tools = {"record": self.record, **tools}
            return rotation.carry_out(
                turn.subject, turn.steps, RotationTools(remote, deliverer, lambda: self.now, **tools)
            )

    def plan(self, state: DesiredState, wish: SecretChoice) -> RotationPlan:
        with self.shop.reader() as reader:
            return secret_status.plan(
                state, reader, self.target(), wish, Deliverer(AllowedPaths(self.folder), lambda _text: None)
            )

    def due(self, wanted: NamedSecret = WANTED) -> list[StepKind]:
        state = desired(replace(manifest("a"), named_secrets=(wanted,)))
        return [step.kind for step in self.plan(state, SecretChoice("ApiClient/a")).turns[0].steps]

    def delivered(self) -> list[str]:
        """The values that servers would read now."""
        file, env = self.folder / "a.secret", self.folder / "a.env"
        values = [file.read_text()] if file.exists() else []
        return values + ([env.read_text().split("'")[1]] if env.exists() else [])

    def delivered_secret_is_valid(self) -> bool:
        return all(self.logs_in(value) for value in set(self.delivered()))

    def logs_in(self, value: str) -> bool:
        login = {"grant_type": "client_credentials", "client_id": A, "client_secret": value}
        return self.shop.http.post("/oauth/token", data=login).is_success

    def names(self) -> list[str]:
        """Of all secrets, less the marks of their values."""
        with self.shop.reader() as reader:
            names = [str(one["Name"]) for one in reader.list_all(f"/apiclients/{A}/secrets")]
        return sorted(re.sub(r"(-[0-9a-f]{8})?(-[0-9a-f]{16})?$", "", name) for name in names)

    def add(self, name: str, **fields: Json) -> None:
        """Make a secret as somebody in the portal would."""
        with self.shop.writer() as writer:
            writer.post(f"/apiclients/{A}/secrets", {"Name": name, **fields})

    def remove(self, name: str) -> None:
        """Delete a secret as somebody in the portal would."""
        with self.shop.writer() as writer:
            secrets = writer.list_all(f"/apiclients/{A}/secrets")
            writer.delete(f"/apiclients/{A}/secrets", *(str(one["ID"]) for one in secrets if one["Name"] == name))


@contextmanager
def opened(folder: Path) -> Iterator[World]:
    """Open a marketplace with a client whose secret was made and delivered by a first rotation."""
    folder.mkdir(exist_ok=True)
    found: list[World] = []
    with shop(folder, body(A, "a", **OPEN), clock=lambda: found[0].now if found else START) as service:
        found.append(World(service, folder))
        assert found[0].rotate().error is None
        yield found[0]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """The same, for one test."""
    with opened(tmp_path) as found:
        yield found


# --------------------------------------------------------------------------------------------------------- the course


def kinds(steps: list[RotationStep]) -> list[StepKind]:
    return [step.kind for step in steps]


MAKING = [StepKind.CREATE, StepKind.PROVE, StepKind.DELIVER, StepKind.DELIVER, StepKind.CONFIRM]


def test_a_rotation_ends_the_old_secret_after_the_overlap_and_a_later_run_deletes_it(world: World) -> None:
    (old, _) = world.delivered()
    done = world.rotate()
    assert (kinds(done.steps), world.names()) == ([*MAKING, StepKind.EXPIRE], ["primary", "primary.retired"])
    assert world.logs_in(old)
    assert old not in world.delivered()
    assert kinds(world.rotate().steps) == [StepKind.WAIT]
    world.now += OVERLAP
    assert not world.logs_in(old)
    assert kinds(world.rotate().steps) == [StepKind.DELETE]
    assert (world.names(), world.delivered_secret_is_valid()) == (["primary"], True)


def test_the_new_secret_expires_when_its_manifest_says(world: World) -> None:
    with world.shop.reader() as reader:
        (made,) = reader.list_all(f"/apiclients/{A}/secrets")
    assert str(made["Expiration"]).startswith("2027-05-01T12:00:00")
    assert str(made["ID"]).startswith("primary-20270131T120000Z-")


def test_without_an_overlap_the_old_secret_is_deleted_at_once(world: World) -> None:
    assert kinds(world.rotate(replace(WANTED, overlap=timedelta())).steps) == [*MAKING, StepKind.DELETE]
    assert world.names() == ["primary"]


def test_a_shorter_overlap_ends_an_old_secret_sooner(world: World) -> None:
    world.rotate()
    assert kinds(world.rotate(replace(WANTED, overlap=timedelta(hours=1))).steps) == [StepKind.EXPIRE]
    assert kinds(world.rotate(replace(WANTED, overlap=timedelta())).steps) == [StepKind.DELETE]
    assert world.names() == ["primary"]


def test_an_old_secret_that_ends_sooner_anyway_keeps_its_end(world: World) -> None:
    world.now += timedelta(days=89)
    (expire,) = [step for step in world.rotate().steps if step.kind is StepKind.EXPIRE]
    assert expire.until == START + timedelta(days=90)


def test_a_secret_that_has_expired_is_replaced_and_deleted(world: World) -> None:
    (old, _) = world.delivered()
    world.now += timedelta(days=91)
    world.is_watched = False
    assert kinds(world.rotate().steps) == [*MAKING, StepKind.DELETE]
    assert (world.names(), world.logs_in(old)) == (["primary"], False)


def test_what_expires_soon_is_rotated_even_where_an_old_one_is_left_over(world: World) -> None:
    world.rotate()
    world.now += timedelta(days=89)
    assert world.due() == [StepKind.DELETE, *MAKING, StepKind.EXPIRE]


def test_a_rotation_can_be_looked_at_without_a_way_to_write(world: World) -> None:
    world.shop.forget()
    assert world.due() == [*MAKING, StepKind.EXPIRE]
    assert world.shop.writes() == []


def test_every_step_is_recorded_before_and_after_and_no_value_is(world: World) -> None:
    world.events.clear()
    done = world.rotate()
    told = [(event, facts["step"]) for event, facts in world.events]
    expected = [(f"secret-step-{when}", step.kind.value) for step in done.steps for when in ("begun", "done")]
    assert told == expected
    assert not any(value in repr(world.events) for value in world.delivered())


# ----------------------------------------------------------------------------------------------------------- stopping


@pytest.mark.parametrize("delivered", [1, 2])
def test_a_secret_that_another_run_deletes_is_delivered_no_further_and_whoever_has_it_is_named(
    world: World, delivered: int
) -> None:
    elsewhere, holders = world.folder / "elsewhere", WANTED.deliver[:delivered]
    elsewhere.mkdir()
    world.is_watched = False

    def run_another(step: RotationStep) -> None:
        if step.delivery == holders[-1]:
            assert world.rotate(deliverer=Deliverer(AllowedPaths(elsewhere), lambda _text: None)).error is None

    done = world.rotate(on_step=run_another)
    assert done.error is not None
    names = ", ".join(sorted(map(str, holders)))
    assert done.error.message.endswith(f"was deleted by another run or in the portal, and its value is in {names}")
    assert "delete secret primary in the portal" in done.error.hint
    assert [world.logs_in(value) for value in world.delivered()] == [False] * delivered + [True] * (2 - delivered)
    world.remove("primary")
    world.rotate()
    assert world.delivered_secret_is_valid()


def test_a_delivery_that_fails_ends_it_before_anything_is_expired(world: World) -> None:
    (old, _) = world.delivered()
    broken = replace(WANTED, deliver=(ToCommand(("false",)),))
    done = world.rotate(broken)
    assert done.error is not None
    assert "correct the delivery" in done.error.hint
    assert (world.names(), world.logs_in(old)) == (["primary"], True)
    assert kinds(world.rotate().steps) == [*MAKING, StepKind.EXPIRE]
    assert world.names() == ["primary", "primary.retired"]


def test_a_delivery_that_cannot_be_made_ends_it_before_anything_is_written(world: World) -> None:
    world.shop.forget()
    done = world.rotate(replace(WANTED, deliver=(ToFile("../outside"),)))
    assert done.error is not None
    assert (done.has_written, world.shop.writes()) == (False, [])


def test_a_wish_to_stop_is_heard_before_a_new_secret_and_after_it_is_confirmed(world: World) -> None:
    stopped = world.rotate(should_stop=lambda: True)
    assert (stopped.interrupted, stopped.steps) == (True, [])
    answers = iter([False, True])
    stopped = world.rotate(should_stop=lambda: next(answers))
    assert (stopped.interrupted, kinds(stopped.steps)) == (True, MAKING)
    assert kinds(world.rotate().steps) == [StepKind.EXPIRE]


def test_a_lost_answer_to_the_creation_is_resumed_and_leaves_nothing_behind(world: World) -> None:
    world.shop.fault(f"POST /v1/apiclients/{A}/secrets drop=after count=1")
    done = world.rotate()
    assert done.error is not None
    assert (done.has_written, done.error.hint.startswith("run it again")) == (True, True)
    assert world.names() == ["primary", "primary.undelivered"]
    world.rotate()
    world.now += OVERLAP
    world.rotate()
    assert world.names() == ["primary"]


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_a_lost_answer_to_a_change_that_may_be_repeated_is_no_matter(world: World, method: str) -> None:
    wanted = replace(WANTED, overlap=timedelta()) if method == "DELETE" else WANTED
    world.shop.fault(f"{method} /v1/apiclients/* drop=after count=1")
    assert world.rotate(wanted).error is None


class _Stubborn(FragileRemote):
    def patch(self, *_arguments: Any) -> dict[str, Json]:
        return {"Name": "other"}


def test_a_service_that_does_not_take_a_change_is_found_out(world: World) -> None:
    with world.shop.writer() as writer:
        remote: Any = _Stubborn(writer, world.point)
        deliverer = Deliverer(AllowedPaths(world.folder), lambda _text: None)
        (turn,) = secret_status.plan(
            world.desired, remote, world.target(), SecretChoice("ApiClient/a"), deliverer
        ).turns
        done = rotation.carry_out(turn.subject, turn.steps, RotationTools(remote, deliverer, lambda: world.now))
    assert done.error is not None
    assert "did not store the new Name" in done.error.message


# ------------------------------------------------------------------------------------------------------------- crashes


def settle(world: World) -> None:
    """Run it until nothing is due, as somebody would who finds it unfinished, then once more after the overlap."""
    world.crash_at = None
    for _ in range(3):
        assert world.rotate().error is None
        if world.names() == ["primary", "primary.retired"]:
            break
    world.now += OVERLAP
    assert world.rotate().error is None


@pytest.mark.sweep
def test_a_crash_at_any_moment_leaves_a_valid_delivered_secret_and_is_made_good(world: World) -> None:
    for moment in count(1):
        before, world.crash_at = world.delivered(), moment
        with suppress(Crash):
            world.rotate()
            break
        assert world.delivered_secret_is_valid()
        settle(world)
        assert (world.names(), world.delivered_secret_is_valid()) == (["primary"], True)
        assert not set(before) & set(world.delivered())
    assert world.points == 2 * 6 + 2 * 8  # each of six steps is recorded twice; a delivery takes two, others one


@given(st.lists(st.integers(1, 25), min_size=2, max_size=4))
@FEW_EXAMPLES
def test_several_crashes_one_after_the_other_are_made_good(world: World, moments: list[int]) -> None:
    for world.crash_at in moments:
        with suppress(Crash):
            world.rotate()
    settle(world)
    assert (world.names(), world.delivered_secret_is_valid()) == (["primary"], True)


# ------------------------------------------------------------------------------------------------------------ refusals


def refusal(world: World, wanted: NamedSecret) -> ReconcilerError:
    with pytest.raises(ReconcilerError) as caught:
        world.due(wanted)
    return caught.value


def test_a_secret_without_a_delivery_is_not_rotated(world: World) -> None:
    assert "has no delivery" in refusal(world, replace(WANTED, deliver=())).message


def test_a_secret_that_would_be_due_at_once_is_not_made(world: World) -> None:
    soon = replace(WANTED, max_age=None, expires=START + timedelta(days=1))
    assert "within its overlap of 2d" in refusal(world, soon).message


def test_where_there_is_no_room_for_one_more_it_says_which_could_go(world: World) -> None:
    for number in range(8):
        world.add(f"s{number}")
    world.add("over", Expiration=(START + timedelta(days=1)).isoformat())
    world.now += timedelta(days=2)
    error = refusal(world, WANTED)
    assert "has 10 secrets, the maximum" in error.message
    assert error.hint.partition("candidates: ")[2].startswith("over (id ")
    assert "s0 (id " in error.hint


def test_a_rotation_that_did_not_end_makes_room_for_the_next(world: World) -> None:
    world.shop.fault(f"POST /v1/apiclients/{A}/secrets drop=after count=1")
    world.rotate()
    for number in range(8):
        world.add(f"s{number}")
    assert world.rotate().error is None
    assert (len(world.names()), world.delivered_secret_is_valid()) == (10, True)


@pytest.mark.parametrize(
    ("address", "name", "said", "hint"),
    [
        ("ApiClient/b", None, "no manifest ApiClient/b", "did you mean ApiClient/a?"),
        ("a", None, "no manifest a", "did you mean ApiClient/a?"),
        ("ApiClient/a", "x", "lists no secret x", "primary, other"),
        ("ApiClient/a", "othre", "lists no secret othre", "did you mean other?"),
        ("ApiClient/a", None, "several secrets", "--secret"),
    ],
)
def test_what_is_not_there_is_a_matter_of_usage(world: World, address: str, name: str, said: str, hint: str) -> None:
    state = desired(replace(manifest("a"), named_secrets=(WANTED, NamedSecret("other"))))
    with pytest.raises(UsageError, match=said) as caught:
        world.plan(state, SecretChoice(address, name))
    assert hint in caught.value.hint


def test_a_client_that_is_not_there_or_lists_no_secret_is_told_what_to_do(world: World) -> None:
    new = replace(manifest("new", AccessTokenDuration=60), named_secrets=(WANTED,))
    with pytest.raises(ReconcilerError, match="does not exist yet"):
        world.plan(desired(new), SecretChoice("ApiClient/new"))
    with pytest.raises(ReconcilerError, match="lists no secrets"):
        world.plan(desired(manifest("a")), SecretChoice("ApiClient/a"))


def test_the_client_that_the_run_is_logged_in_with_keeps_its_old_secret_for_a_while(world: World) -> None:
    own = replace(
        manifest("own", id="00000000-0000-0000-0000-00000000AD01"),
        named_secrets=(replace(WANTED, overlap=timedelta()),),
    )
    with pytest.raises(ReconcilerError, match="this run uses this client to log in"):
        world.plan(desired(own), SecretChoice("ApiClient/own"))


# --------------------------------------------------------------------------------------------------------------- proof


def proof(world: World, value: str) -> Proof:
    with world.shop.writer() as writer:
        return writer.proves(A, Secret(value))


def test_a_right_secret_is_proven_and_a_wrong_one_is_not(world: World) -> None:
    assert proof(world, world.delivered()[0]) == Proof(accepted=True)
    assert not proof(world, "wrong").accepted


def test_a_client_that_cannot_log_in_by_itself_proves_a_secret_by_the_reason_of_its_refusal(world: World) -> None:
    world.shop.edit("a", DefaultContextUserName=None)
    right, wrong = proof(world, world.delivered()[0]), proof(world, "wrong")
    assert (right.accepted, wrong.accepted) == (True, False)
    assert "context user" in right.reason


def test_where_nobody_can_say_whether_a_secret_is_right_it_is_not_proven(world: World) -> None:
    world.shop.edit("a", Active=False)
    assert not proof(world, world.delivered()[0]).accepted


def test_the_log_of_requests_shows_neither_headers_nor_bodies(world: World, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        world.rotate()
    assert f"POST /v1/apiclients/{A}/secrets answered 201" in caplog.text
    for word in (*world.delivered(), "client_secret", "Bearer", "emulator-admin-secret"):
        assert word not in caplog.text


# ---------------------------------------------------------------------------------------------------- a lost delivery


def test_a_delivered_file_that_is_lost_in_the_overlap_is_delivered_anew_and_the_step_says_why(world: World) -> None:
    world.rotate()
    (world.folder / "a.secret").unlink()
    (create, *_) = world.plan(world.desired, SecretChoice("ApiClient/a")).turns[0].steps
    assert create.text.endswith("because it is missing from file a.secret")
    done = world.rotate()
    assert kinds(done.steps) == [*MAKING, StepKind.EXPIRE, StepKind.WAIT]
    assert (len(set(world.delivered())), world.delivered_secret_is_valid()) == (1, True)
    assert kinds(world.rotate().steps) == [StepKind.WAIT, StepKind.WAIT]


def test_what_is_lost_is_not_due(world: World) -> None:
    (world.folder / "a.secret").unlink()
    assert world.plan(world.desired, SecretChoice(only_due=True)).turns == ()


def test_in_an_overlap_it_says_what_to_do_where_a_lost_value_cannot_be_seen(world: World) -> None:
    world.is_watched = False
    wanted = two_commands(world)
    world.rotate(wanted)
    (wait, advice) = world.rotate(wanted).steps
    assert "is valid until 2027-02-02" in wait.text
    assert advice.text.endswith("is lost, delete that secret in the portal and run apply")


# -------------------------------------------------------------------------------------------- unproven secrets in use


def two_commands(world: World, *, first: str = "true", second: str = "true") -> NamedSecret:
    """A secret with two deliveries that nobody can read back; the first keeps each value that it stores."""
    store = world.folder / "store"
    store.write_text(f"#!/bin/sh\n{first} && cat > {world.folder / 'stored'}\n")
    store.chmod(0o755)
    return replace(WANTED, deliver=(ToCommand((str(store),)), ToCommand((second,))))


def stored(world: World) -> str:
    return (world.folder / "stored").read_text()


def test_what_a_delivery_has_stored_is_valid_until_another_one_is_delivered_there_whatever_fails(
    world: World,
) -> None:
    world.is_watched = False
    assert world.rotate(two_commands(world, second="false")).error is not None
    held = stored(world)
    for _ in range(3):
        assert world.rotate(two_commands(world, first="false")).error is not None
        assert (stored(world) == held, world.logs_in(held)) == (True, True)
    done = world.rotate(two_commands(world))
    ended = [*MAKING[:3], StepKind.DELETE, MAKING[3], StepKind.DELETE, MAKING[4], StepKind.EXPIRE]
    assert (done.error, kinds(done.steps)) == (None, ended)
    assert (world.names(), world.logs_in(stored(world))) == (["primary", "primary.retired"], True)
    assert not world.logs_in(held)


OUTCOMES = {"takes it": None, "refuses it": ReconcilerError, "breaks off": PartlyDelivered, "kills the run": Crash}


class Stores(Deliverer):
    """Commands that nobody can read back, and what they do in one run; `held` is what each has taken."""

    held: dict[Delivery, str]
    outcomes: Mapping[Delivery, str]

    def check(self, deliveries: Sequence[Delivery]) -> None:
        assert set(deliveries) == set(STORES)

    def deliver(self, new: NewSecret, delivery: Delivery) -> None:
        outcome, _, when = self.outcomes[delivery].partition(", ")
        if outcome != "refuses it" and when != "before it takes it":
            self.held[delivery] = new.value.reveal()
        if error := OUTCOMES[outcome]:
            raise error(outcome)


STORES = tuple(ToCommand((name,)) for name in "abc")
CLEAN = st.sampled_from(["takes it", "refuses it"])
UNSURE = st.sampled_from(["breaks off", "kills the run", *(f"{one}, before it takes it" for one in [*OUTCOMES][2:])])


def histories(outcome: st.SearchStrategy[str]) -> st.SearchStrategy[list[tuple[str, ...]]]:
    return st.lists(st.tuples(*[outcome] * len(STORES)), max_size=5)


def run(world: World, outcomes: tuple[str, ...], held: dict[Delivery, str]) -> list[str]:
    """Rotate without an overlap; what was stored anywhere opens a login at any time. Gives the names that are left."""
    deliverer = Stores(AllowedPaths(world.folder), lambda _text: None)
    object.__setattr__(deliverer, "held", held)
    object.__setattr__(deliverer, "outcomes", dict(zip(STORES, outcomes, strict=True)))
    with suppress(Crash):
        world.rotate(replace(WANTED, deliver=STORES, overlap=timedelta()), deliverer)
    assert all(world.logs_in(value) for value in set(held.values()))
    return world.names()


ARCS = len(STORES) * (len(STORES) - 1)
"""Where a secret may be: it is delivered from some store on, to some of the next ones, but not to all."""


@example(
    [
        ("takes it", "takes it", "refuses it"),
        ("takes it", "refuses it", "takes it"),
        ("takes it", "takes it", "refuses it"),
        ("refuses it", "takes it", "takes it"),
    ],
    ("takes it", "takes it", "refuses it"),
)
@given(histories(CLEAN), st.tuples(*[CLEAN] * len(STORES)).filter(lambda some: "refuses it" in some))
@FEW_EXAMPLES
def test_whatever_failed_before_more_runs_that_fail_alike_leave_as_many_secrets_as_one(
    world: World, history: list[tuple[str, ...]], failing: tuple[str, ...]
) -> None:
    world.is_watched, held = False, dict[Delivery, str]()
    for outcomes in history:
        assert len(run(world, outcomes, held)) <= 1 + ARCS
    once = run(world, failing, held)
    assert [run(world, failing, held) for _ in range(2)] == [once] * 2
    assert run(world, ("takes it",) * len(STORES), held) == ["primary"]
    assert len(set(held.values())) == 1


@given(histories(CLEAN | UNSURE))
@FEW_EXAMPLES
def test_wherever_runs_are_killed_or_commands_break_off_what_was_stored_last_opens_a_login(
    world: World, history: list[tuple[str, ...]]
) -> None:
    world.is_watched, held = False, dict[Delivery, str]()
    for outcomes in history:
        run(world, outcomes, held)
    assert run(world, ("takes it",) * len(STORES), held) == ["primary"]
    assert len(set(held.values())) == 1


def test_thirteen_runs_that_are_killed_before_they_confirm_leave_as_many_secrets_as_one(world: World) -> None:
    def die(_event: str, facts: Mapping[str, Json]) -> None:
        if facts["step"] == StepKind.CONFIRM:
            raise Crash

    world.is_watched = False
    for _ in range(13):
        with pytest.raises(Crash):
            world.rotate(two_commands(world), record=die)
        assert (world.names(), world.logs_in(stored(world))) == (["primary", "primary.unproven"], True)


def test_a_step_that_deletes_a_secret_that_may_be_in_use_says_so_and_protection_refuses_it(world: World) -> None:
    world.is_watched = False
    os.mkfifo(world.folder / "pipe")
    secret = replace(WANTED, deliver=(ToCommand(("cat", str(world.folder / "pipe")), timeout=0),))
    for _ in range(9):
        world.rotate(secret)
    state = desired(replace(manifest("a", policy=Policy(protected=True)), named_secrets=(secret,)))
    plan = world.plan(state, SecretChoice("ApiClient/a"))
    assert "which may be in use: ApiClient/a has 10 secrets" in plan.turns[0].steps[0].text
    assert [one.rule for one in plan.findings] == ["protected"]


def test_protection_lets_an_unproven_secret_be_deleted_once_another_one_is_delivered_wherever_it_was(
    world: World,
) -> None:
    world.is_watched = False
    world.rotate(two_commands(world, second="false"))
    state = desired(replace(manifest("a", policy=Policy(protected=True)), named_secrets=(two_commands(world),)))
    plan = world.plan(state, SecretChoice("ApiClient/a"))
    assert [step.kind for step in plan.turns[0].steps][3:] == [
        *MAKING[3:4],
        StepKind.DELETE,
        MAKING[4],
        StepKind.EXPIRE,
    ]
    assert plan.findings == ()


def test_a_value_that_was_delivered_to_a_file_is_delivered_on_and_no_other_is_made(world: World) -> None:
    half = replace(WANTED, deliver=(ToFile("a.secret"), ToCommand(("false",))))
    assert world.rotate(half).error is not None
    held = world.delivered()[0]
    again = replace(half, deliver=(ToFile("a.secret"), ToCommand(("cat",))))
    assert StepKind.CREATE not in kinds(world.rotate(again).steps)
    assert (world.delivered()[0], world.names()) == (held, ["primary", "primary.retired"])


def test_a_command_that_is_stopped_may_have_stored_the_value(world: World) -> None:
    os.mkfifo(world.folder / "pipe")
    done = world.rotate(replace(WANTED, deliver=(ToCommand(("cat", str(world.folder / "pipe")), timeout=0),)))
    assert "it may have stored the secret" in str(done.error)
    assert world.names() == ["primary", "primary.unproven"]
