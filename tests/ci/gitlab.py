"""Stands in for GitLab: jobs of ci/gitlab.yml with their real shell, and what ``curl`` finds there."""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.ci.forge import ROOT, Forge, loaded
from tests.cli.conftest import git

RECIPE = loaded(ROOT / "ci" / "gitlab.yml")
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
        self.variables = dict(RECIPE["variables"])
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

    def review(self, branch: str, *, onto: str = "", fork: bool = False) -> tuple[int, str]:
        """Run the job of a merge request; that of a fork runs there.

        GitLab may have merged its head onto main, or onto the commit of a merge train for the one before it.
        """
        variables = {"CI_PIPELINE_SOURCE": "merge_request_event", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main"}
        variables["CI_PROJECT_ID"] = "2" if fork else "1"
        head = git(self.origin, "rev-parse", branch)
        if not onto:
            return self.job("reconciler:review", head, variables)
        self.branch(onto)
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head}", head)
        git(self.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/merge-requests/7/merge")
        variables["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"] = head
        return self.job("reconciler:review", git(self.clone, "rev-parse", "HEAD"), variables)

    def merge(self, branch: str, how: str = "merge", message: str = "squashed") -> None:
        """Merge merge request 7, which is that of a branch."""
        head = git(self.origin, "rev-parse", branch)
        self.merge_branch(branch, how, message)
        squashed = self.tip if how == "squash" else None
        found = {"iid": 7, "state": "merged", "sha": head, "merge_commit_sha": self.tip, "squash_commit_sha": squashed}
        answer = self.api(f"repository/commits/{self.tip}/merge_requests")
        answer.parent.mkdir(parents=True, exist_ok=True)
        answer.write_text(json.dumps([found]), encoding="utf-8")

    def protected(self, name: str, environment: str, commit: str = "", **more: str) -> tuple[int, str]:
        """Run a job of the default branch."""
        variables = {"ENVIRONMENT": environment, **self.secrets[environment], **more}
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
        given = {**self.variables, **known, **variables}
        given |= {key: value.replace("$RECONCILER_FOLDER", given["RECONCILER_FOLDER"]) for key, value in own.items()}
        self._restore(spec, environment, workspace)
        code, log = self._run([*_lines(base["before_script"]), *_lines(spec["script"])], workspace, given)
        _, after = self._run(list(_lines(spec.get("after_script", []))), workspace, given)
        if self.shell.is_cancelled:  # neither cache nor artifacts are kept
            self.shell.is_cancelled = False
            return code, log + after
        if "cache" in spec and _is_kept(spec["cache"], code):
            self.cache[environment] = workspace / given["RECONCILER_FOLDER"] / ".reconciler"
        if _is_kept(spec["artifacts"], code):
            self.artifacts[f"{name} {environment}".strip()] = _copied(spec["artifacts"], workspace, environment)
        return code, log + after

    def _restore(self, spec: Any, environment: str, workspace: Path) -> None:
        """Bring cache, and artifacts of the jobs that this one needs."""
        if "cache" in spec and environment in self.cache:
            shutil.copytree(self.cache[environment], workspace / self.variables["RECONCILER_FOLDER"] / ".reconciler")
        for needed in spec.get("needs", []):
            source = self.artifacts.get(f"{needed['job']} {environment}")
            if source and (source / "plans").is_dir():
                shutil.copytree(source / "plans", workspace / "plans")
            for file in source.glob(f"difference-{environment}.md") if source else ():
                shutil.copy(file, workspace)

    def _run(self, lines: list[str], folder: Path, variables: Mapping[str, str]) -> tuple[int, str]:
        command = ["bash", "-e", "-o", "pipefail", "-c", "\n".join(lines)]
        return self.shell.run(command, folder, variables)


def _is_kept(spec: Any, code: int) -> bool:
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
