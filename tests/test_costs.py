"""What work costs in things that can be counted: requests, explanations, comparisons, files. Time is for benchmarks.

Calls are counted by a profile function, so that the code under test is the real one.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import CodeType, FrameType, SimpleNamespace
from typing import Any

import pytest
from deepdiff import DeepDiff

from reconciler.applying import receipt as receiptfile
from reconciler.applying import verify
from reconciler.applying.task import Task
from reconciler.cli.main import main
from reconciler.export import ManifestOrigin, export
from reconciler.live import with_assignments
from reconciler.manifests import schema
from reconciler.manifests import yaml as document
from reconciler.manifests.edit.live import with_deviations
from reconciler.manifests.load import LoadContext, inspect, load
from reconciler.model.inputs import Access
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import AssignmentChange, Change, Limits, Plan
from reconciler.model.reports import Adoption
from reconciler.model.resource import DesiredState, LiveState, ObjectKey
from reconciler.planning import deletion, planfile
from reconciler.planning import diff as differ
from reconciler.planning import drift as drifts
from reconciler.planning import guards as guard
from reconciler.planning.check import check_offline
from reconciler.planning.comparison import Sides, diff_offline
from reconciler.planning.deletion import Protection
from reconciler.planning.diff.fields import explain
from reconciler.planning.diff.identity import propose
from reconciler.planning.diff.notices import hints
from reconciler.render import FORMATS, Format
from reconciler.render.reports import Adopted, Exporting, adoption_text, export_text
from reconciler.render.style import PLAIN
from tests.builders import by_address, desired, live, manifest, plan_of
from tests.service import NO_LIMITS, client_id, shop

MANY = 250
MANIFEST = "{{apiVersion: reconciler/v1, kind: ApiClient, metadata: {{name: c{n}}}, spec: {{AppName: C{n}, {more}}}}}\n"


@contextmanager
def counted(**functions: Callable[..., Any]) -> Iterator[Mapping[str, int]]:
    """Count the calls of these functions in this thread."""
    calls: Counter[str] = Counter(dict.fromkeys(functions, 0))
    names: dict[CodeType, str] = {function.__code__: name for name, function in functions.items()}
    known: set[FrameType] = set()  # a generator that goes on is no new call

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names and frame not in known:
            known.add(frame)
            calls[names[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def clients(count: int, minutes: int = 60) -> list[dict[str, Any]]:
    return [{"ID": client_id(n), "AppName": f"c{n}", "AccessTokenDuration": minutes} for n in range(count)]


def write(folder: Path, count: int, faulty: int = 0) -> Path:
    folder.mkdir()
    for number in range(count):
        more = "AccessTokenDuration: 5" if number < faulty else "AccessTokenDuration: 60"
        (folder / f"{number}.yaml").write_text(MANIFEST.format(n=number, more=more))
    return folder


# ---------------------------------------------------------------------------------------------------------- requests


def test_a_plan_costs_a_login_a_look_at_who_we_are_and_a_request_for_each_hundred_clients(tmp_path: Path) -> None:
    with shop(tmp_path, *clients(MANY)) as marketplace:
        marketplace.plan(desired(*(manifest(f"c{n}", AccessTokenDuration=60) for n in range(MANY))))
        asked = Counter(f"{one['method']} {one['path']}" for one in marketplace.requests())
    assert asked == {"POST /oauth/token": 1, "GET /v1/me": 1, "GET /v1/apiclients": 3}


def test_an_apply_writes_each_changed_client_once_and_nothing_else(tmp_path: Path) -> None:
    with shop(tmp_path, *clients(20)) as marketplace:
        plan = marketplace.plan(
            desired(*(manifest(f"c{n}", AccessTokenDuration=90 if n < 7 else 60) for n in range(20)))
        )
        marketplace.forget()
        marketplace.apply(plan)
        asked = Counter((one["method"], one["path"]) for one in marketplace.requests())
    written = {path: times for (method, path), times in asked.items() if method == "PUT"}
    assert written == {f"/v1/apiclients/{client_id(n)}": 1 for n in range(7)}


def test_an_apply_with_nothing_to_do_sends_nothing(tmp_path: Path) -> None:
    with shop(tmp_path, *clients(20)) as marketplace:
        plan = marketplace.plan(desired(*(manifest(f"c{n}", AccessTokenDuration=60) for n in range(20))))
        marketplace.forget()
        marketplace.apply(plan)
        assert marketplace.requests() == []


# ------------------------------------------------------------------------------------------------------- explanations


@pytest.mark.parametrize("faulty", [0, 3])
def test_only_what_is_wrong_is_explained(tmp_path: Path, faulty: int) -> None:
    folder = write(tmp_path / "manifests", 40, faulty)
    with counted(explanations=schema.explain) as calls:
        assert len(inspect([folder], LoadContext()).diagnostics) == faulty
    assert calls["explanations"] == faulty


@pytest.mark.parametrize("changed", [0, 3])
def test_deepdiff_is_asked_only_about_objects_that_differ(tmp_path: Path, changed: int) -> None:
    live = [{**one, "xp": {"n": n, "deep": {"er": [n]}}} for n, one in enumerate(clients(40))]
    wanted = [
        manifest(f"c{n}", xp={"n": n if n >= changed else "another", "deep": {"er": [n]}}, AccessTokenDuration=60)
        for n in range(40)
    ]
    with shop(tmp_path, *live) as marketplace, counted(explain=explain, deepdiff=DeepDiff.__init__) as calls:
        assert marketplace.plan(desired(*wanted)).summary.update == changed
    assert calls["explain"] == changed
    assert calls["deepdiff"] == changed


# -------------------------------------------------------------------------------------------------------------- files


@contextmanager
def opened_in(folder: Path) -> Iterator[Mapping[str, int]]:
    """Count the files below a folder that any thread opens, by their names."""
    opened: Counter[str] = Counter()
    is_watching = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if is_watching and event == "open" and str(arguments[0]).startswith(str(folder)):
            opened[Path(str(arguments[0])).name] += 1

    sys.addaudithook(note)  # cannot be taken away again, so it stops listening
    try:
        yield opened
    finally:
        is_watching = False


def test_each_manifest_is_read_and_parsed_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "manifests", 40)
    with opened_in(folder) as opened, counted(parsed=document.read) as calls:
        inspect([folder], LoadContext())
    assert opened == {f"{number}.yaml": 1 for number in range(40)}
    assert calls["parsed"] == 40


@pytest.mark.parametrize("arguments", [["validate"], ["plan", "--env-all"]])
def test_each_manifest_is_read_once_for_all_environments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    folder = write(tmp_path / "manifests", 5)
    environments = "\n".join(f"  {name}: {{emulator: {{}}}}" for name in "abc")
    configuration = f"apiVersion: reconciler/v1\nkind: Config\nmanifests: [manifests/]\nenvironments:\n{environments}\n"
    (tmp_path / "reconciler.yaml").write_text(configuration)
    monkeypatch.chdir(tmp_path)
    with opened_in(folder) as opened:
        assert main(arguments) == 0
    assert opened == {f"{number}.yaml": 1 for number in range(5)}


def test_what_is_delivered_in_each_environment_is_worked_out_once_for_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "manifests", 3)
    delivered = 'secrets: [{name: primary, deliver: [{file: "../secrets/${marketplace}"}]}]'
    text = (folder / "0.yaml").read_text()
    (folder / "0.yaml").write_text(text.replace("}}\n", f"}}, {delivered}}}\n"))
    environments = "\n".join(f"  {name}: {{emulator: {{}}, marketplace: {name}}}" for name in "abcdef")
    configuration = f"apiVersion: reconciler/v1\nkind: Config\nmanifests: [manifests/]\nenvironments:\n{environments}\n"
    (tmp_path / "reconciler.yaml").write_text(configuration)
    monkeypatch.chdir(tmp_path)
    with counted(inspections=inspect) as calls:
        assert main(["validate"]) == 0
    assert calls["inspections"] == 2 * 6


# ------------------------------------------------------------------------------------------------------------- growth


def calls_in(work: Callable[[], object]) -> int:
    """Count all calls, those of functions in C included: the same work makes as many, however slow the machine is."""
    calls = 0

    def note(_frame: FrameType, event: str, _: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


@dataclass(frozen=True)
class Marketplace:
    """So many clients, each with a manifest and an id in the configuration, every tenth of them out of step."""

    count: int

    @property
    def live(self) -> LiveState:
        return live(*clients(self.count))

    @property
    def desired(self) -> DesiredState:
        minutes = [90 if number % 10 == 0 else 60 for number in range(self.count)]
        return desired(*(manifest(f"c{n}", AccessTokenDuration=each) for n, each in enumerate(minutes)))

    @property
    def ids(self) -> Mapping[str, str]:
        return {f"c{number}": client_id(number) for number in range(self.count)}

    @property
    def changes(self) -> tuple[Change, ...]:
        return differ.diff(self.desired, self.live, {})

    @property
    def plan(self) -> Plan:
        return plan_of(*self.changes)

    @property
    def result(self) -> ApplyResult:
        written = [change for change in self.changes if change.action.writes]
        return ApplyResult(tuple(Outcome(change, Status.APPLIED, id=change.id) for change in written), 0)


def compared(size: Marketplace) -> Callable[[], object]:
    """All of a plan that asks nobody."""
    sides = Sides(size.desired, size.live)
    return lambda: check_offline(diff_offline(sides, NO_LIMITS), "https://shop.example", NO_LIMITS)


def settled(size: Marketplace) -> Callable[[], object]:
    changes, protection = size.changes, Protection(("c1", "c2*", "gone"), by_address(size.ids))
    return lambda: deletion.protect_and_prune(changes, protection, prunes=True, own_client_id="own")


def guarded(size: Marketplace) -> Callable[[], object]:
    changes = size.changes
    context = guard.Context(
        Limits(),
        Access("own", None, as_context_user=True),
        frozenset(ObjectKey("ApiClient", one) for one in size.ids.values()),
    )
    return lambda: guard.check(changes, context)


def renamed(size: Marketplace) -> Callable[[], object]:
    """As many creations as there are objects that no manifest claims."""
    names = [f"{number * 2654435761 % 2**32:08x}" for number in range(size.count)]
    wanted = desired(
        *(manifest(f"new{number}", AppName=f"{name} new", AccessTokenDuration=60) for number, name in enumerate(names))
    )
    there = live(
        *({**client, "AppName": f"{name} old"} for client, name in zip(clients(size.count), names, strict=True))
    )
    changes = differ.diff(wanted, there, {})
    return lambda: hints(changes, wanted)


def adopted(size: Marketplace) -> Callable[[], object]:
    adoption = Adoption("test", "https://shop.example", "shop", propose(size.desired, size.live, {}))
    return lambda: adoption_text(Adopted(adoption, "reconciler.yaml", written=False), PLAIN)


def exported(size: Marketplace) -> Callable[[], object]:
    origin = ManifestOrigin("test")
    return lambda: export_text(
        Exporting("test", export(size.live, (), LoadContext(), Path("manifests"), origin).objects), PLAIN
    )


def kept(size: Marketplace) -> Callable[[], object]:
    plan, result = size.plan, size.result
    assigned = (replace(one, assignments={"buyers": ("b1",)}) for one in size.desired.resources)
    wanted = replace(size.desired, resources=tuple(assigned))
    return lambda: receiptfile.dumps(drifts.receipt_of(plan, result, wanted, "2026-01-01T00:00:00Z"), None)


def written_as(format_: Format, size: Marketplace) -> list[Callable[[], object]]:
    plan, result = size.plan, size.result
    drift = drifts.find(plan)
    return [
        *([partial(format_.plan, plan, "0" * 64, PLAIN)] if format_.plan else []),
        *([partial(format_.drift, drift, "0" * 64, PLAIN)] if format_.drift else []),
        *([partial(format_.result, result, PLAIN)] if format_.result else []),
    ]


def looked_at(size: Marketplace) -> Callable[[], object]:
    """The last look after each client was written and assigned to a buyer."""
    step = AssignmentChange("buyers", "b1", assign=True)
    changes = [replace(one, assignments=(step,)) for one in size.changes]
    rows = [{"ApiClientID": one.id, "BuyerID": "b1"} for one in changes]
    bodies = [{**(one.after or {}), "ID": one.id} for one in changes]
    remote = SimpleNamespace(list_all=lambda _path, key="ID", filters=None: bodies if key else rows)  # noqa: ARG005  # as the remote is called
    writer: Any = SimpleNamespace(remote=remote)  # the last look asks for lists alone
    written = [(Task(one, writer), Outcome(one, Status.APPLIED, id=one.id)) for one in changes]
    return lambda: list(verify.look_again(written, writer, live=size.count, at_a_time=1))


WORKS: Mapping[str, Callable[[Marketplace], list[Callable[[], object]]]] = {
    "diff": lambda size: [partial(differ.diff, size.desired, size.live, {})],
    "propose": lambda size: [partial(propose, size.desired, size.live, by_address(size.ids))],
    "plan": lambda size: [compared(size)],
    "settle": lambda size: [settled(size)],
    "guard": lambda size: [guarded(size)],
    "hints": lambda size: [renamed(size)],
    "last look": lambda size: [looked_at(size)],
    "adopt": lambda size: [adopted(size)],
    "export": lambda size: [exported(size)],
    "receipt": lambda size: [kept(size)],
    "plan file": lambda size: [partial(planfile.dumps, size.plan)],
    **{name: partial(written_as, format_) for name, format_ in FORMATS.items()},
}


@pytest.mark.sample(7)
@pytest.mark.parametrize("name", WORKS)
def test_twice_as_many_clients_are_about_twice_the_work(name: str) -> None:
    small, large = WORKS[name](Marketplace(60)), WORKS[name](Marketplace(120))
    for less, more in zip(small, large, strict=True):
        less()  # what is made once for all
        assert calls_in(more) < 2.3 * calls_in(less)


def test_objects_whose_assignments_are_read_are_found_without_a_search(tmp_path: Path) -> None:
    assert ObjectKey("ApiClient", "a") != ObjectKey("ApiClient", "b")  # its method is there now
    with (
        shop(tmp_path, *clients(MANY)) as marketplace,
        counted(comparisons=ObjectKey.__eq__, reads=with_assignments) as calls,
    ):
        marketplace.plan(desired(*(manifest(f"c{n}", assignments={"buyers": ()}) for n in range(MANY))))
    assert (calls["reads"], calls["comparisons"] < 20 * MANY) == (1, True)


def test_twice_as_many_manifests_of_one_file_are_about_twice_the_work_to_bring_back(tmp_path: Path) -> None:
    def brought_back(count: int) -> Callable[[], object]:
        file = tmp_path / f"{count}.yaml"
        file.write_text("---\n".join(MANIFEST.format(n=n, more="AccessTokenDuration: 30") for n in range(count)))
        loaded = load([file], LoadContext("test", root=tmp_path))
        drift = drifts.find(
            plan_of(
                *differ.diff(
                    loaded.desired,
                    live(*({**one, "AppName": one["AppName"].upper()} for one in clients(count))),
                    {},
                )
            ),
        )
        return partial(with_deviations, drift.deviations, loaded.manifests, "test")

    less, more = brought_back(40), brought_back(80)
    less()
    assert calls_in(more) < 2.3 * calls_in(less)
