import json
from pathlib import Path

import pytest

from tests.cli.conftest import FRONT, Project, Runner
from tests.cli.test_export import ids
from tests.service import client_id

SEED = {
    "Objects": {
        "ApiClients": [
            {"ID": FRONT, "AppName": "front", "AccessTokenDuration": 60, "ClientSecret": "<Redacted. Leave unchanged.>"}
        ],
        "Products": [{}],
    }
}


def test_an_import_goes_beside_the_manifests_that_are_there(project: Project, run: Runner) -> None:
    (project.folder / "export.json").write_text(json.dumps(SEED))
    done = run("import", "export.json", "--write")
    assert (done.code, done.err) == (0, "")
    assert "changed  ApiClient/front" in done.out
    assert "Products (1 entry): business data or unmanaged kinds" in done.out
    assert json.loads((project.folder / "manifests" / "front.yaml").read_text())["spec"]["AccessTokenDuration"] == 60
    assert ids(project) == {}  # the file may be of another marketplace
    assert project.writes() == []


def test_a_client_whose_secret_is_hidden_in_the_file_does_not_lose_it_in_silence(project: Project, run: Runner) -> None:
    client = {"ID": client_id(0xC), "AppName": "hidden", "AllowSeller": True, "AccessTokenDuration": 60}
    client["ClientSecret"] = "<Redacted. Leave unchanged.>"
    (project.folder / "export.json").write_text(json.dumps({"Objects": {"ApiClients": [client]}}))
    run("import", "export.json", "--write")
    text = (project.folder / "manifests" / "hidden.yaml").read_text()
    assert "# Its ClientSecret is not exported." in text
    assert "# created from this manifest, it has none, and its id alone is enough to log in." in text
    assert "ApiClient/hidden is created without a secret, which widens access" in run("plan").out


def test_an_import_needs_no_configuration(tmp_path: Path, run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "export.json").write_text(json.dumps(SEED))
    assert "Nothing was written. To write this file, add --write." in run("import", "export.json").out
    done = run("import", "export.json", "--write")
    assert "ApiClient/front ClientSecret: secrets are never written to files" in done.out
    assert (tmp_path / "manifests" / "front.yaml").read_text().startswith(f"# From export.json, client ID {FRONT}.\n")
    assert run("import", "export.json").out.count("already up to date") == 1


def test_a_file_that_is_not_there_is_named(project: Project, run: Runner) -> None:
    done = run("import", "nowhere.yaml")
    assert (done.code, done.out) == (1, "")
    assert "nowhere.yaml: error: there is no such file or directory" in done.err
