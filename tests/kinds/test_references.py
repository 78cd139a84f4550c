"""One object names another by its manifest: what comes first is written first, and is there when it is needed."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.applying.run import Controls
from reconciler.errors import InputError
from reconciler.kinds import KINDS
from reconciler.kinds.references import wave
from reconciler.manifests.context import LoadContext
from reconciler.manifests.load import load
from reconciler.model.diagnostic import Place
from reconciler.model.drift import Side
from reconciler.model.inputs import Selection
from reconciler.model.json import pointer
from reconciler.model.outcome import Status
from reconciler.model.plan import Action, Plan, known_after
from reconciler.model.resource import Address, DesiredResource, Policy
from reconciler.planning import drift as drifts
from reconciler.planning import planfile
from reconciler.planning.planfile import reading
from tests.builders import desired, manifest
from tests.events import HASH_KEY, event
from tests.service import NO_LIMITS, Shop, shop

REFERENCE = "OrderCheckoutIntegrationEventID"
ABSENT = Policy(absent=True)
CLIENT, EVENT, HOOK = (Address(kind, "shop") for kind in ("ApiClient", "IntegrationEvent", "Webhook"))


@pytest.fixture(params=[True, False], ids=["by put", "by post"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with the event ``checkout``, which takes new clients by PUT or makes their ids itself."""
    with shop(tmp_path, put_creates=request.param) as opened:
        opened.secrets["HASH_KEY"] = "key"
        yield opened


def client(**spec: Any) -> DesiredResource:
    return manifest("shop", AccessTokenDuration=60, **{REFERENCE: {"ref": "shop"}, **spec})


def hook(*clients: Any, **policy: Any) -> DesiredResource:
    spec = {"Name": "Hook", "Url": "https://shop.example/hook", "ApiClientIDs": [*clients]}
    return DesiredResource(HOOK, spec, Place("hook.yaml", 1, 1), id="shop", secrets={"HashKey": HASH_KEY}, **policy)


ALL = (hook({"ref": "shop"}), client(), event("shop"))


def bodies(service: Shop, path: str) -> dict[str, dict[str, Any]]:
    with service.reader() as reader:
        return {str(one["ID"]): one for one in reader.list_all(path)}


# ------------------------------------------------------------------------------------------------------------- waves


def test_a_kind_comes_after_what_it_refers_to_and_what_can_veto_writes_comes_last() -> None:
    assert [wave(name) for name in ("IntegrationEvent", "ApiClient")] == [1, 2]
    assert all(wave(name) < wave("Webhook") for name in KINDS if name != "Webhook")
    for name, kind in KINDS.items():
        referred = [one.reference.kind for one in kind.table if one.reference]
        assert all(wave(other) < wave(name) for other in referred if other in KINDS)


def test_a_plan_has_the_wave_of_each_change_and_what_it_waits_for(service: Shop) -> None:
    plan = service.plan(desired(*ALL))
    found = {one.address: (one.wave, one.depends_on) for one in plan.changes if one.action is Action.CREATE}
    assert found == {EVENT: (1, ()), CLIENT: (2, (EVENT,)), HOOK: (wave("Webhook"), (CLIENT,))}
    saved = reading.loads(planfile.dumps(plan, None), "plan.json")
    assert {one.address: (one.wave, one.depends_on) for one in saved.changes if one.action is Action.CREATE} == found


def test_everything_is_created_in_one_apply_whoever_makes_the_ids(service: Shop) -> None:
    wanted = desired(*ALL)
    plan = service.plan(wanted)
    assert plan.guards == ()
    assert service.apply(plan).is_complete
    (made,) = [one for one in bodies(service, "/apiclients").values() if one["AppName"] == "shop"]
    assert made[REFERENCE].lower() == "shop"
    assert [one.upper() for one in bodies(service, "/webhooks")["shop"]["ApiClientIDs"]] == [made["ID"]]
    kinds = [one.split("/")[2].lower() for one in service.writes() if "assignments" not in one]
    assert list(dict.fromkeys(kinds)) == ["integrationevents", "apiclients", "webhooks"]
    assert not service.plan(wanted).has_changes


def test_an_id_that_the_service_is_yet_to_make_is_known_after_apply(service: Shop) -> None:
    changes = {one.address: one for one in service.plan(desired(*ALL)).changes}
    assert (changes[HOOK].after or {})["ApiClientIDs"] == [known_after(CLIENT)]
    assert (changes[CLIENT].after or {})[REFERENCE] == "shop"


