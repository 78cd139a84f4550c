import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import Final

import pytest

from reconciler.cli.documents import DRIFTS, PLANS
from reconciler.emulator import Emulator, Settings
from reconciler.render.several import SEVERAL
from tests.cli.conftest import BACK, FRONT, Project, Runner, Switchboard


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


def test_each_environment_has_its_plan_and_all_have_one_verdict(three: Project, run: Runner) -> None:
    done = run("plan", "--env", "good", "--env", "changed")
    assert done.code == 0
    first, second, last = done.out.split("=== ")[1:]
    assert first.startswith("good ===\n\nEnvironment good: ")
    assert "AccessTokenDuration  600 -> 60" in second
    assert last == "all environments ===\n\n2 environments: 1 in step, 1 with changes.\n"
    assert three.writes() == []


ONE_BY_ONE = (
    ["plan"],
    ["plan", "--out", "plan.json"],
    ["apply", "--auto-approve"],
    ["apply", "--dry-run"],
    ["drift"],
    ["drift", "--write-back"],
    ["snapshot", "--out", "snapshot.json"],
    ["export"],
    ["export", "--write"],
    ["export", "--into-overlay", "wrong", "--write"],
    ["adopt"],
    ["adopt", "--write"],
    ["secrets", "status"],
)


@pytest.mark.parametrize("command", ONE_BY_ONE)
def test_the_error_of_one_environment_is_reported_once_without_its_name(
    three: Project, run: Runner, command: list[str]
) -> None:
    done = run(*command, "--env", "wrong")
    assert (done.code, done.out) == (3, "")
    assert done.err.count("marketplace another") == 1
    assert "Environment wrong:" not in done.err


def test_an_error_stands_in_its_place_and_does_not_stop_the_others(three: Project, run: Runner) -> None:
    done = run("plan", "--env", "wrong", "--env", "good", "--detailed-exitcode")
    assert done.code == 3
    assert "=== wrong ===\n\nerror: refused by a guard" in done.out
    assert done.out.endswith("2 environments: 1 in step, 1 failed.\n")


@pytest.mark.parametrize(("command", "code"), [(["plan"], 3), (["drift"], 3), (["drift", "--only", "ApiClient/x"], 64)])
def test_all_environments_exit_with_the_worst_code(three: Project, run: Runner, command: list[str], code: int) -> None:
    assert run(*command, "--env-all").code == code


def test_drift_of_several_exits_with_2_when_there_is_any(three: Project, run: Runner) -> None:
    done = run("drift", "--env", "good", "--env", "changed")
    assert done.code == 2
    assert "AccessTokenDuration  live 600, desired 60" in done.out


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


# -- side by side --

READING: Final = (["doctor"], ["adopt"], ["export"], ["secrets", "status"])
ALL_READING: Final = (*READING, ["plan"], ["drift"], ["snapshot", "--out", "kept"])


@pytest.fixture
def slow(project: Project, served: tuple[Switchboard, str]) -> Iterator[Callable[[Callable[[], object]], None]]:
    """Three environments whose service takes its time to say who somebody is: `wait` is what it does meanwhile."""
    target = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    project.configure(a=target, b=target, c=target)
    with ExitStack() as emulators:

        def start(wait: Callable[[], object]) -> None:
            def sleep(_seconds: float) -> None:
                wait()

            settings = Settings(seed=project.folder / "seed.json")
            served[0].emulator = emulators.enter_context(closing(Emulator(settings, sleep=sleep)))
            replace(project, emulator=served[0].emulator).ask(
                "POST", "/_emulator/faults", {"spec": "GET /v1/me latency=1 count=3"}
            )

        yield start


@pytest.mark.sample(3)
@pytest.mark.parametrize("command", ALL_READING)
def test_environments_are_read_side_by_side(slow: Callable[..., None], run: Runner, command: list[str]) -> None:
    slow(threading.Barrier(3, timeout=60).wait)  # it breaks, and the emulator fails, where one waits for another
    done = run(*command, "--env-all")
    assert (done.code, done.err.count("error")) == (0, 0)
    if done.out:
        assert re.findall(r"=== (\w+) ===|^(a, b, c)$", done.out, re.MULTILINE) in (
            [("a", ""), ("b", ""), ("c", "")],
            [("", "a, b, c")],
        ), "in the order of the configuration"


def test_jobs_says_how_many_run_at_a_time(slow: Callable[..., None], run: Runner) -> None:
    slow(lambda: None)
    done = run("plan", "--env-all", "--jobs", "1", "--verbose")
    named = [line.partition(": ")[0] for line in done.err.splitlines() if ": GET " in line or ": done" in line]
    assert [name for name, _ in groupby(named)] == ["a", "b", "c"]
    assert run("plan", "--env-all", "--jobs", "0").code == 64


