"""Pieces of Markdown mean what they say, whatever is in them."""

import pytest

from reconciler.render.comment import code, fenced
from tests.render.test_markdown import READER


@pytest.mark.parametrize("text", ["a`b", "``", "`", " `` ` ", "a|b", "", "@everyone", "![x](y)", "</details>", "\\`x"])
def test_a_code_span_shows_the_text_and_nothing_else(text: str) -> None:
    (paragraph,) = [token for token in READER.parse(f"x {code(text)} y") if token.type == "inline"]
    assert [token.type for token in paragraph.children or ()] == ["text", "code_inline", "text"]
    assert (paragraph.children or [])[1].content.strip() == text.strip()


def test_a_fence_is_longer_than_any_in_it() -> None:
    (fence,) = READER.parse("\n".join(fenced(["````", "</details>", "~~~"], "diff")))
    assert fence.content == "````\n</details>\n~~~\n"