def test_what_a_receipt_keeps_of_a_reference_is_the_id_that_was_made(service: Shop) -> None:
    plan = service.plan(desired(*ALL))
    receipt = drifts.receipt_of(plan, service.apply(plan), desired(*ALL), "2026-11-01T02:00:00Z")
    service.http.post("/_emulator/staging-restore").raise_for_status()
    found = drifts.find(service.plan(desired(*ALL)), receipt)
    moved = {(one.change.address, one.side) for one in found.deviations if one.is_drift}
    assert moved == {(address, Side.LIVE_DRIFTED) for address in (CLIENT, EVENT, HOOK)}


def test_a_saved_plan_is_applied_with_the_ids_that_the_run_learns(service: Shop) -> None:
    saved = reading.loads(planfile.dumps(service.plan(desired(*ALL)), None), "plan.json")
    assert service.apply(saved).is_complete
    assert not service.plan(desired(*ALL)).has_changes


def test_what_depends_on_a_failed_change_is_skipped_and_says_so(service: Shop) -> None:
    plan = service.plan(desired(*ALL, event("other", EventType="OrderReturn")))
    service.fault("PUT /v1/integrationEvents/shop status=500 count=all")
    result = service.apply(plan, Controls(concurrency=2, keep_going=True))
    found = {one.change.address: (one.status, one.message) for one in result.outcomes}
    assert found[EVENT][0] is Status.FAILED
    assert found[CLIENT] == (Status.SKIPPED, f"depends on {EVENT}")
    assert found[HOOK] == (Status.SKIPPED, f"depends on {CLIENT}")
    assert found[Address("IntegrationEvent", "other")][0] is Status.APPLIED


def gone(*, hooked: bool = True) -> tuple[DesiredResource, ...]:
    return tuple(replace(one, policy=ABSENT) for one in ALL if hooked or one.address != HOOK)


def test_deletions_go_the_other_way_round(service: Shop) -> None:
    service.converge(desired(*ALL))
    service.forget()
    plan = service.plan(desired(*gone()))
    assert plan.guards == ()
    assert service.apply(plan).is_complete
    assert [one.split("/")[2].lower() for one in service.writes()] == ["webhooks", "apiclients", "integrationevents"]


def test_a_deletion_waits_for_the_change_that_ends_the_reference_to_it(service: Shop) -> None:
    service.converge(desired(client(), event("shop")))
    wanted = desired(client(**{REFERENCE: None}), replace(event("shop"), policy=ABSENT))
    plan = service.plan(wanted)
    assert plan.guards == ()
    (deletion,) = [one for one in plan.changes if one.action is Action.DELETE]
    assert deletion.depends_on == (CLIENT,)
    assert service.apply(plan).is_complete


# ------------------------------------------------------------------------------------------------------------- guards


def findings(plan: Plan) -> list[str]:
    return [f"{one.rule}: {one.message}" for one in plan.guards]


def test_what_is_created_by_the_same_plan_must_be_of_the_right_type(service: Shop) -> None:
    plan = service.plan(desired(client(), event("shop", EventType="AddToCart")))
    (finding,) = findings(plan)
    assert finding.startswith("reference-type: ")
    assert "the integration event shop has EventType AddToCart, but OrderCheckout is required" in finding


def test_what_the_same_plan_deletes_is_not_there(service: Shop) -> None:
    wanted = [client(**{REFERENCE: "checkout"}), replace(event("checkout"), policy=ABSENT)]
    told = findings(service.plan(desired(*wanted)))
    assert any("this plan deletes the integration event checkout" in one for one in told)


def test_what_this_run_leaves_out_is_neither_there_nor_deleted(service: Shop) -> None:
    only_the_hook = replace(NO_LIMITS, selection=Selection(only=(str(HOOK),)))
    (finding,) = service.plan(desired(*ALL), only_the_hook).guards
    assert finding.message.endswith(f"{CLIENT} does not exist, and this run does not create it")
    assert not finding.can_be_acknowledged
    only_the_client = replace(NO_LIMITS, selection=Selection(only=(str(CLIENT),)))
    (finding,) = service.plan(desired(*ALL), only_the_client).guards
    assert finding.message.endswith(f"{EVENT} does not exist, and this run does not create it")
    assert finding.can_be_acknowledged


def test_what_still_refers_to_a_deleted_object_is_named_with_both_places(service: Shop) -> None:
    service.converge(desired(client(), event("shop")))
    kept = manifest("shop", AccessTokenDuration=60)
    (finding,) = findings(service.plan(desired(kept, replace(event("shop"), policy=ABSENT))))
    assert finding == (
        f"still-in-use: {EVENT} (shop-event.yaml:1:1) would be deleted, and {REFERENCE} of {CLIENT} (shop.yaml:1:1) "
        "refers to it"
    )


