"""What a plan newly refers to is looked up before the first write."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import AccessDenied, GuardRefusal, Unreachable
from reconciler.model.diagnostic import Place
from reconciler.model.plan import Plan
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

A = client_id(0xA)


def user(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "ID": name,
        "Username": name,
        "FirstName": "x",
        "LastName": "x",
        "Email": "x@example.com",
        "Active": True,
    } | fields


OBJECTS = {
    "Buyers": [{"ID": "b1", "Name": "b1", "Active": True}, {"ID": "closed", "Name": "closed", "Active": False}],
    "Suppliers": [{"ID": "s1", "Name": "s1", "Active": True}, {"ID": "shut", "Name": "shut", "Active": False}],
    "AdminUsers": [user("clerk"), user("retired", Active=False)],
    "Users": [user("shopper", BuyerID="b1"), user("gone", BuyerID="b1", Active=False)],
    "SupplierUsers": [user("vendor", SupplierID="s1")],
}


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace with a client, one party and a few users of each type."""
    with shop(tmp_path, body(A, "a", AllowSeller=True), objects=OBJECTS) as opened:
        yield opened


def rules(plan: Plan) -> list[str]:
    return [finding.rule for finding in plan.guards]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({"OrderCheckoutIntegrationEventID": "checkout"}, []),
        ({"OrderCheckoutIntegrationEventID": "CheckOut"}, []),
        ({"OrderCheckoutIntegrationEventID": "nowhere"}, ["reference-missing"]),
        ({"OrderCheckoutIntegrationEventID": ".."}, ["reference-missing"]),
        ({"OrderReturnIntegrationEventID": "checkout"}, ["reference-type"]),
        ({"AddToCartIntegrationEventID": "checkout"}, ["reference-type"]),
        ({"DefaultContextUserName": "clerk"}, []),
        ({"DefaultContextUserName": "shopper"}, []),
        ({"DefaultContextUserName": "vendor"}, []),
        ({"DefaultContextUserName": "nobody"}, ["reference-missing"]),
        ({"DefaultContextUserName": "cl*"}, ["reference-missing"]),
        ({"DefaultContextUserName": "retired"}, ["reference-inactive"]),
        ({"DefaultContextUserName": "shopper", "IsAnonBuyer": True}, []),
        ({"DefaultContextUserName": "clerk", "IsAnonBuyer": True}, ["reference-not-buyer"]),
        ({"DefaultContextUserName": "gone", "IsAnonBuyer": True}, ["reference-inactive"]),
        ({"DefaultContextUserName": None}, []),
    ],
)
def test_what_is_referred_to_must_be_there_and_fit(one: Shop, spec: dict[str, Any], found: list[str]) -> None:
    assert rules(one.plan(desired(manifest("a", **spec)))) == found


ODD = ["a|b", "a", ">gt", "<lt", "!no", "!*", "*", "st*r", 'quo"te', "com,ma", "per%cent", "x" * 100 + "|"]


@pytest.mark.sample(4)
@pytest.mark.parametrize("name", ODD)
def test_a_user_is_found_by_exactly_the_name_whatever_it_means_in_a_filter(tmp_path: Path, name: str) -> None:
    users = [user(str(number), Username=odd, Active=odd == name) for number, odd in enumerate(ODD)]
    with shop(tmp_path, body(A, "a"), objects={"AdminUsers": users}) as odd:
        assert rules(odd.plan(desired(manifest("a", DefaultContextUserName=name)))) == []
        assert rules(odd.plan(desired(manifest("a", DefaultContextUserName=f"{name}|")))) == ["reference-missing"]


def test_two_users_whose_names_are_alike_in_other_letters_are_two(tmp_path: Path) -> None:
    person = {"FirstName": "a", "LastName": "b", "Email": "a@example.com", "Active": True}
    users = [{"ID": str(number), "Username": name, **person} for number, name in enumerate(("strasse", "straße"))]
    with shop(tmp_path, body(A, "a", DefaultContextUserName="strasse"), objects={"AdminUsers": users}) as two:
        plan = two.plan(desired(manifest("a", DefaultContextUserName="straße")))
        assert [field.after for change in plan.changes for field in change.fields] == ["straße"]
        assert two.converge(desired(manifest("a", DefaultContextUserName="straße"))).is_complete
        assert two.bodies()["a"]["DefaultContextUserName"] == "straße"


def test_a_plan_takes_the_spelling_that_the_service_has_of_a_user(one: Shop) -> None:
    want = desired(manifest("a", DefaultContextUserName="Clerk"))
    (change, *_) = one.plan(want).changes
    assert change.after == {**(change.after or {}), "DefaultContextUserName": "clerk"}
    assert [(field.pointer, field.after) for field in change.fields] == [("/DefaultContextUserName", "clerk")]
    assert one.converge(want).is_complete
    assert not one.plan(want).has_changes


