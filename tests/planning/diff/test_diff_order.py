"""What lets more in stands first, whoever renders it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds import KINDS
from reconciler.model.json import is_array
from reconciler.model.plan import Action, Change, Direction, FieldChange
from reconciler.model.resource import Policy
from reconciler.planning import planfile
from reconciler.planning.diff import diff
from tests.builders import body, desired, live, manifest, plan_of
from tests.test_properties import FIELDS

FLIPPED = {
    Direction.WIDENS: Direction.NARROWS,
    Direction.NARROWS: Direction.WIDENS,
    Direction.NEUTRAL: Direction.NEUTRAL,
}
LIFE = "AccessTokenDuration"
OTHERS = {name: values for name, values in FIELDS.items() if name != LIFE}
BODIES: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {LIFE: FIELDS[LIFE]}, optional=OTHERS | {"DefaultContextUserName": st.sampled_from("ab")}
)


def test_changes_that_widen_come_first_and_the_rest_is_sorted_by_address() -> None:
    have = live(*(body(name, name, AccessTokenDuration=60) for name in "abcd"))
    want = desired(
        manifest("a", Active=False),
        manifest("b", policy=Policy(absent=True)),
        manifest("c"),
        manifest("d", AccessTokenDuration=600),
    )
    plan = plan_of(*reversed(diff(want, have, {})))
    assert [change.address.name for change in plan.changes] == ["d", "a", "b", "c"]
    assert [one["name"] for one in planfile.to_document(plan)["resource_changes"]] == ["d", "a", "b", "c"]  # type: ignore[union-attr, index, call-overload]  # the document's shape


def test_fields_that_widen_come_first_in_an_update() -> None:
    want = desired(manifest("a", Active=False, AccessTokenDuration=601, xp={"a": 1}, AllowSeller=True))
    (change,) = diff(want, live(body("a", "a")), {})
    assert [field.pointer for field in change.fields] == ["/AccessTokenDuration", "/AllowSeller", "/Active", "/xp/a"]


def test_a_deletion_lets_in_fewer() -> None:
    (change,) = diff(desired(manifest("a", policy=Policy(absent=True))), live(body("a", "a")), {})
    assert (change.action, change.direction) == (Action.DELETE, Direction.NARROWS)


def fields(before: dict[str, Any], after: dict[str, Any]) -> dict[str, FieldChange]:
    """What changes where everything that is managed becomes what another body has."""
    names = KINDS["ApiClient"].fields.keys() & {**before, **after}.keys()
    spec: dict[str, Any] = {"Active": False} | {name: after.get(name) for name in names}
    have = body("a", "a") | {"Active": False} | before
    (change,) = diff(desired(manifest("a", **spec)), live(have), {})
    return {field.pointer: field for field in change.fields}


def is_exchange(field: FieldChange) -> bool:
    """Neither side contains the other, so that each way grants something new."""
    if is_array(field.before) and is_array(field.after):
        both = (set(field.before), set(field.after))
        return all(both) and not both[0] <= both[1] and not both[1] <= both[0]
    return field.pointer == "/DefaultContextUserName" and bool(field.before and field.after)


@given(BODIES, BODIES)
def test_swapping_before_and_after_flips_every_label(one: dict[str, Any], other: dict[str, Any]) -> None:
    there, back = fields(one, other), fields(other, one)
    assert there.keys() == back.keys()
    for pointer, field in there.items():
        expected = Direction.WIDENS if is_exchange(field) else FLIPPED[field.direction]
        assert back[pointer].direction is expected


@pytest.mark.parametrize(("directions", "whole"), [("wn", "widens"), ("n", "narrows"), ("", "neutral")])
def test_a_change_has_the_gravest_label_of_its_fields(directions: str, whole: str) -> None:
    known = {"w": Direction.WIDENS, "n": Direction.NARROWS}
    found = tuple(FieldChange(f"/{one}", 1, 2, known[one]) for one in directions)
    (base,) = diff(desired(manifest("a")), live(body("a", "a")), {})
    assert Change(base.address, Action.UPDATE, "a", {}, {}, found).direction == whole
