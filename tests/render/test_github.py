"""Annotations: commands of our own only, and a first line that says what is not shown."""

import re
from dataclasses import replace

from reconciler.model.plan import Action, FieldChange, Plan
from reconciler.render import FORMATS
from reconciler.render.several import SEVERAL, Part
from reconciler.render.style import PLAIN
from tests.render.test_escape import is_harmless
from tests.render.test_render_complete import LINK, big
from tests.render.test_render_golden import BINDING, DIGEST, change
from tests.render.test_render_hostile import documents


def test_annotations_leave_out_whole_changes_and_say_so_first() -> None:
    plan = Plan(tuple(big(number, 400) for number in range(12)), BINDING)
    first = FORMATS["github"].plan(plan, DIGEST, replace(PLAIN, source="reconciler plan")).splitlines()[0]  # type: ignore[misc]
    hidden = (
        "GitHub shows 10 annotations of each level: 2 more are in this log only; 12 annotations too long to be shown"
    )
    assert first == f"Not shown in full: {hidden}; full output: reconciler plan"


def test_annotations_of_several_environments_are_counted_as_one_step() -> None:
    plan = Plan(tuple(change(f"c{number}", Action.UPDATE) for number in range(6)), BINDING)
    text = FORMATS["github"].plan(plan, DIGEST, PLAIN)  # type: ignore[misc]
    both = SEVERAL["github"]([Part("one", plan), Part("two", plan)], lambda _one, _style: text, PLAIN)
    first = "Not shown in full: GitHub shows 10 annotations of each level: 2 more are in this log only"
    assert both.splitlines() == [first, *text.splitlines(), *text.splitlines()]


def test_what_several_environments_leave_out_is_said_once_and_first() -> None:
    plan = Plan(tuple(big(number, 400) for number in range(6)), BINDING)
    text = FORMATS["github"].plan(plan, DIGEST, PLAIN)  # type: ignore[misc]
    both = SEVERAL["github"]([Part("one", plan), Part("two", plan)], lambda _one, _style: text, PLAIN).splitlines()
    assert [line for line in both if line.startswith("Not shown in full: ")] == both[:1]
    assert "2 more are in this log only; 12 annotations too long to be shown" in both[0]


def test_an_annotation_that_is_too_long_in_bytes_is_left_out_whole() -> None:
    plan = Plan((change("a", Action.UPDATE, FieldChange("/xp/a", "", LINK + "\u4e2d" * 22_000)),), BINDING)
    text = FORMATS["github"].plan(plan, DIGEST, PLAIN)  # type: ignore[misc]
    assert (text.startswith("Not shown in full: 1 annotation too long"), LINK in text) == (True, False)


def test_the_only_commands_in_annotations_are_our_own() -> None:
    command = re.compile(r"::(error|warning|notice) (file=[^,:\n]*,(line=\d+,col=\d+,)?)?title=[^,:\n]*::[^\n]*")
    for text in documents("github"):
        lines = [line for line in text.split("\n") if line]
        assert [line for line in lines if line.lstrip().startswith("::") and not command.fullmatch(line)] == []
        assert is_harmless(re.sub(r"^::(error|warning|notice) ", "", text, flags=re.MULTILINE))