@pytest.mark.parametrize(("party", "found"), [("b1", []), ("b9", ["reference-missing"])])
def test_a_party_that_is_assigned_must_be_there(one: Shop, party: str, found: list[str]) -> None:
    assert rules(one.plan(desired(manifest("a", assignments={"buyers": (party,)})))) == found


@pytest.mark.parametrize(
    ("level", "assigned", "party"),
    [("buyers", ("closed", "b1"), "buyer closed"), ("suppliers", ("shut", "s1"), "supplier shut")],
)
def test_a_party_that_is_assigned_and_not_active_is_a_warning(
    one: Shop, level: str, assigned: tuple[str, ...], party: str
) -> None:
    plan = one.plan(desired(manifest("a", assignments={level: assigned})))
    assert plan.guards == ()
    warning = f"a.yaml:1:1: ApiClient/a: the {party} is not active, so none of its users can log in"
    assert [text for text in plan.warnings if "not active" in text] == [warning]


def test_a_finding_names_file_and_line_and_nothing_is_written(one: Shop) -> None:
    resource = manifest("a", OrderCheckoutIntegrationEventID="nowhere")
    place = Place("a.yaml", 9, 3)
    object.__setattr__(resource, "places", {"/spec/OrderCheckoutIntegrationEventID": place})
    plan = one.plan(desired(resource))
    assert plan.guards[0].message.startswith("a.yaml:9:3: ApiClient/a: there is no integration event nowhere")
    with pytest.raises(GuardRefusal):
        one.apply(plan)
    assert one.writes() == []


def test_the_finding_about_a_party_stands_at_its_own_line(one: Shop) -> None:
    resource = manifest("a", assignments={"buyers": ("b9", "b1")})
    object.__setattr__(resource, "places", {"/assignments/buyers/0": Place("a.yaml", 12, 7)})
    (finding,) = one.plan(desired(resource)).guards
    assert finding.message == "a.yaml:12:7: ApiClient/a: there is no buyer b9"


@pytest.mark.parametrize(
    ("spec", "fix"),
    [
        ({"OrderCheckoutIntegrationEventID": "nowhere"}, "use an existing one, or create it first"),
        ({"OrderReturnIntegrationEventID": "checkout"}, "use one whose EventType is OrderReturn"),
        ({"DefaultContextUserName": "retired"}, "activate the user, or use another"),
        ({"DefaultContextUserName": "clerk", "IsAnonBuyer": True}, "use a buyer's user, or set IsAnonBuyer: false"),
    ],
)
def test_each_finding_has_its_own_way_out(one: Shop, spec: dict[str, Any], fix: str) -> None:
    (finding,) = one.plan(desired(manifest("a", **spec))).guards
    assert finding.fix == fix


def test_what_went_away_since_a_plan_was_saved_stops_it(one: Shop) -> None:
    want = desired(manifest("a", assignments={"buyers": ("b1", "b9")}, OrderCheckoutIntegrationEventID="checkout"))
    moved = replace(want, resources=tuple(replace(each, place=Place("a.yaml", 9, 1)) for each in want.resources))
    saved = one.plan(want)
    assert one.objections(saved, moved) == ()
    with one.writer() as writer:
        writer.delete("/integrationEvents", "checkout")
    assert [finding.rule for finding in one.objections(saved, moved)] == ["reference-missing"]


def test_what_does_not_change_is_not_looked_up(one: Shop) -> None:
    one.converge(desired(manifest("a", OrderCheckoutIntegrationEventID="checkout")))
    one.forget()
    one.plan(desired(manifest("a", OrderCheckoutIntegrationEventID="checkout", Active=False)))
    assert not [entry for entry in one.requests() if "integrationEvents" in entry["path"]]


def test_a_thing_that_many_refer_to_is_looked_up_once(one: Shop) -> None:
    names = ("x", "y", "z")
    one.plan(desired(*(manifest(n, AccessTokenDuration=60, OrderCheckoutIntegrationEventID="checkout") for n in names)))
    assert len([entry for entry in one.requests() if "integrationEvents" in entry["path"]]) == 1


def test_many_things_of_a_list_are_looked_up_by_the_list(tmp_path: Path) -> None:
    buyers = [{"ID": f"b{number}", "Name": "b", "Active": True} for number in range(120)]
    want = desired(manifest("a", assignments={"buyers": tuple(f"b{number}" for number in range(0, 120, 10))}))
    with shop(tmp_path, body(A, "a"), objects={"Buyers": buyers}) as many:
        assert many.plan(want).guards == ()
        assert len([entry for entry in many.requests() if entry["path"].startswith("/v1/buyers")]) == 1 + 2


def test_what_a_list_lacks_is_asked_for_by_itself(tmp_path: Path) -> None:
    buyers = [{"ID": f"b{number}", "Name": "b", "Active": True} for number in range(5)]
    want = desired(manifest("a", assignments={"buyers": (*(f"b{number}" for number in range(5)), "none")}))
    with shop(tmp_path, body(A, "a"), objects={"Buyers": buyers}) as many:
        (finding,) = many.plan(want).guards
        assert "there is no buyer none" in finding.message
        assert [one["path"] for one in many.requests()].count("/v1/buyers/none") == 1


