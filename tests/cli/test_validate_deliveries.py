"""Where a secret may be delivered to, judged by `validate` and by every command that could write it."""

import json
import os
from pathlib import Path

import pytest

from reconciler.manifests.git import InGit, in_git
from reconciler.model.json import Json
from tests.cli.conftest import Project, Runner, git


def deliver(project: Project, *deliveries: Json, name: str = "front") -> None:
    path = project.manifest(name, AccessTokenDuration=600)
    secrets: Json = [{"name": "primary", "deliver": list(deliveries)}]
    path.write_text(json.dumps(json.loads(path.read_text()) | {"secrets": secrets}))


def environments(project: Project, *names: str, **more: Json) -> None:
    document = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(**{name: document | {"values": {"name": name}} | more for name in names})


@pytest.mark.sample(17)
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../reconciler.yaml", "is an input or a file of the reconciler"),
        ("../RECONCILER.yaml", "is an input or a file of the reconciler"),
        ("front.yaml", "is an input or a file of the reconciler"),
        ("new.YML", "is an input or a file of the reconciler"),
        ("deep/new.json", "is an input or a file of the reconciler"),
        ("../overlays/new.yaml", "is an input or a file of the reconciler"),
        ("../to-the-configuration", "is an input or a file of the reconciler"),
        ("../.git/config", "is below .git"),
        ("../.git/hooks/post-checkout", "is below .git"),
        ("../sub/.GIT/config", "is below .git"),
        ("../.g\u200dit/config", "is below .git"),
        ("../to-git/config", "is below .git"),
        ("../.github/workflows/x.yaml", "is below .github"),
        ("../.GitHub/x", "is below .github"),
        ("..", "names no file"),
        ("../../elsewhere", "is outside the folder of the configuration"),
        ("../round/round", "is outside the folder of the configuration"),
    ],
)
@pytest.mark.parametrize("kind", ["file", "envFile", "kubernetesSecret"])
def test_no_secret_is_delivered_over_what_is_read_from(
    project: Project, run: Runner, path: str, said: str, kind: str
) -> None:
    environments(project, "test", overlays=["overlays/"])
    (project.folder / "overlays").mkdir()
    for link, target in (("to-git", ".git"), ("to-the-configuration", "reconciler.yaml"), ("round", "round")):
        (project.folder / link).symlink_to(target)
    (project.folder / ".git").mkdir()
    entries: dict[str, Json] = {
        "file": {"file": path},
        "envFile": {"envFile": path, "variable": "A"},
        "kubernetesSecret": {"kubernetesSecret": {"file": path, "name": "a", "key": "a"}},
    }
    deliver(project, entries[kind])
    before = (project.folder / "reconciler.yaml").read_text()
    project.writes()
    for arguments in (["validate"], ["apply", "--auto-approve"], ["secrets", "rotate", "ApiClient/front"]):
        done = run(*arguments)
        assert (done.code, said in done.out + done.err) == (1, True)
    assert ((project.folder / "reconciler.yaml").read_text(), project.writes()) == (before, [])


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../credentials.txt", "is an input or a file of the reconciler"),
        ("../to-the-credentials", "is an input or a file of the reconciler"),
        ("../seed.json", "is an input or a file of the reconciler"),
        ("../state.db", "is an input or a file of the reconciler"),
        ("../runs/20261124T170306.104233Z-9f3c.jsonl", "is an input or a file of the reconciler"),
        ("../runs/test.lock", "is an input or a file of the reconciler"),
        ("../.reconciler/notified.json", "is below .reconciler"),
        ("../client.txt", "is read as a secret, at manifests/reads.yaml:1:"),
    ],
)
def test_no_secret_is_delivered_over_what_any_environment_of_the_run_needs(
    project: Project, run: Runner, path: str, said: str
) -> None:
    environments(project, "test")
    document = json.loads((project.folder / "reconciler.yaml").read_text())
    login = {"clientId": "x", "clientSecret": {"fromFile": "credentials.txt"}}
    document["environments"]["live"] = {"region": "us-west", "stage": "production", "marketplace": "m", "auth": login}
    document["environments"]["try"] = {"emulator": {"seed": "seed.json", "state": "state.db"}}
    (project.folder / "reconciler.yaml").write_text(json.dumps(document | {"journal": {"folder": "runs"}}))
    (project.folder / "to-the-credentials").symlink_to("credentials.txt")
    project.manifest("reads", AccessTokenDuration=600, ClientSecret={"fromFile": "../client.txt"})
    deliver(project, {"file": path})
    for arguments in (["validate"], ["apply", "--auto-approve"], ["secrets", "rotate", "ApiClient/front"]):
        done = run(*arguments, "--env", "test")
        assert (done.code, said in done.out + done.err) == (1, True)
    assert project.writes() == []


