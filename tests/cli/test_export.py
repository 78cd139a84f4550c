import json
from pathlib import Path

import pytest

from reconciler.config import load_config
from tests.cli.conftest import BACK, FRONT, Project, Runner
from tests.service import client_id


def test_an_export_shows_what_it_would_write_and_writes_nothing(project: Project, run: Runner) -> None:
    done = run("export")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("Environment test: marketplace emulator at http://127.0.0.1:")
    assert "new      ApiClient/back   manifests/back.yaml\n" in done.out
    assert "Nothing was written. To write these 3 files, add --write." in done.out
    assert [path.name for path in (project.folder / "manifests").iterdir()] == ["front.yaml"]
    assert project.writes() == []


def test_right_after_an_export_the_plan_is_empty_and_there_is_nothing_to_export(project: Project, run: Runner) -> None:
    assert "Written: 3 files." in run("export", "--write").out  # front.yaml lacked Active
    assert run("plan", "--detailed-exitcode").code == 0
    assert run("validate").code == 0
    again = run("export", "--write").out
    assert "Manifests: 2 already up to date, 1 left out.\nNothing to write." in again
    assert project.writes() == []


def test_a_change_that_is_exported_is_shown_line_by_line(project: Project, run: Runner) -> None:
    run("export", "--write")
    path = project.folder / "manifests" / "back.yaml"
    path.write_text(path.read_text().replace("  Active: true\n", "  Active: true   # on duty\n"))
    project.ask("PATCH", f"/v1/apiclients/{BACK}", {"Active": False, "xp": {"\u202e": 1}})
    done = run("export", "--write").out
    assert "changed  ApiClient/back" in done
    assert "-  Active: true   # on duty\n+  Active: false   # on duty\n" in done
    assert "\u202e" not in done + path.read_text()
    assert run("plan", "--detailed-exitcode").code == 0


def ids(project: Project) -> dict[str, str]:
    known = load_config(project.folder / "reconciler.yaml").environments["test"].ids
    return {address.name: one for address, one in known.items()}


@pytest.mark.parametrize("name", ["back", "front"])
def test_a_client_that_is_renamed_after_an_export_is_drift_of_one_field(
    project: Project, run: Runner, name: str
) -> None:
    done = run("export", "--write")
    assert f'"back": "{BACK}"' in done.out
    assert ids(project) == {"back": BACK, "front": FRONT}
    project.ask("PATCH", f"/v1/apiclients/{ids(project)[name]}", {"AppName": "renamed"})
    drift = run("drift")
    assert drift.code == 2
    assert f"manifests/{name}.yaml:" in drift.out
    assert f'AppName  live "renamed", desired "{name}"\n\n' in drift.out
    assert "Drift: 0 missing, 1 differs, 0 surplus; 1 in step, 1 unmanaged." in drift.out


def test_an_id_that_is_kept_already_is_never_replaced_nor_kept_twice(project: Project, run: Runner) -> None:
    environment = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    for known in ({"front": client_id(0xD)}, {"formerly": FRONT.lower()}):
        project.configure(test=environment | {"ids": known})
        assert run("export", "--only", "front", "--write").code == 0
        assert ids(project) == known
    project.configure(test=environment)
    path = project.folder / "manifests" / "front.yaml"
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document | {"metadata": {"name": "front", "id": FRONT.lower()}}))
    run("export", "--only", "front", "--write")
    assert ids(project) == {}


def test_ids_that_cannot_be_added_are_said_before_anything_is_written(project: Project, run: Runner) -> None:
    config = project.folder / "reconciler.yaml"
    text = config.read_text()
    shared = json.dumps(json.loads(text)["environments"]["test"])[:-1]
    config.write_text(
        text.partition('"environments"')[0]
        + f'"environments": {{"test": {shared}, "ids": &ids {{}}}}, '
        + f'"other": {shared}, "ids": *ids}}}}}}'
    )
    done = run("export", "--env", "test", "--write")
    assert done.code == 1
    assert f"add by hand under environments.test.ids: back: {BACK}, front: {FRONT}" in done.err
    assert [path.name for path in (project.folder / "manifests").iterdir()] == ["front.yaml"]


def test_an_export_to_a_folder_of_its_own_looks_at_no_other_manifests(project: Project, run: Runner) -> None:
    assert "Written: 2 files." in run("export", "--out", "elsewhere/deep", "--write").out
    assert len(list((project.folder / "elsewhere" / "deep").iterdir())) == 2
    assert ids(project) == {}


def test_new_files_lead_editors_to_the_schema_where_there_is_one(project: Project, run: Runner) -> None:
    (project.folder / "schemas").mkdir()
    (project.folder / "schemas" / "manifest.v1.schema.json").write_text(run("schema", "manifest").out)
    run("export", "--write")
    first = (project.folder / "manifests" / "back.yaml").read_text().splitlines()[0]
    assert first == "# yaml-language-server: $schema=../schemas/manifest.v1.schema.json"


def test_an_export_of_the_wrong_marketplace_writes_nothing(project: Project, run: Runner) -> None:
    text = (project.folder / "reconciler.yaml").read_text()
    (project.folder / "reconciler.yaml").write_text(text.replace('"marketplace": "emulator"', '"marketplace": "other"'))
    done = run("export", "--write")
    assert (done.code, done.out) == (3, "")
    assert [path.name for path in (project.folder / "manifests").iterdir()] == ["front.yaml"]


def test_a_folder_that_cannot_be_made_is_named(project: Project, run: Runner) -> None:
    (project.folder / "taken").write_text("")
    done = run("export", "--out", "taken/below", "--write")
    assert done.code == 1
    assert "taken/below" in done.err


@pytest.mark.parametrize("command", [("export",), ("import", "seed.json")])
@pytest.mark.parametrize("state", ["empty", "kept", "missing"])
def test_an_empty_or_missing_folder_is_what_the_command_fills(
    project: Project, run: Runner, command: tuple[str, ...], state: str
) -> None:
    Path("manifests/front.yaml").unlink()
    Path("manifests/.gitkeep").touch()
    if state != "kept":
        Path("manifests/.gitkeep").unlink()
    if state == "missing":
        Path("manifests").rmdir()
    refused = run("plan")
    assert refused.code == 1
    assert "run reconciler export --write" in refused.err
    done = run(*command, "--write")
    assert (done.code, done.err) == (0, "")
    assert Path("manifests/front.yaml").is_file()


def test_an_export_asks_for_named_secrets_only_where_that_is_wished(project: Project, run: Runner) -> None:
    def asked() -> list[str]:
        requests = project.ask("GET", "/_emulator/requests")["requests"]
        return [one["path"] for one in requests if one["path"].endswith("/secrets")]

    path = f"/v1/apiclients/{BACK}/secrets"
    project.ask("POST", path, {"Name": "primary"})
    project.ask("DELETE", "/_emulator/requests")
    assert run("export", "--out", "a", "--write").code == 0
    assert (asked(), "primary" in Path("a/back.yaml").read_text(encoding="utf-8")) == ([], False)
    assert run("export", "--out", "b", "--write", "--named-secrets").code == 0
    assert path in asked()
    assert "Its secrets: primary" in Path("b/back.yaml").read_text(encoding="utf-8")
