"""A repository with a remote, as every stand-in for a CI system needs one, and the programs that jobs find."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.cli.conftest import git

ROOT = Path(__file__).parents[2]


def loaded(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


class Shell:
    """Runs what a job or a container runs, which can be cancelled meanwhile."""

    def __init__(self) -> None:
        self.is_cancelled = False
        self._process = 0
        self._stops = threading.Event()

    def run(self, command: Sequence[str | Path], folder: Path, environment: Mapping[str, str]) -> tuple[int, str]:
        """Run a command; its exit code, and all that it says."""
        log = ""
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            self._process = process.pid
            for line in process.stdout or ():
                log += line
                if "finishing changes in flight" in line:
                    self._stops.set()
        return process.returncode, log

    def signal(self, number: int) -> None:
        """Send a signal to the command alone, not to those that it runs; they must get it all the same."""
        self.is_cancelled = True
        os.kill(self._process, number)
        assert self._stops.wait(60)

    def kill(self) -> None:
        """End the command and all that it runs."""
        self.is_cancelled = True
        os.killpg(self._process, signal.SIGKILL)


@dataclass(frozen=True)
class Review:
    """What came of the pipeline of a merge or pull request."""

    is_green: bool
    document: str
    log: str


class Forge:
    """The remote, and the clone of whoever works."""

    def __init__(self, folder: Path, programs: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self.folder = folder / "forge"
        self.origin = folder / "origin.git"
        self.clone = folder / "clone"
        self.secrets = secrets
        self.gitconfig = ""
        """Of the machines."""
        self.reconciler = programs / "reconciler"
        self.path = f"{programs}:{os.environ['PATH']}"
        self.jobs = 0
        self.shell = Shell()
        self.folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch", "main", str(self.origin))
        git(folder, "clone", "--quiet", str(self.origin), str(self.clone))

    @property
    def tip(self) -> str:
        return git(self.origin, "rev-parse", "main")

    def commit(self, message: str, branch: str = "main") -> str:
        """Commit what is in the clone, on a branch, and push it."""
        git(self.clone, "add", "--all")
        git(self.clone, "commit", "--quiet", "--allow-empty", "--message", message)
        git(self.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return git(self.clone, "rev-parse", "HEAD")

    def change(self, minutes: int) -> None:
        """Let tokens of `front` live this long, for something new from main."""
        self.branch()
        manifest = self.clone / "manifests" / "front.yaml"
        document = json.loads(manifest.read_text(encoding="utf-8"))
        document["spec"]["AccessTokenDuration"] = minutes
        manifest.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")

    def limit_production(self, folder: str = ".") -> None:
        """Let every change of production need an acknowledgement."""
        path = self.clone / folder / "reconciler.yaml"
        config = json.loads(path.read_text(encoding="utf-8"))
        config["environments"]["production"]["limits"] = {"changes": 0}
        path.write_text(json.dumps(config), encoding="utf-8")
        self.commit("a limit")

    def move(self, folder: str) -> None:
        """Move the configuration into a folder of what is a larger repository then, with the manifests beside it."""
        config = json.loads((self.clone / "reconciler.yaml").read_text(encoding="utf-8"))
        config["manifests"] = ["../../manifests/"]
        (self.clone / "reconciler.yaml").unlink()
        (self.clone / folder).mkdir(parents=True)
        (self.clone / folder / "reconciler.yaml").write_text(json.dumps(config), encoding="utf-8")
        self.commit("moved")

    def branch(self, start: str = "main") -> None:
        """Go back to main, or to another commit, for something new."""
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "checkout", "--quiet", "--detach", "origin/main" if start == "main" else start)

    def merge_branch(self, branch: str, how: str, message: str = "squashed") -> None:
        """Merge a branch into main, as the button of a pull request does; a squash has a message of its own."""
        head = git(self.origin, "rev-parse", branch)
        self.branch()
        if how == "squash":
            git(self.clone, "merge", "--quiet", "--squash", head)
            git(self.clone, "commit", "--quiet", "--message", message)
        elif how == "rebase":
            git(self.clone, "checkout", "--quiet", "--detach", head)
            git(self.clone, "rebase", "--quiet", "origin/main")
        else:
            git(self.clone, "merge", "--quiet", "--no-ff", "--message", "Merge", head)
        git(self.clone, "push", "--quiet", "origin", "HEAD:refs/heads/main")

    def by_hand(self, *words: str, environment: str = "production") -> tuple[int, str]:
        """Run the reconciler in the clone of whoever works; the exit code, and all that it says."""
        return self.shell.run(
            [self.reconciler, *words], self.clone, {"PATH": "/usr/bin:/bin", **self.secrets[environment]}
        )

    def machine(self) -> tuple[Path, Path]:
        """The folders of a fresh machine: for the checkout, and for what is temporary."""
        self.jobs += 1
        folder = self.folder / f"job-{self.jobs}"
        (folder / "workspace").mkdir(parents=True)
        (folder / "temporary").mkdir()
        (folder / "gitconfig").write_text(self.gitconfig, encoding="utf-8")
        return folder / "workspace", folder / "temporary"

    def check_out(self, folder: Path, commit: str, depth: int) -> None:
        """A shallow clone with a detached head, as the checkout of a CI system is; 0 is all of it."""
        git(folder, "init", "--quiet", "--initial-branch", "none")
        git(folder, "config", "include.path", str(folder.parent / "gitconfig"))
        git(folder, "remote", "add", "origin", f"file://{self.origin}")
        git(folder, "fetch", "--quiet", *([f"--depth={depth}"] if depth else []), "origin", commit)
        git(folder, "checkout", "--quiet", "--detach", "FETCH_HEAD")


def programs(folder: Path, prefork: Mapping[str, str], gh: str) -> Iterator[Path]:
    """Give a folder with ``gh`` and ``reconciler``, as `tests/prefork.py` makes it fast."""
    folder.mkdir()
    python = sys.executable
    for name, line in (
        ("gh", f'exec "{python}" -I -S "{Path(__file__).with_name("gh.py")}" "{gh}" "$@"'),
        ("reconciler", f'exec "{python}" -I -S "{prefork["PREFORK"]}" "{prefork["SOCKET"]}" "$@"'),
    ):
        (folder / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        (folder / name).chmod(0o755)
    yield folder
