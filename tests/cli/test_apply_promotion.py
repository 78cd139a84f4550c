"""Several environments applied one after another, in the order of the configuration."""

import json
import os
import re
import signal
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest

from reconciler.emulator import Emulator, Settings
from tests.cli.conftest import FRONT, Project, Run, Runner, Switchboard

if TYPE_CHECKING:
    from reconciler.model.json import Json

ORDER = ("sandbox", "staging", "production")


@pytest.fixture
def chain(project: Project) -> Project:
    """Three marketplaces, of which staging is the one that `project` speaks to, and a manifest that changes each."""
    document = json.loads((project.folder / "reconciler.yaml").read_text())
    environments: dict[str, Json] = {
        "production": emulated("production"),
        "staging": document["environments"]["test"],
        "sandbox": emulated("sandbox"),
        "local": {"emulator": {}},
    }
    configure(project, environments)
    project.manifest("front", AccessTokenDuration=90)
    return project


def emulated(name: str) -> dict[str, Any]:
    return {"emulator": {"seed": "seed.json", "state": f".reconciler/{name}.db"}, "marketplace": name}


def configure(project: Project, environments: "dict[str, Json]") -> None:
    project.configure(**environments)
    file = project.folder / "reconciler.yaml"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"promote": list(ORDER)}))


def change(project: Project, name: str, **settings: object) -> None:
    """Change the configuration of one environment."""
    environments = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]
    configure(project, environments | {name: environments[name] | settings})


def ends(done: Run) -> dict[str, object]:
    """How each environment has ended: what became of the changes, or the message of its error."""
    return {
        one["environment"]: one["error"]["message"]
        if "error" in one
        else [outcome["status"] for outcome in one["apply"]["outcomes"]]
        for one in json.loads(done.out)["environments"]
    }


APPLY = ("apply", "--env-all", "--auto-approve", "--format", "json")
SKIPPED = "skipped: staging did not exit with 0"


def test_environments_are_applied_in_the_order_of_the_configuration(chain: Project, run: Runner) -> None:
    done = run("apply", "--env", "production", "--env", "sandbox", "--auto-approve", "--format", "json")
    assert (done.code, list(ends(done).items())) == (0, [("sandbox", ["applied"]), ("production", ["applied"])])
    done = run(*APPLY)
    assert (done.code, list(ends(done).values())) == (0, [[], ["applied"], []]), "what is in step is left alone"
    runs = json.loads(run("history", "--format", "json").out)["runs"]
    assert {one["environment"] for one in runs} == set(ORDER)


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", ["text", "markdown", "html"])
def test_one_command_applies_the_plans_of_all(chain: Project, run: Runner, name: str) -> None:
    names = [word for one in ORDER[::-1] for word in ("--env", one)]
    shown = run("plan", *names, "--format", name).out
    commands = re.findall(r"reconciler apply[^<\n]*", shown.replace(" \\\n", ""))
    assert commands == ["reconciler apply --env sandbox --env staging --env production"]
    Path("plans").mkdir()
    shown = run("plan", *names, "--format", name, "--out", "plans").out
    (command,) = re.findall(r"reconciler (apply[^<\n]*)", shown)
    assert command.split() == ["apply", "plans/sandbox.json", "plans/staging.json", "plans/production.json"]
    assert run(*command.split(), "--auto-approve").code == 0
    assert "reconciler apply" not in run("plan", *names, "--format", name).out


def test_an_environment_without_changes_is_not_among_those_that_one_command_applies(
    chain: Project, run: Runner
) -> None:
    assert run("apply", "--env", "sandbox", "--auto-approve").code == 0
    shown = run("plan", *(word for one in ORDER for word in ("--env", one))).out
    assert "    reconciler apply --env staging --env production\n" in shown


def test_plans_that_a_guard_refuses_or_that_have_no_order_are_applied_one_by_one(chain: Project, run: Runner) -> None:
    names = [word for one in ORDER for word in ("--env", one)]
    change(chain, "staging", limits={"changes": 0})
    assert run("plan", *names).out.count("reconciler apply --env") == len(ORDER)


def test_each_plan_is_shown_before_it_is_applied_and_each_end_is_told(chain: Project, run: Runner) -> None:
    done = run("apply", "--env-all", "--auto-approve")
    told = [line for line in done.err.splitlines() if line.startswith(("Environment", *ORDER))]
    assert [line.partition(":")[0] for line in told] == [word for one in ORDER for word in (f"Environment {one}", one)]
    assert told[1] == "sandbox: 1 change applied"
    assert done.out.endswith("=== all environments ===\n\n3 environments: 3 share the same applied change.\n")


