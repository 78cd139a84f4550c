"""Stands in for GitHub: a repository with pull requests, and runs of the workflows of ci/github/ with their real shell.

`hub_runs` decides which jobs run, `hub_machine` runs one, and `gh.py` plays the program ``gh``.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.ci.forge import Forge
from tests.ci.hub_runs import WORKFLOWS, Run
from tests.cli.conftest import git

OWN = 1
"""The id of the repository; a fork has another one."""


@dataclass
class Pull:
    """A pull request."""

    number: int
    branch: str
    fork: bool


class Hub(Forge):
    """The repository, what its runs have left, and the programs that jobs find."""

    def __init__(self, folder: Path, programs: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(folder, programs, secrets)
        self.inputs: dict[str, str] = {}
        """Of the action, where a team changes what the recipe gives."""
        self.failing: set[str] = set()
        """Names of steps that fail, as those do that need the network."""
        self.keep({"runs": [], "pulls": [], "comments": [], "rules": {}})

    @property
    def state(self) -> dict[str, Any]:
        return dict(json.loads((self.folder / "state.json").read_text(encoding="utf-8")))

    def keep(self, state: Mapping[str, Any]) -> None:
        (self.folder / "state.json").write_text(json.dumps(state), encoding="utf-8")

    def require_reviewers(self, *environments: str) -> None:
        """Let somebody have to approve."""
        state = self.state
        state["rules"] |= {f"{name}-approval": [{"type": "required_reviewers"}] for name in environments}
        self.keep(state)

    def kept(self, name: str) -> Path:
        """The newest artifact of a name."""
        *_, newest = sorted((self.folder / "artifacts").glob(f"*/{name}"), key=lambda path: int(path.parent.name))
        return newest

    @property
    def comments(self) -> list[str]:
        return [one["body"] for one in self.state["comments"]]

    # ------------------------------------------------------------------------------------------------------- events

    def propose(self, branch: str, *, fork: bool = False, message: str = "change") -> tuple[Pull, "Run"]:
        """Open a pull request with what is in the clone, and run its jobs."""
        self.commit(message, branch)
        state = self.state
        pull = Pull(len(state["pulls"]) + 1, branch, fork)
        state["pulls"].append({"number": pull.number, "merge_commit_sha": None, "head": {}})
        self.keep(state)
        return pull, self.review(pull)

    def review(self, pull: Pull) -> "Run":
        """Run the jobs of a pull request: for the merge of its head into main."""
        state, head = self.state, git(self.origin, "rev-parse", pull.branch)
        state["pulls"][pull.number - 1]["head"] = {"sha": head}
        self.keep(state)
        git(self.clone, "fetch", "--quiet", "origin")
        git(self.clone, "checkout", "--quiet", "--detach", "origin/main")
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head} into main", head)
        git(self.clone, "push", "--quiet", "--force", "origin", f"HEAD:refs/pull/{pull.number}/merge")
        name = "fork/shop" if pull.fork else "org/shop"
        event = {"pull_request": {"number": pull.number, "head": {"sha": head, "repo": {"full_name": name}}}}
        merged = git(self.clone, "rev-parse", "HEAD")
        return self.run(
            "pull_request", merged, event, head=head, branch=pull.branch, repository=2 if pull.fork else OWN
        )

    def merge(self, pull: Pull, how: str = "merge") -> "Run":
        """Merge a pull request, and run what a push to main runs."""
        self.merge_only(pull, how)
        return self.pushed()

    def merge_only(self, pull: Pull, how: str = "merge") -> None:
        """Merge a pull request; GitHub drops the run, as another one waits already."""
        self.merge_branch(pull.branch, how)
        state = self.state
        state["pulls"][pull.number - 1]["merge_commit_sha"] = self.tip
        self.keep(state)

    def pushed(self, commit: str = "") -> "Run":
        """Run what a push to main runs; of an older commit, as whoever runs an old job again."""
        return self.run("push", commit or self.tip, {})

    def queued(self, pull: Pull) -> "Run":
        """Run what a merge queue runs before it merges."""
        return self.run("merge_group", git(self.origin, "rev-parse", f"refs/pull/{pull.number}/merge"), {})

    def nightly(self) -> "Run":
        return self.run("schedule", self.tip, {"schedule": "0 2 * * *"})

    def restored(self) -> "Run":
        return self.run("schedule", self.tip, {"schedule": "30 3 * * 0"})

    def dispatch(self, **inputs: str) -> "Run":
        declared = WORKFLOWS["api-clients.yml"]["on"]["workflow_dispatch"]["inputs"]
        return self.run(
            "workflow_dispatch", self.tip, {}, inputs={name: one["default"] for name, one in declared.items()} | inputs
        )

    def run(
        self,
        event_name: str,
        sha: str,
        event: Mapping[str, Any],
        *,
        head: str = "",
        branch: str = "main",
        repository: int = OWN,
        inputs: Mapping[str, str] | None = None,
    ) -> "Run":
        """Start a run of the workflow."""
        state = self.state
        number = len(state["runs"]) + 1
        entry = {"id": number, "event": event_name, "head_sha": head or sha, "head_branch": branch}
        state["runs"].append({**entry, "head_repository_id": repository, "workflow": "api-clients.yml"})
        self.keep(state)
        github = {
            "event_name": event_name,
            "sha": sha,
            "ref": f"refs/heads/{branch}",
            "repository": "org/shop",
            "run_id": number,
            "workflow_ref": "org/shop/.github/workflows/api-clients.yml@refs/heads/main",
            "event": {**event, "repository": {"default_branch": "main"}},
        }
        run = Run(self, github, inputs or {}, is_of_fork=repository != OWN)
        run.play()
        return run