def test_several_environments_each_tell_what_they_cost(slow: Callable[..., None], run: Runner) -> None:
    slow(lambda: None)
    done = run("plan", "--env", "a", "--env", "b", "--verbose", "--log-format", "json")
    events = [json.loads(line) for line in done.err.splitlines()]
    for name in ("a", "b"):
        own = [one for one in events if one.get("environment") == name]
        assert own[-1]["requests"] == sum(one["type"] == "request" for one in own) == 3


# -- commands without a matrix --


def untimed(text: str) -> str:
    """Without the numbers: doctor measures how long requests take."""
    return re.sub(r"\d+", "0", text)


@pytest.mark.parametrize("command", READING)
def test_an_error_in_one_environment_hides_none_of_the_others(three: Project, run: Runner, command: list[str]) -> None:
    alone = run(*command, "--env", "good")
    failed = run(*command, "--env", "wrong")
    done = run(*command, "--env", "wrong", "--env", "good")
    first, second, last = done.out.split("=== ")[1:]
    assert (done.code, done.err) == (failed.code, "")
    assert "another" in first
    assert untimed(second) == untimed(f"good ===\n\n{alone.out}\n")
    assert last == "all environments ===\n\n2 environments: 1 ok, 1 not: wrong.\n"
    assert three.writes() == []


@pytest.mark.parametrize(("command", "noun"), list(zip(READING, ("doctor", "adopt", "export", "secrets"), strict=True)))
def test_as_json_every_document_is_that_of_its_environment(
    three: Project, run: Runner, command: list[str], noun: str
) -> None:
    alone = json.loads(run(*command, "--env", "good", "--format", "json").out)
    failed = run(*command, "--env", "wrong")
    done = run(*command, "--env", "good", "--env", "wrong", "--format", "json")
    document = json.loads(done.out)
    good, wrong = document["environments"]
    assert (done.code, set(document)) == (failed.code, {"format_version", "environments"})
    assert (good["environment"], set(good[noun])) == ("good", set(alone))
    assert "another" in json.dumps(wrong[noun] if noun == "doctor" else wrong["error"])
    assert three.writes() == []


def test_environments_that_are_all_well_exit_with_0(three: Project, run: Runner) -> None:
    done = run("secrets", "status", "--env", "good", "--env", "changed")
    assert (done.code, done.out.splitlines()[-1]) == (0, "2 environments: 2 ok.")


def test_a_name_that_no_environment_has_is_wrong_usage_everywhere(three: Project, run: Runner) -> None:
    for command in (*READING, ["history"], ["snapshot", "--out", "kept"]):
        done = run(*command, "--env", "good", "--env", "wrng")
        assert (done.code, "there is no environment 'wrng'" in done.err, done.out) == (64, True, ""), command
    assert three.writes() == []


def test_secrets_are_rotated_in_one_environment_at_a_time(three: Project, run: Runner) -> None:
    done = run("secrets", "rotate", "--due", "--env", "good", "--env", "changed", "--auto-approve")
    assert (done.code, "given twice, as changed and good" in done.err) == (64, True)
    assert run("secrets", "rotate", "--due", "--env-all", "--auto-approve").code == 64
    assert three.writes() == []


def test_all_environments_are_meant_also_where_that_is_said_ahead_of_the_command(three: Project, run: Runner) -> None:
    assert run("secrets", "--env-all", "status").out == run("secrets", "status", "--env-all").out != ""


def test_metrics_of_secrets_have_the_series_of_all_environments(three: Project, run: Runner) -> None:
    assert run("secrets", "status", "--env-all", "--metrics", "secrets.prom").code == 3
    text = (three.folder / "secrets.prom").read_text()
    checked = [line for line in text.splitlines() if line.startswith("reconciler_secrets_checked")]
    assert [line.partition("}")[0].partition("{")[2] for line in checked] == [
        'environment="good"',
        'environment="changed"',
    ]
    assert text.count("# TYPE reconciler_secrets_checked_timestamp_seconds gauge") == 1


def test_adoption_writes_the_ids_of_each_environment(three: Project, run: Runner) -> None:
    done = run("adopt", "--env", "good", "--env", "changed", "--write")
    assert (done.code, done.err) == (0, "")
    environments = json.loads((three.folder / "reconciler.yaml").read_text())["environments"]
    assert {name: one.get("ids") for name, one in environments.items()} == {
        "good": {"front": FRONT},
        "changed": {"front": FRONT},
        "wrong": None,
    }


def test_an_adoption_that_wrote_for_some_environments_only_exits_with_5(three: Project, run: Runner) -> None:
    done = run("adopt", "--env-all", "--write")
    assert done.code == 5
    assert "Written: 1 id, under environments.good.ids" in done.out
    assert "=== wrong ===\n\nerror: refused by a guard" in done.out
    assert run("adopt", "--env", "wrong", "--env", "good", "--write").code == 3, "now nothing is left to write"


