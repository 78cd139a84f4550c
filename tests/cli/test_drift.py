import json
import stat
from pathlib import Path

import pytest

from tests.cli.conftest import FRONT, Project, Runner, git


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
        "restored": 0,
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
    assert "No new drift. 0 resources are in step.\n3 deviations in the baseline are not shown.\n" in quiet.out
    edit(project, AccessTokenDuration=301)
    loud = run("drift", "--baseline", "known.json")
    assert loud.code == 2
    assert "live 301, desired 600" in loud.out


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
    assert "known.json is not a baseline\n  hint: write one with: reconciler drift --format json > FILE" in done.err
    assert project.ask("GET", "/_emulator/requests")["requests"] == []


def test_a_baseline_of_another_format_is_refused(project: Project, run: Runner) -> None:
    Path("known.json").write_text('{"format_version": "3.0", "deviations": []}', encoding="utf-8")
    assert "known.json has drift format 3.0" in run("drift", "--baseline", "known.json").err


def test_a_fingerprint_that_is_no_text_is_no_baseline(project: Project, run: Runner) -> None:
    Path("known.json").write_text('{"format_version": "2.0", "deviations": [{"fingerprint": 1}]}', encoding="utf-8")
    assert "known.json is not a baseline" in run("drift", "--baseline", "known.json").err


def test_the_receipt_of_an_apply_tells_who_moved(project: Project, run: Runner) -> None:
    assert run("apply", "--auto-approve", "--receipt", "receipt.json").code == 0
    edit(project, AccessTokenDuration=300)
    drifted = run("drift", "--receipt", "receipt.json")
    assert "AccessTokenDuration  live 300, desired 600  [live changed]\n" in drifted.out
    assert "The last apply was at 20" in drifted.out
    project.manifest("front", AccessTokenDuration=120)
    assert "[both changed]" in run("drift", "--receipt", "receipt.json").out
    edit(project, AccessTokenDuration=600)
    ahead = run("drift", "--receipt", "receipt.json")
    assert (ahead.code, "[git changed]" in ahead.out) == (2, True)
    since = run("drift", "--receipt", "receipt.json", "--since-receipt")
    assert since.code == 0
    assert "No new drift." in since.out
    assert "3 deviations without a live change since the last apply are not shown." in since.out


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
    assert (done.code, done.out) == (1, "")
    assert "there is no receipt of the last apply to test in " in done.err
    assert "name one with --receipt FILE" in done.err


def test_the_newest_run_of_the_journal_has_left_its_receipt(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=300)
    assert run("apply", "--auto-approve").code == 0
    edit(project, AccessTokenDuration=60)
    assert "[live changed]" in run("drift").out
    assert run("drift", "--since-receipt").code == 2
    (receipt,) = Path(".reconciler/runs").glob("*.receipt.json")
    assert stat.S_IMODE(receipt.stat().st_mode) == 0o600
    receipt.write_text("{}", encoding="utf-8")
    assert "[live changed]" not in run("drift").out


def test_a_receipt_of_the_journal_that_git_tracks_is_believed_only_where_it_is_signed(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILER_PLAN_KEY", "k" * 40)
    project.manifest("front", AccessTokenDuration=300)
    run("apply", "--auto-approve")
    edit(project, AccessTokenDuration=60)
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "--force", "*.receipt.json")
    assert "[live changed]" in run("drift").out
    monkeypatch.delenv("RECONCILER_PLAN_KEY")
    done = run("drift")
    assert "receipt.json is not used: git tracks it: the source of drift is unknown; run git rm --cached" in done.out
    assert "[live changed]" not in done.out
    since = run("drift", "--since-receipt")
    assert (since.code, "is not used: git tracks it" in since.err) == (1, True)
    git(project.folder, "add", "--force", "*.jsonl")
    assert ".jsonl is not used: git tracks it: the source of drift is unknown" in run("drift").out


