"""Every leaf of every changed value is in every document for people, however long it is and wherever it stands."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import unescape
from typing import Any, Final
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.json import ABSENT, Absent, Json
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, FieldChange, Plan
from reconciler.planning import drift as drifts
from reconciler.render import FORMATS, markdown
from reconciler.render.escape import escape
from reconciler.render.several import SEVERAL, Part
from reconciler.render.style import PLAIN, Style
from tests.render.test_render_golden import BINDING, DIGEST, change
from tests.render.test_rows import ends

LINK: Final = f"https://evil.example/{'path/' * 30}end"
TEXTS: Final = st.text("ab /~é<&|`%", max_size=5) | st.just(LINK) | st.text("ab c", min_size=70, max_size=200)
VALUES: Final = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc~/", max_size=3), inner, max_size=4),
    max_leaves=12,
)
WIDE: Final = replace(PLAIN, room=10_000_000, width=80)


def sarif(text: str) -> str:
    return "\n".join(one["message"]["text"] for one in json.loads(text)["runs"][0]["results"])


READ: Final[Mapping[str, Callable[[str], str]]] = {
    "text": str,
    "markdown": str,
    "html": unescape,
    "github": lambda text: text.replace("%25", "%"),
    "junit": lambda text: "\n".join(ET.fromstring(text).itertext()),  # noqa: S314  # our own
    "sarif": sarif,
}
"""Format -> what somebody sees of a document in it."""


def documents(plan: Plan, style: Style = WIDE) -> dict[str, str]:
    """What somebody reads in each format of a plan, and of the drift that it is; lines that were wrapped are one."""
    seen = drifts.find(plan)
    formats = {name: FORMATS[name] for name in READ}
    texts = {f"plan {name}": one.plan(plan, DIGEST, style) for name, one in formats.items() if one.plan}
    texts |= {f"drift {name}": one.drift(seen, DIGEST, style) for name, one in formats.items() if one.drift}
    return {name: " ".join(READ[name.split()[1]](text).split()) for name, text in texts.items()}


def written(text: str) -> str:
    """A scalar, from its JSON, as it stands in a document; strings without their quotation marks."""
    value = json.loads(text)
    shown = json.dumps(value, ensure_ascii=False)
    return " ".join(escape(shown[1:-1] if isinstance(value, str) else shown).split())


def missing(plan: Plan, before: Json | Absent, after: Json | Absent) -> list[tuple[str, str]]:
    """The leaves that are more often in one of these values than in the other, and the documents that lack them."""
    sides = [ends(side) if side is not ABSENT else ends([]) for side in (before, after)]
    told = [written(one) for one in (sides[0] - sides[1]) + (sides[1] - sides[0])]
    return [(name, leaf) for name, text in documents(plan).items() for leaf in told if leaf not in text]


@given(VALUES, VALUES)
def test_every_leaf_of_a_changed_value_is_in_every_document(before: Any, after: Any) -> None:
    plan = Plan((change("a", Action.UPDATE, FieldChange("/xp/deep", before, after)),), BINDING)
    assert missing(plan, before, after) == []


@given(VALUES)
def test_every_leaf_of_what_is_created_is_in_every_document(value: Any) -> None:
    plan = Plan((change("a", Action.CREATE, FieldChange("/xp", ABSENT, value)),), BINDING)
    assert missing(plan, ABSENT, value) == []


@given(st.dictionaries(st.text("abc", min_size=1, max_size=3), VALUES.filter(lambda value: value is not None)))
def test_every_leaf_of_what_is_deleted_is_in_every_document(body: dict[str, Any]) -> None:
    plan = Plan((change("a", Action.DELETE, before=body),), BINDING)
    assert [one for one in missing(plan, body, ABSENT) if one[1] not in {"null", ""}] == []


def test_the_id_of_what_is_deleted_and_a_value_that_equals_it_are_in_every_document() -> None:
    deleted = replace(change("a", Action.DELETE, before={"ID": "en-US", "Language": "en-US"}), id="en-US")
    texts = documents(Plan((deleted,), BINDING))
    assert [name for name, text in texts.items() if text.count("en-US") < 2] == []


ROLES: Final = tuple(f"Role{number}Admin" for number in range(94))
PLANTED: Final = {
    "beyond 80 characters": ({"text": "a" * 90}, {"text": "a" * 90 + LINK}),
    "in the middle of a long text": ({"text": "b " * 400}, {"text": "b " * 200 + LINK + " b" * 200}),
    "beyond 10 keys": ({}, {f"key{n:02}": n if n < 12 else LINK for n in range(13)}),
    "beyond 3 members": ({"routes": [{"u": n} for n in range(9)]}, {"routes": [{"u": n} for n in range(9)] + [LINK]}),
    "deep in a list that is moved": ([{"u": [1, {"v": 2}]}, 3], [3, {"u": [1, {"v": LINK}]}]),
}


@pytest.mark.parametrize(("before", "after"), PLANTED.values(), ids=PLANTED)
def test_a_planted_link_is_seen_in_every_document(before: Any, after: Any) -> None:
    for action, old in ((Action.UPDATE, before), (Action.CREATE, ABSENT)):
        texts = documents(Plan((change("a", action, FieldChange("/xp", old, after)),), BINDING))
        assert [name for name, text in texts.items() if LINK not in text] == []


def test_the_last_of_94_roles_is_seen_in_every_document() -> None:
    roles = FieldChange("/MaximumGrantedRoles", [], list(ROLES), added=ROLES)
    texts = documents(Plan((change("a", Action.UPDATE, roles),), BINDING))
    assert [name for name, text in texts.items() if any(role not in text for role in ROLES)] == []


def test_what_the_service_did_not_keep_is_seen_whole() -> None:
    lost = Outcome(change("a", Action.UPDATE), Status.NOT_CONVERGED, fields=(FieldChange("/xp/a", {"b": LINK}, {}),))
    texts = {name: known.result(ApplyResult((lost,), 0), WIDE) for name, known in FORMATS.items() if known.result}
    assert [name for name, text in texts.items() if LINK not in text and name != "jsonl"] == []


def test_a_comment_leaves_out_whole_changes_and_says_so_first() -> None:
    plan = Plan(tuple(big(number, 90) for number in range(9)), BINDING)
    text = FORMATS["markdown"].plan(plan, DIGEST, replace(PLAIN, source="reconciler show plan.json"))  # type: ignore[misc]
    shown = [number for number in range(9) if f"{LINK}{number}" in text]
    assert 0 < len(shown) < 9
    assert all(text.count(f"{LINK}{number}") == 90 for number in shown)
    first = f"**Not shown in full: {9 - len(shown)} of 9**: not enough room."
    assert text.splitlines()[1] == f"{first} Full output: `reconciler show plan.json`."


def test_a_comment_about_several_environments_says_first_which_are_not_shown_in_full() -> None:
    style = replace(PLAIN, source="reconciler plan --env-all")
    plans = {"small": Plan((), BINDING), "big": Plan(tuple(big(number, 90) for number in range(9)), BINDING)}
    planned = [Part(name, plan) for name, plan in plans.items()]
    text = SEVERAL["markdown"](planned, lambda one, share: markdown.plan(plans[one.environment], DIGEST, share), style)
    first = text.splitlines()[1]
    assert first == "**Not shown in full: `big`**: see the sections below. Full output: `reconciler plan --env-all`."


def big(number: int, times: int) -> Change:
    return change(f"big{number}", Action.UPDATE, FieldChange("/xp/a", [], [f"{LINK}{number}"] * times))
