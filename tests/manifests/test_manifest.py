"""One document -> a resource that knows its id and its places."""

from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.manifests.load import LoadContext, load
from tests.builders import by_address
from tests.manifests.test_load import manifest


def test_the_id_of_the_environment_wins_over_the_manifests(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(manifest("a").replace("{name: a}", "{name: a, id: FROM-MANIFEST, labels: {team: web}}"))
    (own,) = load([file], LoadContext()).desired.resources
    (bound,) = load([file], LoadContext(ids=by_address({"a": "FROM-ENVIRONMENT"}))).desired.resources
    assert (own.id, bound.id, own.labels) == ("FROM-MANIFEST", "FROM-ENVIRONMENT", {"team": "web"})


def test_a_resource_knows_its_place_and_those_of_its_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("# first line\n" + manifest("a", "  Active: true\n"))
    (resource,) = load([Path("a.yaml")], LoadContext()).desired.resources
    assert str(resource.place) == "a.yaml:2:1"
    assert str(resource.places["/spec/Active"]) == "a.yaml:7:11"


@pytest.mark.parametrize("nothing", ["0", "0d", "0h", "'0'"])
def test_an_overlap_of_nothing_may_have_a_unit(tmp_path: Path, nothing: str) -> None:
    file = tmp_path / "a.yaml"
    file.write_text(
        manifest("a") + f"secrets: [{{name: primary, overlap: {nothing}, deliver: [{{file: a.secret}}]}}]\n"
    )
    (resource,) = load([file], LoadContext(root=tmp_path)).desired.resources
    assert [secret.overlap for secret in resource.named_secrets or ()] == [timedelta()]