@pytest.mark.parametrize("target", ["a.json", "nowhere"])
def test_a_receipt_of_the_journal_that_is_a_link_is_refused(project: Project, run: Runner, target: str) -> None:
    project.manifest("front", AccessTokenDuration=300)
    run("apply", "--auto-approve")
    (receipt,) = Path(".reconciler/runs").glob("*.receipt.json")
    receipt.rename(receipt.parent / "a.json")
    receipt.symlink_to(target)
    done = run("drift")
    assert done.code == 1
    assert "it is a symbolic link" in done.err


def test_a_run_that_left_no_receipt_leaves_nobody_to_blame(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=300)
    run("apply", "--auto-approve")
    for receipt in Path(".reconciler/runs").glob("*.receipt.json"):
        receipt.unlink()
    edit(project, AccessTokenDuration=60)
    assert "The last apply" not in run("drift").out
    for journal in Path(".reconciler/runs").glob("*.jsonl"):
        journal.write_text("no line\n", encoding="utf-8")
    assert run("drift").code == 2


def test_a_receipt_that_is_not_there_is_named(project: Project, run: Runner) -> None:
    assert "cannot read nowhere.json: No such file" in run("drift", "--receipt", "nowhere.json").err
    Path("bytes").write_bytes(b"\xff")
    assert "bytes is not UTF-8 text" in run("drift", "--receipt", "bytes").err


def test_write_back_shows_the_edits_makes_them_and_then_there_is_no_drift(project: Project, run: Runner) -> None:
    edit(project, AccessTokenDuration=300)
    manifest = Path("manifests/front.yaml")
    manifest.write_text(
        "# the shop\napiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: front}\n"
        "spec:\n  AppName: front\n  AccessTokenDuration: 600   # minutes\n",
        encoding="utf-8",
    )
    before = manifest.read_text(encoding="utf-8")
    done = run("drift", "--write-back", "--write")
    assert (done.code, done.out.splitlines()[-1]) == (0, "No drift. 1 resource is in step, 2 unmanaged.")
    assert "-  AccessTokenDuration: 600   # minutes\n+  AccessTokenDuration: 300   # minutes\n" in done.err
    assert manifest.read_text(encoding="utf-8") == before.replace("600 ", "300 ")
    assert run("plan", "--detailed-exitcode").code == 0
    assert project.writes() == ["PATCH"]


def test_write_back_alone_shows_the_edits_and_writes_nothing(project: Project, run: Runner) -> None:
    edit(project, AccessTokenDuration=300)
    before = Path("manifests/front.yaml").read_bytes()
    done = run("drift", "--write-back")
    assert (done.code, Path("manifests/front.yaml").read_bytes()) == (2, before)
    assert '"AccessTokenDuration": 300' in done.err
    assert "Nothing was written. To write 1 file, add --write.\n" in done.err
    assert run("drift", "--write").code == 64


def test_write_back_without_drift_writes_nothing(project: Project, run: Runner) -> None:
    before = Path("manifests/front.yaml").stat().st_mtime_ns
    done = run("drift", "--write-back", "--write")
    assert (done.code, done.err, Path("manifests/front.yaml").stat().st_mtime_ns) == (0, "", before)


def test_write_back_names_all_that_it_does_not_own_and_brings_in_the_rest(project: Project, run: Runner) -> None:
    target = json.loads(Path("reconciler.yaml").read_text(encoding="utf-8"))["environments"]["test"]
    project.configure(test=target | {"values": {"minutes": 600}})
    project.manifest("front", AccessTokenDuration="${values.minutes}", Active=True, xp={"a": 1})
    project.manifest("gone", AccessTokenDuration=60)
    edit(project, AccessTokenDuration=300, xp={"a": 2})
    done = run("drift", "--write-back", "--write")
    assert done.code == 2
    assert "ApiClient/front AccessTokenDuration is not written back: its value comes from values.minutes" in done.err
    assert "change it under environments.test; the live value is 300" in done.err
    assert "ApiClient/gone is not written back: it does not exist in the service" in done.err
    assert "2 errors found" in done.err
    assert '"xp": {"a": 2}' in Path("manifests/front.yaml").read_text(encoding="utf-8")
    assert "Drift: 1 missing, 1 differs" in done.out
    again = run("drift", "--write-back", "--write")
    assert (again.code, again.out) == (1, "")


