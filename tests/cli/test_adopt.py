import json
from pathlib import Path
from typing import Any

from tests.cli.conftest import BACK, FRONT, Project, Runner, git
from tests.service import client_id

CONFIG = Path("reconciler.yaml")


def twin_of_back(project: Project) -> str:
    """A second live client of that name."""
    project.manifest("back")
    body: dict[str, Any] = {"AppName": "back", "Active": False, "AccessTokenDuration": 600, "xp": {"channel": "kiosk"}}
    return str(project.ask("POST", "/v1/apiclients", body)["ID"])


def test_adopt_shows_every_manifest_and_writes_nothing(project: Project, run: Runner) -> None:
    project.manifest("new")
    before = CONFIG.read_bytes()
    done = run("adopt")
    assert (done.code, done.err) == (0, "")
    assert f"bind       ApiClient/front  {FRONT}  by AppName\n" in done.out
    assert "not-live   ApiClient/new    it would be created\n" in done.out
    assert "Adopt: 1 to bind, 1 not live.\n" in done.out
    assert "Nothing was written. To write 1 id into reconciler.yaml, add --write.\n" in done.out
    assert CONFIG.read_bytes() == before
    assert project.writes() == []


def test_write_binds_and_a_rename_in_git_is_then_an_update(project: Project, run: Runner) -> None:
    done = run("adopt", "--write")
    assert "Written: 1 id, under environments.test.ids of reconciler.yaml.\n" in done.out
    project.manifest("front", AppName="shop front")
    assert f"~ update ApiClient/front (id {FRONT}, " in run("plan").out
    assert project.writes() == []


def own_ids(project: Project) -> Path:
    """The file of ids that the environment gets, empty."""
    (project.folder / "ids").mkdir()
    file = project.folder / "ids" / "test.yaml"
    file.write_text("# by adopt\n", encoding="utf-8")
    text = CONFIG.read_text(encoding="utf-8").replace('"limits"', '"ids": {"file": "ids/test.yaml"}, "limits"')
    CONFIG.write_text(text, encoding="utf-8")
    return file


def test_ids_of_a_file_of_their_own_are_written_there_and_found_again(project: Project, run: Runner) -> None:
    file, before = own_ids(project), CONFIG.read_bytes()
    assert "To write 1 id into ids/test.yaml, add --write.\n" in run("adopt").out
    done = run("adopt", "--write")
    assert (done.code, "Written: 1 id, in ids/test.yaml.\n" in done.out) == (0, True)
    assert file.read_text(encoding="utf-8") == f"# by adopt\nfront: {FRONT}\n"
    assert CONFIG.read_bytes() == before
    project.manifest("front", AppName="shop front")
    assert f"~ update ApiClient/front (id {FRONT}, " in run("plan").out
    assert f"id: {FRONT}  # ids.front of test (ids/test.yaml:2)" in run("show", "--resolved").out
    file.write_text("frnt: X\n", encoding="utf-8")
    assert (
        'ids/test.yaml:1:7: warning: ids contains "frnt", but no manifest has that name (at /frnt); did you mean front?'
        in (run("validate").out)
    )


def test_export_adds_ids_to_the_file_of_the_environment(project: Project, run: Runner) -> None:
    file, before = own_ids(project), CONFIG.read_bytes()
    assert run("export", "--write").code == 0
    assert file.read_text(encoding="utf-8") == f"# by adopt\nback: {BACK}\nfront: {FRONT}\n"
    assert CONFIG.read_bytes() == before


def test_a_file_of_ids_is_an_input_that_no_output_overwrites_and_git_knows(project: Project, run: Runner) -> None:
    file = own_ids(project)
    for command in ("plan", "validate", "show --resolved", "adopt", "drift", "export", "doctor", "history"):
        for name in ("ids/test.yaml", "manifests/front.yaml"):
            done = run(*command.split(), "--into", f"json={name}")
            assert (done.code, f"{name} is an input of this run" in done.err) == (64, True), (command, done)
    git(project.folder, "init", "--quiet")
    git(project.folder, "add", "--all")
    git(project.folder, "commit", "--quiet", "--message", "all")
    assert json.loads(run("plan", "--format", "json").out)["binding"]["git_dirty"] is False
    file.write_text(f"front: {FRONT}\n", encoding="utf-8")
    assert json.loads(run("plan", "--format", "json").out)["binding"]["git_dirty"] is True


def test_a_second_run_finds_nothing_to_write(project: Project, run: Runner) -> None:
    run("adopt", "--write")
    before = CONFIG.stat()
    done = run("adopt", "--write")
    after = CONFIG.stat()
    assert f"bound      ApiClient/front  {FRONT}  by ids\n" in done.out
    assert "Adopt: 1 already bound.\nNothing to write.\n" in done.out
    assert done.code == 0
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns), "reading changes only st_atime"


