"""Kinds whose ids people choose: an object is the one of its id, and is never matched by its name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler import pipeline
from reconciler.errors import InputError
from reconciler.export import ManifestOrigin, export
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.outcome import Status
from reconciler.model.plan import Action
from reconciler.model.reports import BindingState
from reconciler.model.resource import Address
from tests.builders import by_address, desired
from tests.events import event
from tests.service import NO_LIMITS, Shop, shop

CHECKOUT = Address("IntegrationEvent", "checkout")
KINDS = ["IntegrationEvent"]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with the event ``checkout``."""
    with shop(tmp_path) as opened:
        opened.secrets["HASH_KEY"] = "key"
        yield opened


def found(service: Shop) -> dict[str, dict[str, Any]]:
    with service.reader() as reader:
        return {str(one["ID"]): one for one in reader.list_all("/integrationEvents")}


def test_an_object_is_created_under_the_name_of_its_manifest_by_one_put(service: Shop) -> None:
    wanted = desired(event("returns", EventType="OrderReturn"))
    assert service.converge(wanted).is_complete
    assert service.writes() == ["PUT /v1/integrationEvents/returns"]
    assert not service.plan(wanted).has_changes


@pytest.mark.parametrize("way", ["put", "post"])
def test_the_way_in_which_clients_are_created_says_nothing_about_chosen_ids(service: Shop, way: Any) -> None:
    plan = service.plan(desired(event("returns")), replace(NO_LIMITS, creation=way))
    assert [one.id for one in plan.changes if one.action is Action.CREATE] == ["returns"]


def test_an_object_of_that_name_and_of_another_id_is_another_one(service: Shop) -> None:
    plan = service.plan(desired(event("checkout-2", Name="Checkout")))
    assert {one.address.name: one.action for one in plan.changes} == {
        "checkout": Action.UNMANAGED,
        "checkout-2": Action.CREATE,
    }


def test_an_id_of_another_case_is_the_same_id(service: Shop) -> None:
    plan = service.plan(desired(replace(event("shop", Name="Checkout"), id="CheckOut")))
    assert [(one.action, one.id) for one in plan.changes] == [(Action.UPDATE, "checkout")]


def test_two_objects_may_have_one_name(service: Shop) -> None:
    wanted = desired(event("checkout", Name="Same"), event("checkout-2", Name="Same"))
    assert service.converge(wanted).is_complete
    assert {one["Name"] for one in found(service).values()} == {"Same"}
    assert not service.plan(wanted).has_changes


def test_what_is_refused_is_not_tried_by_post(service: Shop) -> None:
    service.fault("PUT /v1/integrationEvents/returns status=404 count=all")
    (outcome,) = service.converge(desired(event("returns"))).outcomes
    assert outcome.status is Status.FAILED
    assert {one.partition(" ")[0] for one in service.writes()} == {"PUT"}


def test_there_is_nothing_to_adopt_where_the_id_is_known(service: Shop) -> None:
    with service.reader() as reader:
        adoption = pipeline.adopt(desired(event("checkout"), event("new")), reader, NO_LIMITS, {}, {})
    assert [(one.state, one.note) for one in adoption.proposals] == [
        (BindingState.BOUND, "by metadata.name"),
        (BindingState.NOT_LIVE, "it would be created"),
    ]


def test_a_rollback_makes_what_was_deleted_again_under_its_id(service: Shop) -> None:
    deletion = replace(event("checkout"), policy=replace(event("checkout").policy, absent=True))
    assert service.converge(desired(deletion)).is_complete
    assert "checkout" not in found(service)


# ------------------------------------------------------------------------------------------------- manifests, export


def manifests(folder: Path, *texts: str, ids: dict[str, str] | None = None) -> Any:
    folder.mkdir(exist_ok=True)
    for number, text in enumerate(texts):
        head = "apiVersion: reconciler/v1\nkind: IntegrationEvent\n"
        (folder / f"{number}.yaml").write_text(head + text)
    return load([folder], LoadContext(ids=by_address(ids or {}), allowed_secrets=frozenset({"HASH_KEY"})))


def test_the_id_is_that_of_the_environment_else_the_manifests_own_else_its_name(tmp_path: Path) -> None:
    texts = ["metadata: {name: a}\nspec: {}\n", "metadata: {name: b, id: B-1}\nspec: {}\n"]
    texts.append("metadata: {name: c, id: C-1}\nspec: {}\n")
    loaded = manifests(tmp_path / "m", *texts, ids={"IntegrationEvent/c": "C-2"})
    assert [one.id for one in loaded.desired.resources] == ["a", "B-1", "C-2"]


def test_an_id_that_is_another_manifests_name_is_taken(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="1 error") as caught:
        manifests(tmp_path / "m", "metadata: {name: a}\nspec: {}\n", "metadata: {name: b, id: A}\nspec: {}\n")
    assert "IntegrationEvent/b has the same id as IntegrationEvent/a" in caught.value.diagnostics[0].message


def test_two_manifests_may_ask_for_one_name(tmp_path: Path) -> None:
    texts = [f"metadata: {{name: {name}}}\nspec: {{Name: Same}}\n" for name in "ab"]
    assert len(manifests(tmp_path / "m", *texts).desired.resources) == 2


def test_an_export_names_the_id_where_it_is_not_the_name_and_plans_to_nothing(service: Shop, tmp_path: Path) -> None:
    other = replace(event("x", Name="Checkout"), id="HeadStartCheckout")
    service.converge(desired(other))
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, KINDS)
    context = LoadContext(allowed_secrets=frozenset({"HASH_KEY"}))
    made = export(live, (), context, tmp_path / "m", ManifestOrigin("here"))
    made.write()
    assert made.ids == {}
    loaded = load([tmp_path / "m"], context)
    assert {one.id for one in loaded.desired.resources} == {"checkout", "HeadStartCheckout"}
    assert not service.plan(loaded.desired).has_changes


def test_objects_of_one_name_and_two_kinds_become_two_files(service: Shop, tmp_path: Path) -> None:
    with service.writer() as writer:
        writer.post("/apiclients", {"AppName": "checkout", "AccessTokenDuration": 60})
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["ApiClient", *KINDS])
    made = export(live, (), LoadContext(), tmp_path, ManifestOrigin("here"))
    files = {str(path.relative_to(tmp_path)) for path in made.new}
    assert {"ApiClient/checkout.yaml", "IntegrationEvent/checkout.yaml"} <= files


def test_an_export_leaves_a_reference_alone_that_names_what_is_live(service: Shop, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    folder.mkdir()
    head = "apiVersion: reconciler/v1\nmetadata: {name: shop}\nkind: "
    spec = "spec: {AppName: Shop, AccessTokenDuration: 60, OrderCheckoutIntegrationEventID: {ref: shop}}\n"
    (folder / "client.yaml").write_text(f"{head}ApiClient\n{spec}assignments: {{buyers: [], suppliers: []}}\n")
    (folder / "event.yaml").write_text(f"{head.replace('shop', 'shop, id: checkout')}IntegrationEvent\nspec: {{}}\n")
    context = LoadContext()
    loaded = load([folder], context)
    service.converge(loaded.desired)
    with service.reader() as reader:
        live = pipeline.live(reader, NO_LIMITS, ["ApiClient", *KINDS])
    assert "client.yaml" not in " ".join(
        export(live, loaded.manifests, context, folder, ManifestOrigin("here")).changed
    )
