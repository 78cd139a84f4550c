import json
from pathlib import Path

import pytest

from reconciler.model.json import Json
from tests.cli.conftest import Project, Runner


def write(name: str, document: Json) -> None:
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).write_text(json.dumps(document), encoding="utf-8")


def manifest(**spec: Json) -> Json:
    return {"apiVersion": "reconciler/v1", "kind": "ApiClient", "metadata": {"name": "a"}, "spec": spec}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two environments, of which only one has the value that the manifest asks for."""
    monkeypatch.chdir(tmp_path)
    environments: Json = {"one": {"emulator": {}, "values": {"minutes": 600}}, "two": {"emulator": {}}}
    config: Json = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["m"], "environments": environments}
    write("reconciler.yaml", config)
    write("m/a.yaml", manifest(AppName="a", AccessTokenDuration=600))


def test_valid_manifests_are_counted(run: Runner) -> None:
    done = run("validate")
    assert (done.code, done.out, done.err) == (0, "Valid: 1 document in 1 file.\n", "")


def test_a_fault_of_all_environments_is_told_once(run: Runner) -> None:
    write("m/a.yaml", manifest(AppName="a", AccessTokenDuration=1))
    done = run("validate")
    assert done.code == 1
    assert done.out.count("AccessTokenDuration must be") == 1
    assert "{" not in done.out
    assert done.out.endswith("Not valid: 1 error in 1 file.\n")


def test_a_fault_of_one_environment_names_it(run: Runner) -> None:
    write("m/a.yaml", manifest(AppName="a", AccessTokenDuration="${values.minutes}"))
    done = run("validate")
    assert done.code == 1
    assert "values.minutes is not defined in environment two" in done.out
    assert done.out.splitlines()[0].endswith(" {two}")


def test_one_environment_can_be_chosen(run: Runner) -> None:
    write("m/a.yaml", manifest(AppName="a", AccessTokenDuration="${values.minutes}"))
    assert run("validate", "--env", "one").code == 0
    assert run("validate", "--env", "two").code == 1


def test_the_report_as_json_has_places_and_counts(run: Runner) -> None:
    write("m/a.yaml", manifest(AppName="a", Activ=True))
    done = run("validate", "--format", "json")
    document = json.loads(done.out)
    assert done.code == 1
    assert (document["valid"], document["error_count"], document["files"], document["documents"]) == (False, 1, 1, None)
    fault = document["diagnostics"][0]
    assert (fault["rule"], fault["pointer"], fault["environments"]) == ("unknown-field", "/spec/Activ", [])
    assert fault["place"] == {"file": "m/a.yaml", "line": 1, "column": 106}


def test_faults_of_the_configuration_are_reported_like_any_other(run: Runner) -> None:
    write("reconciler.yaml", {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": [], "environment": {}})
    done = run("validate", "--format", "json")
    document = json.loads(done.out)
    assert done.code == 1
    assert {fault["place"]["file"] for fault in document["diagnostics"]} == {"reconciler.yaml"}


def test_without_a_configuration_paths_are_checked_alone(run: Runner) -> None:
    Path("reconciler.yaml").unlink()
    assert run("validate", "m").code == 0
    write("m/a.yaml", manifest(AppName="a", AccessTokenDuration="${values.minutes}"))
    done = run("validate", "m")
    assert done.code == 1
    assert "values.minutes is not defined: no environment is selected" in done.out


@pytest.mark.parametrize("command_line", [["validate"], ["plan"], ["plan", "m"]])
def test_without_a_configuration_and_without_paths_there_is_nothing_to_do(run: Runner, command_line: list[str]) -> None:
    Path("reconciler.yaml").unlink()
    done = run(*command_line)
    assert (done.code, done.out) == (1, "")
    assert "there is no reconciler.yaml here or in any folder above" in done.err


@pytest.mark.parametrize("name", ["reconciler.yml", "Reconciler.YAML"])
def test_a_configuration_under_another_name_is_named(run: Runner, name: str) -> None:
    Path("reconciler.yaml").rename(name)
    done = run("validate")
    assert done.code == 1
    assert f"or in any folder above, but there is {name}" in done.err
    assert "hint: rename it: mv " in done.err


def test_an_environment_cannot_be_chosen_without_a_configuration(run: Runner) -> None:
    Path("reconciler.yaml").unlink()
    assert run("validate", "m", "--env", "one").code == 1


def test_an_unknown_role_is_an_error_or_a_warning_as_asked_for(run: Runner) -> None:
    write("m/a.yaml", manifest(AppName="a", MaximumGrantedRoles=["NewRole"]))
    assert run("validate").code == 1
    done = run("validate", "--allow-unknown-roles")
    assert done.code == 0
    assert "warning: " in done.out
    assert done.out.endswith("Valid: 1 document in 1 file, 1 warning.\n")


def test_a_configuration_can_be_named(run: Runner) -> None:
    Path("reconciler.yaml").rename("other.yaml")
    assert run("validate", "--config", "other.yaml").code == 0
    assert run("--config", "missing.yaml", "validate").code == 1


IDS = """\
apiVersion: reconciler/v1
kind: Config
manifests: [m]
environments:
  one:
    emulator: {}
    ids:
      storefrnt: X
      gone: Y
