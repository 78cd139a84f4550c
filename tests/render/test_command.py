"""Command lines mean the same to a shell, however they are shown."""

import shlex

from hypothesis import given
from hypothesis import strategies as st

from reconciler.render.command import command
from reconciler.render.style import laid_out
from tests.render.test_style import NARROW


@given(st.lists(st.text("ab '$\\\"", min_size=1, max_size=40), min_size=1))
def test_a_command_that_is_broken_is_the_same_for_a_shell(words: list[str]) -> None:
    shown = laid_out([f"    {command(*words)}"], NARROW)
    assert shlex.split(shown.replace("\\\n", "")) == ["reconciler", *words]
