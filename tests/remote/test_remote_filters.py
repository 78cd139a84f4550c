"""The filter that finds what equals a text, whatever the text means in the list language."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reconciler.emulator.fields import Field
from reconciler.emulator.lists import compile_filter
from reconciler.remote import at_least

NAMES = st.text(st.characters(codec="utf-8") | st.sampled_from("*|!<>\",'ab"), min_size=1, max_size=300)


@given(NAMES)
@example(":0\n")
def test_the_filter_of_a_name_lets_the_name_through(name: str) -> None:
    assert compile_filter(Field("AppName"), at_least(name))(name)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("shopper", "shopper"),
        ("o'neil@example.com", "o*"),
        ("a|b", "a*"),
        (">gt", "*gt"),
        ("!*", "*"),
        ("Café Shop", "Café Shop"),
        ("x" * 201, "x" * 200 + "*"),
    ],
)
def test_the_filter_is_as_narrow_as_it_can_be(name: str, wanted: str) -> None:
    assert at_least(name) == wanted
