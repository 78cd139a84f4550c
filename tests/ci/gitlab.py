"""Stands in for GitLab: jobs of ci/gitlab.yml with their real shell, and what ``curl`` finds there."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.ci.forge import ROOT, Forge, loaded
from tests.cli.conftest import git

RECIPE = loaded(ROOT / "ci" / "gitlab.yml")
CURL = """#!/bin/sh
# Plays the API: paths below api/v4/projects/1 are files. What is uploaded is kept as such a file.
set -eu
for word; do
  word="${word%%\\?*}"
  case "$word" in https://*) file="$GITLAB/${word#https://gitlab.example/api/v4/projects/1/}" ;; esac
done
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
        self.cache: dict[str, Path] = {}
        self.artifacts: dict[str, Path] = {}

    def answer(self, path: str, content: Any) -> None:
        """Let the API answer."""
        file = self.folder / "api" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content), encoding="utf-8")

    def review(self, branch: str, *, merged: bool = False) -> tuple[int, str]:
        """Run the job of a merge request; where GitLab merges results, of what it has merged."""
        variables = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
        head = git(self.origin, "rev-parse", branch)
        if not merged:
            return self.job("reconciler:review", head, variables)
        self.branch()
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head}", head)
        git(self.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/merge-requests/7/merge")
        variables["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"] = head
        return self.job("reconciler:review", git(self.clone, "rev-parse", "HEAD"), variables)

    def merge(self, branch: str, how: str = "merge", message: str = "squashed") -> None:
        """Merge a branch, of which merge request 7 told."""
        head = git(self.origin, "rev-parse", branch)
        self.merge_branch(branch, how, message)
        squashed = self.tip if how == "squash" else None
        found = {"iid": 7, "state": "merged", "sha": head, "merge_commit_sha": self.tip, "squash_commit_sha": squashed}
        self.answer(f"repository/commits/{self.tip}/merge_requests", [found])
        self.answer("merge_requests/7/pipelines", [{"id": 3, "source": "merge_request_event"}])
        self.answer("pipelines/3/jobs", [{"id": 9, "name": "reconciler:review"}])
        for plan in (self.artifacts["reconciler:review"] / "plans").iterdir():
            self.answer(f"jobs/9/artifacts/plans/{plan.name}", None)
            (self.folder / "api" / "jobs/9/artifacts/plans" / plan.name).write_bytes(plan.read_bytes())

    def protected(self, name: str, environment: str, commit: str = "", **more: str) -> tuple[int, str]:
        """Run a job of the default branch."""
        variables = {"ENVIRONMENT": environment, "RECONCILER_API_TOKEN": "t", **self.secrets[environment], **more}
        return self.job(name, commit or self.tip, variables, environment)

    def job(self, name: str, commit: str, variables: Mapping[str, str], environment: str = "") -> tuple[int, str]:
        """Run one job; the exit code, and its log."""
        spec, base = RECIPE[name], RECIPE[RECIPE[name]["extends"]]
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
        given = {**RECIPE["variables"], **known, **variables}
        given |= {key: value.replace("$RECONCILER_FOLDER", given["RECONCILER_FOLDER"]) for key, value in own.items()}
        self._restore(spec, environment, workspace)
        code, log = self._run([*_lines(base["before_script"]), *_lines(spec["script"])], workspace, given)
        _, after = self._run(list(_lines(spec.get("after_script", []))), workspace, given)
        if "cache" in spec:
            self.cache[environment] = workspace / ".reconciler"
        self.artifacts[f"{name} {environment}".strip()] = workspace
        return code, log + after

    def _restore(self, spec: Any, environment: str, workspace: Path) -> None:
        """Bring cache, and artifacts of the jobs that this one needs."""
        if "cache" in spec and environment in self.cache:
            shutil.copytree(self.cache[environment], workspace / ".reconciler")
        for needed in spec.get("needs", []):
            source = self.artifacts.get(f"{needed['job']} {environment}")
            if source and (source / "plans").is_dir():
                shutil.copytree(source / "plans", workspace / "plans")
            for file in source.glob(f"difference-{environment}.md") if source else ():
                shutil.copy(file, workspace)

    def _run(self, lines: list[str], folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
        command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
        done = subprocess.run(
            command, cwd=folder, env=variables, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        return done.returncode, done.stdout


def _lines(script: list[str]) -> Iterator[str]:
    """The shell of a job, less what installs the reconciler: it is there already."""
    for line in script:
        if 'pip" install' not in line and "-m venv" not in line:
            yield line
