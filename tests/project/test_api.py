"""What `import reconciler` gives to programs; `docs/python.md` and `docs/scale.md` show it."""

import json
import os
import re
import subprocess
import sys
import types
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import reconciler
from reconciler.cli.exit import of_result
from reconciler.cli.failures import report
from reconciler.emulator import ADMIN_CLIENT_ID
from reconciler.project.api import promote
from reconciler.project.apply import ApplyOptions
from reconciler.project.environment import listed
from reconciler.project.records import history
from reconciler.remote.messages import Stats
from tests.cli.conftest import BACK, Project, Switchboard
from tests.limits import no_file_larger_than

if TYPE_CHECKING:
    from reconciler.model.json import Json

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "python.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXAMPLES = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
TASKS = BLOCK.findall((ROOT / "docs" / "scale.md").read_text(encoding="utf-8"))


@pytest.fixture
def shop(project: Project, served: tuple[Switchboard, str]) -> Project:
    """Two environments at one service, and a change to apply."""
    environment: Json = {
        "url": served[1],
        "marketplace": "emulator",
        "auth": {"clientId": ADMIN_CLIENT_ID, "clientSecret": {"fromEnv": "OC_SECRET"}},
        "limits": {"changes": 2},
    }
    project.configure(staging=environment, production=environment)
    project.manifest("front", AccessTokenDuration=480)
    return project


def reconciler_client() -> str:
    from reconciler.emulator import ADMIN_CLIENT_ID

    return ADMIN_CLIENT_ID


def run_example(number: int) -> None:
    exec(compile(EXAMPLES[number], f"{PAGE.name}, example {number + 1}", "exec"), {"__name__": "example"})  # noqa: S102


