"""Lines on a terminal: no word is broken, and nothing is lost."""

import re

from hypothesis import given
from hypothesis import strategies as st

from reconciler.render.style import Style, Tone, laid_out

NARROW = Style(width=30)
WORDS = st.text("ab\"'-", min_size=1, max_size=40)


@given(st.lists(WORDS, min_size=1), st.integers(0, 6))
def test_a_line_is_broken_between_words_only_and_only_where_it_is_too_long(words: list[str], indent: int) -> None:
    line = " " * indent + " ".join(words)
    lines = laid_out([line], NARROW).splitlines()
    assert " ".join(" ".join(lines).split()) == " ".join(words)
    assert [one for one in lines if len(one) > NARROW.width and len(one.split()) > 1] == []
    assert len(line) > NARROW.width or lines == [line]


def test_what_goes_on_stays_in_the_last_column_of_a_table_and_leaves_no_blanks_behind() -> None:
    lines = laid_out(["ok   login    " + "word " * 8 + "end"], NARROW).splitlines()
    assert [line[:14].strip() for line in lines[1:]] == [""] * (len(lines) - 1)
    assert {line[14:18] for line in lines} <= {"word", "end"}
    assert (
        laid_out(["new  ApiClient/storefront     " + "m" * 30], NARROW).splitlines()[0] == "new  ApiClient/storefront"
    )


def test_colour_takes_no_room() -> None:
    style = Style(colour=True, width=30)
    line = " ".join(style.paint(Tone.ALARM, "word") for _ in range(6))
    assert laid_out([line], style) == f"{line}\n"


def test_without_a_width_a_line_is_as_long_as_it_is() -> None:
    assert laid_out(["word " * 100 + "end"], Style()).count("\n") == 1
    assert re.fullmatch(r"(word )+end\n", laid_out(["word " * 100 + "end"], Style()))
