"""Ctrl-C, SIGTERM and SIGHUP at many moments of a command: it ends with 130 or as it would have, and says no more."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.applying import journal
from reconciler.applying.journal.events import recorded
from reconciler.emulator import Emulator, Settings
from tests.builders import body
from tests.service import Shop, client_id
from tests.signalled import Ending, endings

A, B = client_id(0xA), client_id(0xB)
MOMENTS = 16


@pytest.fixture
def template(tmp_path: Path) -> Path:
    """A folder with an embedded emulator that keeps its state, and two manifests, both of which change something."""
    folder = tmp_path / "template"
    (folder / "manifests").mkdir(parents=True)
    clients = [body(A, "a"), body(B, "b")]
    (folder / "seed.json").write_text(json.dumps({"Objects": {"ApiClients": clients}}))
    emulator = {"emulator": {"seed": "seed.json", "state": "state.db"}, "concurrency": 1, "limits": {"changes": 9}}
    config = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["manifests/"]}
    (folder / "reconciler.yaml").write_text(json.dumps({**config, "environments": {"local": emulator}}))
    for name in ("a", "b"):
        manifest = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": name}}
        spec = {"AppName": name, "AccessTokenDuration": 60}
        (folder / "manifests" / f"{name}.yaml").write_text(json.dumps({**manifest, "spec": spec}))
    return folder


def demand_a_clean_end(ending: Ending, code: int) -> None:
    """Nobody reads of what Python was doing, and every process can be ended."""
    about = f"{ending.number} at event {ending.moment}: {ending.code}\n{ending.err}"
    is_early = ending.moment == 1  # nothing handles it yet: Python ends by the signal itself
    assert ending.code in {code, 130, -ending.number if is_early else code}, about
    assert not any(word in ending.err for word in ("Traceback", "internal error", "Exception", "Error")), about


@pytest.mark.parametrize(
    ("moments", "preload"), [(2, True), *(pytest.param(MOMENTS, one, marks=pytest.mark.sweep) for one in (False, True))]
)
def test_a_command_that_reads_ends_at_once_whatever_it_is_doing(
    template: Path, tmp_path: Path, moments: int, preload: bool
) -> None:
    whole, *others = endings(template, tmp_path / "runs", ["plan"], moments, preload=preload)
    assert whole.code == 0
    for ending in others:
        demand_a_clean_end(ending, 0)
    assert [one.code for one in others].count(130) >= moments // 2


@pytest.mark.parametrize("module", ["reconciler.cli.signals", "signal", "reconciler.cli.main"])
def test_ctrl_c_in_the_first_imports_ends_without_a_traceback(module: str) -> None:
    program = f"""
import os, sys
def interrupt(event, arguments):
    if event == "import" and arguments[0] == {module!r}:
        os.kill(os.getpid(), 2)
sys.addaudithook(interrupt)
from reconciler.__main__ import run
sys.argv = ["reconciler", "version"]
run()
"""
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COV")}  # imports signal
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False, timeout=60, env=unmeasured)
    assert (done.returncode in {130, -signal.SIGINT}, done.stdout, done.stderr) == (True, b"", b"")


def test_nothing_is_imported_before_signals_are_handled() -> None:
    program = "import sys; before = {*sys.modules}; import reconciler.__main__; print(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["reconciler", "reconciler.__main__"]


@pytest.mark.sweep
def test_an_apply_records_what_it_has_written_at_whichever_moment_it_is_stopped(template: Path, tmp_path: Path) -> None:
    whole, *others = endings(template, tmp_path / "runs", ["apply", "--auto-approve"], MOMENTS, preload=True)
    assert whole.code == 0
    for ending in others:
        demand_a_clean_end(ending, 0)
        demand_a_whole_record(ending)
    assert 130 in {one.code for one in others}


def demand_a_whole_record(ending: Ending) -> None:
    """There is a journal of all that was written, which says that the run came to its end."""
    runs = ending.folder / ".reconciler" / "runs"
    assert journal.check_all(runs) == ()
    found = [recorded(run) for run in journal.runs(runs).values() if isinstance(run, journal.Run)]
    assert all(run and run.is_finished for run in found), f"event {ending.moment}: {ending.err}"
    applied = {change.address.name for run in found if run for change in run.changes if change.writes}
    assert applied == written(ending.folder)


def written(folder: Path) -> set[str]:
    emulator = Emulator(Settings(seed=folder / "seed.json", state=folder / "state.db"))
    try:
        return {name for name, one in Shop(emulator).bodies().items() if one["AccessTokenDuration"] == 60}
    finally:
        emulator.close()