def test_the_first_example_plans_all_environments(shop: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(0)
    out = capsys.readouterr().out
    assert "staging: 1 changes" in out
    assert "production: 1 changes" in out
    assert "AccessTokenDuration" in out


def test_the_second_example_applies_a_plan_and_shows_each_outcome(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    run_example(1)
    assert capsys.readouterr().out == "ApiClient/front applied \ncomplete: True\n"
    assert not reconciler.load().plan("staging").has_changes


def test_the_third_example_reacts_to_drift(shop: Project, capsys: pytest.CaptureFixture[str]) -> None:
    run_example(2)
    assert capsys.readouterr().out == "drift: ApiClient/front\n"


def test_every_example_is_one_of_these() -> None:
    assert (len(EXAMPLES), len(TASKS)) == (3, 3)


@pytest.fixture
def tasks(shop: Project, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    """The first example of scale.md as a module, and an order of the environments."""
    (shop.folder / "marketplaces.py").write_text(TASKS[0], encoding="utf-8")
    monkeypatch.syspath_prepend(shop.folder)
    file = shop.folder / "reconciler.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"promote": ["production", "staging"]}))
    yield shop
    sys.modules.pop("marketplaces", None)


def test_the_task_of_a_scheduler_runs_in_threads(tasks: Project, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(TASKS[1], "scale.md", "exec"), {"__name__": "example"})  # noqa: S102  # what the page shows
    names = [line.partition(": ")[0] for line in capsys.readouterr().out.splitlines()]
    assert names == ["staging", "production"]
    assert not reconciler.load().plan("staging").has_changes


def test_the_task_raises_what_somebody_has_to_look_at(tasks: Project) -> None:
    from marketplaces import reconcile  # type: ignore[import-not-found]  # the page's

    tasks.manifest("one", AccessTokenDuration=600)
    tasks.manifest("two", AccessTokenDuration=600)
    with pytest.raises(reconciler.GuardRefusal):
        reconcile("staging")
    assert tasks.writes() == []


def test_the_same_task_is_a_dag_in_the_order_of_promote(tasks: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """`airflow.sdk` is played by as much of it as the page uses: a task that runs where it is called."""
    ran: list[str] = []

    def task(task_id: str, retries: int) -> Callable[[Callable[[str], int]], Callable[[str], None]]:
        return lambda function: lambda name: ran.append(f"{task_id} {function(name)}")

    airflow = types.ModuleType("airflow.sdk")
    vars(airflow).update(task=task, dag=lambda **_schedule: lambda function: function, chain=lambda *_tasks: None)
    monkeypatch.setitem(sys.modules, "airflow", types.ModuleType("airflow"))
    monkeypatch.setitem(sys.modules, "airflow.sdk", airflow)
    exec(compile(TASKS[2], "scale.md", "exec"), {"__name__": "example"})  # noqa: S102  # what the page shows
    assert ran == ["production 1", "staging 0"], "the two share a service"


def test_editors_and_shells_list_every_exported_name() -> None:
    assert set(reconciler.__all__) <= set(dir(reconciler))


def test_every_name_of_the_page_is_exported() -> None:
    text = PAGE.read_text(encoding="utf-8")
    named = set(re.findall(r"reconciler\.(?!yaml)(\w+)", " ".join(EXAMPLES))) | set(
        re.findall(r"^\| `(\w+)", text, re.MULTILINE)
    )
    assert named - set(reconciler.__all__) == set()
    assert all(getattr(reconciler, name).__doc__ for name in reconciler.__all__)


def test_the_types_that_a_listener_gets_are_exported() -> None:
    methods = [method.__annotations__ for name, method in vars(reconciler.Listener).items() if name[0] != "_"]
    named = {name for each in methods for type_ in each.values() for name in re.findall(r"[A-Z]\w+", str(type_))}
    assert named - set(reconciler.__all__) == {"None", "Sequence"}


def test_nothing_is_printed_and_two_threads_plan_two_environments(
    shop: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    project = reconciler.load()
    with ThreadPoolExecutor() as pool:
        plans = list(pool.map(project.plan, project.environments))
    assert [plan.binding.environment for plan in plans] == ["staging", "production"]
    assert plans[0].changes == plans[1].changes
    assert capfd.readouterr() == ("", "")


def test_a_plan_is_applied_once(shop: Project, capfd: pytest.CaptureFixture[str]) -> None:
    project = reconciler.load()
    plan = project.plan("staging")
    assert project.apply(plan).is_complete
    with pytest.raises(reconciler.PlanRefused):
        project.apply(plan)
    assert capfd.readouterr() == ("", "")


def test_a_guard_refuses_a_plan_until_it_is_acknowledged(shop: Project) -> None:
    project = reconciler.load()
    shop.manifest("one", AccessTokenDuration=600)
    shop.manifest("two", AccessTokenDuration=600)
    plan = project.plan("staging")
    refused = reconciler.refusal(plan)
    assert refused
    with pytest.raises(reconciler.GuardRefusal):
        project.apply(plan)
    assert shop.writes() == []
    digits = refused.hint.split()[-1]
    assert project.apply(plan, acknowledge=digits).is_complete


def test_no_two_calls_write_to_one_environment_at_a_time(shop: Project) -> None:
    project, refusals = reconciler.load(), []
    plan = project.plan("staging")

    def again(_outcome: reconciler.Outcome) -> None:
        with pytest.raises(reconciler.ReconcilerError) as caught:
            project.apply(plan)
        refusals.append(caught.value.message)

    project.apply(plan, on_outcome=again)
    assert len(refusals) == 1
    assert "staging" in refusals[0]


def test_an_error_that_nobody_foresaw_says_whether_the_run_had_begun_to_write(
    shop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    def gone(_outcome: reconciler.Outcome) -> None:
        raise OSError("the screen is gone")

    project = reconciler.load()
    with pytest.raises(OSError, match="screen") as before:
        project.apply(project.plan("staging"), should_stop=lambda: True, on_outcome=gone)
    with pytest.raises(OSError, match="screen") as after:
        project.apply(project.plan("staging"), on_outcome=gone)
    assert (report(before.value, verbose=False), capsys.readouterr().err.count("after its first write")) == (
        1,
        0,
    )
    assert (report(after.value, verbose=False), capsys.readouterr().err.count("after its first write")) == (
        5,
        1,
    )


def left_open(folder: Path) -> list[str]:
    descriptors = [*Path("/proc/self/fd").iterdir()]
    return [str(file) for file in map(Path.resolve, descriptors) if file.is_relative_to(folder)]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files there")
def test_a_run_that_breaks_off_leaves_no_file_open(shop: Project) -> None:
    def gone(_outcome: reconciler.Outcome) -> None:
        raise OSError("the screen is gone")

    project = reconciler.load()
    with pytest.raises(OSError, match="screen"):
        project.apply(project.plan("staging"), on_outcome=gone)
    assert [run.is_finished for run in history(project.settings, ())] == [False]
    assert left_open(shop.folder) == []


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="only Linux lists open files there")
def test_a_run_whose_journal_does_not_fit_on_the_disk_leaves_no_file_open(shop: Project) -> None:
    project = reconciler.load()
    plan = project.plan("staging")

    def fill(_outcome: reconciler.Outcome) -> None:
        full.enter_context(no_file_larger_than(1))

    with ExitStack() as full:
        result = project.apply(plan, on_outcome=fill)
    assert (result.is_recorded, left_open(shop.folder)) == (False, [])


@pytest.mark.parametrize(("last", "code"), [("staging", 1), ("production", 5)])
def test_an_error_that_nobody_foresaw_says_whether_an_environment_before_was_written(
    shop: Project, last: str, code: int
) -> None:
    def approve(plan: reconciler.Plan, _findings: object) -> bool:
        if plan.binding.environment == last:
            raise MemoryError
        return False

    options = ApplyOptions(names=("staging", "production"), approve=approve)
    with pytest.raises(MemoryError) as caught:
        promote(reconciler.load().settings, options, of_result)
    assert (report(caught.value, verbose=False), bool(shop.writes())) == (code, code == 5)


def test_a_run_that_is_stopped_writes_nothing_more(shop: Project) -> None:
    project = reconciler.load()
    result = project.apply(project.plan("staging"), should_stop=lambda: True)
    assert result.interrupted
    assert shop.writes() == []


def test_secrets_come_from_the_variables_of_the_call(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    variables = {"OC_SECRET": os.environ["OC_SECRET"], "RECONCILER_ENV": "production"}
    monkeypatch.delenv("OC_SECRET")
    with pytest.raises(reconciler.ReconcilerError, match="OC_SECRET"):
        reconciler.load().plan("staging")
    assert reconciler.load(variables=variables).plan().binding.environment == "production"


def test_the_environment_that_is_meant_comes_from_the_variables_of_the_call(shop: Project) -> None:
    found = listed(reconciler.load(variables={"RECONCILER_ENV": "production"}).settings, [])
    assert [(one.name, one.is_default) for one in found] == [("staging", False), ("production", True)]
    assert not any(one.is_default for one in listed(reconciler.load(variables={}).settings, []))


def test_a_plan_under_another_key_is_refused_with_what_to_do(shop: Project) -> None:
    config = json.loads((shop.folder / "reconciler.yaml").read_text())
    shop.configure(test=config["environments"]["staging"] | {"secrets": {"allow": ["HASH"]}})
    spec = {"Url": "https://example.com/hook", "HashKey": {"fromEnv": "HASH"}, "ElevatedRoles": []}
    about = {"apiVersion": "reconciler/v1", "kind": "Webhook", "metadata": {"name": "hook"}}
    hook = about | {"spec": {"Name": "hook"} | spec}
    (shop.folder / "manifests" / "hook.yaml").write_text(json.dumps(hook), encoding="utf-8")
    variables = {"OC_SECRET": os.environ["OC_SECRET"], "HASH": "word", "RECONCILER_PLAN_KEY": "one"}
    one = reconciler.load(variables=variables)
    another = reconciler.load(variables=variables | {"RECONCILER_PLAN_KEY": "another"})
    with pytest.raises(reconciler.PlanRefused, match="or the plan used another key") as refused:
        another.apply(one.plan())
    assert "this RECONCILER_PLAN_KEY" in refused.value.hint
    assert shop.writes() == []
    assert another.apply(another.plan()).is_complete


@pytest.mark.parametrize(("expires", "until"), [(timedelta.max, "9999-12-31T23:59:59Z"), (timedelta(0), None)])
def test_a_plan_is_valid_to_the_end_of_the_calendar_at_most(
    shop: Project, expires: timedelta, until: str | None
) -> None:
    assert reconciler.load().plan("staging", expires=expires).binding.expires_at == until


def test_pruning_takes_all_manifests(shop: Project) -> None:
    project = reconciler.load()
    with pytest.raises(reconciler.UsageError):
        project.plan("staging", prune=True, selection=reconciler.Selection(only=("ApiClient/front",)))
    plan = project.plan("staging", prune=True)
    assert [change.id for change in plan.changes if change.action is reconciler.Action.DELETE] == [BACK]


def test_a_listener_is_told_of_connections_and_costs(shop: Project) -> None:
    class Costs(reconciler.Listener):
        def disconnected(self, environment: str, stats: Stats) -> None:
            found[environment] = stats.requests

    found: dict[str, int] = {}
    reconciler.load(listener=Costs()).plan("staging")
    assert list(found) == ["staging"]
    assert found["staging"] > 0


def test_a_format_that_a_document_does_not_have_is_named(shop: Project) -> None:
    drift = reconciler.load().drift("staging")
    assert reconciler.to_text(drift, "json").startswith("{")
    for document, noun in ((drift, "Drift"), (drift.plan, "Plan")):
        with pytest.raises(reconciler.UsageError, match=f"{noun} has no format yaml") as caught:
            reconciler.to_text(document, "yaml")
        offered = str(caught.value.hint).removeprefix("formats: ").split(", ")
        assert all(reconciler.to_text(document, name) for name in offered)


PROCESS = """
import logging, os, signal, sys
def state():
    levels = {name: log.level for name, log in logging.root.manager.loggerDict.items() if hasattr(log, "level")}
    stubs = [name for name, module in sys.modules.items() if module is None]
    changed = {name: level for name, level in levels.items() if level}
    signals = [signal.getsignal(one) for one in (2, 15, 1)]
    return changed, stubs, signals, dict(os.environ), os.getcwd(), os.umask(0o22)
os.umask(0o22)
logging.getLogger("httpcore").setLevel(logging.INFO)
before = state()
import reconciler
project = reconciler.load("reconciler.yaml")
plan = project.plan("local")
reconciler.to_text(plan, "html")
assert project.apply(plan).is_complete
assert not project.drift("local").has_drift
assert state() == before, (before, state())
"""


LOCAL = """
apiVersion: reconciler/v1
kind: Config
manifests: [client.yaml]
environments: {local: {emulator: {state: emulator.db}}}
"""
CLIENT = """
apiVersion: reconciler/v1
kind: ApiClient
metadata: {name: a}
spec: {AppName: A, Active: true, AccessTokenDuration: 600}
"""


@pytest.mark.sweep
def test_the_process_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "reconciler.yaml").write_text(LOCAL, encoding="utf-8")
    (tmp_path / "client.yaml").write_text(CLIENT, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", PROCESS], cwd=tmp_path, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.sweep
def test_a_strict_type_checker_accepts_scripts_that_use_it(tmp_path: Path) -> None:
    pytest.importorskip("mypy", reason="mypy is among the tools for developers, not for tests")
    scripts = [tmp_path / f"example_{number}.py" for number in range(len(EXAMPLES))]
    for script, example in zip(scripts, EXAMPLES, strict=True):
        script.write_text(example, encoding="utf-8")
    settings = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(ROOT / ".mypy_cache")]
    command = [sys.executable, "-m", "mypy", "--strict", *settings, *map(str, scripts)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