def test_the_place_of_what_refers_to_a_deleted_object_is_that_of_the_reference(service: Shop) -> None:
    service.converge(desired(client(), event("shop")))
    at = Place("shop.yaml", 6, 36)
    kept = replace(client(**{REFERENCE: "shop"}), places={pointer("spec", REFERENCE): at})
    (finding,) = findings(service.plan(desired(kept, replace(event("shop"), policy=ABSENT))))
    assert f"{CLIENT} (shop.yaml:6:36) refers to it" in finding


def test_what_refers_to_a_deleted_object_is_found_among_kinds_that_are_not_in_use(service: Shop) -> None:
    service.converge(desired(client(), event("shop")))
    (finding,) = findings(service.plan(desired(replace(event("shop"), policy=ABSENT))))
    assert finding.startswith(f"still-in-use: {EVENT} (shop-event.yaml:1:1) would be deleted, and {REFERENCE} of ")


def test_a_reference_to_what_was_not_selected_is_refused(service: Shop) -> None:
    target = replace(NO_LIMITS, selection=Selection(only=("Webhook/*",)))
    told = findings(service.plan(desired(*ALL), target))
    assert any(one.startswith("reference-missing: ") and str(CLIENT) in one for one in told)


def test_members_that_a_list_had_before_are_not_looked_up_again(service: Shop) -> None:
    service.converge(desired(*ALL))
    service.forget()
    service.plan(desired(*ALL))
    assert not [one for one in service.requests() if one["path"].startswith("/v1/apiclients/")]


# ----------------------------------------------------------------------------------------------------------- manifests


def written(folder: Path, *texts: str, **context: Any) -> Any:
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(f"apiVersion: reconciler/v1\n{text}\n")
    return load([folder], LoadContext(**context))


CLIENT_TEXT = "kind: ApiClient\nmetadata: {name: shop}\nspec:\n  AppName: Shop\n  OrderCheckoutIntegrationEventID: %s"
EVENT_TEXT = "kind: IntegrationEvent\nmetadata: {name: checkout, id: HeadStartCheckout}\nspec: {Name: Checkout}"


def test_a_reference_is_a_name_and_the_field_says_of_which_kind(tmp_path: Path) -> None:
    (one, other) = written(tmp_path, CLIENT_TEXT % "{ref: checkout}", EVENT_TEXT).desired.resources
    assert one.spec["OrderCheckoutIntegrationEventID"] == {"ref": "checkout"}
    assert other.id == "HeadStartCheckout"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("{ref: chekout}", "0.yaml:6:36: error: there is no manifest IntegrationEvent/chekout"),
        ("{ref: IntegrationEvent/checkout}", "0.yaml:6:36: error: there is no manifest IntegrationEvent/Integ"),
        ("{ref: 5}", "0.yaml:6:36: error: this is not a reference"),
        ("{ref: a, kind: b}", "0.yaml:6:36: error: this is not a reference"),
        ("{}", "0.yaml:6:36: error: this is not a reference"),
    ],
)
def test_a_reference_to_nothing_has_its_place_and_a_suggestion(tmp_path: Path, value: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        written(tmp_path, CLIENT_TEXT % value, EVENT_TEXT)
    (fault,) = [str(one) for one in caught.value.diagnostics if "0.yaml" in str(one)]
    assert told in fault
    assert ("did you mean checkout?" in fault) is ("ref: c" in value or "/" in value)


def test_a_reference_that_an_overlay_has_changed_is_at_fault_in_the_overlay(tmp_path: Path) -> None:
    overlay = tmp_path / "overlay.yml"
    overlay.write_text(f"apiVersion: reconciler/v1\n{CLIENT_TEXT % '{ref: chekout}'}\n")
    with pytest.raises(InputError) as caught:
        written(tmp_path, CLIENT_TEXT % "{ref: checkout}", EVENT_TEXT, overlays=(overlay,), apart=(overlay,))
    assert [one.place.file.endswith("overlay.yml") for one in caught.value.diagnostics] == [True]


def test_a_reference_to_what_is_to_be_deleted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        written(tmp_path, CLIENT_TEXT % "{ref: checkout}", f"{EVENT_TEXT}\npolicy: {{state: absent}}")
    (fault,) = caught.value.diagnostics
    assert str(fault.place).endswith("0.yaml:6:36")
    assert re.fullmatch(r"IntegrationEvent/checkout is to be deleted \(state: absent at .*1.yaml:5:17\)", fault.message)


def test_a_part_of_the_manifests_may_lack_what_is_referred_to(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        written(tmp_path, CLIENT_TEXT % "{ref: checkout}", partial=True)
    assert "among the given PATHs" in caught.value.diagnostics[0].hint
