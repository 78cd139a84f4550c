"""Stands in for Kubernetes: the CronJobs of ci/kubernetes/cron-jobs.yaml, with images and volumes as folders."""

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.ci.forge import ROOT, Shell

DOCUMENTS = list(YAML(typ="safe").load_all((ROOT / "ci" / "kubernetes" / "cron-jobs.yaml").read_text(encoding="utf-8")))
CRON_JOBS = {one["metadata"]["name"]: one["spec"] for one in DOCUMENTS if one["kind"] == "CronJob"}
IMAGE = dict(line.split(maxsplit=1) for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines() if line)


@dataclass
class Job:
    """What a Job came to."""

    codes: list[int]
    """Of its pods: another one follows a failure, as `backoffLimit` allows."""
    log: str


class Cluster:
    """Runs the CronJobs in images that were built of a repository."""

    def __init__(self, folder: Path, programs: Path, secrets: Mapping[str, Mapping[str, str]]) -> None:
        self.images, self.volumes, self.secrets = folder / "images", folder / "volumes", dict(secrets)
        self.reconciler = programs / "reconciler"
        self.shell = Shell()
        for document in DOCUMENTS:
            if document["kind"] == "PersistentVolumeClaim":
                (self.volumes / document["metadata"]["name"]).mkdir(parents=True)

    def build(self, environment: str, repository: Path) -> None:
        """Build the image of an environment anew."""
        image = self.images / f"api-clients-{environment}"
        shutil.rmtree(image, ignore_errors=True)
        shutil.copytree(repository, image, ignore=shutil.ignore_patterns(".git", ".reconciler"))

    def run(self, name: str) -> Job:
        """Let a CronJob start a Job, which starts pods until one succeeds or it gives up."""
        spec = CRON_JOBS[name]["jobTemplate"]["spec"]
        job = Job([], "")
        while not job.codes or (job.codes[-1] != 0 and len(job.codes) <= spec["backoffLimit"]):
            code, log = self._pod(spec["template"]["spec"])
            job.codes.append(code)
            job.log += log
        return job

    def _pod(self, spec: Any) -> tuple[int, str]:
        """Run the container: its file system is read-only, but for what is mounted."""
        (container,) = spec["containers"]
        assert (IMAGE["WORKDIR"], IMAGE["ENTRYPOINT"]) == ("/repository", '["reconciler"]')
        image = self.images / container["image"].partition("@")[0].rpartition("/")[2]
        claims = {one["name"]: self.volumes / one["persistentVolumeClaim"]["claimName"] for one in spec["volumes"]}
        (mount,) = container["volumeMounts"]
        mounted = image / Path(mount["mountPath"]).relative_to("/repository")
        before = _files(image)
        claims[mount["name"]].rename(mounted)
        environment = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "TMPDIR": "/nonexistent"}
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
