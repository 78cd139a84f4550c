"""Comments, read back by a Markdown library as the sites that show them read them."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from reconciler.model.outcome import ApplyResult, Outcome, Status
from reconciler.model.plan import Action, Change, Plan
from reconciler.render.markdown import drift, plan, result
from reconciler.render.style import PLAIN
from tests.render.test_render_golden import BINDING, DIGEST, DRIFTS, NARROWS, PLAIN_DOCUMENTS, WIDENS, change, field

READER: Final = MarkdownIt("gfm-like", {"linkify": False, "html": True})
WIDE: Final = [change(f"wide-{n:04}", Action.UPDATE, field("/AccessTokenDuration", 10, 600, WIDENS)) for n in range(20)]
GONE: Final = [change(f"gone-{n:04}", Action.DELETE) for n in range(20)]
PLAINS: Final = [change(f"plain-{n:04}", Action.UPDATE, field("/AppName", "a", "b")) for n in range(4960)]


def tokens(text: str) -> Iterator[Token]:
    for token in READER.parse(text):
        yield token
        yield from token.children or ()


def kinds(text: str) -> set[str]:
    return {token.type for token in tokens(text)}


def leading(lines: list[Change]) -> list[str]:
    return [str(one.address) for one in lines]


def test_a_comment_begins_with_its_marker_and_title() -> None:
    first, title, *_ = READER.parse(PLAIN_DOCUMENTS["everything.plan.markdown"])
    assert (first.type, first.content) == ("html_block", "<!-- reconciler:plan:staging -->\n")
    assert (title.type, title.tag) == ("heading_open", "h2")


@pytest.mark.parametrize("name", [name for name in PLAIN_DOCUMENTS if name.endswith(".markdown")])
def test_a_comment_is_made_of_nothing_but_our_own_markup(name: str) -> None:
    text = PLAIN_DOCUMENTS[name]
    assert not kinds(text) & {"link_open", "image", "s_open", "blockquote_open", "html_inline"}
    blocks = "".join(token.content for token in tokens(text) if token.type == "html_block")
    assert set(re.findall(r"</?(\w+)", blocks)) <= {"details", "summary", "b", "code"}
    assert blocks.count("<details>") == blocks.count("</details>")


def test_each_change_is_one_block_that_opens_at_a_click() -> None:
    text = PLAIN_DOCUMENTS["everything.plan.markdown"]
    summaries = re.findall(r"<summary><b>(\w+)</b> <code>(\S+)</code>", text)
    assert summaries == [("create", "ApiClient/kiosk"), ("update", "ApiClient/storefront"), ("delete", "ApiClient/old")]
    fences = [token.content for token in tokens(text) if token.type == "fence" and token.info == "diff"]
    assert len(fences) == 3
    assert "! AccessTokenDuration  [widens]\n-     600\n+     700\n" in fences[1]


def test_the_digest_and_the_command_are_at_the_end() -> None:
    *_, last = READER.parse(plan(Plan((WIDE[0],), BINDING), DIGEST, replace(PLAIN, plan_file="plan.json")))
    assert (last.type, last.content) == ("fence", "reconciler apply plan.json\n")
    assert f"Digest: `{DIGEST}`" in plan(Plan((WIDE[0],), BINDING), DIGEST, PLAIN)
    assert "To apply" not in plan(Plan((), BINDING), "", PLAIN)


def test_of_five_thousand_changes_those_that_matter_are_all_there_and_the_rest_is_counted() -> None:
    text = plan(Plan((*PLAINS, *GONE, *WIDE), BINDING), DIGEST, PLAIN)
    assert len(text) < 60_000
    assert [address for address in leading([*WIDE, *GONE]) if f"<code>{address}</code>" not in text] == []
    shown = sum(f"<code>{address}</code>" in text for address in leading(PLAINS))
    assert shown > 100
    assert f"**And {4960 - shown:,} more: other changes (not enough room).**" in text
    assert text.rstrip().endswith("```")


def test_where_not_even_those_have_room_they_become_lines_before_any_is_left_out() -> None:
    many = [change(f"wide-{n:04}", Action.UPDATE, field("/Active", False, True, WIDENS)) for n in range(700)]
    text = plan(Plan((*many, *PLAINS), BINDING), DIGEST, PLAIN)
    assert len(text) < 60_000
    assert [address for address in leading(many) if address not in text] == []
    assert "- **update** `ApiClient/wide-0699`: widens `Active`" in text
    assert "**And 4,960 more: other changes (not enough room).**" in text


def test_five_thousand_that_widen_are_counted_to_the_last() -> None:
    many = [change(f"wide-{n:04}", Action.UPDATE, field("/Active", False, True, WIDENS)) for n in range(5000)]
    text = plan(Plan(tuple(many), BINDING), DIGEST, PLAIN)
    shown = sum(f"`{address}`" in text or f"<code>{address}</code>" in text for address in leading(many))
    assert len(text) < 60_000
    assert f"**And {5000 - shown:,} more: changes that widen access or delete (not enough room).**" in text


def test_a_result_of_five_thousand_failures_fits_too() -> None:
    outcomes = tuple(Outcome(one, Status.FAILED, "x" * 500) for one in PLAINS)
    text = result(ApplyResult(outcomes, 0), PLAIN)
    assert len(text) < 60_000
    assert "more: changes that were not applied" in text


def test_what_is_wider_than_wanted_comes_first_in_a_comment_about_drift() -> None:
    text = drift(DRIFTS["everything"], DIGEST, PLAIN)
    assert text.index("storefront") < text.index("ApiClient/old") < text.index("kiosk")
    assert NARROWS
