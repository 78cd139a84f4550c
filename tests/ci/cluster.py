"""Stands in for Kubernetes: the CronJobs of ci/kubernetes/cron-jobs.yaml, with images and volumes as folders.

What a team does is the shell of docs/ci.md, with the programs of `tests/ci/kube.py`.
"""

import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.ci.forge import ROOT, Shell

DOCUMENTS = list(YAML(typ="safe").load_all((ROOT / "ci" / "kubernetes" / "cron-jobs.yaml").read_text(encoding="utf-8")))
CRON_JOBS = {one["metadata"]["name"]: one["spec"] for one in DOCUMENTS if one["kind"] == "CronJob"}
IMAGE = dict(line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line)
PAGE = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
SUSPEND, RENEW, ROLL_BACK = re.findall(
    r"<!-- not run: tests/ci/test_cluster.py runs it -->\n```sh\n(.*?)```", PAGE, re.DOTALL
)


@dataclass
class Job:
    """What a Job came to."""

    codes: list[int]
    """Of its pods: another one follows a failure, as `backoffLimit` allows."""
    log: str


class Cluster:
    """Runs the CronJobs in images that were built of a repository."""

    def __init__(self, folder: Path, programs: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self.folder, self.images, self.volumes = folder, folder / "images", folder / "volumes"
        self.secrets = dict(secrets)
        self.reconciler = programs / "reconciler"
        self.shell = Shell()
        for name in ("images", "jobs", "bin"):
            (folder / name).mkdir(parents=True)
        script = Path(__file__).with_name("kube.py")
        for name in ("docker", "kubectl", "jq"):
            line = f'exec "{sys.executable}" -I "{script}" {name} "$@"'
            (folder / "bin" / name).write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
            (folder / "bin" / name).chmod(0o755)
        for name, spec in CRON_JOBS.items():
            (folder / f"{name}.json").write_text(json.dumps(spec), encoding="utf-8")
        for document in DOCUMENTS:
            if document["kind"] == "PersistentVolumeClaim":
                (self.volumes / document["metadata"]["name"]).mkdir(parents=True)

    def say(self, script: str, repository: Path) -> list[Job]:
        """Do what the page on CI says; the Jobs that it has started."""
        environment = {**os.environ, "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "CLUSTER": str(self.folder)}
        code, log = self.shell.run(["bash", "-euo", "pipefail", "-c", script], repository, environment)
        assert code == 0, log
        shutil.rmtree(repository / "image", ignore_errors=True)
        started = sorted((self.folder / "jobs").iterdir())
        specs = [json.loads(one.read_text(encoding="utf-8"))["spec"] for one in started]
        for one in started:
            one.unlink()
        return [self._job(spec) for spec in specs]

    def build(self, environment: str, repository: Path) -> list[Job]:
        """Build the image of an environment anew, and restore it once, if it has a restore."""
        has_restore = f"api-clients-restore-{environment}" in CRON_JOBS
        lines = [
            one for one in RENEW.replace("staging", environment).splitlines() if has_restore or "restore" not in one
        ]
        if not has_restore:
            lines.append(f'kubectl set image cronjob/api-clients-drift-{environment} reconciler="$image"')
        return self.say("\n".join(lines), repository)

    def image(self, name: str) -> Path:
        """The image of a CronJob."""
        return self._image(
            json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))["jobTemplate"]["spec"]
        )

    def _image(self, spec: Any) -> Path:
        return self.images / str(spec["template"]["spec"]["containers"][0]["image"]).rpartition("@")[2]

    def run(self, name: str) -> Job:
        """Let a CronJob start a Job, unless it is suspended."""
        spec = json.loads((self.folder / f"{name}.json").read_text(encoding="utf-8"))
        return Job([], "") if spec.get("suspend") else self._job(spec["jobTemplate"]["spec"])

    def _job(self, spec: Any) -> Job:
        """Start pods until one succeeds or the Job gives up."""
        job = Job([], "")
        while not job.codes or (job.codes[-1] != 0 and len(job.codes) <= spec["backoffLimit"]):
            code, log = self._pod(spec["template"]["spec"], self._image(spec))
            job.codes.append(code)
            job.log += log
        return job

    def _pod(self, spec: Any, image: Path) -> tuple[int, str]:
        """Run the container: its file system is read-only, but for what is mounted."""
        (container,) = spec["containers"]
        assert (IMAGE["WORKDIR"], IMAGE["ENTRYPOINT"]) == ("/repository", '["reconciler"]')
        claims = {one["name"]: self.volumes / one["persistentVolumeClaim"]["claimName"] for one in spec["volumes"]}
        (mount,) = container["volumeMounts"]
        mounted = image / Path(mount["mountPath"]).relative_to("/repository")
        before = _files(image)
        claims[mount["name"]].rename(mounted)
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": "/nonexistent"}
        environment |= {one["name"]: one["value"] for one in container.get("env", [])}
        for source in container["envFrom"]:
            environment |= self.secrets[source["secretRef"]["name"].removeprefix("ordercloud-")]
        code, log = self.shell.run([self.reconciler, *container["args"]], image, environment)
        mounted.rename(claims[mount["name"]])
        assert _files(image) == before
        return code, log


def _files(folder: Path) -> Mapping[Path, object]:
    """All files with when they were written; of folders, that they are there."""

    def found() -> Iterator[tuple[Path, object]]:
        for path in folder.rglob("*"):
            yield path, path.stat().st_mtime_ns if path.is_file() else None

    return dict(found())
