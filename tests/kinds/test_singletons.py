"""What a marketplace has once, sets of rows, and counters: kinds that are written in a way of their own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.errors import InputError
from reconciler.export.seeding import read_seeds
from reconciler.kinds import KINDS
from reconciler.live import every_body
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.plan import Action
from reconciler.model.resource import DesiredState, FieldsPolicy, Policy
from tests.builders import desired as manifests
from tests.service import NO_LIMITS, Shop, shop

OBJECTS: dict[str, Any] = {
    "DeliveryConfigs": [
        {"ID": "mail", "Name": "Mail", "DeliveryTargets": {"SendEvent": {"SiteID": "a", "ServiceEndpoint": "b"}}}
    ],
    "Incrementors": [{"ID": "orders", "Name": "Orders", "LastNumber": 41, "LeftPaddingCount": 6}],
    "XpIndices": [{"ThingType": "Order", "Key": "old"}],
}


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    with shop(tmp_path, objects=OBJECTS) as opened:
        yield opened


def wanted(folder: Path, *manifests: str, context: LoadContext | None = None) -> DesiredState:
    """Manifests in one line each: ``Kind NAME {spec}``, with more of metadata after the name."""
    documents = []
    for one in manifests:
        kind, name, spec = one.split(" ", 2)
        metadata = f"{{name: {name.replace(',id:', ', id: ')}}}"
        documents.append(f"apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {metadata}\nspec: {spec}\n")
    (folder / "a.yaml").write_text("---\n".join(documents))
    return load([folder / "a.yaml"], context or LoadContext()).desired


def body(service: Shop, kind: str) -> dict[str, Any]:
    with service.reader() as reader:
        (found,) = every_body(reader, KINDS[kind])
    return dict(found)


SYNC = "ProductSync products {DeliveryConfigID: mail, SyncProductChanged: true, SyncProductDeleted: true}"


@pytest.mark.parametrize("readings", [frozenset(), frozenset({"unset-singleton-is-null"})], ids=["404", "empty"])
def test_what_was_never_set_is_absent_however_the_service_says_so(tmp_path: Path, readings: frozenset[str]) -> None:
    with shop(tmp_path, objects=OBJECTS, readings=readings) as service:
        plan = service.plan(wanted(tmp_path, SYNC))
        assert [one.action for one in plan.changes if one.address.kind == "ProductSync"] == [Action.CREATE]
        assert service.apply(plan).is_complete
        assert not service.plan(wanted(tmp_path, SYNC)).has_changes


def test_each_entity_has_a_sync_of_its_own(service: Shop, tmp_path: Path) -> None:
    spec = "{DeliveryConfigID: mail, SyncEntityChanged: true, SyncEntityDeleted: true}"
    both = wanted(tmp_path, f"EntitySync categories {spec}", f"EntitySync staff,id:adminusers {spec}")
    assert service.converge(both).is_complete
    assert sorted(service.writes()) == [
        "PUT /v1/integrations/entitysync/adminusers",
        "PUT /v1/integrations/entitysync/categories",
    ]


def test_the_syncs_of_all_entities_are_read_side_by_side(tmp_path: Path) -> None:
    both_are_here = Barrier(2, timeout=60)  # as many as the connection of `shop` allows

    def wait(_seconds: float) -> None:
        both_are_here.wait()

    with shop(tmp_path, objects=OBJECTS, sleep=wait) as service:
        service.fault("GET /v1/integrations/entitysync/* latency=1 count=2")
        with service.reader() as reader:
            assert every_body(reader, KINDS["EntitySync"]) == []


@pytest.mark.parametrize(
    ("manifests", "said"),
    [
        ([SYNC, SYNC.replace("products", "others")], "is a second product sync"),
        ([SYNC.replace("products", "products,id:a")], "id is read-only: remove it"),
        (["EntitySync byers {DeliveryConfigID: mail}"], 'no entity sync of "byers"'),
    ],
)
def test_an_identity_that_cannot_be_is_an_error(tmp_path: Path, manifests: list[str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        wanted(tmp_path, *manifests)
    assert any(said in one.message for one in caught.value.diagnostics), caught.value.diagnostics


def test_indices_that_no_manifest_names_are_left_alone(service: Shop, tmp_path: Path) -> None:
    desired = wanted(tmp_path, "XpIndex indices {User: [size]}")
    assert service.converge(desired).is_complete
    assert service.writes() == ["PUT /v1/xpindices"]
    exclusive = wanted(
        tmp_path, "XpIndex indices {User: [size]}", context=LoadContext(defaults=Policy(FieldsPolicy.EXCLUSIVE))
    )
    assert not service.plan(exclusive).has_changes
    assert body(service, "XpIndex") == {"ID": "XpIndex", "Order": ["old"], "User": ["size"]}


def test_indices_are_unmanaged_before_a_manifest_holds_them_and_are_never_pruned(service: Shop, tmp_path: Path) -> None:
    reads = replace(NO_LIMITS, manages=frozenset({"XpIndex"}))
    assert [(str(one.address), one.action) for one in service.plan(manifests(), reads).changes] == [
        ("XpIndex/XpIndex", Action.UNMANAGED)
    ]
    pruned = service.plan(manifests(), replace(reads, prunes=True))
    assert (pruned.has_changes, "it is a set, which always exists" in "; ".join(pruned.warnings)) == (False, True)
    service.converge(wanted(tmp_path, "XpIndex indices {Order: []}"))
    assert not service.plan(manifests(), reads).changes


def test_an_index_of_a_type_that_is_named_goes_with_its_row(service: Shop, tmp_path: Path) -> None:
    assert service.converge(wanted(tmp_path, "XpIndex indices {Order: [new]}")).is_complete
    assert service.writes() == ["DELETE /v1/xpindices/Order/old", "PUT /v1/xpindices"]
    assert not service.plan(wanted(tmp_path, "XpIndex indices {Order: [new]}")).has_changes
    assert service.converge(wanted(tmp_path, "XpIndex indices {Order: []}")).is_complete
    assert not service.plan(wanted(tmp_path, "XpIndex indices {Order: []}")).has_changes


def test_an_index_in_another_case_is_not_lost(service: Shop, tmp_path: Path) -> None:
    desired = wanted(tmp_path, "XpIndex indices {Order: [OLD]}")
    assert service.converge(desired).is_complete
    assert body(service, "XpIndex")["Order"] == ["OLD"]


def test_a_set_of_which_a_row_is_refused_is_written_in_part(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(wanted(tmp_path, "XpIndex indices {Order: [new]}"))
    service.fault("PUT /v1/xpindices status=400 count=all")
    (outcome,) = service.apply(plan).outcomes
    assert (outcome.may_be_written, outcome.uncertain) == (True, False)
    assert outcome.message.startswith("partly written: PUT /v1/xpindices")


def test_the_number_of_an_incrementor_is_never_set_back(service: Shop, tmp_path: Path) -> None:
    spec = "Incrementor orders {Name: Orders, LastNumber: 0, LeftPaddingCount: 6}"
    assert not service.plan(wanted(tmp_path, spec)).has_changes
    plan = service.plan(wanted(tmp_path, spec.replace("6", "8")))
    with service.writer() as writer:
        writer.patch("/incrementors", "orders", {"LastNumber": 42})
    service.forget()
    assert service.apply(plan).is_complete
    assert service.writes() == ["PATCH /v1/incrementors/orders"]
    assert (body(service, "Incrementor")["LastNumber"], body(service, "Incrementor")["LeftPaddingCount"]) == (42, 8)


def test_an_incrementor_that_is_not_there_starts_from_its_number(service: Shop, tmp_path: Path) -> None:
    fresh = wanted(tmp_path, "Incrementor returns {LastNumber: 5, LeftPaddingCount: 3}")
    plan = service.plan(fresh)
    assert any(one.pointer == "/LastNumber" for change in plan.changes for one in change.fields)
    assert service.apply(plan).is_complete
    bare = service.plan(wanted(tmp_path, "Incrementor others {LeftPaddingCount: 3}"))
    assert [one.rule for one in bare.guards] == ["incomplete-create"]


def test_an_incrementor_that_is_created_warns_that_numbers_may_be_given_twice(service: Shop, tmp_path: Path) -> None:
    plan = service.plan(wanted(tmp_path, "Incrementor returns {LastNumber: 5, LeftPaddingCount: 3}"))
    (warning,) = plan.warnings
    assert warning.startswith("Incrementor/returns is created with LastNumber: 5; if it existed before, ")
    known = service.plan(wanted(tmp_path, "Incrementor orders {LastNumber: 0, LeftPaddingCount: 8}"))
    assert (known.has_changes, known.warnings) == (True, ())


@pytest.mark.parametrize(
    ("manifest", "given", "note"),
    [
        (SYNC, "foo", "its ID is set by its manifest"),
        (SYNC, "ProductSync", "by metadata.id"),
        ("XpIndex indices {Order: [old]}", "foo", "its ID is set by its manifest"),
        (
            "EntitySync buyers,id:buyers {DeliveryConfigID: mail, SyncEntityChanged: true, SyncEntityDeleted: true}",
            "suppliers",
            "its ID is set by its manifest",
        ),
    ],
)
def test_an_id_that_is_fixed_cannot_be_adopted(
    service: Shop, tmp_path: Path, manifest: str, given: str, note: str
) -> None:
    service.converge(wanted(tmp_path, SYNC))
    desired = wanted(tmp_path, manifest)
    with service.reader() as reader:
        adoption = pipeline.adopt(desired, reader, NO_LIMITS, {}, {desired.resources[0].address: given})
    (proposal,) = adoption.proposals
    assert (proposal.note, bool(adoption.ids)) == (note, False)


def test_seeds_of_what_is_there_once_are_taken() -> None:
    seeds = read_seeds(
        b"""{"ProductSync": {"DeliveryConfigID": "mail"}, "EntitySync/buyers/users": {"DeliveryConfigID": "mail"},
        "Objects": {"XpIndices": [{"ThingType": "Order", "Key": "a"}, {"ThingType": "Order", "Key": "b"},
        {"Key": "c"}]}}""",
        "seed.json",
    )
    assert {(one.kind, one.id) for one in seeds.live.resources} == {
        ("ProductSync", "ProductSync"),
        ("EntitySync", "buyers-users"),
        ("XpIndex", "XpIndex"),
    }
    assert [one.body["Order"] for one in seeds.live.resources if one.kind == "XpIndex"] == [["a", "b"]]
    assert [one.what for one in seeds.left_out] == ["XpIndices[2]"]
