import json
from pathlib import Path

import pytest

from tests.cli.conftest import FRONT, Project, Runner


def edit(project: Project, **fields: object) -> None:
    """Change the live client as somebody in the portal would."""
    project.ask("PATCH", f"/v1/apiclients/{FRONT}", fields)  # type: ignore[arg-type]  # JSON


def test_the_json_of_drift_has_a_fingerprint_for_each_deviation(project: Project, run: Runner) -> None:
    edit(project, AccessTokenDuration=300)
    first, second = (json.loads(run("drift", "--format", "json").out) for _ in range(2))
    assert first == second
    (changed,) = [one for one in first["deviations"] if one["kind"] == "changed"]
    assert (changed["address"], changed["pointer"], changed["live"], changed["wanted"]) == (
        "ApiClient/front",
        "/AccessTokenDuration",
        300,
        600,
    )
    assert len(changed["fingerprint"]) == 16
    assert first["summary"] | {"unmanaged": 0} == {
        "changed": 1,
        "missing": 0,
        "surplus": 0,
        "unmanaged": 0,
        "in_step": 0,
        "in_baseline": 0,
        "unmoved": 0,
    }


def test_a_baseline_lets_known_drift_pass_and_tells_of_new(project: Project, run: Runner) -> None:
    edit(project, AccessTokenDuration=300)
    Path("known.json").write_text(run("drift", "--format", "json").out, encoding="utf-8")
    quiet = run("drift", "--baseline", "known.json")
    assert (quiet.code, quiet.err) == (0, "")
    assert "No new drift. 0 resources are in step.\n3 deviations are known to the baseline.\n" in quiet.out
    edit(project, AccessTokenDuration=301)
    loud = run("drift", "--baseline", "known.json")
    assert loud.code == 2
    assert "live 301, wanted 600" in loud.out


def test_a_baseline_of_several_environments_is_one_of_each(project: Project, run: Runner) -> None:
    target = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(one=target, two=target, wrong=target | {"marketplace": "another"})
    edit(project, AccessTokenDuration=300)
    Path("known.json").write_text(run("drift", "--env-all", "--format", "json").out, encoding="utf-8")
    assert run("drift", "--env", "two", "--baseline", "known.json").code == 0
    assert run("drift", "--env", "one", "--env", "two", "--baseline", "known.json").code == 0
    assert run("drift", "--env", "one", "--env", "two").code == 2


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"environments": [1]}', '{"format_version": "1.0", "deviations": [{}]}']
)
def test_what_is_no_baseline_is_refused_before_anything_is_contacted(project: Project, run: Runner, text: str) -> None:
    Path("known.json").write_text(text, encoding="utf-8")
    done = run("drift", "--baseline", "known.json")
    assert (done.code, done.out) == (1, "")
    assert "known.json is no baseline\n  hint: write one with: reconciler drift --format json > FILE" in done.err
    assert project.ask("GET", "/_emulator/requests")["requests"][:-1] == []


def test_a_baseline_of_another_format_is_refused(project: Project, run: Runner) -> None:
    Path("known.json").write_text('{"format_version": "2.0", "deviations": []}', encoding="utf-8")
    assert "is of another format of drift than 1.0" in run("drift", "--baseline", "known.json").err


def test_a_fingerprint_that_is_no_text_is_no_baseline(project: Project, run: Runner) -> None:
    Path("known.json").write_text('{"format_version": "1.0", "deviations": [{"fingerprint": 1}]}', encoding="utf-8")
    assert "known.json is no baseline" in run("drift", "--baseline", "known.json").err


def test_the_receipt_of_an_apply_tells_who_moved(project: Project, run: Runner) -> None:
    assert run("apply", "--auto-approve", "--receipt", "receipt.json").code == 0
    edit(project, AccessTokenDuration=300)
    drifted = run("drift", "--receipt", "receipt.json")
    assert "AccessTokenDuration  live 300, wanted 600  [live drifted]\n" in drifted.out
    assert "The last apply was at 20" in drifted.out
    project.manifest("front", AccessTokenDuration=120)
    assert "[both moved]" in run("drift", "--receipt", "receipt.json").out
    edit(project, AccessTokenDuration=600)
    ahead = run("drift", "--receipt", "receipt.json")
    assert (ahead.code, "[git is ahead]" in ahead.out) == (2, True)
    since = run("drift", "--receipt", "receipt.json", "--since-receipt")
    assert since.code == 0
    assert "No new drift." in since.out
    assert "3 deviations have not come from the service since the last apply." in since.out


def test_a_receipt_holds_no_value(project: Project, run: Runner) -> None:
    project.manifest("front", xp={"note": "a private word"})
    run("apply", "--auto-approve", "--receipt", "receipt.json")
    text = Path("receipt.json").read_text(encoding="utf-8")
    assert "ApiClient" in text
    assert "private" not in text


def test_a_receipt_that_cannot_be_written_does_not_hide_what_was_applied(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=60)
    done = run("apply", "--auto-approve", "--receipt", "no/folder/receipt.json")
    assert done.code == 0
    assert "1 applied" in done.out
    assert "cannot write no/folder/receipt.json" in done.err


def test_since_receipt_needs_one(project: Project, run: Runner) -> None:
    done = run("drift", "--since-receipt")
    assert done.code == 64
    assert "--since-receipt needs the receipt of an apply" in done.err


def test_a_receipt_that_is_not_there_is_named(project: Project, run: Runner) -> None:
    assert "cannot read nowhere.json: No such file" in run("drift", "--receipt", "nowhere.json").err
    Path("bytes").write_bytes(b"\xff")
    assert "bytes is not UTF-8 text" in run("drift", "--receipt", "bytes").err
