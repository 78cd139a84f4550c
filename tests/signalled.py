"""A command in a child that sends itself a signal at the n-th audit event of Python, for many n: no test sleeps.

Audit events (imports, files, sockets, threads) come thousands of times in a run, so that a signal hits its first import
as well as the last line of the journal. As a script it takes an order on stdin, and gives what came of each on stdout.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

PATIENCE: Final = 30
"""Seconds until a child counts as one that cannot be ended."""
HUNG: Final = "hung"


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of one child."""

    number: int
    """The signal."""
    moment: int
    """The number of the audit event; 0: no signal was sent."""
    code: int | str
    err: str
    folder: Path
    """Its own copy of the folder."""
    events: int
    """How many there were."""


def endings(
    template: Path, into: Path, arguments: Sequence[str], moments: int, *, preload: bool = False
) -> list[Ending]:
    """Run a command in copies of a folder, each time with a signal at another of so many moments, evenly spaced.

    With `preload` all modules are imported beforehand, so that the moments are those of the run itself.
    """
    order = {
        "template": str(template),
        "into": str(into),
        "arguments": [*arguments],
        "moments": moments,
        "preload": preload,
    }
    command = [sys.executable, __file__]
    root = Path(__file__).parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run(
        command, input=json.dumps(order), capture_output=True, text=True, check=True, cwd=root, env=environment
    )
    return [Ending(**{**one, "folder": Path(one["folder"])}) for one in json.loads(done.stdout)]


def _serve(order: dict[str, Any]) -> None:
    if order["preload"]:
        from tests.prefork import import_everything

        import_everything()
    whole = _run(order, 0, signal.SIGTERM)
    step = max(whole["events"] // order["moments"], 1)
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    found = [whole]
    for count, moment in enumerate(range(1, whole["events"] + 1, step)):
        found.append(_run(order, moment, numbers[count % 3]))
    print(json.dumps(found))  # noqa: T201  # to whoever ordered it


def _run(order: dict[str, Any], moment: int, number: signal.Signals) -> dict[str, Any]:
    folder = Path(order["into"]) / f"{moment}-{number.name}"
    shutil.copytree(order["template"], folder)
    with tempfile.TemporaryFile() as err, tempfile.TemporaryFile() as events:
        child = os.fork()
        if child == 0:
            os.chdir(folder)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            os.dup2(err.fileno(), 2)
            _become(order["arguments"], moment, number, events.fileno())
        code = _waited(child)
        err.seek(0)
        events.seek(0, os.SEEK_END)
        return {
            "number": int(number),
            "moment": moment,
            "code": code,
            "err": err.read().decode(),
            "folder": str(folder),
            "events": events.tell(),
        }


def _waited(child: int) -> int | str:
    def give_up(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, give_up)
    signal.alarm(PATIENCE)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(0)
    return HUNG if code == -signal.SIGKILL else code


def _become(arguments: list[str], moment: int, number: int, events: int) -> None:
    """Be the command, as its script is."""
    from reconciler.__main__ import run

    left = moment

    def count(_event: str, _arguments: object) -> None:
        nonlocal left
        if moment == 0:
            os.write(events, b".")
        else:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), number)

    sys.argv = ["reconciler", *arguments]
    sys.addaudithook(count)
    run()


if __name__ == "__main__":
    _serve(json.load(sys.stdin))
