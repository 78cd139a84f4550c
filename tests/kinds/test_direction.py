import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.kinds import KINDS
from reconciler.kinds.direction import acts_as, at_least, at_most, granted, grows, required_roles
from reconciler.model.json import Json
from reconciler.model.plan import Direction

FLIPPED = {
    Direction.WIDENS: Direction.NARROWS,
    Direction.NARROWS: Direction.WIDENS,
    Direction.NEUTRAL: Direction.NEUTRAL,
}
ROLES = st.lists(st.sampled_from("ABC"), unique=True).map(sorted)


@pytest.mark.parametrize(
    ("direction_of", "before", "after"),
    [
        (grows, False, True),
        (grows, 10, 600),
        (grows, None, 10),
        (granted, ["A"], ["A", "B"]),
        (granted, ["A"], []),
        (granted, ["A"], ["B"]),
        (required_roles, ["A", "B"], ["A"]),
        (required_roles, ["A"], []),
        (acts_as, None, "bot"),
        (acts_as, "bot", "admin"),
        (at_least, 8, None),
        (at_least, 10**400, 8),  # no float is so large
        (at_most, 5, None),
        (at_most, 5, 10**400),
    ],
)
def test_these_changes_let_more_people_in(direction_of: object, before: Json, after: Json) -> None:
    assert direction_of(before, after) is Direction.WIDENS  # type: ignore[operator]  # a table of functions


@given(st.integers(0, 99), st.integers(0, 99))
def test_swapping_the_sides_of_a_duration_flips_the_answer(before: int, after: int) -> None:
    assert grows(before, after) is FLIPPED[grows(after, before)]


@given(ROLES, ROLES)
def test_swapping_the_sides_of_a_cap_flips_the_answer_unless_neither_holds_the_other(
    before: list[str], after: list[str]
) -> None:
    nested = not before or not after or set(before) <= set(after) or set(after) <= set(before)
    assert granted(before, after) is (FLIPPED[granted(after, before)] if nested else Direction.WIDENS)


@given(ROLES, ROLES)
def test_swapping_the_sides_of_a_demand_flips_the_answer_unless_neither_holds_the_other(
    before: list[str], after: list[str]
) -> None:
    nested = set(before) <= set(after) or set(after) <= set(before)
    assert required_roles(before, after) is (FLIPPED[required_roles(after, before)] if nested else Direction.WIDENS)


@pytest.mark.parametrize("direction_of", [grows, granted, required_roles, acts_as])
def test_what_does_not_change_has_no_direction(direction_of: object) -> None:
    value: Json = 5 if direction_of is grows else ["A"] if direction_of is not acts_as else "bot"
    assert direction_of(value, value) is Direction.NEUTRAL  # type: ignore[operator]  # a table of functions


def test_taking_the_user_away_narrows() -> None:
    assert acts_as("bot", None) is Direction.NARROWS


URL = ("https://a.example.com/x", "https://b.example.com/x")


@pytest.mark.parametrize(
    ("kind", "field", "before", "after"),
    [
        ("IntegrationEvent", "CustomImplementationUrl", *URL),
        ("Webhook", "Url", *URL),
        ("OpenIdConnect", "AppStartUrl", *URL),
        ("OpenIdConnect", "TokenEndpoint", *URL),
        ("IntegrationEvent", "ElevatedRoles", [], ["OrderAdmin"]),
        ("Webhook", "ElevatedRoles", [], ["OrderAdmin"]),
        ("SecurityProfile", "Roles", ["Shopper"], ["OrderAdmin", "Shopper"]),
        ("SecurityProfile", "CustomRoles", [], ["own"]),
        ("SecurityProfile", "PasswordConfig", {"MinimumCharacterCount": 12}, {"MinimumCharacterCount": 10}),
        ("SecurityProfile", "PasswordConfig", {"AllowedFailedAttempts": 3}, {"AllowedFailedAttempts": 5}),
        ("SecurityProfile", "PasswordConfig", {"NumericRequired": True}, {}),
    ],
)
def test_the_tables_know_what_widens_access(kind: str, field: str, before: Json, after: Json) -> None:
    one = KINDS[kind].fields[field]
    sides = one.canonical_value(before), one.canonical_value(after)
    assert one.direction_of(*sides) is Direction.WIDENS
    assert one.direction_of(sides[1], sides[1]) is Direction.NEUTRAL


@pytest.mark.parametrize("letters", ["\u00df ss", "\ufb01 fi", "\u017f s"])
def test_hosts_that_only_look_alike_without_case_are_two(letters: str) -> None:
    one, other = (f"https://a{each}.example/x" for each in letters.split())
    direction_of = KINDS["OpenIdConnect"].fields["TokenEndpoint"].direction_of
    assert direction_of(one, other) is Direction.WIDENS
    assert direction_of(one, one.replace("https://a", "HTTPS://A")) is Direction.NEUTRAL
