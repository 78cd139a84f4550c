"""Hostile names, keys, values and messages through every document of every format: they are shown, and do nothing."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft4Validator
from markdown_it import MarkdownIt

from reconciler.errors import AccessDenied, GuardRefusal, InputError, PlanRefused, ReconcilerError, RequestFacts
from reconciler.model.diagnostic import Checked, Diagnostic, Place, Report, Severity
from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Binding, Change, Direction, FieldChange, Finding, Plan
from reconciler.model.resource import Address
from reconciler.planning import drift as drifts
from reconciler.render import FORMATS
from reconciler.render.several import SEVERAL, Part
from reconciler.render.style import PLAIN, Moment
from reconciler.render.text import error_text, internal_error, warning
from tests.hostile import LONG, PAYLOADS
from tests.render.test_escape import is_harmless
from tests.render.test_sarif import SCHEMA

if TYPE_CHECKING:
    from reconciler.model.json import Body

ACTIONS: Final = (Action.CREATE, Action.UPDATE, Action.DELETE, Action.UNMANAGED)


def changes(one: str, other: str) -> Iterator[Change]:
    """A change of each sort that has these two texts wherever a text can be."""
    fields = (
        FieldChange(f"/xp/{other}", one, {other: [one]}, Direction.WIDENS),
        FieldChange("/DefaultContextUserName", None, one),
        FieldChange("/MaximumGrantedRoles", [], [one, other], added=(one, other), removed=(other,)),
        FieldChange(f"/{one}", None, None, sensitive=True),
    )
    for action in ACTIONS:
        body: Body = {"AppName": one, "xp": {other: one}}
        place = None if action is Action.UNMANAGED else Place(one[:4000], 1, 2)
        given = () if action in {Action.DELETE, Action.UNMANAGED} else fields
        before, after = (None if action is Action.CREATE else body), (body if given else None)
        yield Change(Address("ApiClient", f"{one}{action}"), action, other, before, after, given, place=place)


CHANGES: Final = tuple(change for one, other in pairwise((*PAYLOADS, PAYLOADS[0])) for change in changes(one, other))
FINDINGS: Final = tuple(Finding(one, one, one, (Address("ApiClient", one),)) for one in PAYLOADS[:8])
PLAN: Final = Plan(CHANGES, Binding("env`|<b>", PAYLOADS[0], "@everyone", "f", "0"), FINDINGS, PAYLOADS)
DRIFT: Final = drifts.find(PLAN)
RESULT: Final = ApplyResult(
    tuple(
        Outcome(one, status, text, text, one.fields)
        for one, status, text in zip(CHANGES, list(Status) * len(CHANGES), PAYLOADS * 9, strict=False)
    ),
    0,
)
FAULTS: Final = [Diagnostic(Place(one, 1), one, one, one, one, severity) for one in PAYLOADS for severity in Severity]
REPORT: Final = Report(tuple(Checked(fault, (fault.message,)) for fault in FAULTS), 1, None)
ERRORS: Final[dict[str, ReconcilerError]] = {
    "input": InputError(FAULTS),
    "guard": GuardRefusal([Finding(one, one, one) for one in PAYLOADS], hint=PAYLOADS[5]),
    **{f"other {n}": ReconcilerError(one, hint=one) for n, one in enumerate(PAYLOADS)},
    "plan": PlanRefused(PAYLOADS[0], "@everyone"),
    "remote": AccessDenied("![x](y)", RequestFacts("GET", PAYLOADS[1], 403, PAYLOADS[2], "|`"), hint="<script>"),
}
STYLE: Final = replace(
    PLAIN,
    environment="env`|<b>",
    plan_file="$(x) `y`\x1b.json",
    history=tuple(Moment(one, one, one, one) for one in PAYLOADS),
)


def documents(name: str) -> Iterator[str]:
    """Every document of a format, with everything hostile in it."""
    known = FORMATS[name]
    if known.plan:
        yield known.plan(PLAN, "d" * 64, STYLE)
        yield known.plan(PLAN, "d" * 64, replace(STYLE, room=10_000_000))
    if known.drift:
        text = known.drift(DRIFT, "d" * 64, STYLE)
        yield text
        drift = Part("`|<b>", DRIFT, noun="drift")
        yield SEVERAL[name]([drift, replace(drift, environment="``")], lambda _one, _style: text, STYLE)
    if known.result:
        result = known.result(RESULT, STYLE)
        yield result
        yield SEVERAL[name]([Part("`|<b>", RESULT, noun="apply")], lambda _one, _style: result, STYLE)
    if known.validation:
        yield known.validation(REPORT, STYLE)
    yield from (known.failure("plan", error, STYLE) for error in ERRORS.values())


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"github", "html"}])
def test_nothing_invisible_and_no_command_is_in_a_document(name: str) -> None:
    assert [text for text in documents(name) if not is_harmless(text)] == []


@pytest.mark.parametrize("name", ["json", "jsonl", "sarif"])
def test_json_is_ascii_and_can_be_read(name: str) -> None:
    for text in documents(name):
        assert text.isascii()
        for part in text.splitlines() if name == "jsonl" else [text]:
            json.loads(part)


@pytest.mark.sweep
def test_sarif_is_valid_by_the_schema_of_the_standard() -> None:
    assert isinstance(SCHEMA, Draft4Validator)
    for text in documents("sarif"):
        assert not list(SCHEMA.iter_errors(json.loads(text)))


def test_junit_is_well_formed_and_has_the_cases_that_it_says() -> None:
    for text in documents("junit"):
        root = ET.fromstring(text)  # noqa: S314  # our own
        assert len(root.findall(".//testcase")) == int(root.get("tests", ""))


def test_a_comment_has_no_link_no_image_no_mention_and_no_markup_but_ours() -> None:
    reader = MarkdownIt("gfm-like", {"linkify": False, "html": True})
    for text in documents("markdown"):
        assert len(text) < 10_000_000
        tokens = [each for token in reader.parse(text) for each in (token, *(token.children or ()))]
        assert not {token.type for token in tokens} & {"link_open", "image", "html_inline", "s_open", "em_open"}
        assert not [
            token.content for token in tokens if token.type == "text" and re.search(r"[@#]|evil|www", token.content)
        ]
        markup = "".join(token.content for token in tokens if token.type == "html_block")
        assert set(re.findall(r"</?([a-z0-9]+)", markup)) <= {"details", "summary", "b", "code"}
        assert markup.count("<details>") == markup.count("</details>") == markup.count("</summary>")


class Tags(HTMLParser):
    """All tags and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str | None] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs if not name.startswith("data-")}
        self.links |= {value for name, value in attrs if name in {"href", "src"}}