"""


def test_an_id_under_a_name_that_no_manifest_has_is_a_warning_at_its_own_line(run: Runner) -> None:
    Path("reconciler.yaml").write_text(IDS, encoding="utf-8")
    write("m/b.yaml", manifest(AppName="b") | {"metadata": {"name": "storefront"}})  # type: ignore[operator]  # a mapping
    done = run("validate")
    assert done.code == 0
    misspelled, gone = done.out.splitlines()[:2]
    assert misspelled == (
        'reconciler.yaml:8:18: warning: ids contains "storefrnt", but no manifest has that name (at '
        "/environments/one/ids/storefrnt); did you mean storefront? [id-without-manifest]"
    )
    assert gone.startswith("reconciler.yaml:9:13: warning: ")
    assert gone.endswith("; remove it, or use the current name of its manifest [id-without-manifest]")


def test_a_part_of_the_manifests_says_nothing_about_ids_of_others(run: Runner) -> None:
    Path("reconciler.yaml").write_text(IDS, encoding="utf-8")
    assert run("validate", "m/a.yaml").out == "Valid: 1 document in 1 file.\n"
    write("m/b.yaml", manifest(AppName="b") | {"metadata": {"name": "b"}})  # type: ignore[operator]  # a mapping
    assert "id-without-manifest" in run("validate").out
    Path("m/b.yaml").write_text("a: [", encoding="utf-8")
    assert "id-without-manifest" not in run("validate").out


def test_an_id_whose_manifest_may_be_the_faulty_one_is_not_to_be_removed(run: Runner) -> None:
    Path("reconciler.yaml").write_text(IDS, encoding="utf-8")
    write("m/b.yaml", manifest(AppName="b") | {"kind": "APIClient"})  # type: ignore[operator]  # a mapping
    assert "id-without-manifest" not in run("validate").out


def test_an_address_in_place_of_a_path_is_told_the_option(project: Project, run: Runner) -> None:
    project.manifest("back", AccessTokenDuration=600)
    assert "select a resource with --only KIND/NAME" in run("plan", "ApiClient/back").err


def test_a_kind_of_this_program_with_another_version_is_not_taken_for_that_of_another_program(run: Runner) -> None:
    write("m/a.yaml", manifest(AppName="a") | {"apiVersion": "v1"})  # type: ignore[operator]  # a mapping
    assert "apiVersion must be reconciler/v1, got v1" in run("validate", "m").out


def test_what_is_counted_is_what_was_read(project: Project, run: Runner) -> None:
    (project.folder / "manifests" / "empty.yaml").write_text("# nothing yet\n")
    project.manifest("back", AccessTokenDuration=600)
    assert run("validate").out.splitlines()[-1] == "Valid: 2 documents in 2 files, 1 warning."


def test_an_error_and_a_warning_are_not_two_errors(project: Project, run: Runner) -> None:
    (project.folder / "manifests" / "empty.yaml").write_text("# nothing yet\n")
    project.manifest("back", AccessTokenDuratio=600)
    assert run("plan").err.splitlines()[-1] == "error: 1 error and 1 warning found"


@pytest.mark.parametrize("place", ["manifests", "overlays"])
def test_a_null_character_in_a_path_is_a_fault(run: Runner, place: str) -> None:
    named: dict[str, list[Json]] = {"manifests": ["m"], "overlays": []}
    named[place].append("m\0")
    environments: Json = {"one": {"emulator": {}, "overlays": named["overlays"]}}
    head: dict[str, Json] = {"apiVersion": "reconciler/v1", "kind": "Config"}
    head |= {"manifests": named["manifests"], "environments": environments}
    write("reconciler.yaml", head)
    done = run("validate")
    assert (done.code, "a path cannot contain a null character" in done.out) == (1, True), done.err


def test_a_null_character_in_the_path_of_a_seed_is_an_error(run: Runner) -> None:
    environments: Json = {"one": {"emulator": {"seed": "seed\0"}}}
    config: Json = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["m"], "environments": environments}
    write("reconciler.yaml", config)
    done = run("plan", "--out", "plan.json")
    assert (done.code, "internal" in done.err) == (1, False), done.err