def test_an_ambiguous_manifest_is_told_below_the_proposals_of_its_environment(three: Project, run: Runner) -> None:
    three.manifest("back")
    three.ask("POST", "/v1/apiclients", {"AppName": "back", "Active": False, "AccessTokenDuration": 600})
    document = json.loads(run("adopt", "--env", "good", "--env", "changed", "--format", "json").out)
    for one in document["environments"]:
        assert one["adopt"]["summary"]["ambiguous"] == 1
        assert one["error"]["diagnostics"][0]["rule"] == "ambiguous-name"


def test_a_snapshot_of_each_environment_is_what_plans_of_all_are_made_from(three: Project, run: Runner) -> None:
    done = run("snapshot", "--env-all", "--out", "kept")
    assert (done.code, sorted(path.name for path in Path("kept").iterdir())) == (3, ["changed.json", "good.json"])
    assert "Environment wrong:\nerror: refused by a guard" in done.err
    plans = run("plan", "--env-all", "--from-snapshot", "kept")
    assert "3 environments: 1 in step, 1 with changes, 1 failed." in plans.out


# -- export: what changes the manifests that all environments share --


@pytest.fixture
def twins(three: Project) -> Project:
    """Two environments with the same objects, and a third one with others."""
    target = json.loads((three.folder / "reconciler.yaml").read_text())["environments"]["good"]
    other = {"Objects": {"ApiClients": [{"ID": FRONT, "AppName": "front", "Active": True, "AccessTokenDuration": 60}]}}
    (three.folder / "other.json").write_text(json.dumps(other))
    three.configure(one=target, two=target, other={"emulator": {"seed": "other.json"}, "marketplace": "other"})
    return three


def test_several_environments_that_agree_are_exported_at_once(twins: Project, run: Runner) -> None:
    done = run("export", "--env", "one", "--env", "two", "--write")
    assert (done.code, done.err) == (0, "")
    assert done.out.count("Written: 3 files.") == 2
    environments = json.loads((twins.folder / "reconciler.yaml").read_text())["environments"]
    assert environments["one"]["ids"]["back"] == environments["two"]["ids"]["back"] == BACK
    assert "No changes." in run("plan", "--env", "two").out


def test_an_export_of_several_environments_that_differ_writes_nothing_and_names_the_commands(
    twins: Project, run: Runner
) -> None:
    done = run("export", "--env", "one", "--env", "other", "--write")
    assert (done.code, done.out.count("Written"), done.out.count("Nothing was written.")) == (1, 0, 2)
    assert "the environments differ in manifests/back.yaml and 1 more, but share their manifests" in done.err
    first, second = re.findall(r": reconciler (export [^,:]* --write)", done.err)
    assert run(*first.split()).code == run(*second.split()).code == 0
    assert run("drift", "--env", "one", "--env", "other").code == 0


def test_the_commands_for_one_environment_after_the_other_export_the_same(twins: Project, run: Runner) -> None:
    wanted = ("--out", "manifests", "--kinds", "all", "--named-secrets")
    done = run("export", "--env", "one", "--env", "other", *wanted, "--write")
    first, second = re.findall(r": reconciler (export [^,:\n]*)", done.err)
    assert first == "export --env one --write --out manifests --kinds all --named-secrets"
    assert second == "export --into-overlay other --write --out manifests --kinds all --named-secrets"


def test_an_export_writes_nothing_where_one_environment_cannot_be_read(twins: Project, run: Runner) -> None:
    target = json.loads((twins.folder / "reconciler.yaml").read_text())["environments"]["one"]
    twins.configure(one=target, wrong=target | {"marketplace": "another"})
    done = run("export", "--env-all", "--write")
    assert (done.code, "nothing was written: not every environment could be read" in done.err) == (1, True)
    assert "new " in done.out
    assert [path.name for path in Path("manifests").iterdir()] == ["front.yaml"]


def test_overlays_of_several_environments_are_exported_in_one_run(twins: Project, run: Runner) -> None:
    done = run("export", "--into-overlay", "other", "--into-overlay", "one", "--write")
    assert (done.code, done.err) == (0, "")
    assert run("drift", "--env", "one", "--env", "other").code == 0
    assert run("export", "--into-overlay", "other", "--env-all").code == 64


# -- the journals --


def test_the_runs_of_several_environments_are_one_list(three: Project, run: Runner) -> None:
    for name, seconds in (("good", 60), ("changed", 60), ("good", 90)):
        three.manifest("front", AccessTokenDuration=seconds)
        assert run("apply", "--env", name, "--auto-approve").code == 0, name
    three.ask("GET", "/v1/me")

    def listed(*arguments: str) -> list[str]:
        return [one["environment"] for one in json.loads(run("history", *arguments, "--format", "json").out)["runs"]]

    assert listed("--env", "good", "--env", "changed") == listed("--env-all") == listed()
    assert listed("--env", "changed", "--env", "wrong") == [one for one in listed() if one == "changed"]
    assert set(listed()) >= {"good"}


# -- the list of environments --


def test_an_environment_that_is_not_there_is_wrong_usage(project: Project, run: Runner) -> None:
    assert run("environments", "--env", "tset").code == 64
