"""One run of the workflows of ci/github/: which of its jobs run, wait or are skipped, as GitHub decides it.

A job that names an environment gets its secrets, as long as the run is one of main; a job of NAME-approval waits for
`Run.approve`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.ci.expressions import condition, interpolated
from tests.ci.forge import ROOT, loaded
from tests.ci.hub_machine import Job, Machine, filled, status_functions

if TYPE_CHECKING:
    from tests.ci.hub import Hub

WORKFLOWS = {path.name: loaded(path) for path in (ROOT / "ci" / "github").iterdir()}


class Run:
    """One run of the workflow: jobs by name, as ``review`` or ``apply production/plan``."""

    def __init__(self, hub: "Hub", github: Mapping[str, Any], inputs: Mapping[str, str], *, is_of_fork: bool) -> None:
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
        functions = status_functions(success=all(one == "success" for one in results), failure="failure" in results)
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
            given = {key: filled(value, context) for key, value in spec["with"].items()}
            declared = called["on"]["workflow_call"]["inputs"]
            assert set(given) <= set(declared)
            assert {key for key, one in declared.items() if one.get("required")} <= set(given)
            defaults = {key: one["default"] for key, one in declared.items() if "default" in one}
            return self._flow(called, f"{name}/", {"inputs": defaults | given})
        if name not in self.jobs:
            environment = filled(spec.get("environment", ""), context)
            if environment.endswith("-approval") and environment not in self.approved:
                self.waiting.add(environment.removesuffix("-approval"))
                return None
            secrets = {} if self.github["event_name"] == "pull_request" else self.hub.secrets.get(environment, {})
            self.jobs[name] = Machine(self, spec, {**context, "secrets": secrets}).job()
        return self.jobs[name]