def test_a_page_has_no_tag_and_no_attribute_but_ours_and_points_nowhere() -> None:
    seen = Tags()
    for text in documents("html"):
        assert is_harmless(text)
        seen.feed(text)
        assert (text.count("<script"), text.count("<style"), text.count("<img")) == (1, 1, 0)
    assert seen.links == {"data:,"}
    assert not seen.attributes & {"style", "onerror", "onload", "onmouseover", "onclick", "srcdoc", "action"}
    assert not seen.tags & {"img", "svg", "iframe", "a", "object", "embed", "base"}


LONG_FIELDS: Final = (FieldChange("/xp/a", "short", "other"),)
LONG_PLAN: Final = Plan(
    (Change(Address("ApiClient", LONG), Action.UPDATE, LONG, {}, {}, LONG_FIELDS, place=Place(LONG[:4000], 1, 2)),),
    Binding("e", "u", LONG, "f", "0"),
    (Finding(LONG, LONG, LONG),),
    (LONG,),
)
LONG_ERRORS: Final = (
    ReconcilerError(LONG, hint=LONG),
    InputError([Diagnostic(Place("a"), LONG, "rule", LONG, LONG)]),
    GuardRefusal([Finding("rule", LONG, LONG)]),
)


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in {"json", "jsonl", "sarif"}])
def test_a_message_or_a_heading_of_a_megabyte_is_cut_with_a_note(name: str) -> None:
    known = FORMATS[name]
    texts = [
        known.plan(LONG_PLAN, "d", PLAIN) if known.plan else "",
        known.drift(drifts.find(LONG_PLAN), "d", PLAIN) if known.drift else "",
        *(known.failure("plan", error, PLAIN) for error in LONG_ERRORS),
    ]
    assert [len(text) for text in texts if len(text) > 60_000] == []
    assert "characters)" in texts[-1]


def test_stderr_is_harmless_whatever_went_wrong() -> None:
    for error in ERRORS.values():
        assert is_harmless(error_text(error, PLAIN))
    assert all(is_harmless(warning(one, PLAIN) + internal_error(ValueError(one), one, PLAIN)) for one in PAYLOADS)
