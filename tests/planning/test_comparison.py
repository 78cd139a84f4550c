"""What is known by an id is known by its kind, too: two objects of two kinds may have one id, and one name."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler import pipeline
from reconciler.errors import ReconcilerError
from reconciler.model.plan import Action
from reconciler.model.resource import Address
from reconciler.planning import snapshot
from reconciler.planning.deletion import Protection
from tests.builders import body, by_address, desired, manifest
from tests.events import event
from tests.service import NO_LIMITS, Shop, client_id, shop

A = client_id(0xA)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with a client and an event of one id and one name, and the event ``checkout``."""
    twin = {"ID": A, "Name": "a", "EventType": "OrderReturn", "CustomImplementationUrl": "https://shop.example/a"}
    events = [twin | {"HashKey": "key"}]
    with shop(tmp_path, body(A, "a"), objects={"IntegrationEvents": events}, profile="legacy") as opened:
        opened.secrets["HASH_KEY"] = "key"
        yield opened


def test_objects_of_two_kinds_with_one_id_and_one_name_are_two(service: Shop) -> None:
    wanted = [manifest("a", id=A, AccessTokenDuration=60), replace(event("a", EventType="OrderReturn"), id=A.lower())]
    plan = service.plan(desired(*wanted))
    assert {str(one.address): one.action for one in plan.changes if one.action is not Action.UNMANAGED} == {
        "ApiClient/a": Action.UPDATE,
        "IntegrationEvent/a": Action.NO_OP,
    }
    assert service.apply(plan).is_complete
    assert service.writes() == [f"PUT /v1/apiclients/{A}"]


def test_what_only_an_event_claims_of_an_id_leaves_the_client_unmanaged(service: Shop) -> None:
    target = replace(NO_LIMITS, manages=frozenset({"ApiClient"}))
    plan = service.plan(desired(replace(event("a", EventType="OrderReturn"), id=A)), target)
    assert Address("ApiClient", A) in {one.address for one in plan.changes if one.action is Action.UNMANAGED}


def test_an_id_that_is_kept_protects_the_object_of_its_kind_alone(service: Shop) -> None:
    kept = Protection(("IntegrationEvent/kept",), by_address({"IntegrationEvent/kept": A}))
    target = replace(NO_LIMITS, manages=frozenset({"ApiClient", "IntegrationEvent"}), protection=kept)
    plan = service.plan(desired(), target)
    assert [str(one.address).lower() for one in plan.changes if one.protected] == [f"integrationevent/{A}".lower()]


def test_an_object_with_the_id_of_the_login_is_not_the_login(service: Shop) -> None:
    with service.reader() as reader:
        own = reader.client_id
    twin = replace(event("own"), id=own)
    assert service.converge(desired(twin)).is_complete
    assert "own-client" not in {one.rule for one in service.plan(desired(event("own", EventType="AddToCart"))).guards}


def test_only_kinds_in_use_are_read(service: Shop) -> None:
    service.plan(desired(manifest("a")))
    paths = [entry["path"] for entry in service.requests()]
    assert paths == ["/oauth/token", "/v1/me", "/v1/apiclients"]


def test_kinds_that_the_configuration_lists_are_read_as_well(service: Shop) -> None:
    target = replace(NO_LIMITS, manages=frozenset({"IntegrationEvent"}))
    assert {one.address.kind for one in service.plan(desired(manifest("a")), target).changes} == {
        "ApiClient",
        "IntegrationEvent",
    }


def test_a_snapshot_tells_nothing_of_a_kind_that_it_does_not_hold(service: Shop) -> None:
    with service.reader() as reader:
        taken = pipeline.snapshot(reader, NO_LIMITS, ["ApiClient"], "2026-11-27T00:00:00Z")
    assert snapshot.loads(snapshot.dumps(taken, None), "s.json").live.kinds == {"ApiClient"}
    with pytest.raises(ReconcilerError, match="has no objects of IntegrationEvent") as error:
        pipeline.plan_from(taken, desired(event("a")), taken.base_url, NO_LIMITS)
    assert "create a new one" in error.value.hint
