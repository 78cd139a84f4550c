"""Which part of an object differs: DeepDiff's answer, held to account by putting the parts back."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.json import Body, same, with_value_at
from reconciler.planning.diff.fields import explain

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.text("ab_/~0é", max_size=3)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_/~0", max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("ab_/~0", max_size=3), VALUES, max_size=4)


@given(OBJECTS, OBJECTS)
def test_putting_the_parts_into_before_gives_after(before: dict[str, Any], after: dict[str, Any]) -> None:
    result: Body = before
    for path, _, value in explain(before, after):
        result = with_value_at(result, path, value)
    assert same(result, after)


@given(OBJECTS)
def test_equal_objects_differ_nowhere(value: dict[str, Any]) -> None:
    assert explain(value, dict(value)) == []


def test_a_difference_inside_an_array_is_one_of_the_whole_array() -> None:
    assert explain({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}) == [
        (("a", "b"), [1, {"c": 2}], [1, {"c": 3}])
    ]


def test_a_private_looking_key_is_looked_at_like_any_other() -> None:
    assert explain({"__a": 1}, {"__a": 2}) == [(("__a",), 1, 2)]
