"""The command `reconciler` for shell scripts in tests, without its start: forked from a process that has imported it.

The code that runs is the real one, in a process of its own with the caller's arguments, folder, environment, streams
and exit code; only the third of a second that Python takes to import it is saved, for each of some hundred commands.

As a script it is the client: ``python -I -S prefork.py SOCKET ARGUMENT...``.
"""

import json
import os
import socket
import struct
import sys
from typing import TextIO

_STREAMS = (0, 1, 2)
_LENGTH = struct.Struct("!I")


def ask(path: str, arguments: list[str]) -> int:
    """Have a command run, and give its exit code."""
    order = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}  # noqa: PTH109
    text = json.dumps(order).encode()
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(path)
        socket.send_fds(server, [_LENGTH.pack(len(text))], list(_STREAMS))
        server.sendall(text)
        answer = server.recv(_LENGTH.size, socket.MSG_WAITALL)
    return int(_LENGTH.unpack(answer)[0])


def serve(path: str) -> None:
    """Take orders until the process is ended, each in a child of a child, so that none waits for another."""
    import_everything()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        print("ready", flush=True)  # noqa: T201  # whoever starts it waits for this
        while True:
            caller, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                _attend(caller)
            caller.close()
            _reap()


def _reap() -> None:
    while True:
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                return
        except ChildProcessError:
            return


def import_everything() -> None:
    from importlib import import_module  # the client needs none of this

    from reconciler.cli.main import COMMANDS

    for module in (
        "cli.failures",
        "pipeline",
        "project.records",
        "project.validate",
        "planning.check",
        "remote.client",
    ):
        import_module(f"reconciler.{module}")
    for name in COMMANDS:
        import_module(f"reconciler.cli.commands.{name}")
    for name in ("text", "json", "jsonl", "markdown", "html", "junit", "sarif", "github"):
        import_module(f"reconciler.render.{name}")
    emulator = import_module("reconciler.emulator")
    emulator.Emulator(emulator.Settings()).close()  # makes the key that it signs tokens with
    import_module("httpx").Client().close()  # imports what connects
    for name in ("deepdiff", "encodings.idna", "encodings.utf_8_sig", "jsonschema_rs", "reconciler.kinds.body"):
        import_module(name)
    _run_once()


def _run_once() -> None:
    """Apply the manifests of this repository: what a first command compiles takes as long as all the rest of it."""
    import shutil
    import tempfile
    import threading
    from contextlib import chdir, redirect_stderr, redirect_stdout
    from io import StringIO
    from pathlib import Path

    from reconciler.cli.main import main

    root, said = Path(__file__).parents[1], StringIO()
    with tempfile.TemporaryDirectory() as folder, chdir(folder), redirect_stdout(said), redirect_stderr(said):
        shutil.copytree(root / "manifests", "manifests")
        for name in ("reconciler.yaml", "marketplace.yaml"):
            shutil.copy(root / name, name)
        assert main(["apply", "--env", "local", "--auto-approve"]) == 0, said.getvalue()
    for thread in threading.enumerate()[1:]:  # a process that is forked has none
        thread.join()


def _attend(caller: socket.socket) -> None:
    head, streams, _, _ = socket.recv_fds(caller, _LENGTH.size, len(_STREAMS))
    size = _LENGTH.unpack(head)[0]
    order = json.loads(caller.recv(size, socket.MSG_WAITALL))
    child = os.fork()
    if child == 0:
        caller.close()
        _become(order, streams)
    _, status = os.waitpid(child, 0)
    caller.sendall(_LENGTH.pack(os.waitstatus_to_exitcode(status) % 256))
    os._exit(0)


def _become(order: dict[str, object], streams: list[int]) -> None:
    """Be the command."""
    from reconciler.cli.main import run

    for stream, descriptor in zip(_STREAMS, streams, strict=True):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = map(_opened, _STREAMS)
    os.chdir(str(order["folder"]))
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[call-overload]  # a mapping of texts
    sys.argv = ["reconciler", *order["arguments"]]  # type: ignore[misc]  # a list of texts
    try:
        run()
    except SystemExit as ending:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(ending.code or 0))
    os._exit(0)


def _opened(stream: int) -> TextIO:
    return open(stream, "w" if stream else "r", closefd=False)  # a descriptor, for good


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2])
    sys.exit(ask(sys.argv[1], sys.argv[2:]))
