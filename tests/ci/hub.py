"""Stands in for GitHub: a repository with pull requests, and runs of the workflows of ci/github/ with their real shell.

Jobs run one after the other, each in a fresh folder. `actions/checkout` and `actions/upload-artifact` are played here,
the program ``gh`` by `gh.py`; the action is the one of this project, less its installation. A job that names an
environment gets its secrets, as long as the run is one of main; a job of NAME-approval waits for `Run.approve`.
"""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from tests.ci.expressions import Functions, condition, interpolated, worded
from tests.ci.forge import ROOT, Forge, loaded
from tests.cli.conftest import git

OWN = 1
"""The id of the repository; a fork has another one."""


ACTION = loaded(ROOT / "action.yml")
WORKFLOWS = {path.name: loaded(path) for path in (ROOT / "ci" / "github").iterdir()}


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
        self.gitconfig = ""
        """Of the machines."""
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


@dataclass
class Job:
    """What one job came to."""

    result: str
    outputs: Mapping[str, Any] = field(default_factory=dict)
    log: str = ""
    summary: str = ""
    delivered: str = ""
    """What the action gives later steps of the job."""


class Run:
    """One run of the workflow: jobs by name, as ``review`` or ``apply production/plan``."""

    def __init__(self, hub: Hub, github: Mapping[str, Any], inputs: Mapping[str, str], *, is_of_fork: bool) -> None:
        self.hub, self.github, self.inputs, self.is_of_fork = hub, github, inputs, is_of_fork
        self.jobs: dict[str, Job] = {}
        self.waiting: set[str] = set()
        self.approved: set[str] = set()

    def play(self) -> None:
        """Run whatever can run."""
        self.waiting.clear()
        self._flow(WORKFLOWS["api-clients.yml"], "", {"inputs": self.inputs})

    def approve(self, environment: str) -> None:
        """Let a reviewer approve, and go on."""
        self.approved.add(f"{environment}-approval")
        self.play()

    @property
    def results(self) -> dict[str, str]:
        """Of the jobs that were not skipped."""
        return {name: job.result for name, job in self.jobs.items() if job.result != "skipped"}

    @property
    def log(self) -> str:
        return "".join(f"--- {name}: {job.result}\n{job.log}" for name, job in self.jobs.items())

    def again(self, name: str) -> Job:
        """Run one job again."""
        del self.jobs[name]
        self.play()
        return self.jobs[name]

    def _flow(self, workflow: Any, prefix: str, context: Mapping[str, Any]) -> Job | None:
        """Play the jobs of one workflow; None while something waits."""
        done: dict[str, Job | None] = {}
        for name, spec in workflow["jobs"].items():
            needed = spec.get("needs", [])
            needed = [needed] if isinstance(needed, str) else needed
            if any(done[one] is None for one in needed):
                done[name] = None
                continue
            needs = {one: job for one in needed if (job := done[one])}
            done[name] = self._job(prefix + name, spec, {**context, "needs": needs})
        if None in done.values():
            return None
        return Job("failure" if any(one and one.result == "failure" for one in done.values()) else "success")

    def _job(self, name: str, spec: Any, context: Mapping[str, Any]) -> Job | None:
        needs: Mapping[str, Job] = context["needs"]
        seen = {one: {"result": job.result, "outputs": job.outputs} for one, job in needs.items()}
        context = {**context, "github": self.github, "needs": seen}
        results = [job.result for job in needs.values()]
        functions = _status(success=all(one == "success" for one in results), failure="failure" in results)
        if not condition(str(spec.get("if", "true")), {**context, "true": True}, functions):
            self.jobs.setdefault(name, Job("skipped"))
            return self.jobs[name]
        if "strategy" not in spec:
            return self._instance(name, spec, context)
        matrix = interpolated(spec["strategy"]["matrix"], context)["include"]
        each = [self._instance(f"{name} {one['environment']}", spec, {**context, "matrix": one}) for one in matrix]
        if None in each:
            return None
        return Job("failure" if any(one and one.result == "failure" for one in each) else "success")

    def _instance(self, name: str, spec: Any, context: Mapping[str, Any]) -> Job | None:
        if "uses" in spec:
            called = WORKFLOWS[Path(spec["uses"]).name]
            given = {key: _value(value, context) for key, value in spec["with"].items()}
            declared = called["on"]["workflow_call"]["inputs"]
            assert set(given) <= set(declared)
            assert {key for key, one in declared.items() if one.get("required")} <= set(given)
            defaults = {key: one["default"] for key, one in declared.items() if "default" in one}
            return self._flow(called, f"{name}/", {"inputs": defaults | given})
        if name not in self.jobs:
            environment = _value(spec.get("environment", ""), context)
            if environment.endswith("-approval") and environment not in self.approved:
                self.waiting.add(environment.removesuffix("-approval"))
                return None
            secrets = {} if self.github["event_name"] == "pull_request" else self.hub.secrets.get(environment, {})
            self.jobs[name] = _Machine(self, spec, {**context, "secrets": secrets}).job()
        return self.jobs[name]