def test_it_stops_at_the_first_that_does_not_end_with_0_and_goes_on_when_run_again(chain: Project, run: Runner) -> None:
    change(chain, "staging", limits={"changes": 0})
    done = run(*APPLY)
    assert done.code == 5, "sandbox was written, and staging was not"
    assert ends(done)["sandbox"] == ["applied"]
    assert str(ends(done)["staging"]).startswith("limit-changes: ")
    assert ends(done)["production"] == SKIPPED
    assert (run(*APPLY).code, chain.writes()) == (3, []), "now nothing was written"
    change(chain, "staging", limits={"changes": 1})
    assert list(ends(run(*APPLY)).values()) == [[], ["applied"], ["applied"]]


def test_a_write_that_fails_stops_it(chain: Project, run: Runner) -> None:
    chain.ask("POST", "/_emulator/faults", {"spec": f"PUT /v1/apiclients/{FRONT} status=400 count=all"})
    done = run(*APPLY)
    assert (done.code, list(ends(done).values())) == (5, [["applied"], ["failed"], SKIPPED])


def test_a_freeze_window_of_the_last_stops_it_there(chain: Project, run: Runner) -> None:
    change(chain, "production", freeze=[{"from": "2020-01-01", "to": "2099-01-01", "timezone": "UTC"}])
    done = run(*APPLY)
    assert (done.code, list(ends(done).values())[:2]) == (5, [["applied"], ["applied"]])
    assert "freeze" in str(ends(done)["production"])


def test_nothing_is_begun_where_one_cannot_be_loaded(chain: Project, run: Runner) -> None:
    (chain.folder / "odd").mkdir()
    (chain.folder / "odd" / "front.yaml").write_text("a: [")
    change(chain, "production", overlays=["odd"])
    done = run(*APPLY)
    assert (done.code, chain.writes()) == (1, [])
    assert ends(done)["sandbox"] == ends(done)["staging"] == "skipped: not started, because of production"
    assert not (chain.folder / ".reconciler" / "sandbox.db").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--env-all", "--receipt", "r.json"], "--receipt takes one environment"),
        (["--env", "local", "--env", "sandbox"], "promote: in reconciler.yaml does not list local"),
        (["--env-all", "plan.json"], "saved plans cannot be combined with other environments"),
        (
            ["--env", "staging", "--env", "production", "plan.json"],
            "saved plans cannot be combined with other environments",
        ),
        (["plan.json", "plan.json"], "two of the saved plans are for the same environment"),
        (["manifests/", "plan.json"], "PLANFILEs must come before PATHs"),
    ],
)
def test_what_does_not_go_together_is_wrong_usage(chain: Project, run: Runner, arguments: list[str], said: str) -> None:
    assert run("plan", "--env", "sandbox", "--out", "plan.json").code == 0
    done = run("apply", *arguments, "--auto-approve")
    assert (done.code, said in done.err, chain.writes()) == (64, True, [])


def test_a_dry_run_shows_all_plans_and_writes_nothing(chain: Project, run: Runner) -> None:
    change(chain, "sandbox", limits={"changes": 0})
    done = run("apply", "--env-all", "--dry-run")
    assert (done.code, chain.writes()) == (3, [])
    assert "3 environments: 2 share the same change, 1 with other changes." in done.out, "one of them is refused"


def test_a_dry_run_shows_a_plan_and_the_freeze_window_that_refuses_it(chain: Project, run: Runner) -> None:
    change(chain, "production", freeze=[{"from": "2020-01-01", "to": "2099-01-01", "timezone": "UTC"}])
    for name in ("text", "markdown", "html", "github", "jsonl"):
        done = run("apply", "--env-all", "--dry-run", "--format", name)
        assert (done.code, done.err) == (3, "")
        said = done.out.replace("\\u007c", "|")
        assert ("AccessTokenDuration" in said, "freeze" in said.partition("production")[2]) == (True, True), name


# -- saved plans --


