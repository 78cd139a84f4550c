"""Each field of a plan knows the file and line that its value stands in."""

from pathlib import Path

import pytest

from reconciler.manifests.load import LoadContext, load
from reconciler.model.diagnostic import Place
from reconciler.model.plan import Change
from reconciler.planning import planfile
from reconciler.planning.diff import diff
from reconciler.planning.planfile import reading
from tests.builders import body, live, plan_of

BASE = """\
apiVersion: reconciler/v1
kind: ApiClient
metadata: {name: a}
spec:
  AppName: a
  AccessTokenDuration: 60
  MaximumGrantedRoles: [Shopper]
  xp:
    contact: {team: web}
assignments:
  buyers: [b1]
"""
OVERLAY = """\
apiVersion: reconciler/v1
kind: ApiClient
metadata: {name: a}
spec:
  xp: {contact: {phone: "112"}}
  Active: true
assignments: {suppliers: [s1]}
policy: {fields: exclusive}
"""


@pytest.fixture
def change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Change:
    """A change that a manifest and its overlay ask for together."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").write_text(BASE)
    (tmp_path / "o.yaml").write_text(OVERLAY)
    loaded = load([tmp_path / "a.yaml"], LoadContext(overlays=(tmp_path / "o.yaml",)))
    have = live(body("A", "a", Active=False, AllowSeller=True, xp={"contact": {"phone": "1"}, "old": 1}))
    (found,) = diff(loaded.desired, have, {})
    return found


def test_a_value_is_found_in_the_file_that_sets_it(change: Change) -> None:
    assert {field.pointer: str(field.place) if field.place else "" for field in change.fields} == {
        "/Active": "o.yaml:6:11",
        "/AccessTokenDuration": "a.yaml:6:24",
        "/MaximumGrantedRoles": "a.yaml:7:24",
        "/xp/contact/team": "a.yaml:9:21",
        "/xp/contact/phone": "o.yaml:5:25",
        "/xp/old": "a.yaml:9:5",
        "/AllowSeller": "",
        "/assignments/buyers": "a.yaml:11:11",
        "/assignments/suppliers": "o.yaml:7:26",
    }


def test_a_saved_plan_keeps_the_places_of_its_fields(change: Change) -> None:
    assert reading.loads(planfile.dumps(plan_of(change)), "plan.json").changes == (change,)


def test_the_document_has_a_place_for_each_field_that_has_one(change: Change) -> None:
    fields = planfile.to_document(plan_of(change))["resource_changes"][0]["fields"]  # type: ignore[index,call-overload]
    places = {field["pointer"]: field.get("place", "none") for field in fields}  # type: ignore[index,union-attr,call-overload]
    assert places["/AllowSeller"] == "none"
    assert places["/Active"] == {"file": "o.yaml", "line": 6, "column": 11}


def test_places_are_found_by_pointer_and_only_where_something_is(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BASE)
    places = load([tmp_path / "a.yaml"], LoadContext()).desired.resources[0].places
    assert places["/spec/MaximumGrantedRoles/0"] == Place(str(tmp_path / "a.yaml"), 7, 25)
    for at in ("/spec/MaximumGrantedRoles/00", "/spec/MaximumGrantedRoles/1", "/spec/AppName/0", "/spec/none"):
        assert places.get(at) is None
