"""Taking back a run of several kinds: assignments level by level, and what cannot be taken back is named before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.model.diagnostic import Place
from reconciler.model.resource import Address, DesiredResource, Policy
from tests.applying.test_rollback import KEY, KEYED, plan_back, rules, run_of, take_back
from tests.builders import desired
from tests.events import HASH_KEY, event
from tests.service import Shop, shop

GONE = Policy(absent=True)
SENDER = {"ID": "mails", "Name": "Mails", "MessageTypes": ["OrderSubmitted"], "DeliveryConfigID": "hub"}
HUB = {"ID": "hub", "Name": "Hub", "DeliveryTargets": {"Http": {"Endpoint": "https://hub.example", "Secret": "s"}}}
OBJECTS: dict[str, Any] = {
    "SecurityProfiles": [{"ID": "staff", "Name": "Staff", "Roles": ["Shopper"]}],
    "AdminUserGroups": [{"ID": name, "Name": name} for name in ("day", "night")],
    "Buyers": [{"ID": "north", "Name": "North", "Active": True}],
    "UserGroups": [{"ID": "team", "Name": "Team", "BuyerID": "north"}],
    "DeliveryConfigs": [HUB],
    "MessageSenders": [SENDER],
}
PROFILES, COPIES = "/securityprofiles/assignments", "/messagesenders/CCListenerAssignments"


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    """A profile of the group of the day, and a sender."""
    with shop(tmp_path, objects=OBJECTS) as opened, opened.writer() as writer:
        opened.secrets["HASH_KEY"] = "key"
        writer.post(PROFILES, {"SecurityProfileID": "staff", "UserGroupID": "day"})
        yield opened


def one(kind: str, name: str, spec: dict[str, Any], **more: Any) -> DesiredResource:
    return DesiredResource(Address(kind, name), spec, Place(f"{name}.yaml", 1, 1), id=name, **more)


def rows(service: Shop, path: str) -> list[dict[str, Any]]:
    with service.reader() as reader:
        found = reader.list_all(path, key=None)
    return sorted(({name: one for name, one in row.items() if one} for row in found), key=str)


def test_assignments_of_every_level_are_as_before(service: Shop, tmp_path: Path) -> None:
    before = rows(service, PROFILES)
    wanted = {"seller": ("seller",), "adminGroups": ("night",), "buyers": ("north",)}
    groups = {"groups": ("buyer north group team",)}
    run = run_of(service, tmp_path, one("SecurityProfile", "staff", {"Name": "Crew"}, assignments=wanted | groups))
    assert len(rows(service, PROFILES)) == 4
    assert take_back(service, run).is_complete
    assert rows(service, PROFILES) == before


def test_assignments_that_the_api_cannot_delete_are_named_before_the_first_write(service: Shop, tmp_path: Path) -> None:
    copies = {"ccListeners": ("messageType OrderSubmitted buyer north group team",)}
    run = run_of(service, tmp_path, one("MessageSender", "mails", {"Name": "Mail"}, assignments=copies))
    plan = plan_back(service, run)
    kept = "MessageSender/mails keeps assignments that the API cannot delete: messageType OrderSubmitted buyer north"
    assert any(text.startswith(kept) for text in plan.warnings)
    assert service.apply(plan).is_complete
    assert len(rows(service, COPIES)) == 1


def test_a_created_object_with_a_secret_that_nobody_can_see_is_deleted_only_if_acknowledged(
    service: Shop, tmp_path: Path
) -> None:
    gateway = event("shop", CustomAuthHeaderName="x-key")
    keyed = replace(gateway, secrets={"HashKey": HASH_KEY, "CustomAuthHeaderValue": HASH_KEY})
    run = run_of(service, tmp_path, keyed, plan_key=KEY)
    (finding,) = plan_back(service, run, target=KEYED).guards
    assert finding.message.endswith(
        "CustomAuthHeaderValue may have been replaced since that run: the service does not show it"
    )


def test_a_deleted_object_is_created_again_with_the_secrets_that_its_manifest_names(
    service: Shop, tmp_path: Path
) -> None:
    manifest = event("shop")
    service.converge(desired(manifest))
    run = run_of(service, tmp_path, replace(manifest, policy=GONE))
    assert rules(plan_back(service, run)) == ["incomplete-create"]
    back = plan_back(service, run, manifests=desired(manifest))
    assert rules(back) == []
    assert back.warnings == ("IntegrationEvent/shop was deleted by that run and would be created again",)
    assert service.apply(back).is_complete
    assert not service.plan(desired(manifest)).has_changes


def test_a_created_object_is_deleted_and_its_secrets_are_named_where_it_has_any(service: Shop, tmp_path: Path) -> None:
    group = one("AdminUserGroup", "late", {"Name": "Late"})
    run = run_of(service, tmp_path, event("shop"), group)
    warnings = plan_back(service, run).warnings
    for address, beside in (("IntegrationEvent/shop", ", with its secrets,"), ("AdminUserGroup/late", "")):
        said = f"{address} was created by that run and would be deleted{beside} if limits.deletes allows it"
        assert any(text.startswith(said) for text in warnings)


def test_a_deleted_profile_loses_its_assignments_and_that_is_said(service: Shop, tmp_path: Path) -> None:
    run = run_of(service, tmp_path, one("SecurityProfile", "staff", {}, policy=GONE))
    warnings = plan_back(service, run).warnings
    said = "SecurityProfile/staff was deleted by that run and would be created again; not restored: assignments"
    assert said in warnings
