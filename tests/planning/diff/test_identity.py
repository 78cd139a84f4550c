"""Manifests and live objects -> what each manifest is to be bound to."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import InputError
from reconciler.model.plan import Action
from reconciler.model.reports import Adoption, BindingState, Proposal
from reconciler.model.resource import Address, DesiredResource, Policy
from reconciler.planning.diff import diff
from reconciler.planning.diff.identity import derived_id, propose
from tests.builders import MARKETPLACE, body, by_address, desired, live, manifest


def proposals(
    *resources: DesiredResource, bodies: tuple[Mapping[str, Any], ...] = (), bound: Mapping[str, str] | None = None
) -> tuple[Proposal, ...]:
    """The proposals for manifests that know the bound ids as the loader gives them."""
    bound = bound or {}
    known = [replace(one, id=bound.get(one.address.name) or one.id) for one in resources]
    return propose(desired(*known), live(*bodies), by_address(bound))


def brief(found: tuple[Proposal, ...]) -> list[tuple[str, str, str | None, str]]:
    return [(one.address.name, one.state.value, one.id, one.note) for one in found]


def test_a_manifest_is_bound_to_the_one_client_of_exactly_its_name() -> None:
    found = proposals(manifest("shop"), bodies=(body("A1", "shop"), body("A2", "Shop"), body("A3", "shop ")))
    assert brief(found) == [("shop", "bind", "A1", "by AppName")]


def test_a_client_that_was_created_earlier_and_renamed_since_is_found_by_its_computed_id() -> None:
    made = derived_id(MARKETPLACE, "shop")
    found = proposals(manifest("shop"), bodies=(body(made.lower(), "renamed by hand"),))
    assert brief(found) == [("shop", "bind", made.lower(), "by the id that it was created with")]


def test_what_is_bound_already_is_left_as_it_is_whatever_case_its_id_has() -> None:
    bodies = (body("A1", "other"), body("B2", "till"))
    found = proposals(manifest("shop"), manifest("till", id="b2"), bodies=bodies, bound={"shop": "a1"})
    assert brief(found) == [("shop", "bound", "A1", "by ids"), ("till", "bound", "B2", "by metadata.id")]


@pytest.mark.parametrize(
    ("absent", "note"), [(False, "it would be created"), (True, "there is nothing to delete")], ids=["wanted", "absent"]
)
def test_what_is_not_live_is_not_bound(absent: bool, note: str) -> None:
    found = proposals(manifest("shop", policy=Policy(absent=absent)), bodies=(body("A1", "other"),))
    assert brief(found) == [("shop", "not-live", None, note)]


def test_an_id_of_the_environment_that_is_not_live_is_never_replaced() -> None:
    found = proposals(manifest("shop"), bodies=(body("A1", "shop"),), bound={"shop": "GONE"})
    assert brief(found) == [
        ("shop", "stale", "GONE", "by ids, but its id is not live here; it would be matched with A1")
    ]


def test_a_chosen_id_that_is_not_live_is_no_stale_one() -> None:
    profile = replace(
        manifest("admin", id="admin"), address=Address("SecurityProfile", "admin"), spec={"Name": "Admin"}
    )
    (found,) = propose(desired(profile), live(), {})
    assert found.state is BindingState.NOT_LIVE


def test_a_metadata_id_of_another_marketplace_gives_way_to_the_name() -> None:
    found = proposals(manifest("shop", id="PRODUCTION"), bodies=(body("A1", "shop"),))
    assert brief(found) == [("shop", "bind", "A1", "by AppName; its metadata.id is not live here")]


def test_a_metadata_id_that_is_live_nowhere_is_named() -> None:
    found = proposals(manifest("shop", id="GONE"))
    assert brief(found) == [
        ("shop", "stale", "GONE", "by metadata.id, but its id is not live here; it would be created")
    ]


def test_several_clients_of_one_name_are_all_named_and_none_is_chosen() -> None:
    (found,) = proposals(manifest("shop"), bodies=(body("B", "shop", Active=False), body("A", "shop")))
    assert (found.state, found.id) == (BindingState.AMBIGUOUS, None)
    assert [(one.id, one.active) for one in found.candidates] == [("A", True), ("B", False)]
    assert found.fault is not None
    assert found.fault.rule == "ambiguous-name"


def test_candidates_are_told_apart_by_the_plain_entries_of_their_xp() -> None:
    tagged = body("B", "shop", Active=False, xp={"owner": "web", "beta": True, "nested": {"a": 1}, "none": None})
    (found,) = proposals(manifest("shop"), bodies=(tagged, body("A", "shop", xp=None)))
    assert [one.labels for one in found.candidates] == [{}, {"owner": "web", "beta": "true"}]
    assert found.fault is not None
    assert found.fault.message.endswith(": A (active), B (inactive, owner=web, beta=true)")


def test_long_labels_are_cut_and_many_are_not_all_told() -> None:
    tagged = body("B", "shop", xp={"long": "x" * 100, **{f"k{number}": number for number in range(9)}})
    (found,) = proposals(manifest("shop"), bodies=(tagged, body("A", "shop")))
    assert found.candidates[1].labels == {"long": f"{'x' * 37}...", "k0": "0", "k1": "1", "k2": "2", "k3": "3"}


def test_an_object_that_a_known_id_claims_is_not_given_to_another_manifest() -> None:
    found = proposals(manifest("a"), manifest("b", id="A1"), bodies=(body("A1", "a"),))
    assert [(one.address.name, one.state) for one in found] == [("a", BindingState.TAKEN), ("b", BindingState.BOUND)]
    assert found[0].note == "ApiClient/a is the same live object as ApiClient/b (b.yaml:1:1)"


def test_an_object_whose_id_is_kept_under_a_name_without_a_manifest_is_not_bound_again() -> None:
    (found,) = proposals(manifest("new-name", AppName="shop"), bodies=(body("A1", "shop"),), bound={"old-name": "a1"})
    assert (found.state, found.id) == (BindingState.TAKEN, "A1")
    assert found.fault is not None
    assert found.fault.rule == "duplicate-id"
    assert (
        found.fault.hint
        == "if old-name was renamed, also rename it under ids: of the environment; otherwise remove it there"
    )


NAMES = st.sampled_from("abcd")
IDS = st.sampled_from(["1", "2", "3"])
BODIES = st.dictionaries(IDS, NAMES).map(lambda found: tuple(body(one, name) for one, name in found.items()))


@given(st.dictionaries(NAMES, st.none() | IDS), BODIES, st.dictionaries(NAMES, IDS, max_size=2))
def test_what_is_proposed_is_what_a_plan_would_match(
    manifests: dict[str, str | None], bodies: tuple[dict[str, Any], ...], bound: dict[str, str]
) -> None:
    resources = [manifest(name, id=known, AccessTokenDuration=60) for name, known in manifests.items()]
    found = Adoption("test", "url", MARKETPLACE, proposals(*resources, bodies=bodies, bound=bound))
    known = [replace(one, id=bound.get(one.address.name) or one.id) for one in resources]
    try:
        changes = diff(desired(*known), live(*bodies), {})
    except InputError:
        assert found.faults
        return
    planned = {one.address.name: one.id for one in changes if one.action in {Action.UPDATE, Action.NO_OP}}
    assert planned.items() >= {one.name: known for one, known in found.ids.items()}.items()
    assert {one.address.name for one in found.proposals if one.state is BindingState.NOT_LIVE}.isdisjoint(planned)


def test_a_dead_id_of_the_environment_stays_where_the_manifests_own_is_live() -> None:
    one = replace(manifest("shop", AppName="new"), second_id="A1")
    found = proposals(one, bodies=(body("A1", "old"),), bound={"shop": "GONE"})
    assert brief(found) == [
        ("shop", "stale", "GONE", "by ids, but its id is not live here; it would be matched with A1")
    ]
