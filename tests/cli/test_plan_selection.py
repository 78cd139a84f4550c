import json
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import BACK, FRONT, Project, Runner


@pytest.fixture
def two(project: Project) -> Project:
    """Two manifests that are out of step, with labels."""
    for name, team in (("front", "web"), ("back", "desk")):
        path = project.manifest(name, AccessTokenDuration=60)
        document = json.loads(path.read_text(encoding="utf-8"))
        document["metadata"]["labels"] = {"team": team, "tier": "1"}
        path.write_text(json.dumps(document), encoding="utf-8")
    return project


@pytest.mark.parametrize(
    "arguments", [["--only", "ApiClient/f*"], ["--selector", "team=web"], ["--selector", "team=web,tier=1"]]
)
def test_a_part_is_planned_and_it_is_said_what_was_left_out(two: Project, run: Runner, arguments: list[str]) -> None:
    done = run("plan", *arguments)
    assert done.code == 0
    assert f"~ update ApiClient/front (id {FRONT}, " in done.out
    assert BACK not in done.out
    assert f"    1 of 2 resources and 1 unmanaged were left out by {' '.join(arguments)}\n" in done.out
    assert "0 to create, 1 to update, 0 to delete; 0 in step, 0 unmanaged" in done.out


def test_drift_is_told_of_a_part(two: Project, run: Runner) -> None:
    assert run("drift", "--only", "*/back").code == 2
    assert run("apply", "--only", "*/back", "--auto-approve").code == 0
    assert run("drift", "--only", "*/back").code == 0
    assert run("drift").code == 2


def test_apply_writes_what_is_selected_and_nothing_else(two: Project, run: Runner) -> None:
    done = run("apply", "--auto-approve", "--selector", "team=desk", "--format", "json")
    assert [one["address"] for one in json.loads(done.out)["outcomes"]] == ["ApiClient/back"]
    assert two.writes() == ["PUT"]


def saved(run: Runner, *arguments: str) -> Any:
    run("plan", "--out", "plan.json", *arguments)
    return json.loads(Path("plan.json").read_text(encoding="utf-8"))


def test_a_saved_plan_keeps_its_selection_under_its_digest(two: Project, run: Runner) -> None:
    globs = ["--only", "*/front", "--only", "*/back", "--only", "*/front"]
    document = saved(run, *globs, "--selector", "tier=1", "--selector", "team=web")
    assert document["selection"] == {
        "only": ["*/back", "*/front"],
        "selector": {"team": "web", "tier": "1"},
        "paths": [],
    }
    text = Path("plan.json").read_text(encoding="utf-8")
    Path("plan.json").write_text(text.replace("*/back", "*/bock"), encoding="utf-8")
    assert run("apply", "plan.json").code == 4


def test_a_plan_of_everything_says_so(two: Project, run: Runner) -> None:
    assert saved(run)["selection"] == {"only": [], "selector": {}, "paths": []}


def test_a_saved_plan_is_applied_without_options_and_takes_none(two: Project, run: Runner) -> None:
    saved(run, "--only", "*/front")
    refused = run("apply", "plan.json", "--only", "*/front")
    assert (refused.code, two.writes()) == (64, [])
    assert "cannot be used with a saved plan" in refused.err
    assert run("apply", "plan.json").code == 0
    assert two.writes() == ["PUT"]


def test_an_object_without_a_manifest_is_selected_by_its_id(two: Project, run: Runner) -> None:
    done = run("plan", "--only", "ApiClient/00000000-*")
    assert "ApiClient/00000000-0000-0000-0000-00000000AD01" in done.out
    assert "0 resources are in step, 1 unmanaged" in done.out
    assert run("plan", "--only", "ApiClient/dead*").code == 1


@pytest.mark.parametrize("command", ["plan", "apply", "drift"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "ApiClient/fornt"], "did you mean ApiClient/front?"),
        (["--only", "front"], "did you mean ApiClient/front?"),
        (["--selector", "taem=web"], "did you mean team?"),
        (["--selector", "team"], "'team' is not LABEL=VALUE"),
        (["--selector", "=web"], "'=web' is not LABEL=VALUE"),
        (["--selector", "team=web,"], "'' is not LABEL=VALUE"),
        (["--selector", "team=web", "--selector", "team=desk"], "'team' is given twice, as web and desk"),
        (["--only", ""], "the value is empty"),
    ],
)
def test_what_selects_nothing_is_wrong_usage_and_nothing_is_contacted(
    two: Project, run: Runner, command: str, arguments: list[str], said: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        auth: dict[str, Any] = {"clientId": "id", "clientSecret": {"fromEnv": "OC_SECRET"}}
        two.configure(test={"url": url, "marketplace": "emulator", "auth": auth})
        done = run(command, *arguments, *(["--auto-approve"] if command == "apply" else []))
        assert (done.code, done.out) == (64, "")
        assert said in done.err
        with pytest.raises(BlockingIOError):
            listening.accept()
