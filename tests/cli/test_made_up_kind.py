"""A kind that nothing in the program was written for goes through the commands: its table is all that they need."""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.emulator.rows import kinds_of, tables_of
from reconciler.kinds import KINDS
from reconciler.manifests.explain import SCHEMAS
from reconciler.manifests.schema import schema_path
from tests.cli.conftest import FRONT, Project, Run, Runner
from tests.made_up import MADE_UP_THING, made_up
from tests.made_up import made_up_kind as made_up_kind  # noqa: PLC0414  # the fixture, under its own name

PATH = "/v1/madeupthings/gadget"
SPEC: dict[str, Any] = {
    "Name": "Gadget",
    "Size": 3,
    "AllowStrangers": False,
    "ClientID": {"ref": "front"},
    "HashKey": {"fromEnv": "THING_KEY"},
    "xp": {"team": "web"},
}
LIVE = SPEC | {"ID": "gadget", "ClientID": FRONT.lower(), "HashKey": "planted"}


@pytest.fixture
def shop(made_up_kind: None, project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A marketplace that has such things, but none yet; a buyer; and the manifest of one that it is assigned to."""
    document = json.loads((project.folder / "reconciler.yaml").read_text())["environments"]["test"]
    limits = {"kinds": {"MadeUpThing": {"widens": 0}}, "deletes": 1}
    secrets = {"allow": ["THING_KEY"]}
    project.configure(test=document | {"limits": limits, "secrets": secrets, "protected": ["back"]})
    project.ask("PUT", "/v1/buyers/main", {"Name": "Main", "Active": True})
    monkeypatch.setenv("THING_KEY", "planted")
    write(project)
    project.writes()
    return project


def write(project: Project, **spec: Any) -> Path:
    head = {"apiVersion": "reconciler/v1", "kind": "MadeUpThing", "metadata": {"name": "gadget"}}
    file = project.folder / "manifests" / "gadget.yaml"
    file.write_text(json.dumps(head | {"spec": SPEC | spec, "assignments": {"buyers": ["main"]}}), encoding="utf-8")
    return file


def done(run: Runner, *arguments: str, code: int = 0) -> Run:
    """Run a command that ends with this code, and shows no secret."""
    ended = run(*arguments)
    assert ended.code == code, ended.err
    assert "planted" not in ended.out + ended.err
    return ended


def has_changes(run: Runner, *arguments: str) -> bool:
    return "No changes." not in done(run, "plan", *arguments).out


def test_it_is_validated_planned_and_applied_and_then_in_step(shop: Project, run: Runner) -> None:
    assert "Valid: 2 documents" in done(run, "validate").out
    assert "ClientID:\n    ref: front" in done(run, "show", "--resolved").out
    shown = done(run, "plan").out
    assert "+ create MadeUpThing/gadget (id gadget, manifests/gadget.yaml:1:1)" in shown
    assert "HashKey             (secret, will be set)" in shown
    assert f'ClientID            "{FRONT}"' in shown
    done(run, "apply", "--auto-approve")
    assert shop.writes() == ["PUT", "POST"]
    assert shop.ask("GET", PATH) == LIVE
    (row,) = shop.ask("GET", "/v1/madeupthings/assignments")["Items"]
    assert row == {"MadeUpThingID": "gadget", "BuyerID": "main", "UserGroupID": None}
    assert not has_changes(run)
    done(run, "snapshot", "--out", "s.json")
    assert not has_changes(run, "--from-snapshot", "s.json")


def test_faults_of_its_manifest_have_their_places(shop: Project, run: Runner) -> None:
    write(shop, Sise=3, Size=10, ClientID={"ref": "frond"})
    said = done(run, "validate", code=1).out
    assert "did you mean Size?" in said
    assert "manifests/gadget.yaml:1:123: error: Size must be 1 to 9, got 10 (at /spec/Size)" in said
    assert "did you mean front?" in said
    assert "Range    1 to 9" in done(run, "explain", "MadeUpThing.spec.Size").out
    assert json.loads(done(run, "schema", "MadeUpThing").out)["title"] == "made-up thing manifest"


def test_what_widens_it_and_who_has_the_same_is_refused(shop: Project, run: Runner) -> None:
    done(run, "apply", "--auto-approve")
    write(shop, AllowStrangers=True)
    assert "limit-widens" in done(run, "apply", "--auto-approve", code=3).err
    write(shop)
    shop.ask("PUT", "/v1/madeupthings/other", {"Name": "Other", "Size": 4})
    write(shop, Size=4)
    assert "not-unique" in done(run, "apply", "--auto-approve", code=3).err


def test_what_somebody_changes_is_drift_and_may_go_either_way(shop: Project, run: Runner) -> None:
    done(run, "apply", "--auto-approve")
    shop.ask("PATCH", PATH, {"Size": 5})
    shown = done(run, "drift", code=2).out
    assert "MadeUpThing/gadget" in shown
    assert "Size" in shown
    done(run, "drift", "--write-back", "--write")
    assert not has_changes(run)
    write(shop)
    done(run, "apply", "--auto-approve")
    assert shop.ask("GET", PATH) == LIVE


def test_what_is_exported_asks_for_nothing_new(shop: Project, run: Runner) -> None:
    done(run, "apply", "--auto-approve")
    write(shop).unlink()
    done(run, "export", "--kinds", "MadeUpThing", "--write")
    (made,) = (file for file in (shop.folder / "manifests").iterdir() if "kind: MadeUpThing" in file.read_text())
    assert "ClientID:\n    ref: front" in made.read_text()
    assert not has_changes(run)


def test_without_its_manifest_it_is_pruned_and_a_rollback_makes_it_again(shop: Project, run: Runner) -> None:
    done(run, "apply", "--auto-approve")
    write(shop, Size=4)
    done(run, "apply", "--auto-approve")
    done(run, "rollback", "last", "--auto-approve")
    assert shop.ask("GET", PATH) == LIVE
    write(shop).unlink()
    document = json.loads((shop.folder / "reconciler.yaml").read_text())
    (shop.folder / "reconciler.yaml").write_text(json.dumps(document | {"manage": ["MadeUpThing"]}))
    assert "- delete MadeUpThing/gadget" in done(run, "apply", "--prune", "--auto-approve").err
    assert "Errors" in shop.ask("GET", PATH)
    done(run, "rollback", "last", "--auto-approve")
    assert shop.ask("GET", PATH) == LIVE | {"HashKey": None}


def test_nothing_is_left_of_it(tmp_path: Path) -> None:
    with made_up(tmp_path):
        assert "MadeUpThing" in KINDS
    assert "MadeUpThing" not in {*KINDS, *SCHEMAS, *kinds_of("current"), *kinds_of("legacy")}
    assert "MadeUpThingAssignment" not in tables_of("current")
    assert not schema_path(MADE_UP_THING.schema).exists()
