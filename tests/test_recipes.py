"""The recipes for CI systems: well-formed for the system, sound as shell, and run against the emulator."""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import requires
from pathlib import Path
from typing import Any

import pytest
from check_jsonschema import main as check_jsonschema  # type: ignore[import-untyped]  # it has no types
from click.testing import CliRunner
from ruamel.yaml import YAML

from tests.cli.conftest import FRONT, Project, bare_environment, git, project, served

__all__ = ["bare_environment", "project", "served"]

ROOT = Path(__file__).parents[1]
ACTION = ROOT / "action.yml"
WORKFLOW = ROOT / "ci" / "github" / "api-clients.yml"
GITLAB = ROOT / "ci" / "gitlab.yml"
AZURE = ROOT / "ci" / "azure-pipelines.yml"
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
            elif key in {"script", "before_script"}:
                yield "\n".join(member)
            else:
                yield from scripts(member)


@pytest.mark.parametrize(
    ("path", "arguments"),
    [
        (ACTION, ["vendor.github-actions"]),
        (WORKFLOW, ["vendor.github-workflows"]),
        (GITLAB, ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"]),
        # the schema has a pattern that is none with the `u` flag
        (AZURE, ["vendor.azure-pipelines", "--data-transform", "azure-pipelines", "--regex-variant", "nonunicode"]),
    ],
)
def test_a_recipe_is_what_its_system_reads(path: Path, arguments: list[str]) -> None:
    done = CliRunner().invoke(check_jsonschema, ["--builtin-schema", *arguments, str(path)])
    assert done.exit_code == 0, done.output


def test_every_script_of_every_recipe_is_sound_shell(tmp_path: Path) -> None:
    files = []
    for path in (ACTION, WORKFLOW, GITLAB, AZURE):
        for number, script in enumerate(scripts(loaded(path))):
            file = tmp_path / f"{path.stem}-{number}.sh"
            file.write_text(f"#!/usr/bin/env bash\n{script}\n", encoding="utf-8")
            files.append(str(file))
    assert len(files) > 10
    # SC1091: a file that is made on the runner cannot be followed here
    checker = Path(sys.executable).with_name("shellcheck")
    done = subprocess.run([checker, "--exclude=SC1091", *files], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", [ACTION, WORKFLOW])
def test_no_expression_of_github_is_part_of_a_script(path: Path) -> None:
    assert [script for script in scripts(loaded(path)) if EXPRESSION.search(script)] == []


def test_every_input_of_the_action_is_used_and_every_use_is_declared() -> None:
    action = loaded(ACTION)
    used = set(re.findall(r"inputs\.([a-z-]+)", json.dumps(action["runs"])))
    assert used == set(action["inputs"])
    steps = loaded(WORKFLOW)["jobs"].values()
    given = [step.get("with", {}) for job in steps for step in job["steps"] if "reconciler" in step.get("uses", "")]
    assert len(given) == 8
    assert {name for one in given for name in one} <= set(action["inputs"])


def commands(path: Path) -> Iterator[list[str]]:
    """Every command line of ours in a recipe's scripts."""
    for script in scripts(loaded(path)):
        for line in script.replace("\\\n", " ").splitlines():
            found = re.match(r"\s*(reconciler [a-z].*)", line)
            if found:
                words = shlex.split(found[1])
                yield words[1 : words.index("||")] if "||" in words else words[1:]


@pytest.mark.parametrize("words", [*commands(GITLAB), *commands(AZURE)], ids=" ".join)
def test_every_command_of_a_template_exists_with_its_options(words: list[str]) -> None:
    from reconciler.cli.main import cli
    from reconciler.cli.options import Common

    with cli.make_context("reconciler", words, obj=Common()) as context:
        command = cli.get_command(context, words[0])
        assert command is not None
        command.make_context(words[0], words[1:], parent=context)


def test_the_jobs_of_the_cluster_run_our_commands_without_privileges() -> None:
    from reconciler.cli.main import cli
    from reconciler.cli.options import Common

    jobs = list(YAML(typ="safe").load_all(KUBERNETES.read_text(encoding="utf-8")))
    assert [job["spec"]["schedule"] for job in jobs] == ["0 2 * * *", "30 3 * * 0"]
    for job in jobs:
        spec = job["spec"]
        assert (job["kind"], spec["timeZone"], spec["concurrencyPolicy"]) == ("CronJob", "Etc/UTC", "Forbid")
        pod = spec["jobTemplate"]["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert not pod["automountServiceAccountToken"]
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
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


def test_the_image_installs_nothing_without_its_hash() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").replace("&&", "\n")
    installed = [line for line in text.splitlines() if re.search(r"\bpip install\b", line)]
    assert ["--require-hashes" in line for line in installed] == [True, False]
    assert "--no-index --no-deps --no-build-isolation" in installed[1]


def test_what_is_installed_with_hashes_is_what_is_tested_here() -> None:
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


def test_the_hook_of_pre_commit_runs_our_command_also_after_a_deletion_and_installs_nothing() -> None:
    (hook,) = loaded(ROOT / ".pre-commit-hooks.yaml")
    assert (hook["entry"], hook["language"]) == ("reconciler validate", "system")
    assert (hook["always_run"], hook["pass_filenames"], "files" in hook) == (True, False, False)


# ----------------------------------------------------------------------------------------------------- the action, run


class Runner:
    """Runs steps of the action as GitHub's runner does, and a little stricter: with `-u`."""

    def __init__(self, folder: Path, bin_folder: Path) -> None:
        self.folder = folder
        self.temporary = folder / "runner"
        self.temporary.mkdir()
        self.steps = {step["name"]: step for step in loaded(ACTION)["runs"]["steps"]}
        self.path = f"{bin_folder}:{Path(sys.executable).parent}:{os.environ['PATH']}"

    def run(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        step = self.steps[name]
        declared = dict.fromkeys(step["env"], "")
        assert set(variables) <= set(declared)
        files = {f"GITHUB_{name}": str(self.temporary / name) for name in ("OUTPUT", "STEP_SUMMARY")}
        environment = {
            **os.environ,
            "PATH": self.path,
            "RUNNER_TEMP": str(self.temporary),
            **files,
            **declared,
            **variables,
        }
        command = ["bash", "--noprofile", "--norc", "-eu", "-o", "pipefail", "-c", step["run"]]
        return subprocess.run(command, cwd=self.folder, env=environment, check=False, capture_output=True, text=True)

    def command(self, name: str, **variables: str) -> subprocess.CompletedProcess[str]:
        (self.temporary / "OUTPUT").unlink(missing_ok=True)
        return self.run("Run", COMMAND=name, **{"PLAN_FILE": "plan.json", **variables})

    @property
    def outputs(self) -> Mapping[str, str]:
        lines = (self.temporary / "OUTPUT").read_text(encoding="utf-8").splitlines()
        return dict(line.split("=", 1) for line in lines)

    @property
    def summary(self) -> str:
        return (self.temporary / "STEP_SUMMARY").read_text(encoding="utf-8")


@pytest.fixture
def runner(project: Project, tmp_path: Path) -> Runner:
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    return Runner(project.folder, bin_folder)


def test_the_action_plans_applies_the_very_plan_and_reports_drift(project: Project, runner: Runner) -> None:
    project.manifest("front", AccessTokenDuration=300)
    planned = runner.command("plan", ENVIRONMENT="test")
    assert (planned.returncode, runner.outputs["exit-code"], runner.outputs["changes"]) == (0, "2", "true"), (
        planned.stderr
    )
    assert runner.summary.startswith("<!-- reconciler:plan:test -->\n## Plan for `test`: 1 change\n")
    assert "::notice " in planned.stdout
    applied = runner.command("apply", RECEIPT_FILE="receipt.json")
    assert (applied.returncode, runner.outputs["exit-code"]) == (0, "0"), applied.stderr
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", {"AccessTokenDuration": 60})
    drifted = runner.command("drift", RECEIPT_FILE="receipt.json", BASELINE_FILE="")
    assert (drifted.returncode, runner.outputs["changes"]) == (2, "true"), drifted.stderr
    assert "live drifted" in runner.summary


def test_the_action_plans_from_a_snapshot_and_refuses_unknown_commands(project: Project, runner: Runner) -> None:
    assert runner.command("snapshot", SNAPSHOT_FILE="s.json").returncode == 0
    planned = runner.command("plan", SNAPSHOT_FILE="s.json", ENVIRONMENT="test")
    assert (planned.returncode, runner.outputs["changes"]) == (0, "false"), planned.stderr
    assert runner.command("; echo planted").returncode == 64


def test_a_failed_command_fails_the_step_and_still_has_its_document(project: Project, runner: Runner) -> None:
    project.manifest("front", Activ=True)
    done = runner.command("validate")
    assert (done.returncode, runner.outputs["exit-code"], runner.outputs["changes"]) == (1, "1", "false")
    assert Path(runner.outputs["document"]).is_file()
    assert "::error " in done.stdout


GH = r"""#!/usr/bin/env bash
# Plays `gh api`: comments are the lines of a file, as the filter gives them; what is written is appended to a log.
set -eu
cd "$(dirname "$0")"
if [ "${4:-}" = --jq ]; then
  cat comments
else
  printf '%s\n' "$*" >> log
fi
"""


@pytest.mark.parametrize(
    ("comments", "request_line"),
    [
        ("", "--method POST repos/o/r/issues/7/comments"),
        (
            '[1, "User", "<!-- m -->\\nmine!"]\n[2, "Bot", "another"]\n',
            "--method POST repos/o/r/issues/7/comments",
        ),
        (
            '[3, "Bot", "<!-- m -->\\nold"]\n[4, "Bot", "<!-- m -->\\nolder"]\n',
            "--method PATCH repos/o/r/issues/comments/3",
        ),
    ],
)
def test_the_comment_of_a_bot_is_updated_and_nobody_elses(
    runner: Runner, tmp_path: Path, comments: str, request_line: str
) -> None:
    gh = tmp_path / "bin" / "gh"
    gh.write_text(GH, encoding="utf-8")
    gh.chmod(0o755)
    (tmp_path / "bin" / "comments").write_text(comments, encoding="utf-8")
    document = tmp_path / "plan.md"
    document.write_text("<!-- m -->\nnew\n", encoding="utf-8")
    done = runner.run("Comment on the pull request", REPOSITORY="o/r", NUMBER="7", DOCUMENT=str(document), GH_TOKEN="t")
    assert done.returncode == 0, done.stderr
    log = (tmp_path / "bin" / "log").read_text(encoding="utf-8")
    assert log == f"api --silent {request_line} --field body=@{document}\n"


def test_a_merge_that_holds_more_than_was_reviewed_is_not_applied(runner: Runner, tmp_path: Path) -> None:
    """And one that holds the same, as a squash does, goes back to the commit of the plan."""
    origin = tmp_path / "origin"
    origin.mkdir()
    git(origin, "init", "--quiet", "--initial-branch", "main")
    (origin / "a").write_text("1")
    git(origin, "add", "a")
    git(origin, "commit", "--quiet", "--message", "first")
    git(origin, "checkout", "--quiet", "-b", "topic")
    (origin / "a").write_text("2")
    git(origin, "commit", "--quiet", "--all", "--message", "reviewed")
    reviewed = git(origin, "rev-parse", "HEAD")
    git(origin, "checkout", "--quiet", "main")
    git(origin, "merge", "--quiet", "--squash", "topic")
    git(origin, "commit", "--quiet", "--message", "squashed")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")
    runner.folder = tmp_path / "clone"
    git(tmp_path, "clone", "--quiet", str(origin), str(runner.folder))
    name = "Go back to the commit that was reviewed"
    done = runner.run(name, REVIEWED=reviewed)
    assert (done.returncode, git(runner.folder, "rev-parse", "HEAD")) == (0, reviewed), done.stderr
    git(runner.folder, "checkout", "--quiet", "main")
    (runner.folder / "a").write_text("3")
    git(runner.folder, "commit", "--quiet", "--all", "--message", "more")
    refused = runner.run(name, REVIEWED=reviewed)
    assert (refused.returncode, "::error title=Not what was reviewed::" in refused.stdout) == (4, True)
