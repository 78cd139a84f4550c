import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.json import (
    ABSENT,
    Json,
    canonical_text,
    digest,
    digest_of_members,
    get_at,
    pointer,
    pointer_parts,
    same,
    with_value_at,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (True, 1, False),
        (False, 0, False),
        (1, 1.0, True),
        ([True], [1], False),
        ({"a": True}, {"a": 1}, False),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, True),
        ([1, 2], [2, 1], False),
        ([], {}, False),
        (None, {}, False),
        ("ab", ["a", "b"], False),
        (None, ABSENT, False),
    ],
)
def test_equality_is_that_of_json_and_not_that_of_python(left: Json, right: Json, equal: bool) -> None:
    assert same(left, right) is equal
    assert same(right, left) is equal


@given(JSON)
def test_a_value_equals_itself_and_has_one_text(value: Json) -> None:
    assert same(value, value)
    assert canonical_text(value).isascii()
    assert digest(value) == digest(value)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_an_object_has_one_digest_however_its_lists_are_made(body: dict[str, Json]) -> None:
    as_it_goes = {name: iter(value) if isinstance(value, list) else value for name, value in body.items()}
    assert digest_of_members(as_it_goes) == digest_of_members(body) == digest(body)


@given(st.lists(st.text()))
def test_a_pointer_splits_into_the_parts_it_was_built_from(parts: list[str]) -> None:
    assert pointer_parts(pointer(*parts)) == tuple(parts)


def test_a_pointer_that_does_not_start_with_a_slash_is_refused() -> None:
    with pytest.raises(ValueError, match="starts with '/'"):
        pointer_parts("xp/a")


@given(
    st.dictionaries(st.text(max_size=2), JSON, max_size=3), st.lists(st.text(max_size=2), min_size=1, max_size=3), JSON
)
def test_what_was_set_at_a_path_is_found_there(body: dict[str, Json], path: list[str], value: Json) -> None:
    changed = with_value_at(body, path, value)
    blocked = any(
        not isinstance(get_at(body, path[:depth]), dict) and get_at(body, path[:depth]) not in (ABSENT, None)
        for depth in range(1, len(path))
    )
    assert same(changed, body) if blocked else same(get_at(changed, path), value)


def test_an_array_member_is_found_by_its_index() -> None:
    assert get_at({"a": [1, {"b": 2}]}, ["a", "1", "b"]) == 2
    assert get_at({"a": [1]}, ["a", "7"]) is ABSENT


def test_absent_says_so_in_messages() -> None:
    assert repr(ABSENT) == "ABSENT"
