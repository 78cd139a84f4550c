"""A system without what only POSIX has: the commands that write work there all the same."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.cli.main import main

ROOT = Path(__file__).parents[1]
MISSING_MODULES = ("fcntl", "grp", "pwd", "resource", "termios", "tty")
MISSING_NAMES = {
    "os": (
        *(
            "O_CLOEXEC",
            "O_DIRECTORY",
            "O_NOFOLLOW",
            "O_NONBLOCK",
            "chown",
            "fchmod",
            "fchown",
            "fork",
            "getegid",
            "geteuid",
        ),
        *(
            "getgid",
            "getpgid",
            "getuid",
            "killpg",
            "lchown",
            "mkfifo",
            "posix_spawn",
            "pread",
            "pwrite",
            "setsid",
            "uname",
        ),
    ),
    "signal": ("SIGALRM", "SIGHUP", "SIGUSR1", "pthread_sigmask", "pthread_kill", "setitimer"),
}
RUN = f"""
import json, os, signal, sys
import asyncio, getpass, portalocker, ssl, subprocess, tempfile  # they adapt themselves to the system when imported
for module, names in {MISSING_NAMES}.items():
    for name in names:
        delattr(sys.modules[module], name)
sys.modules.update(dict.fromkeys({MISSING_MODULES}))
from reconciler.cli.main import main
for arguments in json.loads(sys.argv[1]):
    code = main(arguments)
    print(f"-> {{code}} {{' '.join(arguments)}}", flush=True)
"""


def runs(folder: Path, *commands: str) -> list[str]:
    """What each command ended with, in one process that lacks what Windows lacks."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, json.dumps([command.split() for command in commands])],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HASH_KEY": "k" * 20, "USERNAME": "somebody"},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert "internal error" not in done.stderr, done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith("-> ")] + done.stderr.splitlines()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "manifests").mkdir()
    for name in (
        "reconciler.yaml",
        "marketplace.yaml",
        *(f"manifests/{one.name}" for one in (ROOT / "manifests").iterdir()),
    ):
        (tmp_path / name).write_bytes((ROOT / name).read_bytes().replace(b"\n", b"\r\n"))
    with (tmp_path / "reconciler.yaml").open("ab") as file:
        file.write(b"    limits: {deletes: 9, changesPercent: 100}\r\n")
    return tmp_path


@pytest.mark.sweep
def test_every_command_that_writes_works_without_what_only_posix_has(repository: Path) -> None:
    commands = {
        "validate": 0,
        "plan --out a.plan": 0,
        "apply a.plan": 0,
        "drift": 0,
        "secrets status": 0,
        "export --write --out more": 0,
        "adopt --write": 0,
        "history": 0,
    }
    ended = runs(repository, *commands)
    assert [line for line in ended if line.startswith("-> ")] == [
        f"-> {code} {line}" for line, code in commands.items()
    ], ended
    (run,) = (repository / ".reconciler").rglob("*.jsonl")
    assert runs(repository, f"rollback {run.stem} --auto-approve", "plan --detailed-exitcode")[:2] == [
        f"-> 0 rollback {run.stem} --auto-approve",
        "-> 2 plan --detailed-exitcode",
    ]


@pytest.mark.sweep
def test_a_lock_that_is_a_link_is_refused_there_too(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    monkeypatch.setenv("HASH_KEY", "k" * 20)
    assert main(["apply", "--auto-approve"]) == 0
    (lock,) = (repository / ".reconciler").rglob("*.lock")
    lock.unlink()
    lock.symlink_to(repository / "marketplace.yaml")
    ended = runs(repository, "rollback last --auto-approve", "apply --auto-approve")
    assert any("it is a symbolic link" in line for line in ended), ended
