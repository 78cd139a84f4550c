"""Whom the commands talk to: the environment's host, and nobody else."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.cli.conftest import Project, Runner
from tests.network import CONTACTED

if TYPE_CHECKING:
    from reconciler.model.json import Json

ONLINE = [
    ["plan", "--out", "plan.json"],
    ["apply", "--auto-approve"],
    ["drift"],
    ["adopt", "--write"],
    ["doctor"],
]
OFFLINE = [["validate"], ["show", "--resolved"], ["environments"], ["schema"], ["--help"], ["--version"]]


@pytest.mark.parametrize("arguments", ONLINE, ids=lambda arguments: str(arguments[0]))
def test_no_host_but_that_of_the_environment_is_contacted(
    project: Project, run: Runner, served: tuple[object, str], arguments: list[str]
) -> None:
    project.manifest("front", Active=False)
    CONTACTED.clear()
    assert run(*arguments).code in {0, 2}
    assert set(CONTACTED) == {re.sub("^http://", "", served[1])}


@pytest.mark.parametrize("arguments", OFFLINE, ids=lambda arguments: str(arguments[0]))
def test_what_is_done_offline_contacts_nobody(project: Project, run: Runner, arguments: list[str]) -> None:
    CONTACTED.clear()
    assert run(*arguments).code == 0
    assert not CONTACTED


def test_the_tests_would_notice(project: Project, run: Runner) -> None:
    auth: dict[str, Json] = {"clientId": "c", "clientSecret": {"fromEnv": "OC_SECRET"}}
    project.configure(far={"url": "https://shop.example", "marketplace": "m", "auth": auth})
    CONTACTED.clear()
    assert run("plan").code == 1
    assert set(CONTACTED) == {"shop.example:443"}
