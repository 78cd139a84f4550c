"""The differ as a function: desired and live in, changes out."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import InputError
from reconciler.kinds import KINDS
from reconciler.model.json import ABSENT
from reconciler.model.plan import Action, Change, Direction
from reconciler.model.resource import DesiredState, FieldsPolicy, LiveState, Policy, Values
from reconciler.model.secret import Secret, SecretReference, SecretSource
from reconciler.planning.diff import diff
from reconciler.planning.diff.identity import derived_id
from reconciler.planning.diff.notices import hints
from reconciler.planning.diff.secret_changes import WriteOnly
from tests.builders import MARKETPLACE, body, desired, live, manifest

A, B = "AAAAAAAA-0000-4000-8000-000000000001", "BBBBBBBB-0000-4000-8000-000000000002"
FROM_ENV = SecretReference(SecretSource.ENVIRONMENT, "SHOP_SECRET")


def changes(want: DesiredState, have: LiveState, secrets: Values | None = None) -> list[Change]:
    return list(diff(want, have, secrets or {}))


def only(want: DesiredState, have: LiveState, secrets: Values | None = None) -> Change:
    (change,) = changes(want, have, secrets)
    return change


def test_a_manifest_that_says_what_is_live_changes_nothing() -> None:
    change = only(desired(manifest("shop", Active=True)), live(body(A, "shop")))
    assert (change.action, change.fields) == (Action.NO_OP, ())


def test_a_field_that_the_manifest_does_not_name_keeps_its_live_value() -> None:
    change = only(desired(manifest("shop", Active=False)), live(body(A, "shop", RefreshTokenDuration=5760)))
    assert change.after is not None
    assert change.after["RefreshTokenDuration"] == 5760
    assert [field.pointer for field in change.fields] == ["/Active"]


def test_a_field_that_nobody_has_heard_of_is_carried_over() -> None:
    change = only(desired(manifest("shop", Active=False)), live(body(A, "shop", FutureFlag={"deep": [1]})))
    assert change.after is not None
    assert change.after["FutureFlag"] == {"deep": [1]}


@pytest.mark.parametrize("name", sorted(KINDS["ApiClient"].read_only))
def test_a_field_that_the_service_makes_is_never_sent(name: str) -> None:
    have = live(body(A, "shop") | {name: A if name == "ID" else "made by the service"})
    change = only(desired(manifest("shop", Active=False)), have)
    assert change.after is not None
    assert name not in change.after


def test_null_clears_a_field() -> None:
    change = only(
        desired(manifest("shop", DefaultContextUserName=None)), live(body(A, "shop", DefaultContextUserName="bot"))
    )
    assert change.after is not None
    assert change.after["DefaultContextUserName"] is None


def test_null_puts_a_field_with_a_default_back_to_it() -> None:
    change = only(
        desired(manifest("shop", MaximumGrantedRoles=None)), live(body(A, "shop", MaximumGrantedRoles=["Shopper"]))
    )
    assert change.after is not None
    assert change.after["MaximumGrantedRoles"] == []


def test_an_exclusive_manifest_puts_what_it_does_not_name_back_to_the_default() -> None:
    policy = Policy(fields=FieldsPolicy.EXCLUSIVE)
    have = live(body(A, "shop", RefreshTokenDuration=99, xp={"a": 1}, FutureFlag=1))
    change = only(desired(manifest("shop", policy=policy, AccessTokenDuration=600)), have)
    assert {field.pointer for field in change.fields} == {"/Active", "/RefreshTokenDuration", "/xp/a"}
    assert change.after is not None
    assert change.after["FutureFlag"] == 1


def test_what_the_api_demands_stays_though_an_exclusive_manifest_does_not_name_it() -> None:
    change = only(desired(manifest("shop", policy=Policy(fields=FieldsPolicy.EXCLUSIVE))), live(body(A, "shop")))
    assert change.after is not None
    assert change.after["AccessTokenDuration"] == 600


@pytest.mark.parametrize(
    ("wanted", "held"),
    [
        ({"xp": {}}, {"xp": None}),
        ({"xp": None}, {"xp": {}}),
        ({"MaximumGrantedRoles": ["MeAdmin", "Shopper"]}, {"MaximumGrantedRoles": ["Shopper", "MeAdmin"]}),
        ({"MaximumGrantedRoles": []}, {"MaximumGrantedRoles": None}),
        ({"RefreshTokenDuration": 0}, {}),
        ({"AnonymousTokenDuration": 10080}, {}),
        ({"OrderCheckoutIntegrationEventID": "Checkout"}, {"OrderCheckoutIntegrationEventID": "CHECKOUT"}),
        ({"DefaultContextUserName": None}, {}),
    ],
)
def test_two_ways_to_write_one_value_are_no_change(wanted: dict[str, Any], held: dict[str, Any]) -> None:
    change = only(desired(manifest("shop", **wanted)), live(body(A, "shop", **held)))
    assert change.action is Action.NO_OP


def test_true_is_not_one_inside_xp() -> None:
    change = only(desired(manifest("shop", xp={"on": True})), live(body(A, "shop", xp={"on": 1})))
    assert [(field.pointer, field.before, field.after) for field in change.fields] == [("/xp/on", 1, True)]


def test_a_named_xp_is_one_value_so_that_a_key_it_lacks_goes() -> None:
    change = only(desired(manifest("shop", xp={"a": 1})), live(body(A, "shop", xp={"a": 1, "b/c": [2]})))
    assert [(field.pointer, field.before, field.after) for field in change.fields] == [("/xp/b~1c", [2], ABSENT)]
    assert change.after is not None
    assert change.after["xp"] == {"a": 1}


def test_an_ignored_path_is_neither_compared_nor_overwritten() -> None:
    policy = Policy(ignore=("/xp/lastSeen", "/Active"))
    want = desired(manifest("shop", policy=policy, Active=False, xp={"channel": "web"}))
    change = only(want, live(body(A, "shop", xp={"channel": "app", "lastSeen": "today"})))
    assert [field.pointer for field in change.fields] == ["/xp/channel"]
    assert change.after is not None
    assert (change.after["xp"], change.after["Active"]) == ({"channel": "web", "lastSeen": "today"}, True)


def test_an_ignored_path_that_the_service_does_not_have_is_not_written() -> None:
    want = desired(manifest("shop", policy=Policy(ignore=("/xp/seen",)), xp={"seen": 1, "a": 2}))
    change = only(want, live(body(A, "shop", xp={"a": 1})))
    assert change.after is not None
    assert change.after["xp"] == {"a": 2}


def test_a_change_of_a_role_list_names_the_members_that_come_and_go() -> None:
    want = desired(manifest("shop", MaximumGrantedRoles=["Shopper", "MeAdmin"]))
    (field,) = only(want, live(body(A, "shop", MaximumGrantedRoles=["OrderReader", "Shopper"]))).fields
    assert (field.added, field.removed) == (("MeAdmin",), ("OrderReader",))


def test_what_is_not_live_is_created_under_its_known_id() -> None:
    change = only(desired(manifest("shop", id=A, AccessTokenDuration=60)), live())
    assert (change.action, change.id, change.before) == (Action.CREATE, A, None)
    assert change.after == {"AppName": "shop", "AccessTokenDuration": 60}


def test_what_has_no_known_id_is_created_under_one_that_is_always_the_same() -> None:
    want = desired(manifest("shop", AccessTokenDuration=60))
    assert only(want, live()).id == only(want, live()).id == derived_id(MARKETPLACE.upper(), "shop")


def test_a_known_id_finds_its_object_in_any_case_and_so_a_new_name_is_an_update() -> None:
    change = only(desired(manifest("new", id=A.lower())), live(body(A, "old")))
    assert (change.action, change.id) == (Action.UPDATE, A)
    assert [field.pointer for field in change.fields] == ["/AppName"]


def test_an_id_that_is_not_live_here_gives_way_to_the_exact_name() -> None:
    assert only(desired(manifest("shop", id=B)), live(body(A, "shop"))).id == A


def test_a_dead_id_of_the_environment_gives_way_to_the_id_of_the_manifest_before_any_name() -> None:
    want = desired(replace(manifest("shop", id="GONE", AppName="renamed in git"), second_id=A.lower()))
    change = only(want, live(body(A, "old name")))
    assert (change.action, change.id) == (Action.UPDATE, A)
    (warning,) = hints((change,), want)
    assert "its known id GONE is not live here; metadata.id matches " in warning


def test_a_name_is_matched_exactly_or_not_at_all() -> None:
    found = changes(desired(manifest("shop", AccessTokenDuration=60)), live(body(A, "Shop"), body(B, "shop 2")))
    assert sorted(change.action for change in found) == [Action.CREATE, Action.UNMANAGED, Action.UNMANAGED]


def test_two_live_objects_of_the_name_are_an_error_that_lists_both() -> None:
    with pytest.raises(InputError) as error:
        changes(desired(manifest("shop")), live(body(A, "shop"), body(B, "shop", Active=False)))
    (fault,) = error.value.diagnostics
    assert f"{A} (active), {B} (inactive)" in fault.message
    assert "metadata.id" in fault.hint


def test_two_manifests_for_one_live_object_are_an_error_at_the_second() -> None:
    with pytest.raises(InputError, match="1 error") as error:
        changes(desired(manifest("a", id=A), manifest("b", id=A.lower())), live(body(A, "a")))
    assert "same live object as ApiClient/a" in error.value.diagnostics[0].message


def test_an_object_that_we_created_and_somebody_renamed_is_found_again() -> None:
    created = derived_id(MARKETPLACE, "shop")
    change = only(desired(manifest("shop")), live(body(created, "renamed in the portal")))
    assert (change.action, change.id) == (Action.UPDATE, created)


def test_what_is_live_and_in_no_manifest_is_unmanaged_and_has_no_after() -> None:
    change = only(desired(), live(body(A, "by hand")))
    assert (str(change.address), change.action, change.after) == (f"ApiClient/{A}", Action.UNMANAGED, None)


@pytest.mark.parametrize(("have", "action"), [(live(body(A, "shop")), Action.DELETE), (live(), Action.NO_OP)])
def test_state_absent_deletes_what_is_there_and_nothing_else(have: LiveState, action: Action) -> None:
    change = only(desired(manifest("shop", policy=Policy(absent=True))), have)
    assert (change.action, change.after) == (action, None)


def test_changes_are_sorted_and_do_not_depend_on_the_order_of_the_service() -> None:
    want = desired(manifest("b"), manifest("a"))
    bodies = [body(A, "a"), body(B, "b"), body("C", "c")]
    assert changes(want, live(*bodies)) == changes(want, live(*reversed(bodies)))
    assert [str(change.address) for change in changes(want, live(*bodies))] == [
        "ApiClient/C",
        "ApiClient/a",
        "ApiClient/b",
    ]


def test_a_secret_that_the_manifest_does_not_name_is_no_concern_of_the_plan() -> None:
    change = only(desired(manifest("shop", Active=False)), live(body(A, "shop", ClientSecret="planted")))
    assert change.secrets == ()
    assert "planted" not in repr(change)


@pytest.mark.parametrize(
    ("held", "wanted", "direction"),
    [("old", "new", Direction.NEUTRAL), (None, "new", Direction.NARROWS), ("old", None, Direction.WIDENS)],
)
def test_a_secret_that_differs_is_planned_without_its_value(
    held: str | None, wanted: str | None, direction: Direction
) -> None:
    want = manifest("shop", secrets={"ClientSecret": FROM_ENV if wanted else None})
    secrets = {(want.address, "ClientSecret"): Secret(wanted)} if wanted else {}
    change = only(desired(want), live(body(A, "shop", ClientSecret=held)), secrets)
    (field,) = change.fields
    assert (field.before, field.after, field.sensitive, field.direction) == (ABSENT, ABSENT, True, direction)


@pytest.mark.parametrize("value", ["same", None])
def test_a_secret_that_is_in_step_is_no_change(value: str | None) -> None:
    want = manifest("shop", secrets={"ClientSecret": FROM_ENV if value else None})
    secrets = {(want.address, "ClientSecret"): Secret(value)} if value else {}
    assert only(desired(want), live(body(A, "shop", ClientSecret=value)), secrets).action is Action.NO_OP


def test_a_fingerprint_is_kept_only_under_a_key() -> None:
    want = manifest("shop", secrets={"ClientSecret": FROM_ENV})
    have, secrets = live(body(A, "shop", ClientSecret=None)), {(want.address, "ClientSecret"): Secret("new")}
    (bare,) = diff(desired(want), have, secrets)
    (keyed,) = diff(desired(want), have, secrets, WriteOnly(plan_key=b"key"))
    assert bare.secrets[0].fingerprint == ""
    assert keyed.secrets[0].fingerprint == Secret("new").fingerprint(b"key", f"{want.address} ClientSecret")


def test_naming_a_secret_field_that_this_service_does_not_have_is_an_error() -> None:
    with pytest.raises(InputError) as error:
        changes(desired(manifest("shop", secrets={"ClientSecret": None})), live(body(A, "shop")))
    assert error.value.diagnostics[0].rule == "no-such-secret-field"


def test_a_created_client_adds_every_member_of_its_sets() -> None:
    (change,) = changes(
        desired(manifest("shop", AccessTokenDuration=60, MaximumGrantedRoles=["MeAdmin", "Shopper"])), live()
    )
    added = {field.pointer: field.added for field in change.fields if field.added}
    assert added == {"/MaximumGrantedRoles": ("MeAdmin", "Shopper")}