def test_no_secret_is_delivered_over_a_file_that_the_command_line_names(project: Project, run: Runner) -> None:
    environments(project, "test")
    deliver(project, {"file": "../named.json"})
    named = str(project.folder / "named.json")
    assert run("plan", "--out", named).code == 0
    project.writes()
    for arguments in (
        ["apply", named],
        ["apply", "--auto-approve", "--receipt", named],
        ["apply", "--auto-approve", "--into", f"json={named}"],
    ):
        done = run(*arguments)
        assert (done.code, "is an input or a file of the reconciler" in done.err) == (1, True)
    assert project.writes() == []


@pytest.fixture
def repository(project: Project) -> Project:
    """The project in a git repository whose top is the folder above, with a file that is tracked."""
    (project.folder / "known").write_text("kept")
    (project.folder / ".gitignore").write_text("/ignored/\n")
    git(project.folder, "init", "-q")
    git(project.folder, "add", "known", ".gitignore", "manifests")
    return project


def test_no_secret_is_delivered_to_a_file_that_git_tracks(repository: Project, run: Runner) -> None:
    (repository.folder / "link").symlink_to("known")
    deliver(repository, {"file": "../known"}, {"envFile": "../link", "variable": "A"})
    done = run("apply", "--auto-approve")
    assert (done.code, (repository.folder / "known").read_text()) == (1, "kept")
    assert "file known is tracked by git, so the secret would be committed" in done.err
    assert "variable A in link is tracked by git" in done.err
    assert "git rm --cached :/known" in done.err


def test_no_secret_is_delivered_where_git_does_not_say_what_it_tracks(repository: Project, run: Runner) -> None:
    (repository.folder / ".git" / "index").write_bytes(b"broken")
    deliver(repository, {"file": "../known"}, {"file": "../secrets/front"})
    for arguments in (["validate"], ["plan"], ["apply", "--auto-approve"], ["secrets", "rotate", "ApiClient/front"]):
        done = run(*arguments)
        said = done.out + done.err
        assert (done.code, (repository.folder / "known").read_text()) == (1, "kept")
        assert said.count("may be tracked by git, and the secret committed: git failed") == 2
        assert "repair the checkout" in said


def test_a_tracked_file_is_known_among_more_than_the_arguments_of_a_command_and_in_other_case(
    repository: Project,
) -> None:
    deep = "/".join(["l" * 250] * 9)
    many = [repository.folder / deep / str(number) for number in range(1000)]
    known, other = repository.folder / "known", repository.folder / "KNOWN"
    found = in_git([*many, known, other])
    assert found[known] == InGit("/known", is_tracked=True)
    assert found[other] == InGit("/KNOWN", is_tracked=True)
    assert found[many[0]] == InGit(f"/{deep}/0", is_tracked=False)


def test_what_git_does_not_ignore_is_warned_of_with_the_line_that_is_missing(repository: Project, run: Runner) -> None:
    deliver(repository, {"file": "../secrets/front"}, {"file": "../ignored/front"}, {"githubOutput": "x"})
    done = run("validate")
    assert done.code == 0
    assert "file secrets/front is not ignored by git, so the secret could be committed" in done.out
    assert "add this line to .gitignore: /secrets/front" in done.out
    assert "ignored/front" not in done.out
    assert "/secrets/front" in run("plan").err
    (repository.folder / ".gitignore").write_text("/ignored/\n/secrets/front\n")
    assert "gitignore" not in run("validate").out


def test_outside_of_a_repository_git_is_of_no_account(project: Project, run: Runner) -> None:
    deliver(project, {"file": "../secrets/front"})
    assert "git" not in run("validate").out


