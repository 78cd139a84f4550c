"""What becomes of exceptions: a message, an exit code, and no value."""

import json
import signal
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import click
import pytest

from reconciler.cli.failures import report
from reconciler.model.json import pointer_parts
from tests.cli.test_main import local as local  # noqa: PLC0414  # the fixture, under its own name


def failure_inside(text: str) -> BaseException:
    """A bug, as it would come: an exception that nobody foresaw, from inside our code, with a value in its text."""
    try:
        pointer_parts(text)
    except ValueError as error:
        return error
    raise AssertionError(text)


def test_an_internal_error_names_its_place_and_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    assert report(failure_inside("s3cret"), verbose=False) == 1
    out, err = capsys.readouterr()
    assert "internal error: ValueError at reconciler/model/json.py:" in err
    assert (out, "s3cret" in err, "Traceback" in err) == ("", False, False)


def test_those_who_ask_see_the_way_to_an_internal_error_but_no_value(capsys: pytest.CaptureFixture[str]) -> None:
    error = RuntimeError("s3cret")
    error.__cause__ = failure_inside("s3cret")
    report(error, verbose=True)
    err = capsys.readouterr().err
    assert "at an unknown place" in err
    assert "in pointer_parts" in err
    assert "s3cret" not in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("can't start new thread"), "cannot start another thread"),
    ],
)
def test_what_a_machine_runs_out_of_is_no_fault_of_the_program(
    capsys: pytest.CaptureFixture[str], error: BaseException, said: str
) -> None:
    assert report(error, verbose=False) == 1
    assert capsys.readouterr().err.startswith(f"error: {said}\n  hint: allow ")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_an_interruption_exits_with_130(capsys: pytest.CaptureFixture[str], error: BaseException) -> None:
    assert report(error, verbose=False) == 130
    assert capsys.readouterr() == ("", "interrupted\n")


def test_an_exit_keeps_its_code() -> None:
    assert report(SystemExit(1), verbose=False) == 1


@pytest.mark.sample(1)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_read_that_is_interrupted_exits_with_130(local: Path, number: signal.Signals) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        silent.settimeout(60)
        auth = {"clientId": "id", "clientSecret": {"fromEnv": "HOME"}}
        target = {"url": f"http://127.0.0.1:{silent.getsockname()[1]}", "marketplace": "shop", "auth": auth}
        text = (local / "reconciler.yaml").read_text()
        document = json.loads(text) | {"environments": {"silent": target}}
        (local / "reconciler.yaml").write_text(json.dumps(document))
        command = [sys.executable, "-m", "reconciler", "plan"]
        with subprocess.Popen(command, cwd=local, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            try:
                connection, _ = silent.accept()
                process.send_signal(number)
                out, err = process.communicate(timeout=60)
                connection.close()
            finally:
                process.kill()  # else one that does not end would be waited for
    assert (process.returncode, out, err.strip()) == (130, b"", b"interrupted")
