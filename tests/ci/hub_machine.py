"""One job of a workflow on a fresh machine: its steps with their real shell.

`actions/checkout` and `actions/upload-artifact` are played here; the action is the one of this project, less its
installation.
"""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ci.expressions import Functions, condition, interpolated, worded
from tests.ci.forge import ROOT, loaded
from tests.cli.conftest import git

if TYPE_CHECKING:
    from tests.ci.hub_runs import Run

ACTION = loaded(ROOT / "action.yml")


@dataclass
class Job:
    """What one job came to."""

    result: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    delivered: str = ""
    """What the action gives later steps of the job."""


class Machine:
    """One job on a fresh machine."""

    def __init__(self, run: "Run", spec: Any, context: Mapping[str, Any]) -> None:
        self.run, self.hub, self.spec = run, run.hub, spec
        self.workspace, self.temporary = self.hub.machine()
        folder = self.workspace.parent
        permissions = spec.get("permissions", {})
        words = [f"{name}:{'read' if run.is_of_fork else level}" for name, level in permissions.items()]
        github = {**context["github"], "token": " ".join(words) or "none"}
        self.steps: dict[str, Any] = {}
        self.context = {**context, "github": github, "runner": {"temp": str(self.temporary)}, "steps": self.steps}
        self.environment = {
            "PATH": self.hub.path,
            "HOME": str(folder),
            "CI": "true",
            "HUB": str(self.hub.folder),
            "RUNNER_TEMP": str(self.temporary),
            "GITHUB_STEP_SUMMARY": str(folder / "summary"),
            "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
            "GITHUB_ACTIONS": "true",
            **{name: filled(value, self.context) for name, value in spec.get("env", {}).items()},
        }
        self.environment = {name: value for name, value in self.environment.items() if value}
        self.summary, self.output = folder / "summary", folder / "output"
        self.log = self.delivered = ""

    def job(self) -> Job:
        self.hub.shell.is_cancelled = False
        fine = self._steps(self.spec["steps"], self.context)
        outputs = {name: interpolated(value, self.context) for name, value in self.spec.get("outputs", {}).items()}
        summary = self.summary.read_text(encoding="utf-8") if self.summary.exists() else ""
        result = "cancelled" if self.hub.shell.is_cancelled else "success" if fine else "failure"
        return Job(result, outputs, self.log, summary, self.delivered)

    def _steps(self, steps: list[Any], context: Mapping[str, Any]) -> bool:
        fine = True
        for step in steps:
            cancelled = self.hub.shell.is_cancelled
            functions = status_functions(success=fine, failure=not fine and not cancelled, cancelled=cancelled)
            wanted = condition(str(step.get("if", "true")), {**context, "true": True}, functions)
            if wanted and step.get("name") not in {"Install", *self.hub.failing}:
                fine = self._step(step, context) and fine
            elif wanted and step["name"] in self.hub.failing:
                fine = False
            elif "id" in step:
                context["steps"][step["id"]] = {"outputs": {}, "outcome": "skipped"}
        return fine

    def _step(self, step: Any, context: Mapping[str, Any]) -> bool:
        uses = step.get("uses", "").partition("@")[0]
        given = {name: filled(value, context) for name, value in step.get("with", {}).items()}
        if uses == "actions/checkout":
            return self._checkout(**given)
        if uses == "actions/upload-artifact":
            return self._upload(given)
        if uses == "your-org/ordercloud-reconciler":
            return self._action(step.get("id", ""), given)
        assert not uses
        return self._script(step, context)

    def _checkout(self, **given: str) -> bool:
        """A shallow clone without a branch, unless one is named."""
        assert given["persist-credentials"] == "false"
        where = given.get("ref") or str(self.run.github["sha"])
        self.hub.check_out(self.workspace, where, int(given.get("fetch-depth", 1)))
        if where == "main":
            git(self.workspace, "checkout", "--quiet", "-B", "main")
        return True

    def _upload(self, given: Mapping[str, str]) -> bool:
        source = Path(given["path"])
        assert given["if-no-files-found"] == "ignore"
        if any(source.rglob("*")):
            target = self.hub.folder / "artifacts" / str(self.run.github["run_id"]) / given["name"]
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
        return True

    def _action(self, id_: str, given: Mapping[str, str]) -> bool:
        declared = ACTION["inputs"]
        assert set(given) <= set(declared)
        defaults = {name: filled(one.get("default", ""), self.context) for name, one in declared.items()}
        steps: dict[str, Any] = {}
        context = {**self.context, "inputs": {**defaults, **given, **self.hub.inputs}, "steps": steps}
        fine = self._steps(ACTION["runs"]["steps"], context)
        found = {name: interpolated(one["value"], context) for name, one in ACTION["outputs"].items()}
        self.steps[id_] = {"outputs": found}
        self.delivered = found["delivered"]
        return fine

    def _script(self, step: Any, context: Mapping[str, Any]) -> bool:
        self.output.write_text("")
        own = {name: filled(value, context) for name, value in step.get("env", {}).items()}
        environment = {**self.environment, **own, "GITHUB_OUTPUT": str(self.output)}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        code, log = self.hub.shell.run(command, self.workspace, environment)
        self.log += log
        outputs = dict(_outputs(self.output.read_text(encoding="utf-8")))
        outcome = "failure" if code else "success"
        context["steps"][step.get("id", "")] = {"outputs": outputs, "outcome": outcome}
        return code == 0


def status_functions(*, success: bool, failure: bool, cancelled: bool = False) -> Functions:
    """The functions that an ``if`` asks for a status."""
    known = {"success": success, "failure": failure, "always": True, "cancelled": cancelled}
    return {name: partial(bool, value) for name, value in known.items()}


def filled(text: Any, context: Mapping[str, Any]) -> str:
    return worded(interpolated(text, context)) if isinstance(text, str) else worded(text)


def _outputs(text: str) -> Iterator[tuple[str, str]]:
    """The outputs of a step: ``name=value``, or ``name<<END`` and lines up to END."""
    lines = iter(text.splitlines())
    for line in lines:
        name, is_long, end = line.partition("<<")
        if is_long and "=" not in name:
            yield name, "\n".join(takewhile(end.__ne__, lines))
        else:
            name, _, value = line.partition("=")
            yield name, value
