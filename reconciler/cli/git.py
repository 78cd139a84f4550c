"""A folder -> the commit that is checked out there, and whether what a run is made from differs from it."""

import os
import subprocess  # git has no other interface that is always there
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_SECONDS: Final = 10


@dataclass(frozen=True, slots=True)
class Checkout:
    """What git says of a folder; without git, or outside a repository, it says nothing."""

    commit: str | None = None
    dirty: bool = False


def checkout(folder: Path, inputs: Sequence[Path] = ()) -> Checkout:
    """Ask git. Never fails: a plan can be made without git.

    Dirty is a checkout in which a file that git knows differs from the commit, or in which one of the YAML files at or
    below `inputs` is unknown to git. Other new files are no part of what a run is made from: the saved plan is one.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    if not commit:
        return Checkout()
    dirty = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".") or _new_inputs(folder, inputs)
    return Checkout(commit, dirty=bool(dirty))


def _new_inputs(folder: Path, inputs: Sequence[Path]) -> list[str]:
    if not inputs:
        return []
    new = _git(folder, "ls-files", "--others", "--exclude-standard", "-z", "--", *map(str, inputs))
    return [name for name in new.split("\0") if name.endswith((".yaml", ".yml"))]


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
