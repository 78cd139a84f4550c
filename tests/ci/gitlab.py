"""Stands in for GitLab: jobs of ci/gitlab.yml with their real shell, and what ``curl`` finds there."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, Final

from tests.ci.forge import ROOT, Forge, Review, loaded
from tests.cli.conftest import git

RECIPE = loaded(ROOT / "ci" / "gitlab.yml")
APPROVAL: Final = 42
NAMES: Final = tuple(RECIPE[".environments"]["parallel"]["matrix"][0]["ENVIRONMENT"])
VARIABLES: Final[Mapping[str, str]] = {
    name: one["value"] if isinstance(one, dict) else one for name, one in RECIPE["variables"].items()
}
CURL = """#!/bin/sh
# Plays what the API lets the token of a job do: paths below api/v4/projects are files. What is uploaded is kept as one.
set -eu
for word; do
  case "$word" in
    "JOB-TOKEN: j") token=j ;;
    https://*) file="$GITLAB/${word#https://gitlab.example/api/v4/projects/}" ;;
  esac
done
case "${token:-}$file" in
  j*/packages/generic/*/*/*.json | j*/repository/commits/*/merge_requests) ;;
  *) echo "curl: (22) The requested URL returned error: 401" >&2; exit 22 ;;
esac
while [ $# -gt 0 ]; do
  case "$1" in
    --upload-file) mkdir -p "$(dirname "$file")"; cp "$2" "$file"; exit 0 ;;
    --output) output="$2"; shift ;;
  esac
  shift
done
if [ ! -f "$file" ]; then echo "curl: (22) The requested URL returned error: 404" >&2; exit 22; fi
if [ -n "${output:-}" ]; then cp "$file" "$output"; else cat "$file"; fi
"""


class GitLab(Forge):
    """A project whose environments have variables of their own, for protected branches only."""

    def __init__(self, folder: Path, programs: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(folder, programs, secrets)
        own = folder / "programs"
        own.mkdir()
        (own / "curl").write_text(CURL, encoding="utf-8")
        (own / "curl").chmod(0o755)
        self.path = f"{own}:{self.path}"
        self.builds = folder / "builds"
        (self.builds / "venv").mkdir(parents=True)
        (self.builds / "venv" / "bin").symlink_to(programs)
        self.variables = dict(VARIABLES)
        """Those of the recipe, which a team may change."""
        self.cache: dict[str, Path] = {}
        self.artifacts: dict[str, Path] = {}

    def api(self, path: str) -> Path:
        """What the API has of the project."""
        return self.folder / "api" / "1" / path

    @property
    def reviewed(self) -> list[Path]:
        """The plans that merge requests have kept."""
        return sorted(self.api("packages/generic/reconciler-plans").glob("*/*.json"))

    def remember(self, snapshots: Path) -> None:
        """Have the snapshots that a night has kept."""
        for name in NAMES:
            kept = self.api(f"packages/generic/reconciler-snapshot/{name}/snapshot.json")
            kept.parent.mkdir(parents=True)
            shutil.copy(snapshots / name / f"{name}.json", kept)

    def state(self, environment: str) -> Path:
        """What is kept of an environment for later jobs."""
        return self.cache[environment]

    def patch(self, environment: str) -> Path:
        """What the last night has kept to write back."""
        return self.artifacts[f"reconciler:drift {environment}"] / "write-back.patch"

    def review(self, branch: str, *, onto: str = "", fork: bool = False) -> Review:
        """Run the job of a merge request; that of a fork runs there.

        GitLab may have merged its head onto main, or onto the commit of a merge train for the one before it.
        """
        variables = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
        variables["CI_PROJECT_ID"] = "2" if fork else "1"
        head = git(self.origin, "rev-parse", branch)
        commit = head
        if onto:
            self.branch(onto)
            git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head}", head)
            git(self.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/merge-requests/7/merge")
            variables["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"] = head
            commit = git(self.clone, "rev-parse", "HEAD")
        code, log = self.job("reconciler:review", commit, variables)
        document = self.artifacts["reconciler:review"] / "plan.md"
        return Review(code == 0, document.read_text(encoding="utf-8"), log)

    def merge(self, branch: str, how: str = "merge", message: str = "squashed") -> "Pipeline":
        """Merge merge request 7, which is that of a branch, and run what a push to main runs."""
        self.merge_only(branch, how, message)
        return self.run()

    def merge_only(self, branch: str, how: str = "merge", message: str = "squashed") -> None:
        """The same without a pipeline."""
        head = git(self.origin, "rev-parse", branch)
        self.merge_branch(branch, how, message)
        squashed = self.tip if how == "squash" else None
        found = {"iid": 7, "state": "merged", "sha": head, "merge_commit_sha": self.tip, "squash_commit_sha": squashed}
        answer = self.api(f"repository/commits/{self.tip}/merge_requests")
        answer.parent.mkdir(parents=True, exist_ok=True)
        answer.write_text(json.dumps([found]), encoding="utf-8")

    def run(self, schedule: str = "", *, commit: str = "", acknowledge: str = "", rollback: str = "") -> "Pipeline":
        """Run what a push to main runs, a schedule, or somebody by hand to take a run back."""
        if rollback:
            environment, run = rollback.split()
            more = {"RECONCILER_ROLLBACK": environment, "RECONCILER_RUN": run}
            return Pipeline(self, "reconciler:history", [environment], "reconciler:rollback", commit, more)
        job = f"reconciler:{schedule or 'apply'}"
        names = ["staging"] if schedule == "restore" else NAMES
        return Pipeline(self, job, names, "reconciler:approve", commit, {"RECONCILER_ACK": acknowledge})

    def protected(self, name: str, environment: str, commit: str = "", **more: str) -> tuple[int, str]:
        """Run a job of the default branch."""
        secrets = self.secrets[environment] if "environment" in RECIPE[name] else {}
        variables = {"ENVIRONMENT": environment, **secrets, **more}
        return self.job(name, commit or self.tip, variables, environment)

    def job(self, name: str, commit: str, variables: Mapping[str, str], environment: str = "") -> tuple[int, str]:
        """Run one job; the exit code, and its log."""
        spec, base = RECIPE[name], RECIPE[".reconciler"]
        workspace, _ = self.machine()
        depth = {**base.get("variables", {}), **spec.get("variables", {})}.get("GIT_DEPTH", "2")
        self.check_out(workspace, commit, int(depth))
        known = {
            "PATH": self.path,
            "HOME": str(workspace.parent),
            "CI": "true",
            "GITLAB": str(self.folder / "api"),
            "CI_API_V4_URL": "https://gitlab.example/api/v4",
            "CI_PROJECT_ID": "1",
            "CI_JOB_TOKEN": "j",
            "CI_BUILDS_DIR": str(self.builds),
            "CI_COMMIT_SHA": commit,
            "CI_DEFAULT_BRANCH": "main",
            "GIT_CONFIG_GLOBAL": os.devnull,
        }
        own = {key: value for key, value in spec.get("variables", {}).items() if key != "GIT_DEPTH"}
        given = {**self.variables, **known, **variables}
        given |= {key: Template(value).substitute(given) for key, value in own.items()}
        self._restore(spec, environment, workspace)
        code, log = self._run([*_lines(base["before_script"]), *_lines(spec["script"])], workspace, given)
        _, after = self._run(list(_lines(spec.get("after_script", []))), workspace, given)
        if self.shell.is_cancelled:  # neither cache nor artifacts are kept
            self.shell.is_cancelled = False
            return code, log + after
        if _is_kept(spec.get("cache", {"when": "never"}), code):
            self.cache[environment] = workspace / given["RECONCILER_FOLDER"] / ".reconciler"
        if _is_kept(spec["artifacts"], code):
            self.artifacts[f"{name} {environment}".strip()] = _copied(spec["artifacts"], workspace, environment)
        return code, log + after

    def _restore(self, spec: Any, environment: str, workspace: Path) -> None:
        """Bring cache, and artifacts of the jobs that this one needs."""
        if "cache" in spec and environment in self.cache:
            shutil.copytree(self.cache[environment], workspace / self.variables["RECONCILER_FOLDER"] / ".reconciler")
        for needed in spec.get("needs", []):
            job = needed["job"] if isinstance(needed, dict) else needed
            if source := self.artifacts.get(f"{job} {environment}"):
                shutil.copytree(source, workspace, dirs_exist_ok=True)

    def _run(self, lines: list[str], folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
        command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
        return self.shell.run(command, folder, variables)


class Pipeline:
    """One pipeline of main, with a manual job for each environment, and artifacts of its own."""

    def __init__(
        self,
        gitlab: GitLab,
        job: str,
        environments: Sequence[str],
        manual: str,
        commit: str,
        variables: Mapping[str, str],
    ) -> None:
        self.gitlab, self.job, self.manual = gitlab, job, manual
        self.commit, self.variables = commit or gitlab.tip, variables
        self.codes: dict[str, int] = {}
        self.log = ""
        self.artifacts = gitlab.artifacts = {}
        for environment in environments:
            self._play(job, environment)

    @property
    def waiting(self) -> set[str]:
        """The environments in which nothing happens until somebody approves."""
        shown = {name for name in self.codes if self.job == "reconciler:history"}
        return {name for name, code in self.codes.items() if code == APPROVAL} | shown

    @property
    def failed(self) -> set[str]:
        """The environments whose job is red."""
        return {name for name, code in self.codes.items() if code not in {0, APPROVAL}}

    @property
    def summary(self) -> str:
        """The documents of all jobs, and what they say."""
        files = [file for folder in self.artifacts.values() for file in sorted(folder.glob("*.md"))]
        return "".join(file.read_text(encoding="utf-8") for file in files) + self.log

    def plan(self, environment: str) -> Any:
        """What was planned."""
        file = self.artifacts[f"{self.job} {environment}"] / "plans" / f"{environment}.json"
        return json.loads(file.read_text(encoding="utf-8"))

    def approve(self, environment: str) -> None:
        """Start the manual job."""
        self._play(self.manual, environment)

    def again(self, environment: str) -> None:
        """Run the job that plans again."""
        self._play(self.job, environment)

    def repeat(self, environment: str) -> None:
        """Run the job again that has written."""
        self._play(self.manual, environment)

    def _play(self, job: str, environment: str) -> None:
        self.gitlab.artifacts = self.artifacts
        code, log = self.gitlab.protected(job, environment, self.commit, **self.variables)
        self.codes[environment] = code
        self.log += log


def started(source: str, branch: str = "main", **variables: str) -> dict[str, str]:
    """The jobs of a pipeline, by the rules of the recipe, and when each is started."""
    known = {"CI_PIPELINE_SOURCE": source, "CI_COMMIT_BRANCH": branch, "CI_DEFAULT_BRANCH": "main"}
    values = {**VARIABLES, **known, **variables}
    jobs = {name: job["rules"] for name, job in RECIPE.items() if name.startswith("reconciler:")}
    first = {name: next((one for one in rules if _holds(one["if"], values)), None) for name, rules in jobs.items()}
    return {
        name: rule.get("when", "on_success") for name, rule in first.items() if rule and rule.get("when") != "never"
    }


def _holds(condition: str, values: Mapping[str, str]) -> bool:
    return all(_is_true(one, values) for one in condition.split(" && "))


def _is_true(comparison: str, values: Mapping[str, str]) -> bool:
    name, operator, other = (*comparison.split(), "", "")[:3]
    value = values.get(name.removeprefix("$"), "")
    if operator == "=~":
        return bool(re.search(other.strip("/"), value))
    wanted = values[other[1:]] if other.startswith("$") else other.strip('"')
    return bool(value) if not operator else (value == wanted) is (operator == "==")


def _is_kept(spec: Any, code: int) -> bool:
    if "never" in spec.values() or spec.get("policy") == "pull":
        return False
    return code == 0 or spec.get("when", "on_success") == "always"


def _copied(spec: Any, workspace: Path, environment: str) -> Path:
    """What a job keeps of its files."""
    folder = workspace.parent / "artifacts"
    folder.mkdir()
    for path in spec["paths"]:
        source = workspace / path.replace("$ENVIRONMENT", environment)
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
        elif source.exists():
            shutil.copy(source, folder)
    return folder


def _lines(script: list[str]) -> Iterator[str]:
    """The shell of a job, less what installs the reconciler: it is there already."""
    for line in script:
        if 'pip" install' not in line and "-m venv" not in line:
            yield line