def _status(*, success: bool, failure: bool) -> Functions:
    """The functions that an ``if`` asks for a status."""
    known = {"success": success, "failure": failure, "always": True, "cancelled": False}
    return {name: partial(bool, value) for name, value in known.items()}


def _value(text: Any, context: Mapping[str, Any]) -> str:
    return worded(interpolated(text, context)) if isinstance(text, str) else worded(text)


class _Machine:
    """One job on a fresh machine."""

    def __init__(self, run: Run, spec: Any, context: Mapping[str, Any]) -> None:
        self.run, self.hub, self.spec = run, run.hub, spec
        self.workspace, self.temporary = self.hub.machine()
        folder = self.workspace.parent
        (folder / "gitconfig").write_text(self.hub.gitconfig, encoding="utf-8")
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
            **{name: _value(value, self.context) for name, value in spec.get("env", {}).items()},
        }
        self.environment = {name: value for name, value in self.environment.items() if value}
        self.summary, self.output = folder / "summary", folder / "output"
        self.log = self.delivered = ""

    def job(self) -> Job:
        fine = self._steps(self.spec["steps"], self.context)
        outputs = {name: interpolated(value, self.context) for name, value in self.spec.get("outputs", {}).items()}
        summary = self.summary.read_text(encoding="utf-8") if self.summary.exists() else ""
        return Job("success" if fine else "failure", outputs, self.log, summary, self.delivered)

    def _steps(self, steps: list[Any], context: Mapping[str, Any]) -> bool:
        fine = True
        for step in steps:
            functions = _status(success=fine, failure=not fine)
            wanted = condition(str(step.get("if", "true")), {**context, "true": True}, functions)
            if wanted and step.get("name") != "Install":
                fine = self._step(step, context) and fine
        return fine

    def _step(self, step: Any, context: Mapping[str, Any]) -> bool:
        uses = step.get("uses", "").partition("@")[0]
        given = {name: _value(value, context) for name, value in step.get("with", {}).items()}
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
        defaults = {name: _value(one.get("default", ""), self.context) for name, one in declared.items()}
        steps: dict[str, Any] = {}
        context = {**self.context, "inputs": {**defaults, **given, **self.hub.inputs}, "steps": steps}
        fine = self._steps(ACTION["runs"]["steps"], context)
        found = {name: interpolated(one["value"], context) for name, one in ACTION["outputs"].items()}
        self.steps[id_] = {"outputs": found}
        self.delivered = found["delivered"]
        return fine

    def _script(self, step: Any, context: Mapping[str, Any]) -> bool:
        self.output.write_text("")
        own = {name: _value(value, context) for name, value in step.get("env", {}).items()}
        environment = {**self.environment, **own, "GITHUB_OUTPUT": str(self.output)}
        command = ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", step["run"]]
        done = subprocess.run(
            command,
            cwd=self.workspace,
            env=environment,
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.log += done.stdout
        context["steps"][step.get("id", "")] = {"outputs": dict(_outputs(self.output.read_text(encoding="utf-8")))}
        return done.returncode == 0


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
