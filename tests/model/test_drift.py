"""Fingerprints of deviations, and hashes of values."""

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.drift import hashes_of
from reconciler.model.json import same
from reconciler.planning import drift as drifts
from tests.builders import BINDING, body, manifest
from tests.planning.test_drift import ID, OTHER, planned, seen


def test_a_fingerprint_is_the_same_whatever_order_and_case_the_service_answers_in() -> None:
    wanted = [manifest("a", MaximumGrantedRoles=["Shopper"], OrderCheckoutIntegrationEventID="x", xp={"n": 1})]
    one = body(ID, "a", MaximumGrantedRoles=["B", "A"], OrderCheckoutIntegrationEventID="Old", xp={"n": 2, "m": [1]})
    two = body(
        ID.lower(),
        "a",
        xp={"m": [1.0], "n": 2},
        OrderCheckoutIntegrationEventID="oLD",
        MaximumGrantedRoles=["A", "B", "A"],
    )
    stranger = body(OTHER, "s"), body(OTHER.lower(), "s")
    prints = [
        [one.fingerprint for one in seen(wanted, *ones).deviations] for ones in zip((one, two), stranger, strict=True)
    ]
    assert len(prints[0]) == 5
    assert prints[0] == prints[1]


def test_a_fingerprint_is_another_for_another_value_field_resource_or_environment() -> None:
    def prints(value: int, name: str = "a", field: str = "AccessTokenDuration", environment: str = "test") -> str:
        more: dict[str, Any] = {field: 99}
        plan = planned([manifest(name, **more)], body(ID, name, **{field: value}))
        plan = replace(plan, binding=replace(BINDING, environment=environment))
        return drifts.find(plan).deviations[0].fingerprint

    others = [prints(61), prints(60, "b"), prints(60, field="RefreshTokenDuration"), prints(60, environment="other")]
    assert len({prints(60), *others}) == 5


JSONS = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-2, 2) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=6,
)


@given(JSONS, JSONS)
def test_hashes_are_equal_exactly_where_values_are(one: Any, other: Any) -> None:
    assert (hashes_of(one) == hashes_of(other)) == same(one, other)
