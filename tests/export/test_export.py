"""Live objects -> manifests: right after it a plan is empty, and a second export finds nothing to do."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import pipeline
from reconciler.errors import InputError
from reconciler.export import Export, ExportChoice, ManifestOrigin, export
from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.load import LoadContext, Loaded, load
from reconciler.manifests.rules import RULES
from reconciler.model.json import pointer_parts
from reconciler.model.reports import ExportStatus
from reconciler.model.resource import AssignmentsPolicy, FieldsPolicy, Policy
from reconciler.planning.drift import find
from tests.builders import body, by_address
from tests.service import NO_LIMITS, Shop, client_id, shop
from tests.test_properties import FIELDS, TEXTS

ORIGIN = ManifestOrigin("marketplace shop")
BUYERS = [{"ID": one, "Name": one, "Active": True} for one in ("north", "South")]
STRICT = LoadContext(rules=dict.fromkeys(RULES, RuleLevel.ERROR))
"""Every rule an error: the worst that a configuration can ask for."""
WATCHING = replace(STRICT, defaults=Policy(FieldsPolicy.EXCLUSIVE, AssignmentsPolicy.WATCH))
"""What `init` writes besides."""
CONTEXTS = st.sampled_from([STRICT, WATCHING])


def exported(service: Shop, folder: Path, context: LoadContext = STRICT) -> Export:
    """Export as the command does, over what is there, and write it."""
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["ApiClient"])
        secrets = pipeline.named_secrets(reader, live)
    made = export(live, loaded(folder, context).manifests, context, folder, ORIGIN, secrets)
    made.write()
    return made


def loaded(folder: Path, context: LoadContext = STRICT) -> Loaded:
    return load([folder] if folder.exists() else [], context)


# -- whatever the service has --

WORDS = st.sampled_from(["Shop", "shop", "Café Shop", "日本", "a/b", "null", "# x", "${values.x}", "Shop (EU) ${"])
XP_TEXTS = TEXTS | st.sampled_from(["${values.secret}", "<Redacted. Leave unchanged.>", "yes", "1e3", "\u202e", "$${"])
XP = st.none() | st.dictionaries(
    XP_TEXTS,
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | XP_TEXTS | st.lists(XP_TEXTS),
    max_size=3,
)
ODD = {
    "xp": XP,
    "AccessTokenDuration": st.integers(1, 700),
    "IsAnonBuyer": st.booleans(),
    "AllowAnySupplier": st.booleans(),
    "MinimumRequiredRoles": st.lists(st.sampled_from(["FullAccess", "Shopper", "RoleOfTomorrow"]), unique=True),
    "ClientSecret": st.just("planted"),
    "FutureFlag": st.just("later"),
}
NAMES = TEXTS.filter(lambda text: bool(text.strip()) and text == text.strip())
BODIES = st.lists(st.tuples(WORDS | NAMES, st.fixed_dictionaries({}, optional=FIELDS | ODD)), max_size=4)
ASSIGNED = st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["north", "South"])), unique=True, max_size=3)


@contextmanager
def marketplace(
    bodies: list[tuple[str, dict[str, Any]]], assigned: list[tuple[int, str]], profile: str
) -> Iterator[Shop]:
    clients = [body(client_id(number), name, **fields) for number, (name, fields) in enumerate(bodies)]
    rows = [{"ApiClientID": client_id(one), "BuyerID": buyer} for one, buyer in assigned if one < len(clients)]
    with (
        tempfile.TemporaryDirectory() as folder,
        shop(Path(folder), *clients, objects={"Buyers": BUYERS}, assignments=rows, profile=profile) as service,
    ):
        yield service


@given(BODIES, ASSIGNED, st.sampled_from(["current", "legacy"]), CONTEXTS)
def test_right_after_an_export_the_plan_is_empty_and_a_second_one_changes_nothing(
    bodies: list[tuple[str, dict[str, Any]]], assigned: list[tuple[int, str]], profile: str, context: LoadContext
) -> None:
    with marketplace(bodies, assigned, profile) as service, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "manifests"
        first = exported(service, folder, context)
        texts = {path: path.read_text() for path in folder.glob("*")}
        assert len(texts) == len(bodies) + 1  # and the client that we are logged in with
        assert not service.plan(loaded(folder, context).desired).has_changes
        assert not find(service.plan(loaded(folder, context).desired)).has_drift
        assert "planted" not in repr(first) + "".join(texts.values())
        assert not exported(service, folder, context).has_changes
        assert service.writes() == []


MOVED = st.lists(st.tuples(st.fixed_dictionaries({}, optional=FIELDS | ODD), ASSIGNED), min_size=2, max_size=2)


def name_of(pointer: str) -> str:
    """How a message calls what a plan shows."""
    first, *others = pointer_parts(pointer)
    return ".".join((first, *others)) if first == "assignments" else first


@given(MOVED, st.sampled_from(["current", "legacy"]))
def test_an_export_over_older_manifests_brings_in_what_is_live_and_says_what_it_cannot(
    moved: list[tuple[dict[str, Any], list[tuple[int, str]]]], profile: str
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "manifests"
        for fields, assigned in moved:
            with marketplace([("Shop", fields)], assigned, profile) as service:
                made = exported(service, folder)
                told = {left.what for one in made.objects for left in one.left_out}
                changes = service.plan(loaded(folder).desired).changes
                assert {name_of(field.pointer) for one in changes for field in one.fields} <= told


# -- by example --


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    clients = [
        body(client_id(1), "Store", MaximumGrantedRoles=["Shopper", "MeAdmin"], xp={"b": 1, "a": {"k": "v"}}),
        body(client_id(2), "Back", AllowSeller=True, RefreshTokenDuration=90),
    ]
    rows = [{"ApiClientID": client_id(1), "BuyerID": "north"}]
    with shop(tmp_path, *clients, objects={"Buyers": BUYERS}, assignments=rows) as service:
        yield service


MINE = """\
# My own words.
apiVersion: reconciler/v1
kind: ApiClient
metadata: {name: mine}
spec:
  AppName: Store             # the name
  Active: false
  AccessTokenDuration: ${values.minutes}
  RefreshTokenDuration: &never 0
  AnonymousTokenDuration:
  MaximumGrantedRoles:
    - Shopper                # needed
    - OrderAdmin             # no longer
  xp:
    a: ${values.box}
    b: ${values.one}         # ours
    c: [1]
