"""A folder -> the commit that is checked out there, and whether its files differ from it."""

import os
import subprocess  # git has no other interface that is always there
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Checkout:
    """What git says of a folder; without git, or outside a repository, it says nothing."""

    commit: str | None = None
    dirty: bool = False


def checkout(folder: Path) -> Checkout:
    """Ask git. Never fails: a plan can be made without git."""
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return Checkout()
    return Checkout(commit, dirty=bool(_git(folder, "status", "--porcelain", "--", ".")))


def _git(folder: Path, *arguments: str) -> str:
    """The answer of one git command that changes nothing, and runs nothing that the repository configures."""
    command = ["git", "-C", str(folder), "-c", "core.fsmonitor=false", *arguments]
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program, and arguments that no shell sees
            command,
            capture_output=True,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
