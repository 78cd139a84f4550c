"""Every leaf in which two values differ: deepdiff's answer, held to account by a count of all leaves."""

from collections import Counter
from typing import Any

from hypothesis import given

from reconciler.model.json import ABSENT, Json, canonical_text, same, with_whole_numbers
from reconciler.planning.diff.fields import explain
from reconciler.render.rows import Leaf, leaves
from tests.planning.diff.test_fields import VALUES


def ends(value: Any) -> "Counter[str]":
    """How often each scalar is in a value."""
    if isinstance(value, dict | list):
        return sum(map(ends, value.values() if isinstance(value, dict) else value), Counter())
    return Counter([canonical_text(with_whole_numbers(value))])


def told(found: list[Leaf], side: str) -> "Counter[str]":
    return sum((ends(getattr(one, side)) for one in found if getattr(one, side) is not ABSENT), Counter())


@given(VALUES, VALUES)
def test_what_is_more_often_on_one_side_is_told_as_often_as_that(before: Json, after: Json) -> None:
    if not same(before, after):
        found = leaves(before, after)
        assert found
        assert not (ends(before) - ends(after)) - told(found, "before")
        assert not (ends(after) - ends(before)) - told(found, "after")


@given(VALUES)
def test_a_value_that_comes_or_goes_is_told_with_all_its_leaves(value: Json) -> None:
    assert told(leaves(ABSENT, value), "after") == told(leaves(value, ABSENT), "before") == ends(value)


def test_true_is_no_1_inside_a_list_either() -> None:
    assert leaves([True], [1]) == [Leaf((0,), True, 1)]
    assert explain({"a": [True]}, {"a": [1]}) == [(("a",), [True], [1])]


def test_only_what_differs_in_an_object_of_a_list_is_told() -> None:
    one, other = {"url": "a", "verb": "GET"}, {"url": "b", "verb": "GET"}
    assert leaves({"routes": [one]}, {"routes": [other]}) == [Leaf(("routes", 0, "url"), "a", "b")]


def test_an_insertion_leaves_the_members_after_it_alone() -> None:
    assert leaves([{"n": 1}, {"n": 2}], [{"n": 9}, {"n": 1}, {"n": 2}]) == [Leaf((0, "n"), ABSENT, 9)]


def test_a_member_that_has_moved_is_told_as_moved() -> None:
    assert leaves([{"n": 1}, "b", "c"], ["b", "c", {"n": 1}]) == [Leaf((2,), {"n": 1}, {"n": 1}, 0)]
