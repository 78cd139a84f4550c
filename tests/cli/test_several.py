import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.cli.documents import DRIFTS, PLANS
from reconciler.render.joining import SEVERAL
from tests.cli.conftest import Project, Runner

if TYPE_CHECKING:
    from reconciler.model.json import Json


@pytest.fixture
def three(project: Project) -> Project:
    """Three environments: in step, with a change by an overlay, and one whose marketplace is another."""
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    changed, wrong = target | {"overlays": ["overlays"]}, target | {"marketplace": "another"}
    project.configure(good=target, changed=changed, wrong=wrong)
    (project.folder / "overlays").mkdir()
    overlay = {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "front"}}
    text = json.dumps(overlay | {"spec": {"AccessTokenDuration": 60}})
    (project.folder / "overlays" / "front.yaml").write_text(text)
    return project


def test_each_environment_has_its_plan_and_all_have_one_table(three: Project, run: Runner) -> None:
    done = run("plan", "--env", "good", "--env", "changed")
    assert done.code == 0
    first, second, last = done.out.split("=== ")[1:]
    assert first.startswith("good ===\n\nEnvironment good: ")
    assert "AccessTokenDuration  600 -> 60" in second
    assert last.splitlines()[2:4] == ["                 good     changed", "ApiClient/front  in step  differs"]
    assert last.endswith("\n2 environments: 1 in step, 1 with changes, 0 failed.\n")
    assert three.writes() == []


def test_an_error_stands_in_its_place_and_does_not_stop_the_others(three: Project, run: Runner) -> None:
    done = run("plan", "--env", "wrong", "--env", "good", "--detailed-exitcode")
    assert done.code == 3
    assert "=== wrong ===\n\nerror: refused by a guard" in done.out
    assert "ApiClient/front  ?      in step" in done.out


@pytest.mark.parametrize(("command", "code"), [(["plan"], 3), (["drift"], 3), (["drift", "--only", "ApiClient/x"], 64)])
def test_all_environments_exit_with_the_worst_code(three: Project, run: Runner, command: list[str], code: int) -> None:
    assert run(*command, "--env-all").code == code


def test_drift_of_several_exits_with_2_when_there_is_any(three: Project, run: Runner) -> None:
    done = run("drift", "--env", "good", "--env", "changed")
    assert done.code == 2
    assert "AccessTokenDuration  live 600, wanted 60" in done.out


def test_as_json_every_plan_is_that_of_its_environment(three: Project, run: Runner) -> None:
    document = json.loads(run("plan", "--env-all", "--format", "json").out)
    good, changed, wrong = document["environments"]
    alone = json.loads(run("plan", "--env", "changed", "--format", "json").out)
    assert (changed["environment"], changed["plan"]["changes_digest"]) == ("changed", alone["changes_digest"])
    assert good["plan"]["summary"]["no_op"] == 1
    assert (wrong["error"]["exit_code"], "another" in wrong["error"]["message"]) == (3, True)
    states = {"good": "in-step", "changed": "differs", "wrong": "unknown"}
    assert (document["format_version"], document["matrix"]) == ("1.0", {"ApiClient/front": states})


def test_faults_of_one_environment_have_their_places_in_json(three: Project, run: Runner) -> None:
    (three.folder / "overlays" / "front.yaml").write_text("a: [")
    document = json.loads(run("plan", "--env", "good", "--env", "changed", "--format", "json").out)
    (fault,) = document["environments"][1]["error"]["diagnostics"]
    assert fault["place"]["file"] == "overlays/front.yaml"


def test_the_document_of_all_can_be_written_besides(three: Project, run: Runner) -> None:
    assert run("plan", "--env", "good", "--env", "changed", "--into", "json=all.json").code == 0
    assert set(json.loads(Path("all.json").read_text())) == {"format_version", "environments", "matrix"}


def test_one_environment_named_twice_is_one(three: Project, run: Runner) -> None:
    assert run("plan", "--env", "good", "--env", "good").out == run("plan", "--env", "good").out
    assert run("plan", "--env-all", "--config", "missing.yaml").code == 1


def test_a_warning_of_all_environments_is_told_once(three: Project, run: Runner) -> None:
    three.manifest("front", AccessTokenDuration=600, MaximumGrantedRoles=["NewRole"])
    done = run("plan", "--env", "good", "--env", "changed", "--allow-unknown-roles")
    assert [line.rpartition(" ")[2] for line in done.err.splitlines()] == ["[unknown-role]"]


def test_the_wish_for_all_outweighs_the_variable(three: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILER_ENV", "good")
    assert "3 environments: " in run("plan", "--env-all").out


def test_whatever_shows_one_environment_shows_several() -> None:
    assert set(SEVERAL) == set(PLANS) | set(DRIFTS)


# -- the list of environments --


def test_environments_are_listed_offline(three: Project, run: Runner) -> None:
    auth: Json = {"clientId": "id", "clientSecret": {"fromEnv": "NOT_SET"}}
    far: Json = {"region": "us-west", "stage": "staging", "marketplace": "shop", "auth": auth}
    three.configure(local={"emulator": {}}, far=far)
    assert run("environments").out.splitlines() == [
        "ENVIRONMENT  ADDRESS                           MARKETPLACE",
        "local        built-in emulator                 -",
        "far          https://stagingapi.ordercloud.io  shop",
    ]


def test_the_matrix_of_a_workflow_is_one_line(three: Project, run: Runner) -> None:
    expected = '{"include":[{"environment":"good"},{"environment":"changed"},{"environment":"wrong"}]}\n'
    assert run("environments", "--format", "github-matrix").out == expected
    assert run("environments", "--env", "wrong", "--format", "github-matrix").out.count("environment") == 1


def test_the_default_environment_is_marked(project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("environments").out.splitlines()[1].endswith("emulator     (default)")
    project.configure(a={"emulator": {}}, b={"emulator": {}})
    monkeypatch.setenv("RECONCILER_ENV", "b")
    listed = json.loads(run("environments", "--format", "json").out)
    assert [(one["name"], one["emulator"], one["default"]) for one in listed["environments"]] == [
        ("a", True, False),
        ("b", True, True),
    ]


def test_an_environment_that_is_not_there_is_wrong_usage(project: Project, run: Runner) -> None:
    assert run("environments", "--env", "tset").code == 64