def test_git_runs_nothing_when_it_is_asked_about_deliveries(
    repository: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = repository.folder / "planted"
    trap = repository.folder / "trap.sh"
    trap.write_text(f"#!/bin/sh\ntouch '{planted}'\ncat\n")
    trap.chmod(0o755)
    git(repository.folder, "config", "core.fsmonitor", str(trap))
    git(repository.folder, "config", "filter.x.clean", str(trap))
    (repository.folder / ".gitattributes").write_text("* filter=x\n")
    inner = repository.folder / "inner"  # a bare repository, as ordinary files of the outer one
    git(repository.folder, "init", "-q", "--bare", "inner")
    git(inner, "config", "core.fsmonitor", str(trap))
    git(inner, "config", "core.worktree", ".")
    deliver(repository, {"file": "../known"}, {"file": "../inner/front"})
    os.utime(repository.folder / "known", (1, 1))
    planted.unlink(missing_ok=True)  # the commands above are git's own, and may have sprung the trap
    monkeypatch.setenv("GIT_DIR", str(inner))
    done = run("validate")
    assert "file known is tracked by git" in done.out
    assert "add this line to .gitignore: /inner/front" in done.out
    assert not planted.exists()


def test_two_environments_do_not_share_a_file(project: Project, run: Runner) -> None:
    environments(project, "staging", "production")
    deliver(project, {"file": "../secrets/front"}, {"githubOutput": "front"}, {"command": ["true"]})
    for arguments in (["validate"], ["plan", "--env", "staging"]):
        done = run(*arguments)
        assert done.code == 1
        told = done.out + done.err
        assert told.count("the secrets of production, staging would all be delivered to file secrets/front") == 1
        assert told.count("duplicate-delivery") == 1


@pytest.mark.parametrize("how", ["values", "overlay"])
def test_each_environment_has_a_file_of_its_own_by_a_value_or_an_overlay(
    project: Project, run: Runner, how: str
) -> None:
    environments(project, "staging", "production")
    deliver(project, {"file": "../secrets/${values.name}" if how == "values" else "../secrets/front"})
    if how == "overlay":
        document = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]
        document["production"]["overlays"] = ["overlays/"]
        project.configure(**document)
        overlay: dict[str, Json] = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "front"}}
        overlay["secrets"] = [{"name": "primary", "deliver": [{"file": "../secrets/other"}]}]
        (project.folder / "overlays").mkdir()
        (project.folder / "overlays" / "front.yaml").write_text(json.dumps(overlay))
    assert run("validate").code == 0


def test_the_path_of_a_generated_secret_takes_values_too(project: Project, run: Runner) -> None:
    environments(project, "staging", "production")
    secret: Json = {"generate": True, "deliver": [{"file": "../secrets/${values.name}"}]}
    project.manifest("front", ClientSecret=secret)
    assert run("validate").code == 0
    assert "secrets/staging" in run("show", "--resolved", "--env", "staging").out
    secret = {"generate": True, "deliver": [{"file": "../secrets/${values.nam}"}]}
    project.manifest("front", ClientSecret=secret)
    assert "values.nam is not defined" in run("validate").out


def test_a_whole_file_and_one_of_its_variables_are_one_place(project: Project, run: Runner) -> None:
    Path("link").symlink_to(".env")
    deliver(project, {"file": "../.env"}, {"envFile": "../link", "variable": "A"})
    assert "variable A in link is also the target of another secret" in run("validate").out


def test_what_the_tool_keeps_is_ignored_by_git_without_anybody_else_saying_so(project: Project, run: Runner) -> None:
    git(project.folder, "init", "-q")
    project.manifest("front", AccessTokenDuration=60)
    assert run("apply", "--auto-approve").code == 0
    assert list((project.folder / ".reconciler" / "runs").iterdir())
    assert ".reconciler" not in git(project.folder, "status", "--porcelain", "--untracked-files=all")


def test_the_folder_of_the_tool_is_not_made_through_a_link(project: Project, run: Runner, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (project.folder / ".reconciler").symlink_to("elsewhere")
    project.manifest("front", AccessTokenDuration=60)
    project.writes()
    done = run("apply", "--auto-approve")
    assert (done.code, project.writes(), list((tmp_path / "elsewhere").iterdir())) == (1, [], [])
    assert ".reconciler is a symbolic link" in done.err
