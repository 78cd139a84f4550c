"""The recipes for CI systems: well-formed for the system, sound as shell, and pinned. `tests/ci` runs them."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped]  # it has no types
from click.testing import CliRunner
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
WORKFLOWS = sorted((ROOT / "ci" / "github").iterdir())
GITLAB = ROOT / "ci" / "gitlab.yml"
AZURE = sorted((ROOT / "ci").glob("azure-*.yml"))
KUBERNETES = ROOT / "ci" / "kubernetes" / "cron-jobs.yaml"
EXPRESSION = re.compile(r"\$\{\{")


def loaded(path: Path) -> Any:
    return YAML(typ="safe").load(path.read_text(encoding="utf-8"))


def scripts(value: Any) -> Iterator[str]:
    """Every piece of shell of a recipe."""
    if isinstance(value, list):
        for member in value:
            yield from scripts(member)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key in {"run", "bash"} and isinstance(member, str):
                yield member
            elif key in {"script", "before_script", "after_script"}:
                yield "\n".join(member)
            else:
                yield from scripts(member)


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        (ACTION, ["vendor.github-actions"]),
        *((path, ["vendor.github-workflows"]) for path in WORKFLOWS),
        (GITLAB, ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
        # the schema has a pattern that is none with the `u` flag
        *(
            (path, ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"])
            for path in AZURE
        ),
    ],
)
def test_a_recipe_is_what_its_system_reads(path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", *arguments, str(path)])
    assert done.exit_code == 0, done.output


def test_every_script_of_every_recipe_is_sound_shell(tmp_path: Path) -> None:
    files = []
    for path in (ACTION, *WORKFLOWS, GITLAB, *AZURE):
        for number, script in enumerate(scripts(loaded(path))):
            file = tmp_path / f"{path.stem}-{number}.sh"
            file.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
            files.append(str(file))
    assert len(files) > 10
    # SC2034, SC2154: GitLab puts `before_script` and `script` together, and each uses variables of the other
    # SC2329: the same for functions
    checker = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run(
        [checker, "--exclude=SC2034,SC2154,SC2329", *files], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS])
def test_no_expression_of_github_is_part_of_a_script(path: Path) -> None:
    assert [script for script in scripts(loaded(path)) if EXPRESSION.search(script)] == []


def steps(path: Path) -> Iterator[Any]:
    """All steps of a workflow or an action."""
    content = loaded(path)
    for job in content["jobs"].values() if "jobs" in content else [content["runs"]]:
        yield from job.get("steps", [])


def test_every_input_of_the_action_is_used_and_every_use_is_declared() -> None:
    action = loaded(ACTION)
    used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(action["runs"])))
    assert used == set(action["inputs"])
    given = [step.get("with", {}) for path in WORKFLOWS for step in steps(path) if "reconciler" in step.get("uses", "")]
    assert len(given) == 5
    assert {name for one in given for name in one} <= set(action["inputs"])


@pytest.mark.parametrize("path", [ACTION, *WORKFLOWS])
def test_actions_are_pinned_to_a_commit_with_their_version(path: Path) -> None:
    uses = re.findall(r"uses: (.*)", path.read_text(encoding="utf-8"))
    assert uses
    pinned = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # (v\d+\.\d+\.\d+|yours)|\./\.github/workflows/.*")
    assert [line for line in uses if not pinned.fullmatch(line)] == []


def test_images_are_pinned_to_a_digest() -> None:
    named = [line for path in (GITLAB, KUBERNETES, ROOT / "Dockerfile") for line in path.read_text().splitlines()]
    images = [line for line in named if re.match(r"\s*(image: |ARG BASE=)", line)]
    assert len(images) == 5
    assert [line for line in images if not re.search(r"@sha256:[0-9a-f]{64}$", line)] == []


def test_jobs_install_nothing_without_its_hash() -> None:
    files = [ACTION, GITLAB, *AZURE, ROOT / "Dockerfile"]
    text = "\n".join(path.read_text(encoding="utf-8").replace("\\\n", " ").replace("&&", "\n") for path in files)
    installed = [line for line in text.splitlines() if re.search(r"\bpip\"? install\b", line)]
    assert len(installed) == 6
    for line in installed:
        assert "--require-hashes" in line or "--no-index --no-deps --no-build-isolation" in line


def test_what_jobs_install_is_what_is_tested_here_with_hashes() -> None:
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    locked = dict(re.findall(r"^([\w.-]+)==(\S+) \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE))
    assert len(locked) == text.count("==")
    tested = re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    versions = {canonical(name): version for name, version in tested}
    assert {canonical(name): version for name, version in locked.items()}.items() <= versions.items()
    assert needed({"ordercloud-reconciler", "hatchling"}) - {"ordercloud-reconciler"} <= set(map(canonical, locked))


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed(names: set[str]) -> set[str]:
    """These distributions with all that they need on this machine, extras apart."""
    found: set[str] = set()
    while names:
        found |= names
        lines = [line for name in names for line in requires(name) or ()]
        names = {canonical(re.split(r"[^\w.-]", line)[0]) for line in lines if ";" not in line} - found
    return found


def secrets_of(value: Any) -> set[str]:
    return set(re.findall(r"secrets\.(\w+)|\$\((?:OC|RECONCILER)_(\w+)\)", json.dumps(value)))


def test_jobs_of_a_pull_request_name_no_secret() -> None:
    review = loaded(ROOT / "ci" / "github" / "api-clients.yml")["jobs"]["review"]
    assert (secrets_of(review), "environment" in review) == (set(), False)
    assert "env" not in loaded(ROOT / "ci" / "github" / "api-clients.yml")
    stage = loaded(ROOT / "ci" / "azure-pipelines.yml")["stages"][0]
    assert (stage["stage"], "variables" in stage) == ("review", False)
    assert "group" not in json.dumps(loaded(ROOT / "ci" / "azure-pipelines.yml")["variables"])
    job = loaded(GITLAB)["reconciler:review"]
    assert "environment" not in job


def test_the_jobs_of_the_cluster_run_our_commands_without_privileges() -> None:
    from reconciler.cli.main import cli
    from reconciler.cli.options import Common

    claim, *jobs = YAML(typ="safe").load_all(KUBERNETES.read_text(encoding="utf-8"))
    assert [job["spec"]["schedule"] for job in jobs] == ["0 2 * * *", "10 2 * * *", "30 3 * * 0"]
    for job in jobs:
        spec = job["spec"]
        assert (job["kind"], spec["timeZone"], spec["concurrencyPolicy"]) == ("CronJob", "Etc/UTC", "Forbid")
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsUser"]
        assert not pod["automountServiceAccountToken"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        (volume,) = pod["volumes"]
        assert volume["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        assert container["volumeMounts"] == [{"name": volume["name"], "mountPath": "/repository/.reconciler"}]
        name, *arguments = container["args"]
        with cli.make_context("reconciler", container["args"], obj=Common()) as context:
            command = cli.get_command(context, name)
            assert command is not None
            command.make_context(name, arguments, parent=context)


def test_the_image_is_pinned_and_does_not_run_as_root() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    (base,) = (line for line in lines if line.startswith("ARG"))
    assert re.fullmatch(r"ARG BASE=python:\d+\.\d+\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    assert {line for line in lines if line.startswith("FROM")} == {"FROM ${BASE} AS build", "FROM ${BASE}"}
    assert [line for line in lines if line.startswith("USER")] == ["USER 65532:65532"]
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    assert [name for name in copied if not (ROOT / name).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {name.strip("!/") for name in ignored if name.startswith("!")} == set(copied)


def test_the_hook_of_pre_commit_runs_our_command_also_after_a_deletion_and_installs_nothing() -> None:
    (hook,) = loaded(ROOT / ".pre-commit-hooks.yaml")
    assert (hook["entry"], hook["language"]) == ("reconciler validate", "system")
    assert (hook["always_run"], hook["pass_filenames"], "files" in hook) == (True, False, False)


def test_python_in_a_recipe_imports_nothing_of_the_checkout() -> None:
    for path in (ACTION, *WORKFLOWS, GITLAB, *AZURE):
        called = re.findall(r"(?i:python)3?\"? (-.*)", "\n".join(scripts(loaded(path))))
        assert [line for line in called if not line.startswith("-I ")] == []


def test_jobs_that_keep_the_state_of_an_environment_wait_for_one_another() -> None:
    jobs = {name: job for name, job in loaded(GITLAB).items() if isinstance(job, dict) and "cache" in job}
    kept = {name: job for name, job in jobs.items() if job["cache"].get("policy") != "pull"}
    assert jobs.keys() - kept.keys() == {"reconciler:history"}
    groups = {job["resource_group"] for job in kept.values()}
    assert groups == {"reconciler-$ENVIRONMENT", "reconciler-staging", "reconciler-$RECONCILER_ROLLBACK"}


def test_the_environments_of_a_project_that_includes_the_recipe_have_its_form() -> None:
    (example,) = re.findall(r"^#   (\.environments: .*?)   #", GITLAB.read_text(encoding="utf-8"), re.MULTILINE)
    recipe = loaded(GITLAB)
    assert YAML(typ="safe").load(example) == {".environments": recipe[".environments"]}
    jobs = {name: job["extends"] for name, job in recipe.items() if isinstance(job, dict) and "extends" in job}
    named = {name for name, extended in jobs.items() if ".environments" in extended}
    assert named == {"reconciler:apply", "reconciler:approve", "reconciler:drift"}


def test_every_environment_has_a_valid_name_of_a_stage() -> None:
    from tests.ci.azure import GIVEN, PIPELINE, expanded

    (template,) = PIPELINE["stages"][1].values()
    for stage in template:
        found = expanded(stage, {**GIVEN, "environment": "eu-west"})
        assert re.fullmatch(r"[a-z]+_eu_west", found["stage"])
        assert "_eu-west" not in json.dumps(found).replace("api-clients-eu-west", "")