@pytest.fixture
def saved(chain: Project, run: Runner, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The signed plans of all, as a folder lists them."""
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "k" * 32)
    assert run("plan", "--env", "sandbox", "--env", "staging", "--env", "production", "--out", "plans").code == 0
    return [str(path) for path in sorted(Path("plans").iterdir())]


def test_saved_plans_are_applied_in_the_same_order_without_a_question(
    chain: Project, run: Runner, saved: list[str]
) -> None:
    done = run("apply", *saved, "--format", "json")
    assert (done.code, list(ends(done).items())) == (0, [(name, ["applied"]) for name in ORDER])
    again = run("apply", *saved, "--format", "json")
    assert again.code == 4
    assert "this plan was already applied" in str(ends(again)["sandbox"])


def test_each_request_of_several_saved_plans_is_reported_once_with_its_environment(
    chain: Project, run: Runner, saved: list[str]
) -> None:
    reported = run("apply", *saved, "--verbose").err
    changes = re.findall("^(.*)PUT /v1/apiclients/\\S+ answered 200", reported, re.MULTILINE)
    assert changes == [f"{name}: " for name in ORDER]


def test_warnings_come_before_the_first_plan_to_approve(chain: Project, run: Runner) -> None:
    chain.manifest("front", AccessTokenDuration=90, RefreshTokenDuration=60)
    shown = run("apply", "--env-all", "--auto-approve").err
    assert shown.index("warning: ") < shown.index("Environment sandbox")


def test_naming_one_environment_does_not_choose_among_saved_plans(
    chain: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = run("plan", "--env", "sandbox", "--env", "staging", "--out", "plans")
    assert saved.err.splitlines() == [f"Saved the plan to plans/{name}.json." for name in ("sandbox", "staging")]
    plans = [f"plans/{name}.json" for name in ("sandbox", "staging")]
    by_option = run("apply", *plans, "--env", "sandbox")
    monkeypatch.setenv("RECONCILER_ENV", "sandbox")
    for done in (by_option, run("apply", *plans)):
        assert (done.code, chain.writes()) == (64, [])
        assert "saved plans cannot be combined with other environments" in done.err


def test_a_saved_plan_that_is_stale_begins_nothing(chain: Project, run: Runner, saved: list[str]) -> None:
    chain.manifest("front", AccessTokenDuration=91)
    done = run("apply", *saved, "--format", "json")
    assert (done.code, chain.writes()) == (4, [])


# -- questions and signals --


def test_without_a_terminal_stdout_has_the_one_document(chain: Project, run: Runner) -> None:
    done = run("apply", "--env-all")
    assert (done.code, chain.writes()) == (1, [])
    assert done.out.startswith("=== sandbox ===\n\nerror: cannot ask for approval: not a terminal")
    assert "AccessTokenDuration  600 -> 90" in done.err


class Person:
    """Somebody at a terminal who approves, up to the last answer."""

    def __init__(self, *answers: str) -> None:
        self._answers = iter(answers)

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        answer = next(self._answers)
        if answer == "^C":
            os.kill(os.getpid(), signal.SIGINT)
        return answer


@pytest.mark.parametrize(
    ("answer", "code", "said"), [("no\n", 1, "not approved"), ("^C", 130, "interrupted; nothing was written")]
)
def test_a_plan_that_is_not_approved_stops_it(
    chain: Project, run: Runner, monkeypatch: pytest.MonkeyPatch, answer: str, code: int, said: str
) -> None:
    monkeypatch.setattr(sys, "stdin", Person("yes\n", answer))
    monkeypatch.setattr("reconciler.cli.approving.is_terminal", lambda _stream: True)
    done = run("apply", "--env-all", "--format", "json")
    assert done.code == (5 if code == 1 else code)
    assert (ends(done)["sandbox"], said in str(ends(done)["staging"])) == (["applied"], True)
    assert (ends(done)["production"], chain.writes()) == (SKIPPED, [])


def test_a_signal_while_one_is_written_begins_no_other(
    chain: Project, run: Runner, served: tuple[Switchboard, str]
) -> None:
    def interrupt(_seconds: float) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    with closing(Emulator(Settings(seed=chain.folder / "seed.json"), sleep=interrupt)) as served[0].emulator:
        fault = {"spec": f"PUT /v1/apiclients/{FRONT} latency=1 count=1"}
        replace(chain, emulator=served[0].emulator).ask("POST", "/_emulator/faults", fault)
        done = run(*APPLY)
    assert (done.code, done.err.count("finishing changes in flight")) == (130, 1)
    assert list(ends(done).values()) == [["applied"], ["applied"], "interrupted; nothing was written"]


# -- documents --


def test_each_format_has_all_of_it_in_one_document(chain: Project, run: Runner) -> None:
    change(chain, "staging", limits={"changes": 0})
    names = ("json", "jsonl", "markdown", "html", "junit", "github")
    into = [word for name in names for word in ("--into", f"{name}=all.{name}")]
    assert run("apply", "--env-all", "--auto-approve", *into, "--metrics", "all.prom").code == 5
    texts = {name: Path(f"all.{name}").read_text() for name in names}
    title = "3 environments: 1 with applied changes, 1 failed, 1 skipped"
    assert texts["markdown"].splitlines()[:2] == [
        "<!-- reconciler:apply:sandbox%2Cstaging%2Cproduction -->",
        f"## Apply of {title}",
    ]
    assert "<h1>Apply of 3 environments</h1>" in texts["html"]
    root = ET.fromstring(texts["junit"])  # noqa: S314  # we have just written it
    assert [len(root.findall(f".//{name}")) for name in ("testcase", "failure", "skipped")] == [3, 1, 1]
    assert set(root.keys()) == {"name", "tests", "failures", "errors"}, "what the XSD of Jenkins knows"
    assert all("skipped: staging did not exit with 0" in text for text in texts.values())
    metrics = Path("all.prom").read_text()
    succeeded = [float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("reconciler_run_success{")]
    assert succeeded == [1, 0, 0]
