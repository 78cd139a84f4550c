"""No output of a run takes the place of what it reads, or of another output."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Project, Runner
from tests.cli.test_apply_arguments import saved as saved  # noqa: PLC0414  # the fixture, under its own name


@pytest.mark.sample(6)
@pytest.mark.parametrize(
    "arguments",
    [
        ["plan", "--out", "reconciler.yaml"],
        ["plan", "--out", "manifests/front.yaml"],
        ["plan", "--out", "link.json"],
        ["plan", "--markdown-into", "manifests/../reconciler.yaml"],
        ["plan", "--metrics", "manifests/front.yaml"],
        ["plan", "--from-snapshot", "snapshot.json", "--out", "snapshot.json"],
        ["plan", "--env", "test", "--env", "other", "--json-into", "manifests/front.yaml"],
        ["drift", "--baseline", "drift.json", "--json-into", "drift.json"],
        ["apply", "plan.json", "--receipt", "reconciler.yaml"],
        ["apply", "plan.json", "--json-into", "plan.json"],
        ["apply", "--auto-approve", "--receipt", "manifests/front.yaml"],
        ["show", "plan.json", "--html-into", "plan.json"],
        ["show", "--resolved", "--json-into", "manifests/front.yaml"],
        ["snapshot", "--out", "reconciler.yaml"],
        ["secrets", "status", "--metrics", "reconciler.yaml"],
        ["drift", "--metrics", "login"],
        ["plan", "--out", "login"],
        ["validate", "--json-into", "manifests/front.yaml"],
    ],
    ids=" ".join,
)
def test_no_output_overwrites_what_the_run_reads(saved: Project, run: Runner, arguments: list[str]) -> None:
    document = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    secret = document["auth"]["clientSecret"]
    Path("login").write_text(os.environ[secret["fromEnv"]] if isinstance(secret, dict) else secret)
    document["auth"]["clientSecret"] = {"fromFile": "login"}
    saved.configure(test=document, other=document)
    run("snapshot", "--env", "test", "--out", "snapshot.json")
    run("drift", "--env", "test", "--json-into", "drift.json")
    Path("link.json").symlink_to("manifests/front.yaml")
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    saved.ask("DELETE", "/_emulator/requests")
    environment = [] if "--env" in arguments or "validate" in arguments else ["--env", "test"]
    done = run(*arguments, *environment)
    assert (done.code, saved.ask("GET", "/_emulator/requests")["requests"]) == (64, []), done.err
    assert "would be overwritten" in done.err
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


def test_no_output_overwrites_the_data_of_an_emulator_or_the_record_of_a_run(project: Project, run: Runner) -> None:
    project.configure(local={"emulator": {"state": ".reconciler/local.db"}})
    project.manifest("front", AccessTokenDuration=90)
    assert run("apply", "--auto-approve").code == 0
    kept = {
        path: path.read_bytes() for path in Path(".reconciler").rglob("*") if path.suffix in {".db", ".json", ".jsonl"}
    }
    assert {path.suffix for path in kept} == {".db", ".json", ".jsonl"}
    for path in kept:
        for option in ("--out", "--metrics", "--into=json"):
            done = run("plan", *([f"{option}={path}"] if "=" in option else [option, str(path)]))
            assert (done.code, "would be overwritten" in done.err or "record of a run" in done.err) == (64, True), done
    for name in ("new.receipt.json", "new.jsonl"):  # there is none yet, and a later run would read it
        assert run("apply", "--auto-approve", "--receipt", f".reconciler/runs/{name}").code == 64
    assert {path: path.read_bytes() for path in kept} == kept
    assert run("plan", "--out", ".reconciler/runs/plan.json").code == 0
    assert run("plan", "--out", ".reconciler/runs/plan.json").code == 0


@pytest.mark.parametrize("name", ["plan.json", "/dev/fd/1"])
def test_a_plan_is_not_written_into_the_file_that_stdout_is_sent_to(project: Project, name: str) -> None:
    project.manifest("front", AccessTokenDuration=90)
    program = "from reconciler.cli.main import main; import sys; sys.exit(main(['plan', '--out', sys.argv[1]]))"
    with Path("plan.json").open("wb") as file:
        command = [sys.executable, "-c", program, name]
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)  # fixed words
    assert (done.returncode, "two outputs of this run are written to" in done.stderr) == (64, True), done.stderr


@pytest.mark.parametrize("options", [["--out", "one.json"], ["--metrics", "sub/../one.json"]])
def test_no_two_outputs_have_one_file(project: Project, run: Runner, options: list[str]) -> None:
    Path("sub").mkdir()
    done = run("plan", "--into", "json=one.json", *options)
    assert (done.code, "two outputs of this run are written to" in done.err, Path("one.json").exists()) == (
        64,
        True,
        False,
    )
    assert run("plan", "--out", os.devnull, "--metrics", os.devnull, "--into", f"json={os.devnull}").code == 0


@pytest.mark.skipif(os.name == "nt", reason="links need rights there")
@pytest.mark.parametrize("options", [["--out", "circle"], ["--into", "json=circle"], ["--metrics", "circle"]])
def test_an_output_may_replace_a_link_to_itself(project: Project, run: Runner, options: list[str]) -> None:
    Path("circle").symlink_to("circle")
    done = run("plan", *options)
    assert (done.code, Path("circle").is_file()) == (0, True), done.err
