"""`--prune`: what it refuses, and that nothing is written then."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import BACK, FRONT, Project, Run, Runner


def limits(project: Project, **more: object) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=document | {"limits": {"deletes": 5}} | more)


def refused(project: Project, done: Run, code: int) -> None:
    assert (done.code, done.out, project.writes()) == (code, "", [])


def test_what_no_manifest_claims_is_deleted_where_it_is_asked_for_and_allowed(project: Project, run: Runner) -> None:
    limits(project)
    done = run("plan", "--prune")
    assert f'- delete ApiClient/{BACK} "back" (id {BACK}, not in any manifest)' in done.out
    assert "secrets and assignments" in done.out
    assert "it is the login client" in done.out
    assert run("apply", "--prune", "--auto-approve").code == 0
    assert project.writes() == ["DELETE"]
    assert run("plan", "--prune", "--detailed-exitcode").code == 0


def test_a_saved_plan_prunes_what_it_shows(project: Project, run: Runner) -> None:
    limits(project)
    run("plan", "--prune", "--out", "plan.json")
    assert (run("apply", "plan.json").code, project.writes()) == (0, ["DELETE"])


def test_it_needs_a_limit_of_deletions(project: Project, run: Runner) -> None:
    done = run("apply", "--prune", "--auto-approve")
    refused(project, done, 3)
    assert "limit-deletes: 1 resource would be deleted; limits.deletes allows 0" in done.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "ApiClient/front"], "cannot be combined with --only or --selector"),
        (["--selector", "team=web"], "cannot be combined with --only or --selector"),
        (["manifests"], "cannot be combined with PATHs"),
    ],
)
@pytest.mark.parametrize("command", ["plan", "apply"])
def test_a_part_of_the_manifests_is_not_enough(
    project: Project, run: Runner, command: str, arguments: list[str], said: str
) -> None:
    done = run(command, "--prune", *arguments)
    refused(project, done, 64)
    assert said in done.err


def test_a_saved_plan_does_not_take_it(project: Project, run: Runner) -> None:
    run("plan", "--out", "plan.json")
    refused(project, run("apply", "plan.json", "--prune"), 64)


def test_an_empty_file_may_be_a_manifest_that_was_lost(project: Project, run: Runner) -> None:
    (project.folder / "manifests" / "lost.yaml").write_text("# nothing\n", encoding="utf-8")
    done = run("apply", "--prune", "--auto-approve")
    refused(project, done, 1)
    assert "manifests/lost.yaml: error: the file is empty; correct or remove it before --prune" in done.err


def test_a_link_that_leads_nowhere_may_have_led_to_manifests(project: Project, run: Runner) -> None:
    (project.folder / "manifests" / "team").symlink_to("../gone")
    assert "manifests/team: warning: the symbolic link is broken" in run("validate").out
    done = run("apply", "--prune", "--auto-approve")
    refused(project, done, 1)
    assert "manifests/team: error: the symbolic link is broken" in done.err


def test_without_any_manifest_nothing_is_pruned(project: Project, run: Runner) -> None:
    (project.folder / "manifests" / "front.yaml").write_text("", encoding="utf-8")
    refused(project, run("apply", "--prune", "--auto-approve"), 1)


def test_a_file_that_cannot_be_read_prunes_nothing(project: Project, run: Runner) -> None:
    (project.folder / "manifests" / "broken.yaml").write_text("a: [", encoding="utf-8")
    refused(project, run("apply", "--prune", "--auto-approve"), 1)


@pytest.mark.parametrize("name", ["back", BACK, "ba*"])
def test_what_the_environment_protects_is_never_pruned(project: Project, run: Runner, name: str) -> None:
    limits(project, protected=[name])
    done = run("apply", "--prune", "--auto-approve")
    assert (done.code, project.writes()) == (0, [])
    assert f"ApiClient/{BACK} is in no manifest and is not pruned: it is protected" in done.err


def test_what_the_environment_protects_is_neither_deleted_nor_deactivated(project: Project, run: Runner) -> None:
    project.manifest("front", Active=False)
    limits(project, protected=["front"])
    done = run("apply", "--auto-approve", "--ack", "0" * 12)
    refused(project, done, 3)
    assert "protected: ApiClient/front is protected, and would be deactivated" in done.err
    assert project.ask("GET", f"/v1/apiclients/{FRONT}")["Active"] is True


def test_several_environments_are_pruned_each_by_itself(project: Project, run: Runner) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=document, other=document)
    shown = run("plan", "--prune", "--env-all").out
    assert (shown.count("not in any manifest)"), len(set(re.findall("--env .* --prune --ack .*", shown)))) == (1, 2)


def test_objects_of_a_kind_that_has_lost_its_last_manifest_are_not_seen_which_is_said(
    project: Project, run: Runner
) -> None:
    said = "--prune covers only ApiClient; add others that this service has to manage: in reconciler.yaml"
    assert said in run("plan", "--prune").out
    assert said not in run("plan").out
