"""Stands in for Azure Pipelines: stages and steps of ci/azure-*.yml with their real shell and conditions."""

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tests.ci.expressions import Functions, evaluated, interpolated, worded
from tests.ci.forge import ROOT, Forge, Review, loaded
from tests.cli.conftest import git

PIPELINE = loaded(ROOT / "ci" / "azure-pipelines.yml")
STEPS = loaded(ROOT / "ci" / "azure-steps.yml")["steps"]
GIVEN: Final = {"parameters": {one["name"]: one["default"] for one in PIPELINE["parameters"]}}
CURL = """#!/bin/sh
# Plays the API: the last part of a path is a file.
set -eu
while [ $# -gt 0 ]; do
  case "$1" in
    --output) output="$2"; shift ;;
    https://*) file="$AZURE/$(basename "${1%%\\?*}")" ;;
  esac
  shift
done
if [ -n "${output:-}" ]; then cp "$file" "$output"; else cat "$file"; fi
"""
_SUMMARY: Final = re.compile(r"##vso\[task\.uploadsummary\](.*)")
_FUNCTIONS: Final[Functions] = {
    "eq": lambda one, other: worded(one).lower() == worded(other).lower(),
    "ne": lambda one, other: worded(one).lower() != worded(other).lower(),
    "and": lambda *all_: all(all_),
    "or": lambda *any_: any(any_),
    "not": lambda one: not one,
    "in": lambda one, *many: one in many,
    "replace": lambda text, old, new: text.replace(old, new),
    "trim": str.strip,
    "iif": lambda test, yes, no: yes if test else no,
    "canceled": lambda: False,
}


