"""Nothing that lies in a checkout is executed, whichever command asks git about it."""

import json
import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler.cli import main
from tests.cli.conftest import Project, Runner, git

HOSTILE = """\
[core]
    repositoryFormatVersion = 0
    bare = false
    worktree = {worktree}
    fsmonitor = {run}
    hooksPath = {hooks}
    sshCommand = {run}
    gitProxy = {run}
    pager = {run}
    editor = {run}
    askPass = {run}
    attributesFile = {folder}/attributes
[filter "evil"]
    clean = {run}
    smudge = {run}
    process = {run}
    required = true
[diff]
    external = {run}
[diff "evil"]
    textconv = {run}
    command = {run}
[remote "origin"]
    url = ext::{run} %S
    promisor = true
    partialCloneFilter = blob:none
    uploadpack = {run}
[extensions]
    partialClone = origin
[credential]
    helper = "!{run}"
[gpg]
    program = {run}
[include]
    path = {folder}/more
"""
ENVIRONMENT = (
    "GIT_EXTERNAL_DIFF",
    "GIT_SSH_COMMAND",
    "GIT_PROXY_COMMAND",
    "GIT_ASKPASS",
    "GIT_PAGER",
    "GIT_EDITOR",
)


@pytest.fixture
def hostile(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which everything that git can be made to run is configured; gives the file that this would make."""
    marker, shop = project.folder / "executed", project.folder / "shop"
    shop.mkdir()
    for name in ("reconciler.yaml", "manifests"):
        shutil.move(project.folder / name, shop / name)
    monkeypatch.chdir(shop)
    (shop / "bin").mkdir()
    script = shop / "bin" / "git"
    script.write_text(f'#!/bin/sh\necho "$0 $@" >> "{marker}"\nexit 1\n', encoding="utf-8")
    script.chmod(0o755)
    for folder in (project.folder, shop):
        (folder / ".gitattributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "--message", "first")
    shutil.copytree(project.folder / ".git", shop / "embedded")
    for name in ("HEAD", "config", "objects", "refs", "index"):  # a bare repository among ordinary files
        (shop / "embedded" / name).rename(shop / name)
    hooks = shop / "hooks"
    hooks.mkdir()
    for hook in ("post-index-change", "reference-transaction", "post-checkout", "fsmonitor-watchman"):
        shutil.copy(script, hooks / hook)
        shutil.copy(script, project.folder / ".git" / "hooks" / hook)
    more = HOSTILE.rpartition("[include]")[0]
    for folder, worktree in ((shop, "."), (project.folder / ".git", "..")):
        facts = {"run": script, "hooks": hooks, "folder": folder, "worktree": worktree}
        (folder / "config").write_text(HOSTILE.format(**facts), encoding="utf-8")
        (folder / "more").write_text(more.format(**facts), encoding="utf-8")
        (folder / "attributes").write_text("* filter=evil diff=evil\n", encoding="utf-8")
    for name in ENVIRONMENT:
        monkeypatch.setenv(name, str(script))
    for name, value in {"core.fsmonitor": script, "filter.evil.clean": script, "safe.bareRepository": "all"}.items():
        count = int(os.environ.get("GIT_CONFIG_COUNT", "0"))
        monkeypatch.setenv(f"GIT_CONFIG_KEY_{count}", name)
        monkeypatch.setenv(f"GIT_CONFIG_VALUE_{count}", str(value))
        monkeypatch.setenv("GIT_CONFIG_COUNT", str(count + 1))
    monkeypatch.setenv("GIT_DIR", str(shop))
    monkeypatch.setenv("GIT_TRACE", str(marker))
    monkeypatch.setenv("PATH", f"bin:.:{shop / 'bin'}:{os.environ['PATH']}")
    project.ask("PATCH", "/v1/apiclients/0000000F-0000-4000-8000-000000000000", {"AccessTokenDuration": 60})
    manifest = shop / "manifests" / "front.yaml"
    manifest.write_text(f"# another\n{manifest.read_text()}", encoding="utf-8")  # so that git would have to compare
    return marker


COMMANDS = (
    (["plan"], 0),
    (["plan", "--out", "plan.json", "--prune"], 3),
    (["drift"], 2),
    (["drift", "--write-back", "--write"], 0),
    (["apply", "--auto-approve"], 0),
    (["apply", "--auto-approve", "--require-tip", "main"], 4),
    (["adopt"], 0),
    (["secrets", "status"], 0),
    (["rollback", "last", "--auto-approve"], 64),
    (["export", "--out", "exported"], 0),
    (["export", "--write"], 0),
    (["import", "../seed.json"], 0),
    (["init", "new", "--region", "us-west", "--stage", "sandbox", "--marketplace", "my-shop"], 0),
    (["init", "--add-env", "next", "--region", "us-west", "--stage", "sandbox", "--marketplace", "my-shop"], 0),
    (["secrets", "rotate", "--due", "--auto-approve"], 0),
    (["doctor"], 0),
    (["validate"], 0),
    (["show", "--resolved"], 0),
    (["history"], 0),
    (["environments"], 0),
    (["snapshot", "--out", "snapshot.json"], 0),
)


WITHOUT_A_CHECKOUT = {"completion", "emulator", "explain", "schema", "version"}


def test_every_command_that_has_a_checkout_is_tried() -> None:
    assert {arguments[0] for arguments, _ in COMMANDS} | WITHOUT_A_CHECKOUT == {*main.COMMANDS}


@pytest.mark.sample(7)
@pytest.mark.parametrize(
    ("arguments", "code"), COMMANDS, ids=lambda one: " ".join(one) if isinstance(one, list) else ""
)
def test_no_command_executes_anything_of_a_checkout(
    hostile: Path, run: Runner, arguments: list[str], code: int
) -> None:
    done = run(*arguments)
    assert not hostile.exists(), hostile.read_text(encoding="utf-8")
    assert done.code == code, done.err


def test_a_plan_from_a_snapshot_and_a_saved_plan_execute_nothing_either(hostile: Path, run: Runner) -> None:
    run("snapshot", "--out", "snapshot.json")
    assert run("plan", "--from-snapshot", "snapshot.json").code == 0
    assert run("plan", "--out", "plan.json").code == 0
    assert run("apply", "plan.json").code == 0
    assert not hostile.exists(), hostile.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["validate", "plan"])
def test_where_a_delivery_goes_is_looked_up_without_executing_anything(
    hostile: Path, run: Runner, command: str
) -> None:
    manifest = Path("manifests/front.yaml")
    document = json.loads(manifest.read_text(encoding="utf-8").partition("\n")[2])
    document["secrets"] = [{"name": "primary", "deliver": [{"file": "secret.txt"}]}]
    manifest.write_text(json.dumps(document), encoding="utf-8")
    assert "not ignored" in (done := run(command)).out + done.err
    assert not hostile.exists(), hostile.read_text(encoding="utf-8")


def test_git_would_have_executed_it(hostile: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests above can fail: the same checkout runs the script where git is asked carelessly."""
    for name in ("GIT_DIR", "GIT_TRACE"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", os.environ["PATH"].partition(f"{Path.cwd() / 'bin'}:")[2])
    with suppress(subprocess.CalledProcessError):  # the script fails, and so git does
        git(Path.cwd(), "-c", "safe.bareRepository=all", "status", "--porcelain")
    assert hostile.exists()
