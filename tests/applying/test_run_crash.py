"""A process that is killed at any request of an apply: its journal tells the truth, and the next run does the rest.

The marketplace lives in a state file, as a service outlives its client. A child process applies, and ends at one
request without any last word, as by ``kill -9``; before the request is sent, or when it was carried out and its answer
is on the way. Where there is a file system in memory its syncs cost nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import httpx
import pytest

from reconciler.applying import journal
from reconciler.applying.journal.events import ApplyRecorder, facts_of, recorded
from reconciler.applying.journal.write import Journal
from reconciler.applying.run import Controls
from reconciler.applying.verify import Condition, look
from reconciler.emulator import Emulator, Settings
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.diagnostic import Place
from reconciler.model.outcome import Certainty, RecordedRun
from reconciler.model.plan import Limits, Plan
from reconciler.model.resource import Address, DesiredResource, DesiredState, Policy
from reconciler.planning.planfile import plan_digest
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

pytestmark = pytest.mark.sweep

KILLED: Final = 9
COUNT: Final = 20
REQUESTS: Final = 43
"""A login, a read and a write for each change, and at the end a list, and a look at what was deleted."""
LIVE: Final = [body(client_id(number), f"c{number:02}") for number in range(1, COUNT)]
WANT: Final = desired(
    manifest("a-new-one", AccessTokenDuration=60),
    *(manifest(f"c{number:02}", AccessTokenDuration=60) for number in range(2, COUNT)),
    manifest("c01", policy=Policy(absent=True)),
)


class Dying(httpx.BaseTransport):
    """Ends the process at the request of this number; `after` it was carried out, or before it is sent."""

    def __init__(self, inner: httpx.BaseTransport, at: int, *, after: bool) -> None:
        self.inner = inner
        self.left = at
        self.after = after

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Count, and die or pass on."""
        self.left -= 1
        if self.left == 0 and not self.after:
            os._exit(KILLED)
        answer = self.inner.handle_request(request)
        if self.left == 0:
            os._exit(KILLED)
        return answer


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one."""
    memory = Path("/dev/shm")  # noqa: S108  # the name of the file system, no file that others could plant
    made = Path(tempfile.mkdtemp(dir=memory if memory.is_dir() else None))
    yield made
    shutil.rmtree(made)


def apply(service: Shop, folder: Path, plan: Plan) -> None:
    facts = facts_of(plan, plan_digest(plan))
    recorder = ApplyRecorder(plan, lambda: facts, lambda facts: Journal.start(folder / "runs", facts))
    recorder.end(service.apply(plan, Controls(concurrency=1, recorder=recorder)))


def killed(folder: Path, plan: Plan, at: int, *, after: bool) -> bool:
    """Apply in a process that is killed; False: there are not so many requests."""
    child = os.fork()
    if child == 0:
        try:
            with reopened(folder) as service:
                service.transport = Dying(service.transport, at, after=after)
                apply(service, folder, plan)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == KILLED


def reopened(folder: Path) -> "_Reopened":
    return _Reopened(folder)


class _Reopened:
    """The marketplace as its state file has it."""

    def __init__(self, folder: Path) -> None:
        self.emulator = Emulator(Settings(state=folder / "state.db"))

    def __enter__(self) -> Shop:
        service = Shop(self.emulator)
        service.secrets["KEY"] = "planted"
        return service

    def __exit__(self, *_: object) -> None:
        self.emulator.close()


def done(service: Shop) -> set[str]:
    """The names of the changes that the service holds."""
    there = service.bodies()
    changed = {name for name, one in there.items() if one["AccessTokenDuration"] == 60}
    return changed if "c01" in there else changed | {"c01"}


def names(run: RecordedRun, *certainties: Certainty) -> set[str]:
    return {change.address.name for change in run.changes if change.certainty in certainties}


def demand_the_truth(run: RecordedRun, service: Shop) -> None:
    """What the journal calls certain is so, and a look at the rest shows how it is."""
    held = done(service)
    assert names(run, Certainty.ENDED, Certainty.WRITTEN) <= held
    assert not names(run, Certainty.NOT_STARTED) & held
    with service.reader() as reader:
        for looked in look(run, reader):
            assert looked.found is (Condition.AS_SENT if looked.change.address.name in held else Condition.AS_BEFORE)
    assert len(names(run, Certainty.UNCERTAIN)) <= 1


def demand_the_rest(service: Shop, folder: Path, plan: Plan | None) -> None:
    """Apply what is left, with a new plan or the old one, and no write for what is there already."""
    left = COUNT - len(done(service))
    service.forget()
    apply(service, folder, plan or service.plan(WANT))
    assert len(service.writes()) == left
    assert not service.plan(WANT).has_changes


@pytest.mark.parametrize("part", range(4))
@pytest.mark.parametrize("after", [False, True])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kill_at_any_request_leaves_a_true_journal_and_the_next_run_writes_only_the_rest(
    folder: Path, after: bool, part: int
) -> None:
    with shop(folder, *LIVE, state=folder / "state.db") as service:
        plan = service.plan(WANT)
    shutil.copytree(folder, folder / "fresh")
    writes = range(3, REQUESTS - 1, 2)  # to die after a read is to die before the write that follows it
    for at in (writes if after else range(1, REQUESTS + 1))[part::4]:
        restore(folder)
        assert killed(folder, plan, at, after=after), f"there is no request {at}"
        with reopened(folder) as service:
            run = only_run(folder / "runs")
            if run:
                demand_the_truth(run, service)
            demand_the_rest(service, folder, plan if at % 3 else None)
        assert journal.check_all(folder / "runs") == ()


def test_there_are_no_more_requests_than_those_that_were_tried(folder: Path) -> None:
    with shop(folder, *LIVE, state=folder / "state.db") as service:
        plan = service.plan(WANT)
        service.forget()
        apply(service, folder, plan)
        assert len(service.requests()) == REQUESTS


EVENT = {"ID": "gate", "Name": "Gate", "EventType": "AddToCart", "HashKey": "k", "ElevatedRoles": []} | {
    "CustomImplementationUrl": "https://shop.example/gate",
    "CustomAuthHeaderName": "x-key",
    "CustomAuthHeaderValue": "unseen",
}
OBJECTS = {
    "IntegrationEvents": [EVENT],
    "SecurityProfiles": [{"ID": "staff", "Name": "Staff", "Roles": ["Shopper"]}],
    "AdminUserGroups": [{"ID": name, "Name": name} for name in ("day", "night")],
}
SEVERAL: Final = desired(
    DesiredResource(Address("IntegrationEvent", "gate"), {"Name": "Gateway"}, Place("gate.yaml", 1, 1), id="gate"),
    DesiredResource(
        Address("SecurityProfile", "staff"),
        {"Name": "Crew"},
        Place("staff.yaml", 1, 1),
        id="staff",
        assignments={"seller": ("seller",), "adminGroups": ("night",)},
    ),
)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kill_between_a_patch_and_assignments_leaves_a_true_journal_and_the_next_run_does_the_rest(
    folder: Path, after: bool
) -> None:
    with shop(folder, objects=OBJECTS, state=folder / "state.db") as service, service.writer() as writer:
        writer.post("/securityprofiles/assignments", {"SecurityProfileID": "staff", "UserGroupID": "day"})
        plan = service.plan(SEVERAL)
    assert {change.is_patch for change in plan.changes if change.action.writes} == {True, False}
    looked = set()
    for service in after_each_kill(folder, plan, after=after):
        with service.reader() as reader:
            if run := only_run(folder / "runs"):
                looked |= {(one.write.method, one.found) for one in look(run, reader)}
        apply(service, folder, service.plan(SEVERAL))
        assert not service.plan(SEVERAL).has_changes
    found = Condition.AS_SENT if after else Condition.AS_BEFORE
    assert looked == {(method, found) for method in ("PATCH", "PUT", "POST", "DELETE")}


def after_each_kill(folder: Path, plan: Plan, *, after: bool) -> Iterator[Shop]:
    """The marketplace as it is after a kill at the first request of the plan, at the second, and so on."""
    shutil.copytree(folder, folder / "fresh")
    for at in count(1):
        restore(folder)
        if not killed(folder, plan, at, after=after):
            assert at > sum(one.action.writes for one in plan.changes)
            return
        with reopened(folder) as service:
            yield service


SINGLES: Final = """\
ProductSync products {DeliveryConfigID: hub, SyncProductChanged: true, SyncProductDeleted: true}
EntitySync buyers-users {DeliveryConfigID: hub, SyncEntityChanged: true, SyncEntityDeleted: true}
ErrorConfig errors {DeliveryConfigID: hub}
Incrementor orders {Name: Orders, LastNumber: 7, LeftPaddingCount: 8}
Incrementor returns {Name: Returns, LastNumber: 1, LeftPaddingCount: 3}
XpIndex indices {Order: [a, c], User: [size]}
DeliveryConfig hub {Name: Hub, DeliveryTargets: {Http: {Endpoint: 'https://b.example', Secret: {fromEnv: KEY}}}}
Locale us {Currency: USD}
"""
OF_SINGLES: Final = {
    "DeliveryConfigs": [
        {"ID": "hub", "Name": "Hub", "DeliveryTargets": {"Http": {"Endpoint": "https://a.example", "Secret": "s"}}}
    ],
    "ErrorConfig": {"DeliveryConfigID": "hub"},
    "Incrementors": [{"ID": "orders", "Name": "Orders", "LastNumber": 41, "LeftPaddingCount": 6}],
    "XpIndices": [{"ThingType": "Order", "Key": key} for key in "ab"],
    "EntitySync/buyers/users": {"DeliveryConfigID": "hub", "SyncEntityChanged": False, "SyncEntityDeleted": True},
}


def loaded(folder: Path, lines: str) -> DesiredState:
    """Manifests in a line each: ``Kind NAME {spec} | {assignments}``."""
    documents = []
    for line in lines.splitlines():
        kind, name, rest = line.split(" ", 2)
        spec, _, more = rest.partition(" | ")
        head = f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        documents.append(f"{head}assignments: {more}\n" if more else head)
    file = folder / "manifests.yaml"
    file.write_text("---\n".join(documents))
    return load([file], LoadContext(allowed_secrets=frozenset({"KEY"}))).desired


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_kill_among_singletons_counters_and_rows_of_sets_is_followed_by_the_rest(folder: Path, after: bool) -> None:
    wanted = loaded(folder, SINGLES.replace("ErrorConfig errors {DeliveryConfigID: hub}\n", ""))
    gone = [
        replace(one, policy=Policy(absent=True))
        for one in loaded(folder, SINGLES).resources
        if one.address.kind == "ErrorConfig"
    ]
    wanted = replace(wanted, resources=(*wanted.resources, *gone))
    with shop(folder, objects=OF_SINGLES, state=folder / "state.db") as service:
        service.secrets["KEY"] = "planted"
        plan = service.plan(wanted)
    for service in after_each_kill(folder, plan, after=after):
        if run := only_run(folder / "runs"):
            with service.reader() as reader:
                of_one = [one.found for one in look(run, reader) if one.change.address.kind != "XpIndex"]
            assert set(of_one) <= {Condition.AS_SENT if after else Condition.AS_BEFORE}  # a set may be written in part
        with service.writer() as writer:
            writer.patch("/incrementors", "orders", {"LastNumber": 42})  # somebody orders meanwhile
        apply(service, folder, service.plan(wanted))
        assert not service.plan(wanted).has_changes
        with service.reader() as reader:
            assert reader.get("/incrementors", "orders")["LastNumber"] == 42
            assert reader.get("/incrementors", "returns")["LastNumber"] == 1


RECEIVER: Final = "CustomImplementationUrl: 'https://shop.example/gate', HashKey: {fromEnv: KEY}"
HEALED: Final = f"""\
IntegrationEvent gate {{Name: Gate, EventType: AddToCart, {RECEIVER}}}
IntegrationEvent pay {{Name: Pay, EventType: OrderCheckout, {RECEIVER}}}
ApiClient c01 {{AppName: c01, AddToCartIntegrationEventID: gate, OrderCheckoutIntegrationEventID: pay}}
ApiClient c02 {{AppName: c02, OrderCheckoutIntegrationEventID: pay}}
Webhook hook {{Name: Hook, ApiClientIDs: [{client_id(1)}, {client_id(2)}]}}
Webhook other {{Name: Other, ApiClientIDs: [{client_id(1)}]}}
DeliveryConfig hub {{Name: Hub, DeliveryTargets: {{Http: {{Endpoint: 'https://a.example', Secret: {{fromEnv: KEY}}}}}}}}
MessageSender m {{Name: A, MessageTypes: [OrderSubmitted], DeliveryConfigID: hub}} | {{seller: true, buyers: [north]}}
"""
OF_HEALED: Final = {
    "Buyers": [{"ID": "north", "Name": "North", "Active": True}],
    "Webhooks": [
        {"ID": one, "Name": one.title(), "Url": f"https://shop.example/{one}", "HashKey": "k"}
        for one in ("hook", "other")
    ],
}
CAREFUL: Final = replace(NO_LIMITS, limits=Limits(changes=4, widens=1, deletes=0, restore=True))


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("reading", ["url-null", "removed"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_restore_is_healed_within_the_limits_wherever_the_first_try_was_killed(
    folder: Path, reading: str, after: bool
) -> None:
    wanted = loaded(folder, HEALED)
    with shop(folder, *LIVE[:2], objects=OF_HEALED, state=folder / "state.db") as service:
        service.secrets["KEY"] = "planted"
        assert service.converge(wanted).is_complete
        service.http.post("/_emulator/staging-restore", params={"events": reading}).raise_for_status()
        plan = service.plan(wanted, CAREFUL)
    for service in after_each_kill(folder, plan, after=after):
        again = service.plan(wanted, CAREFUL)
        assert again.guards == ()
        apply(service, folder, again)
        assert not service.plan(wanted).has_changes


def restore(folder: Path) -> None:
    """Put the marketplace back to what it was before the first run, without any journal."""
    shutil.rmtree(folder / "runs", ignore_errors=True)
    for path in folder.glob("state.db*"):
        path.unlink()
    for path in (folder / "fresh").glob("state.db*"):
        shutil.copy(path, folder)


def only_run(runs: Path) -> RecordedRun | None:
    """The run whose process was killed; None: it had not begun to write its journal."""
    found = [recorded(run) for run in journal.runs(runs).values() if isinstance(run, journal.Run)]
    assert len(found) <= 1
    assert not any(run.is_finished for run in found if run)
    return found[0] if found else None
