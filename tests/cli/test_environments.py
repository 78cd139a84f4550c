import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Project, Runner
from tests.cli.test_documents_several import three as three  # noqa: PLC0414  # the fixture, under its own name

if TYPE_CHECKING:
    from reconciler.model.json import Json


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