def test_the_json_says_what_was_written(project: Project, run: Runner) -> None:
    shown, written = (json.loads(run("adopt", "--format", "json", *more).out) for more in ([], ["--write"]))
    assert (shown["written"], written["written"]) == (False, True)
    assert shown["ids"] == {"ApiClient/front": FRONT}
    assert shown["proposals"] == written["proposals"]
    assert json.loads(CONFIG.read_text(encoding="utf-8"))["environments"]["test"]["ids"] == {"front": FRONT}


def test_an_ambiguous_name_ends_with_1_and_all_else_is_still_shown(project: Project, run: Runner) -> None:
    twin = twin_of_back(project)
    before = CONFIG.read_bytes()
    done = run("adopt", "--write")
    assert done.code == 1
    assert f"bind       ApiClient/front  {FRONT}  by AppName\n" in done.out
    assert "ambiguous  ApiClient/back   2 live objects have this AppName\n" in done.out
    assert f"{BACK}  active\n" in done.out
    assert f"{twin}  inactive  channel=kiosk\n" in done.out
    assert "Nothing was written: " in done.out
    assert "manifests/back.yaml:" in done.err
    assert "[ambiguous-name]" in done.err
    assert CONFIG.read_bytes() == before


def test_paths_narrow_an_adoption_down(project: Project, run: Runner) -> None:
    twin_of_back(project)
    assert run("adopt", "manifests/front.yaml", "--write").code == 0


def test_a_configuration_that_cannot_be_written_to_is_left_and_the_ids_are_named(project: Project, run: Runner) -> None:
    text = CONFIG.read_text(encoding="utf-8").replace('{"test": {', '{"test": &t {')
    text = text.removesuffix("}}") + ', "other": *t}}'
    CONFIG.write_text(text, encoding="utf-8")
    done = run("adopt", "--env", "test", "--write")
    assert done.code == 1
    assert done.out.endswith("\nNothing was written: reconciler.yaml is unchanged.\n")
    assert f"add by hand under environments.test.ids: front: {FRONT}" in done.err
    assert CONFIG.read_text(encoding="utf-8") == text


def test_the_wrong_marketplace_stops_an_adoption_with_3(project: Project, run: Runner) -> None:
    CONFIG.write_text(CONFIG.read_text(encoding="utf-8").replace('"emulator"', '"another"'), encoding="utf-8")
    done = run("adopt", "--write")
    assert (done.code, done.out) == (3, "")


def test_where_there_are_no_manifests_there_is_nothing_to_adopt(project: Project, run: Runner) -> None:
    Path("manifests/front.yaml").write_text("# later\n", encoding="utf-8")
    done = run("adopt", "--write")
    assert done.code == 0
    assert "Adopt: no manifests.\nNothing to write.\n" in done.out


def test_an_id_that_is_not_live_is_named_and_kept(project: Project, run: Runner) -> None:
    text = CONFIG.read_text(encoding="utf-8").replace('"limits"', f'"ids": {{"front": "{client_id(9)}"}}, "limits"')
    CONFIG.write_text(text, encoding="utf-8")
    done = run("adopt", "--write")
    assert done.code == 0
    assert f"stale      ApiClient/front  {client_id(9)}  by ids, but its id is not live here" in done.out
    assert CONFIG.read_text(encoding="utf-8") == text


def test_an_id_that_is_given_settles_an_ambiguity_and_binds_nothing_else(project: Project, run: Runner) -> None:
    other = twin_of_back(project)
    done = run("adopt", f"ApiClient/back={other.lower()}", "--write")
    assert (done.code, done.err) == (0, "")
    assert f"bind       ApiClient/back  {other}  from the command line\n" in done.out
    ids = json.loads(CONFIG.read_text(encoding="utf-8"))["environments"]["test"]["ids"]
    assert ids == {"back": other}
    assert "ApiClient/back  " + other + "  by ids" in run("adopt", f"back={other}").out
    refused = run("adopt", f"back={BACK}", "--write")
    assert refused.code == 1
    assert f"it is already bound to {other} under ids" in refused.err


def test_an_id_can_be_given_for_a_client_of_another_name_but_not_for_one_that_is_taken(
    project: Project, run: Runner
) -> None:
    project.manifest("new", AccessTokenDuration=60)
    assert f"bind       ApiClient/new  {BACK}  from the command line\n" in run("adopt", f"new={BACK}").out
    taken = run("adopt", f"new={FRONT}", "--write")
    assert taken.code == 1
    assert "taken" in taken.out
    missing = run("adopt", "new=GONE", "--write")
    assert missing.code == 1
    assert "ApiClient/new cannot be bound: there is no live object with the ID GONE" in missing.err
    assert "ids" not in CONFIG.read_text(encoding="utf-8")


def test_what_is_no_manifest_or_no_id_is_wrong_usage(project: Project, run: Runner) -> None:
    for arguments, said in (
        (("frnt=X",), "there is no manifest frnt\n  hint: did you mean"),
        (("front=",), "the ID is missing in front="),
        (("front=A", "front=B"), "two IDs for front: A and B"),
    ):
        done = run("adopt", *arguments)
        assert (done.code, said in done.err) == (64, True), done.err
    assert project.writes() == []
