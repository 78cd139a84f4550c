"""What a call is given: the key of plans, and the environment that is meant."""

from collections.abc import Mapping

import pytest

from reconciler.errors import ReconcilerError
from reconciler.project import Settings, environment_name, plan_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", None),
        (" \t", None),
        ("\r\n", None),
        ("k\n", b"k"),
        ("k\r\n", b"k"),
        (" k ", b" k "),
        ("\u00e4", b"\xc3\xa4"),
    ],
)
def test_a_line_end_is_no_part_of_a_key_and_blanks_alone_are_none(text: str, key: bytes | None) -> None:
    assert plan_key({"RECONCILER_PLAN_KEY": text}) == key
    assert plan_key({}) is None


@pytest.mark.parametrize("text", ["$(PLAN_KEY)", " $(PLAN_KEY)\n", "${{ secrets.PLAN_KEY }}", "${PLAN_KEY}"])
def test_the_name_of_a_variable_is_no_key(text: str) -> None:
    with pytest.raises(ReconcilerError, match="this CI job does not have that variable"):
        plan_key({"RECONCILER_PLAN_KEY": text})


def test_a_key_that_is_no_text_is_not_quoted() -> None:
    with pytest.raises(ReconcilerError) as caught:
        plan_key({"RECONCILER_PLAN_KEY": "planted\udc80"})
    assert caught.value.message == "RECONCILER_PLAN_KEY is not UTF-8"
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("given", "variables", "meant"),
    [
        ("a", {"RECONCILER_ENV": "b"}, "a"),
        (None, {"RECONCILER_ENV": "b"}, "b"),
        (None, {"RECONCILER_ENV": ""}, None),
        (None, {}, None),
    ],
)
def test_the_environment_of_the_call_outweighs_the_variable(
    given: str | None, variables: Mapping[str, str], meant: str | None
) -> None:
    assert environment_name(Settings(environment=given, variables=variables)) == meant
