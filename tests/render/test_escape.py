import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import (
    AccessDenied,
    GuardRefusal,
    InputError,
    PlanRefused,
    ReconcilerError,
    RequestFacts,
)
from reconciler.model.diagnostic import Checked, Diagnostic, Place, Report
from reconciler.model.drift import Deviation, Drift, DriftKind, ReceiptFacts, Side
from reconciler.model.json import same
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Binding, Change, FieldChange, Finding, Plan
from reconciler.model.resource import Address
from reconciler.render import json as json_format
from reconciler.render.escape import escape, joined
from reconciler.render.rows import show, show_member
from reconciler.render.style import PLAIN
from reconciler.render.text import drift, error_text, internal_error, outcome_line, plan, result, validation, warning
from tests.hostile import COMMANDS, INVISIBLE

PAYLOADS = (*INVISIBLE, *COMMANDS)
TEXTS = st.one_of(st.sampled_from(PAYLOADS), st.text(st.characters(codec=None), max_size=20))
JSONS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def is_harmless(text: str) -> bool:
    """Only newlines and what can be seen; no line that a CI runner takes for a command."""
    lines = text.split("\n")
    hidden = [one for one in {*text} - {"\n"} if unicodedata.category(one) in {"Cc", "Cf", "Cs", "Zl", "Zp"}]
    commands = [line for line in lines if line.lstrip().startswith("::")]
    lowered = text.lower()
    commands += [mark for mark in ("##[", "##vso[", "##teamcity[", "\ufe0f", "\u3164") if mark in lowered]
    return not hidden and not commands


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_payload_becomes_visible_text(payload: str) -> None:
    shown = escape(payload)
    assert is_harmless(shown)
    assert shown != payload


@pytest.mark.parametrize("text", ["", "plain", "Zürich → 北京", "a:b", "# [x]", "https://host::1/x"])
def test_harmless_text_is_left_alone(text: str) -> None:
    assert escape(text) == text


@given(TEXTS)
def test_escaping_is_harmless_and_changes_nothing_the_second_time(text: str) -> None:
    assert is_harmless(escape(text))
    assert escape(escape(text)) == escape(text)


@given(JSONS, JSONS)
def test_values_that_differ_never_look_the_same(left: object, right: object) -> None:
    before, after = show(left), show(right)  # type: ignore[arg-type]  # the strategy draws JSON
    assert same(left, right) or before != after  # type: ignore[arg-type]


@given(JSONS)
def test_a_value_is_harmless_wherever_it_is_shown(value: object) -> None:
    for text in (show(value), show_member(value)):  # type: ignore[arg-type]  # the strategy draws JSON
        assert is_harmless(text)


@given(TEXTS, TEXTS, JSONS, JSONS)
def test_no_text_of_a_plan_or_a_result_gets_through_unescaped(
    name: str, more: str, left: object, right: object
) -> None:
    fields = (
        FieldChange(more, left, right),  # type: ignore[arg-type]  # the strategy draws JSON
        FieldChange(more, None, None, added=(name, more), removed=(more,)),
        FieldChange(more, None, None, sensitive=True),
    )
    changes = tuple(
        Change(Address(more, name), action, name, {more: more, "AppName": name}, None, fields, place=Place(more, 1, 1))
        for action in Action
    )
    finding = Finding(name, more, name, (Address(name, more),), can_be_acknowledged=name < more)
    planned = Plan(changes, Binding(name, more, name, more, name), (finding,), (name, more))
    outcomes = tuple(Outcome(one, status, more, name, fields) for one, status in zip(changes, Status, strict=True))
    assert is_harmless(plan(planned, more, PLAIN))
    deviations = tuple(Deviation(DriftKind.CHANGED, one, field, more, Side.BOTH) for one in changes for field in fields)
    seen = Drift(planned, deviations, 1, 1, ReceiptFacts(name, more))
    assert is_harmless(drift(seen, more, PLAIN))
    assert is_harmless(json_format.drift(seen, more, PLAIN))
    assert is_harmless(result(ApplyResult(outcomes, 1), PLAIN))
    assert is_harmless(joined(outcome_line(outcome, PLAIN) for outcome in outcomes))


@given(TEXTS, TEXTS)
def test_no_text_of_an_error_gets_through_unescaped(one: str, other: str) -> None:
    fault = Diagnostic(Place(one), other, one, other, one)
    errors: tuple[ReconcilerError, ...] = (
        ReconcilerError(one, hint=other),
        InputError([fault]),
        GuardRefusal([Finding(one, other, one, (Address(one, other),))], hint=one),
        PlanRefused(one, other),
        AccessDenied(one, RequestFacts(one, other, 403, one, other), hint=one),
    )
    for error in errors:
        assert is_harmless(error_text(error, PLAIN))
    assert is_harmless(validation(Report((Checked(fault, (one, other)),), 1, 1), PLAIN))
    assert is_harmless(warning(one, PLAIN) + internal_error(ValueError(one), other, PLAIN))