assignments: {buyers: [South]}
policy: {ignore: [/xp/c]}
"""


def test_an_export_into_a_manifest_keeps_all_that_somebody_wrote(service: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "mine.yaml").write_text(MINE)
    context = LoadContext("test", values={"minutes": 60, "box": {"k": "old"}, "one": 1})
    made = exported(service, folder, context)
    (mine,) = (one for one in made.objects if one.address.name == "mine")
    assert mine.status is ExportStatus.CHANGED
    assert {(one.what, one.reason) for one in mine.left_out} == {
        (
            "AccessTokenDuration",
            "its value comes from values.minutes; change it under environments.test; the live value is 600",
        ),
        ("xp.a.k", 'its value comes from values.box; change it under environments.test; the live value is "v"'),
    }
    text = MINE.replace("Active: false", "Active: true").replace("    - OrderAdmin             # no longer\n", "")
    text = text.replace("    - Shopper  ", "    - MeAdmin\n    - Shopper  ").replace(
        "{buyers: [South]}", "{buyers: [north], suppliers: []}"
    )
    after = (folder / "mine.yaml").read_text()
    assert sorted(after.splitlines()) == sorted(text.splitlines())
    assert exported(service, folder, context).has_changes is False


def test_what_an_overlay_says_is_changed_in_the_overlay(service: Shop, tmp_path: Path) -> None:
    folder, overlay = tmp_path / "m", tmp_path / "overlays" / "test.yaml"
    folder.mkdir()
    overlay.parent.mkdir()
    head = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: mine}\nspec:\n"
    (folder / "mine.yaml").write_text(head + "  AppName: Store\n  Active: true\n  AccessTokenDuration: 600\n")
    overlay.write_text(head + "  Active: false   # here\n")
    context = LoadContext(overlays=(overlay.parent,), apart=(overlay.parent,), partial=True)
    exported(service, folder, context)
    assert overlay.read_text() == head + "  Active: true   # here\n"
    assert not service.plan(loaded(folder, context).desired).has_changes


def test_an_overlay_that_is_removed_meanwhile_is_an_error_at_its_place(service: Shop, tmp_path: Path) -> None:
    folder, overlay = tmp_path / "m", tmp_path / "overlays" / "test.yaml"
    folder.mkdir()
    overlay.parent.mkdir()
    head = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: mine}\nspec:\n"
    (folder / "mine.yaml").write_text(head + "  AppName: Store\n  Active: true\n  AccessTokenDuration: 600\n")
    overlay.write_text(head + "  Active: false\n")
    context = LoadContext(overlays=(overlay.parent,), apart=(overlay.parent,), partial=True, environment="test")
    manifests = loaded(folder, context).manifests
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["ApiClient"])
    overlay.unlink()
    with pytest.raises(InputError) as refused:
        export(live, manifests, context, folder, ORIGIN, choice=ExportChoice(overlay=overlay.parent))
    assert [one.place.file for one in refused.value.diagnostics] == [str(overlay)]


def test_a_name_that_the_environment_has_for_an_id_is_the_manifests_name(service: Shop, tmp_path: Path) -> None:
    made = exported(service, tmp_path / "m", LoadContext(ids=by_address({"shop": client_id(1).lower()})))
    assert "shop" in {one.address.name for one in made.objects}


def test_a_manifest_that_asks_for_a_deletion_is_left_alone(service: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    head = "apiVersion: reconciler/v1\nkind: ApiClient\nmetadata: {name: x}\n"
    gone = head + "spec: {AppName: Back}\npolicy: {state: absent}\n"
    (folder / "x.yaml").write_text(gone)
    made = exported(service, folder)
    assert (folder / "x.yaml").read_text() == gone
    assert [one.left_out[0].reason for one in made.objects if one.address.name == "x"] == ["the manifest deletes it"]


def test_a_manifest_that_could_be_several_clients_stops_the_export(service: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    exported(service, folder)
    with service.writer() as writer:
        writer.post("/apiclients", {"AppName": "Store", "AccessTokenDuration": 60})
    with pytest.raises(InputError):
        exported(service, folder)


def test_a_file_that_is_there_is_never_overwritten(service: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "store.yaml").write_text("")
    made = exported(service, folder)
    assert f"store-{client_id(1)[:8].lower()}.yaml" in {path.name for path in made.new}
    assert (folder / "store.yaml").read_text() == ""


def test_a_client_without_a_name_is_left_out_with_the_reason(service: Shop, tmp_path: Path) -> None:
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["ApiClient"])
    nameless = replace(live.resources[0], body={**live.resources[0].body, "AppName": None})
    made = export(replace(live, resources=(nameless,)), (), STRICT, tmp_path / "m", ORIGIN)
    assert [(one.status, one.left_out[0].reason) for one in made.objects] == [
        (ExportStatus.LEFT, "AppName must be a string, got null [type]")
    ]
    assert not made.has_changes


def test_a_client_with_blanks_around_its_name_is_left_out_with_the_reason(service: Shop, tmp_path: Path) -> None:
    service.edit("Store", AppName="Store ")
    made = exported(service, tmp_path / "m", LoadContext())
    reasons = [one.left_out[0].reason for one in made.objects if one.status is ExportStatus.LEFT]
    assert reasons == ['AppName must be a string without leading or trailing spaces, got "Store " [format]']


def test_roles_that_a_rule_only_warns_of_are_kept(service: Shop, tmp_path: Path) -> None:
    service.edit("Store", MinimumRequiredRoles=["Shopper"], MaximumGrantedRoles=["MeAdmin"])
    exported(service, tmp_path / "m", LoadContext())
    assert "MinimumRequiredRoles: [Shopper]" in (tmp_path / "m" / "store.yaml").read_text()


def test_many_clients_export_plan_to_nothing_and_validate(tmp_path: Path) -> None:
    roles = ["MeAdmin", "OrderReader", "Shopper"]
    clients = [
        body(client_id(number), f"Client {number}", MaximumGrantedRoles=roles[number % 4 :], xp={"n": number})
        for number in range(60)
    ]
    with shop(tmp_path, *clients) as service:
        exported(service, tmp_path / "m", LoadContext())
        manifests = loaded(tmp_path / "m", LoadContext())
        assert (manifests.documents, manifests.warnings) == (61, ())
        assert not service.plan(manifests.desired).has_changes


def test_named_secrets_are_told_in_a_comment_that_can_be_taken_as_it_stands(service: Shop, tmp_path: Path) -> None:
    with service.writer() as writer:
        path = f"/apiclients/{client_id(1)}/secrets"
        writer.post(path, {"Name": "primary"})
        writer.post(path, {"Name": "backup one", "Expiration": "2999-01-01T00:00:00Z"})
        writer.post(path, {"Name": "primary.retired"})
    exported(service, tmp_path / "m", LoadContext())
    text = (tmp_path / "m" / "store.yaml").read_text()
    assert "# Its secrets: backup one (expires 2999-01-01T00:00:00Z), primary (does not expire). They" in text
    (tmp_path / "m" / "store.yaml").write_text(text.replace("#   secrets: ", "secrets: "))
    wanted = loaded(tmp_path / "m", LoadContext()).desired
    assert [len(one.named_secrets or ()) for one in wanted.resources if one.address.name == "store"] == [2]