def test_write_back_names_a_value_that_no_manifest_may_have_and_brings_in_the_rest(
    project: Project, run: Runner
) -> None:
    url = {"CustomImplementationUrl": "https://x.example"}
    for name in ("a", "b"):
        body = {"Name": name, "EventType": "OrderReturn", "HashKey": "k", "ConfigData": {"text": "free"}}
        project.ask("PUT", f"/v1/integrationEvents/{name}", {**body, **url})
    run("export", "--kinds", "IntegrationEvent", "--write")
    for name, text in (("a", "<Redacted. Leave unchanged.>"), ("b", "other")):
        project.ask("PATCH", f"/v1/integrationEvents/{name}", {"ConfigData": {"text": text}, "Name": "new"})
    done = run("drift", "--write-back", "--write")
    files = {name: Path(f"manifests/{name}.yaml").read_text(encoding="utf-8") for name in ("a", "b")}
    assert done.code == 2
    assert ("Name: new" in files["a"], "text: free" in files["a"]) == (True, True)
    assert ("Name: new" in files["b"], "text: other" in files["b"]) == (True, True)
    line = files["a"][: files["a"].index("text: free")].count("\n") + 1
    assert f"manifests/a.yaml:{line}:" in done.err
    assert "with the live values: this is the placeholder that an export writes for a secret" in done.err
    assert "1 error found" in done.err


def test_write_back_refuses_what_would_be_no_manifest(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=600, IsAnonBuyer=False, DefaultContextUserName=None)
    edit(project, xp={"a": "<Redacted. Leave unchanged.>"})
    project.manifest("front", AccessTokenDuration=600, xp={"a": 1})
    done = run("drift", "--write-back", "--write")
    assert (done.code, done.out) == (1, "")
    assert "with the live values: this is the placeholder that an export writes for a secret" in done.err


def test_write_back_refuses_files_that_somebody_shares_by_an_anchor(project: Project, run: Runner) -> None:
    text = (
        "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: front}\n"
        "spec: {AppName: front, AccessTokenDuration: &m 600, RefreshTokenDuration: *m}\n"
    )
    Path("manifests/front.yaml").write_text(text, encoding="utf-8")
    edit(project, AccessTokenDuration=300, RefreshTokenDuration=600)
    done = run("drift", "--write-back", "--write")
    assert (done.code, Path("manifests/front.yaml").read_text(encoding="utf-8")) == (1, text)
    assert (
        "ApiClient/front AccessTokenDuration is not written back: it cannot be edited without changing other lines"
        in done.err
    )
    assert "(at /spec/AccessTokenDuration); change it by hand; the live value is 300" in done.err


def test_write_back_and_a_receipt_are_for_one_environment(project: Project, run: Runner) -> None:
    assert run("drift", "--write-back", "--write", "--env-all").code == 64
    run("apply", "--auto-approve", "--receipt", "receipt.json")
    assert run("drift", "--receipt", "receipt.json", "--env-all").code == 64


def test_write_back_gives_up_where_the_service_moves_meanwhile(project: Project, run: Runner) -> None:
    edit(project, AccessTokenDuration=300)
    before = Path("manifests/front.yaml").read_bytes()
    spec = f"GET /v1/apiclients edit=AccessTokenDuration:301 client={FRONT} after=1"
    project.ask("POST", "/_emulator/faults", {"spec": spec})
    done = run("drift", "--write-back", "--write")
    assert (done.code, done.out) == (1, "")
    assert "would still differ in ApiClient/front/AccessTokenDuration; nothing was written" in done.err
    assert Path("manifests/front.yaml").read_bytes() == before


def test_fields_that_differ_may_go_either_way_and_objects_alone_may_not(project: Project, run: Runner) -> None:
    edit(project, AccessTokenDuration=300)
    done = run("drift", "manifests", "--only", "ApiClient/front")
    command = "reconciler drift manifests --env test --only ApiClient/front --write-back"
    assert f"(to write them, add --write):\n    {command}\n" in done.out
    assert run(*command.split()[1:]).code == 2
    (project.folder / "manifests" / "front.yaml").unlink()
    project.manifest("new", AccessTokenDuration=600)
    assert "--write-back" not in run("drift").out
