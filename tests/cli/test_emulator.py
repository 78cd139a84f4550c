"""The emulator as a command, and as the service of an environment."""

import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Runner
from tests.cli.test_main import local as local  # noqa: PLC0414  # the fixture, under its own name
from tests.cli.test_main import reconciler


def test_the_embedded_emulator_keeps_its_data_between_commands(
    local: Path, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(local)
    assert run("plan", "--detailed-exitcode").code == 2
    assert run("apply", "--auto-approve").code == 0
    assert run("drift").code == 0


def test_a_whole_run_against_the_embedded_emulator(local: Path) -> None:
    done = reconciler("apply", "--auto-approve", folder=local)
    assert done.returncode == 0
    assert "Apply: 1 resource planned: 1 applied" in done.stdout
    assert "Plan: 0 to create, 1 to update" in done.stderr


def test_what_the_emulator_lacks_is_said_with_the_way_to_get_it(local: Path) -> None:
    program = "import sys; sys.modules['falcon'] = None; from reconciler.cli.main import run; run()"
    command = [sys.executable, "-c", program, "plan"]
    done = subprocess.run(command, cwd=local, capture_output=True, text=True, check=False)  # our own command
    assert done.returncode == 1
    assert "the emulator needs falcon, which is not installed" in done.stderr
    assert "pip install 'ordercloud-reconciler[emulator]'" in done.stderr


def test_a_seed_that_cannot_be_loaded_is_named(local: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(local)
    (local / "seed.json").unlink()
    done = run("plan")
    assert (done.code, done.out) == (1, "")
    assert "seed.json" in done.err


def test_a_port_that_is_taken_is_named(run: Runner) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = run("emulator", "--port", str(port))
    assert done.code == 1
    assert f"cannot listen on port {port}" in done.err


def test_the_emulator_announces_itself_and_stops_when_told_to(tmp_path: Path) -> None:
    command, pipe = [sys.executable, "-m", "reconciler", "emulator", "--sample"], subprocess.PIPE
    with subprocess.Popen(command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True) as server:  # our own command
        try:
            first = server.stdout.readline() if server.stdout else ""
            exports = [server.stderr.readline() for _ in range(3)] if server.stderr else []
            server.terminate()
            assert server.wait(timeout=60) == 0
        finally:
            server.kill()  # else one that does not end would be waited for
    assert first.startswith("listening on http://127.0.0.1:")
    assert exports == [
        "export OC_CLIENT_ID=00000000-0000-0000-0000-00000000AD01\n",
        "export OC_CLIENT_SECRET=emulator-admin-secret\n",
        f"reconciler init --url {first.split()[-1]} --marketplace emulator\n",
    ]