class Azure(Forge):
    """A project with a variable group for each environment."""

    def __init__(self, folder: Path, programs: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__(folder, programs, secrets)
        own = folder / "programs"
        own.mkdir()
        (own / "curl").write_text(CURL, encoding="utf-8")
        (own / "curl").chmod(0o755)
        self.path = f"{own}:{self.path}"
        self.tagged: dict[str, Mapping[str, Path]] = {}
        """The artifacts of the newest run of main with a tag."""
        self.variables = dict(PIPELINE["variables"])
        """Those of the pipeline, which a team may change."""
        self.failing: set[str] = set()
        """Names of steps that fail, as those do that need the network."""
        (self.folder / "api").mkdir()

    def remember(self, snapshots: Path) -> None:
        """Have the snapshots that a night has kept."""
        for name in self.secrets:
            self.tagged[f"snapshot-{name}"] = {f"snapshot-{name}.1": snapshots / name}

    def state(self, environment: str) -> Path:
        """What is kept of an environment for later jobs."""
        return self.kept(f"runs-{environment}")

    def patch(self, environment: str) -> Path:
        """What the last night has kept to write back."""
        return self.kept(f"watch-{environment}") / "write-back.patch"

    def kept(self, tag: str) -> Path:
        """The newest artifact with a tag."""
        return max(
            (int(name.rpartition(".")[2]), path)
            for name, path in self.tagged[tag].items()
            if name.rpartition(".")[0] == tag
        )[1]

    def answer(self, name: str, content: Any) -> None:
        """Let the API answer."""
        (self.folder / "api" / name).write_text(json.dumps(content), encoding="utf-8")

    def review(self, branch: str) -> Review:
        """Run what a pull request runs: for the merge of its head into main."""
        head = git(self.origin, "rev-parse", branch)
        self.branch()
        git(self.clone, "merge", "--quiet", "--no-ff", "--message", f"Merge {head}", head)
        git(self.clone, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/7/merge")
        build = Build(self, git(self.clone, "rev-parse", "HEAD"), "PullRequest")
        shutil.copytree(self.folder / "api", self.reviewed(branch), dirs_exist_ok=True)
        return Review(build.results == {"review": "Succeeded"}, build.summary, build.log)

    def reviewed(self, branch: str) -> Path:
        """What the API has of the pull request of a branch."""
        return self.folder / "reviewed" / branch

    def merge(self, branch: str, how: str = "merge", message: str = "squashed") -> "Build":
        """Complete the pull request of a branch, and run what main runs."""
        self.merge_branch(branch, how, message)
        shutil.copytree(self.reviewed(branch), self.folder / "api", dirs_exist_ok=True)
        self.answer("pullrequestquery", {"results": [{self.tip: [{"pullRequestId": 7}]}]})
        self.answer("builds", {"value": [{"id": 3}]})
        return self.run()

    def run(self, schedule: str = "", *, commit: str = "", acknowledge: str = "", rollback: str = "") -> "Build":
        """Run what main runs, or somebody by hand with parameters."""
        environment, _, run = rollback.partition(" ")
        parameters: dict[str, Any] = {"rollback": run, "environments": [environment]} if rollback else {}
        parameters |= {"acknowledge": acknowledge} if acknowledge else {}
        reason = "Schedule" if schedule else "Manual" if parameters else "IndividualCI"
        return Build(self, commit or self.tip, reason, schedule, parameters)


class Build:
    """One run of the pipeline: stages by name."""

    def __init__(
        self,
        azure: Azure,
        commit: str,
        reason: str,
        schedule: str = "",
        parameters: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self.azure, self.commit, self.reason, self.schedule = azure, commit, reason, schedule
        self.given = {"parameters": {**GIVEN["parameters"], **parameters}}
        self.stages: dict[str, dict[str, Any]] = {}
        self.artifacts: dict[str, Path] = {}
        self.log = ""
        self.approved: set[str] = set()
        self.waiting: set[str] = set()
        self.attempt = 1
        self.play()

    def approve(self, environment: str) -> None:
        """Let an approver approve, and go on."""
        self.approved.add(environment)
        self.play()

    def again(self, environment: str) -> None:
        """Run the stages of an environment again, from the plan on."""
        self._again(environment, "plan", "approve", "apply")

    def repeat(self, environment: str) -> None:
        """Run the stage again that has written."""
        self._again(environment, "apply")

    def _again(self, environment: str, *stages: str) -> None:
        self.attempt += 1
        for stage in stages:
            self.stages.pop(f"{stage}_{environment}", None)
        self.play()

    @property
    def failed(self) -> set[str]:
        """The environments with a red stage."""
        return {name.partition("_")[2] for name, result in self.results.items() if result == "Failed"}

    def plan(self, environment: str) -> Any:
        """What was planned."""
        file = self.artifacts[f"plan-{environment}.{self.attempt}"] / f"{environment}.json"
        return json.loads(file.read_text(encoding="utf-8"))

    @property
    def summary(self) -> str:
        """The documents in the summary of the run."""
        return "".join(Path(file).read_text(encoding="utf-8") for file in re.findall(_SUMMARY, self.log))

    @property
    def results(self) -> dict[str, str]:
        """Of the stages that were not skipped."""
        return {name: one["result"] for name, one in self.stages.items() if one["result"] != "Skipped"}

    def play(self) -> None:
        self.waiting.clear()
        for stage, environment in _stages(self.given):
            needed = _list(stage.get("dependsOn", []))
            if stage["stage"] not in self.stages and all(name in self.stages for name in needed):
                self._stage(stage, environment, needed)

    def _stage(self, stage: Any, environment: str, needed: list[str]) -> None:
        name = stage["stage"]
        variables = {"Build.Reason": self.reason, "Build.CronSchedule.DisplayName": self.schedule}
        known = {one: self.stages[one] for one in needed}
        fine = all(one["result"] == "Succeeded" for one in known.values())
        context = {"variables": variables, "dependencies": known}
        if not evaluated(stage["condition"], context, {**_FUNCTIONS, "succeeded": lambda: fine}):
            self.stages[name] = {"result": "Skipped", "outputs": {}}
            return
        if name.startswith("approve_") and environment not in self.approved:
            self.waiting.add(environment)
            return
        (job,) = stage["jobs"]
        secrets = self.azure.secrets[environment] if "variables" in stage else {}
        steps = job["steps"] if "steps" in job else job["strategy"]["runOnce"]["deploy"]["steps"]
        outputs, fine = _Agent(self, environment, secrets).job(steps)
        found = {f"{job.get('job', job.get('deployment'))}.run.{key}": value for key, value in outputs.items()}
        self.stages[name] = {"result": "Succeeded" if fine else "Failed", "outputs": found}


def _stages(given: Mapping[str, Any]) -> Iterator[tuple[Any, str]]:
    """All stages, those of each environment written out."""
    (review, each) = PIPELINE["stages"]
    yield review, ""
    (template,) = each.values()
    for environment in given["parameters"]["environments"]:
        for stage in template:
            yield expanded(stage, {**given, "environment": environment}), environment


def expanded(value: Any, context: Mapping[str, Any]) -> Any:
    """A template with its expressions evaluated, loops and conditions included."""
    if isinstance(value, str):
        return interpolated(value, context, _FUNCTIONS) if "${{" in value else value
    if isinstance(value, list):
        return [one for item in value for one in _items(item, context)]
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, item in value.items():
            if key.startswith("${{ if "):
                if evaluated(key[6:-2], context, _FUNCTIONS):
                    found |= expanded(item, context)
            else:
                found[key] = expanded(item, context)
        return found
    return value


def _items(item: Any, context: Mapping[str, Any]) -> Iterator[Any]:
    key = next(iter(item), "") if isinstance(item, dict) else ""
    if key.startswith("${{ if "):
        yield from expanded(item[key], context) if evaluated(key[6:-2], context, _FUNCTIONS) else ()
    elif key.startswith("${{ each "):
        for environment in PIPELINE["parameters"][0]["default"]:
            yield from expanded(item[key], {**context, "environment": environment})
    else:
        yield expanded(item, context)


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else value


class _Agent:
    """One job on a fresh agent."""

    def __init__(self, build: Build, environment: str, secrets: Mapping[str, str]) -> None:
        self.build, self.azure, self.environment = build, build.azure, environment
        self.sources, self.temporary = self.azure.machine()
        planned = build.stages.get(f"plan_{environment}", {"outputs": {}})["outputs"].get("plan.run.commit", "")
        self.variables = {
            **self.azure.variables,
            "Agent.TempDirectory": str(self.temporary),
            "Build.SourcesDirectory": str(self.sources),
            "Pipeline.Workspace": str(self.sources.parent),
            "Build.Repository.ID": "r",
            "System.CollectionUri": "https://azure.example/",
            "System.TeamProjectId": "p",
            "System.DefinitionId": "d",
            "System.AccessToken": "t",
            "Build.CronSchedule.DisplayName": build.schedule,
            "System.JobAttempt": str(build.attempt),
            "PLANNED": planned,
        }
        self.secrets = secrets
        self.outputs: dict[str, str] = {}
        self.fine = True

    def job(self, steps: list[Any]) -> tuple[dict[str, str], bool]:
        """Run all steps; what they set, and whether none failed."""
        for step in expanded(steps, self.build.given):
            if "template" in step:
                parameters = {"environment": "", "acknowledge": " ", "rollback": " ", **step["parameters"]}
                for one in expanded(STEPS, {"parameters": parameters}):
                    self._step(one)
            else:
                self._step(step)
        return self.outputs, self.fine

    def _step(self, step: Any) -> None:
        functions = {**_FUNCTIONS, "always": lambda: True, "succeededorfailed": lambda: True}
        context = {"variables": self.outputs}
        wanted = evaluated(step["condition"], context, functions) if "condition" in step else self.fine
        name = step.get("displayName", "")
        if not wanted or name in {"Install", *self.azure.failing}:
            self.fine = self.fine and name not in self.azure.failing
            return
        if step.get("checkout") == "self":
            assert step["clean"] == "true"
            self.azure.check_out(self.sources, self.build.commit, int(step["fetchDepth"]))
        elif "download" in step:
            assert step["download"] == "none"
        elif "publish" in step:
            self._publish(self._filled(step["artifact"]), Path(self._filled(step["publish"])))
        elif step.get("task") == "DownloadPipelineArtifact@2":
            self._fetch({key: self._filled(str(value)) for key, value in step["inputs"].items()})
        elif step.get("bash", "true") != "true":
            self._script(step)

    def _filled(self, text: str) -> str:
        for name, value in {**self.variables, **self.secrets}.items():
            text = text.replace(f"$({name})", value)
        return text

    def _publish(self, artifact: str, source: Path) -> None:
        assert artifact not in self.build.artifacts, "Azure publishes no name twice"
        target = self.temporary.parent / "artifacts" / artifact
        if not source.exists():
            self.fine = False
            return
        shutil.copytree(source, target)
        self.build.artifacts[artifact] = target
        tag = artifact.rpartition(".")[0]
        if self.build.reason == "PullRequest":
            url = f"https://azure.example/{artifact}.zip"
            shutil.make_archive(str(self.azure.folder / "api" / artifact), "zip", target.parent, artifact)
            self.azure.answer("artifacts", {"value": [{"name": artifact, "resource": {"downloadUrl": url}}]})
        elif f"##vso[build.addbuildtag]{tag}\n" in self.build.log:
            self.azure.tagged[tag] = self.build.artifacts

    def _fetch(self, inputs: Mapping[str, str]) -> None:
        """Without the name of an artifact each gets a folder of its own."""
        found: Mapping[str, Path] = self.build.artifacts
        if inputs["buildType"] == "specific":
            assert inputs["branchName"] == "refs/heads/main"
            assert inputs["allowFailedBuilds"] == inputs["allowPartiallySucceededBuilds"] == "True"
            found = self.azure.tagged.get(inputs["tags"], {})
        for artifact, path in found.items():
            if fnmatch(f"{artifact}/", inputs["itemPattern"].removesuffix("**")):
                shutil.copytree(path, Path(inputs["targetPath"]) / artifact)

    def _script(self, step: Any) -> None:
        predefined = {name.upper().replace(".", "_"): value for name, value in self.variables.items()}
        environment = {
            "PATH": self.azure.path,
            "HOME": str(self.temporary.parent),
            "TF_BUILD": "True",
            "AZURE": str(self.azure.folder / "api"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{name: value for name, value in predefined.items() if name != "SYSTEM_ACCESSTOKEN"},
            **{name: self._filled(value) for name, value in step.get("env", {}).items()},
        }
        command = ["bash", "--noprofile", "--norc", "-c", step["bash"]]
        given = {name: value for name, value in environment.items() if value}
        code, log = self.azure.shell.run(command, self.sources, given)
        self.build.log += log
        for line in log.splitlines():
            if line.startswith("##vso[task.setvariable variable="):
                name, _, value = line.removeprefix("##vso[task.setvariable variable=").partition("]")
                self.outputs[name.removesuffix(";isOutput=true")] = value
        self.fine = self.fine and code == 0
