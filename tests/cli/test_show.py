import json
from pathlib import Path

import pytest

from tests.cli.conftest import Project, Runner


def test_manifests_are_shown_as_they_are_in_the_environment(project: Project, run: Runner) -> None:
    done = run("show", "--resolved", "--env", "test")
    assert (done.code, done.err) == (0, "")
    assert "  AccessTokenDuration: 600  # manifests/front.yaml:1\n" in done.out
    assert json.loads(run("show", "--resolved", "--format", "json").out)["environment"] == "test"


def test_nothing_is_contacted_for_it(project: Project, run: Runner) -> None:
    run("show", "--resolved")
    assert project.ask("GET", "/_emulator/requests")["requests"] == []


def test_a_path_shows_a_part(project: Project, run: Runner) -> None:
    other = project.manifest("other")
    assert "front" not in run("show", "--resolved", str(other)).out


def test_file_names_and_values_are_escaped(project: Project, run: Runner) -> None:
    path = project.manifest("odd", xp={"a": "##vso[x]\u034f"})
    path.rename(path.with_name("::\x1b[2J.yaml"))
    out = run("show", "--resolved", "manifests").out
    assert '"\\u0023#vso[x]\\u034f"  # manifests/::\\u001b[2J.yaml:1' in out
    Path("again.yaml").write_text(out, encoding="utf-8")
    assert run("validate", "again.yaml").code == 0


def test_warnings_are_told_unless_silence_is_asked_for(project: Project, run: Runner) -> None:
    project.manifest("front", MaximumGrantedRoles=["NewRole"])
    arguments = ["show", "--resolved", "--allow-unknown-roles"]
    assert "NewRole" in run(*arguments).err
    assert run(*arguments, "--quiet").err == ""
    assert run("show", "--resolved").code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "nothing to show"),
        (["--resolved", "plan.json"], "plan.json is a saved plan"),
        (["plan.json", "plan.json"], "show takes one PLANFILE"),
    ],
)
def test_the_two_forms_are_named_where_neither_is_used(
    project: Project, run: Runner, arguments: list[str], said: str
) -> None:
    run("plan", "--out", "plan.json")
    done = run("show", *arguments)
    assert (done.code, done.out) == (64, "")
    assert said in done.err
    assert "write show PLANFILE, or show --resolved [PATH]..." in done.err


def test_a_format_of_plans_is_refused_for_manifests(project: Project, run: Runner) -> None:
    done = run("show", "--resolved", "--into", "json=a.json", "--into", "markdown=b.md")
    assert done.code == 64
    assert "--resolved has no format markdown" in done.err
    assert "use one of text, json" in done.err
