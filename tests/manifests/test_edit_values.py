"""Ugly manifests in, the same ones saying something else out: nothing but that has changed."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.manifests.edit import with_documents, with_values
from reconciler.manifests.edit.text import YamlStyle, block, flow
from reconciler.manifests.yaml import parse
from reconciler.model.json import ABSENT, get_at, pointer, pointer_parts, same

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "writeback"


def asked(folder: Path) -> tuple[int, dict[tuple[str, ...], Any]]:
    case = json.loads((folder / "values.json").read_text(encoding="utf-8"))
    removed = {pointer_parts(one): ABSENT for one in case["remove"]}
    return case["document"], {pointer_parts(one): value for one, value in case["set"].items()} | removed


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda folder: folder.name)
def test_a_document_says_what_it_was_told_to_and_the_rest_of_its_file_stays(folder: Path) -> None:
    document, values = asked(folder)
    content, refused = with_documents((folder / "before.yaml").read_bytes(), "m.yaml", {document: values})
    by_hand = folder / "by-hand.txt"
    assert content == (folder / "after.yaml").read_bytes()
    assert "".join(f"{pointer(*one)}\n" for _, one in refused) == (by_hand.read_text() if by_hand.exists() else "")


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda folder: folder.name)
def test_telling_it_again_changes_nothing(folder: Path) -> None:
    document, values = asked(folder)
    after = (folder / "after.yaml").read_bytes()
    assert with_documents(after, "m.yaml", {document: values})[0] == after


TEXTS = st.text(max_size=6) | st.sampled_from(["null", "yes", "0x1", "1e3", "a b", "a: b", "#", "-", "2026-01-01", ""])
SCALARS = st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats(allow_nan=False) | TEXTS
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=8
).filter(lambda value: "\\ud" not in json.dumps(value) and "Infinity" not in json.dumps(value))
MAPPINGS = st.dictionaries(TEXTS, VALUES, max_size=4).filter(lambda value: "\\ud" not in json.dumps(value))


@given(MAPPINGS, st.booleans())
def test_every_value_is_written_so_that_it_is_read_again(value: dict[str, Any], in_braces: bool) -> None:
    text = flow(value, YamlStyle()) if in_braces else "\n".join(block(value, 0, YamlStyle())) or "{}"
    (document,) = parse(text.encode(), "m.yaml").documents
    assert same(document.data, value)


@st.composite
def layouts(draw: st.DrawFn, value: dict[str, Any]) -> str:
    """A mapping as somebody could have written it: with comments, in braces or in lines, indented as they like."""
    lines = ["# first"]
    for key, member in value.items():
        style = YamlStyle(step=draw(st.integers(1, 4)))
        if draw(st.booleans()):
            lines.append(f"{flow(key, style)}: {flow(member, style)}   # beside")
        else:
            lines += block({key: member}, 0, style)
        lines.append(draw(st.sampled_from(["", "# between", "    # indented"])))
    return "\n".join([*lines, "# last"]) + draw(st.sampled_from(["", "\n"]))


@given(st.data(), MAPPINGS.filter(bool), MAPPINGS)
def test_whatever_is_asked_for_is_said_or_refused_and_comments_between_stay(
    data: st.DataObject, old: dict[str, Any], new: dict[str, Any]
) -> None:
    before = data.draw(layouts(old)).encode()
    content, refused = with_values(before, "m.yaml", {(key,): value for key, value in new.items()})
    (document,) = parse(content, "m.yaml").documents
    for key, value in (old | new).items():
        wanted = old.get(key, ABSENT) if (key,) in refused else value
        assert same(get_at(document.data, (key,)), wanted)
    assert [line for line in before.splitlines() if line.startswith(b"#")] == [
        line for line in content.splitlines() if line.startswith(b"#")
    ]


def test_documents_of_one_file_are_changed_at_once_and_those_that_cannot_be_are_named() -> None:
    before = b"a: &x 1\nb: *x\n---\na: 1  # one\n---\na: 1\n"
    content, refused = with_documents(before, "m.yaml", {0: {("a",): 2}, 1: {("a",): 2}, 2: {("a",): 2, ("c",): 3}})
    assert content == b"a: &x 1\nb: *x\n---\na: 2  # one\n---\na: 2\nc: 3\n"
    assert refused == ((0, ("a",)),)
