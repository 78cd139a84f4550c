"""Files -> what git would do with them, asked so that nothing which a repository configures is run."""

import os
import subprocess  # git has no other interface that is always there
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from reconciler.confines import repository_of
from reconciler.loader.context import InGit

_SECONDS: Final = 10
_GIT: Final = ("git", "-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")
_REDIRECTING: Final = frozenset({"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"})
"""Variables that a hook has, and that name another repository than the one a file is in."""


def in_git(paths: Collection[Path]) -> Mapping[Path, InGit]:
    """Look up files that git tracks, or would add. What is ignored or in no repository is left out.

    So is what git does not answer for: it is not installed, or refuses the repository.
    """
    found: dict[Path, InGit] = {}
    repositories: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        top = repository_of(path.parent)
        if (top / ".git").exists():
            repositories[top].append(path)
    for top, files in repositories.items():
        found |= _within(top, {path.relative_to(top).as_posix(): path for path in files})
    return found


def _within(top: Path, files: Mapping[str, Path]) -> dict[Path, InGit]:
    # The other takes no such option, and no name that begins with "./" for anything but a name.
    tracked = _ask(top, "--literal-pathspecs", "ls-files", "-z", "--", *files)
    ignored = _ask(top, "check-ignore", "-z", "--stdin", names="\0".join(f"./{name}" for name in files))
    if tracked is None or ignored is None:
        return {}
    return {
        path: InGit(f"/{name}", is_tracked=name in tracked)
        for name, path in files.items()
        if name in tracked or f"./{name}" not in ignored
    }


def _ask(top: Path, *arguments: str, names: str = "") -> frozenset[str] | None:
    """The names that git gives; None: it gives no answer. `check-ignore` exits with 1 where it gives none."""
    environ = {name: value for name, value in os.environ.items() if name not in _REDIRECTING}
    try:
        done = subprocess.run(  # noqa: S603  # a fixed program, and arguments that no shell sees
            [*_GIT, "-C", str(top), *arguments],
            capture_output=True,
            input=os.fsencode(names),
            check=False,
            env=environ | {"GIT_OPTIONAL_LOCKS": "0"},
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    return _names(done.stdout) if done.returncode in {0, 1} else None


def _names(output: bytes) -> frozenset[str]:
    names: Iterable[bytes] = output.split(b"\0")
    return frozenset(os.fsdecode(name) for name in names if name)