def test_many_users_are_looked_up_by_the_lists_of_users(tmp_path: Path) -> None:
    names = [f"u{number}" for number in range(20)]
    objects = {
        "AdminUsers": [user(name) for name in names[:10]],
        "Suppliers": [{"ID": one, "Name": one, "Active": True} for one in ("s1", "s2")],
        "SupplierUsers": [user(name, SupplierID="s1") for name in names[10:]],
    }
    creations = [
        manifest(f"new{n}", AccessTokenDuration=60, DefaultContextUserName=name.upper()) for n, name in enumerate(names)
    ]
    with shop(tmp_path, objects=objects) as many:
        plan = many.plan(desired(*creations))
        assert plan.guards == ()
        assert {one.after["DefaultContextUserName"] for one in plan.changes if one.after and not one.before} == {*names}
        # A page of each list: administrators, users of buyers, users of each supplier.
        assert len([entry for entry in many.requests() if "user" in entry["path"].lower()]) == 2 + 2


def test_things_are_looked_up_side_by_side(tmp_path: Path) -> None:
    both_are_here = threading.Barrier(2, timeout=60)  # as many as the connection of `shop` allows

    def wait(_seconds: float) -> None:
        both_are_here.wait()

    buyers = [{"ID": one, "Name": "b", "Active": True} for one in ("b1", "b2")]
    with shop(tmp_path, body(A, "a"), objects={"Buyers": buyers}, sleep=wait) as one:
        one.fault("GET /v1/buyers/* latency=1 count=2")
        assert one.plan(desired(manifest("a", assignments={"buyers": ("b1", "b2")}))).guards == ()


VENDOR = {"DefaultContextUserName": "vendor"}


@pytest.mark.parametrize(
    ("routes", "spec", "lacking"),
    [
        (
            ["/v1/integrationEvents/*"],
            {"OrderCheckoutIntegrationEventID": "checkout"},
            "integration event checkout exists: the login lacks IntegrationEventReader",
        ),
        (["/v1/adminusers"], VENDOR, "user vendor exists: the login lacks AdminUserReader"),
        (["/v1/buyerusers"], VENDOR, "user vendor exists: the login lacks BuyerUserReader"),
        (
            ["/v1/adminusers", "/v1/buyerusers"],
            VENDOR,
            "user vendor exists: the login lacks AdminUserReader and BuyerUserReader",
        ),
        (["/v1/suppliers"], VENDOR, "user vendor exists: the login lacks SupplierReader"),
        (["/v1/suppliers/*/users"], VENDOR, "user vendor exists: the login lacks SupplierUserReader"),
    ],
)
def test_a_login_that_may_not_look_gets_a_warning_that_names_the_roles_that_are_missing(
    one: Shop, routes: list[str], spec: dict[str, Any], lacking: str
) -> None:
    for route in routes:
        one.fault(f"GET {route} status=403 count=all")
    plan = one.plan(desired(manifest("a", **spec)))
    assert plan.guards == ()
    assert plan.warnings == (f"a.yaml:1:1: ApiClient/a: cannot check whether the {lacking}",)


def test_a_login_that_may_not_look_at_parties_gets_a_warning_for_each(one: Shop) -> None:
    one.fault("GET /v1/buyers/* status=403 count=all")
    plan = one.plan(desired(manifest("a", assignments={"buyers": ("b1", "b2")})))
    assert [warning.rpartition("whether ")[2] for warning in plan.warnings] == [
        "the buyer b1 exists: the login lacks BuyerReader",
        "the buyer b2 exists: the login lacks BuyerReader",
    ]


def test_a_login_that_is_refused_as_such_is_an_error_and_no_missing_role(one: Shop) -> None:
    one.fault("GET /v1/integrationEvents/* status=401 count=all")
    with pytest.raises(AccessDenied):
        one.plan(desired(manifest("a", OrderCheckoutIntegrationEventID="checkout")))


def test_a_user_who_is_found_where_we_may_look_is_no_warning(one: Shop) -> None:
    one.fault("GET /v1/adminusers status=403 count=all")
    assert one.plan(desired(manifest("a", DefaultContextUserName="shopper"))).warnings == ()


def test_an_api_without_a_list_of_all_buyer_users_gets_a_warning_that_says_so(one: Shop) -> None:
    one.fault("GET /v1/buyerusers status=404 count=all")
    (warning,) = one.plan(desired(manifest("a", DefaultContextUserName="vendor"))).warnings
    assert warning.endswith("user vendor exists: this service has no list of all buyer users")


def test_a_look_that_fails_is_an_error_and_not_an_absence(one: Shop) -> None:
    one.fault("GET /v1/integrationEvents/* status=503 count=all")
    with pytest.raises(Unreachable):
        one.plan(desired(manifest("a", OrderCheckoutIntegrationEventID="checkout")))
