"""YAML as it is read: the core schema of YAML 1.2, places, and what is refused."""

import json
import math
import os
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from reconciler.manifests.yaml import SIZE_LIMIT, Parsed, parse, read, shown
from reconciler.manifests.yaml.builder import ALIAS_LIMIT, DEPTH_LIMIT
from reconciler.manifests.yaml.parser import key_text
from reconciler.manifests.yaml.tree import Document
from reconciler.model.json import Json, pointer, same


def only(text: str) -> Document:
    """The one document of a text without faults."""
    parsed = parse(text.encode(), "f")
    assert parsed.faults == ()
    (document,) = parsed.documents
    return document


def value(text: str) -> Any:
    data = only(f"v: {text}\n").data
    assert isinstance(data, dict)
    return data["v"]


def told(parsed: Parsed) -> list[str]:
    return [str(fault) for fault in parsed.faults]


def fault(text: str | bytes) -> str:
    (only_one,) = told(parse(text.encode() if isinstance(text, str) else text, "f"))
    return only_one


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("Null", None),
        ("NULL", None),
        ("nULL", "nULL"),
        ("true", True),
        ("False", False),
        ("TRUE", True),
        ("yes", "yes"),
        ("on", "on"),
        ("Off", "Off"),
        ("n", "n"),
        ("0", 0),
        ("-7", -7),
        ("+7", 7),
        ("012", 12),
        ("0o14", 12),
        ("0x1F", 31),
        ("0b11", "0b11"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-23", "2026-11-23"),
        ("2026-11-23T03:00:00Z", "2026-11-23T03:00:00Z"),
        ("1.5", 1.5),
        (".5", 0.5),
        ("5.", 5),
        ("600.0", 600),
        ("6e2", 600),
        ("-0.0", 0),
        ("1e300", 1e300),
        ("1.2.3", "1.2.3"),
        ("...x", "...x"),
        ("=", "="),
        ("123456789012345678901234567890", 123456789012345678901234567890),
        ("'true'", "true"),
        ('"600"', "600"),
        ('"\\u00e9\\n"', "é\n"),
        ("!!str 600", "600"),
        ("! 600", "600"),
        ("!!int 600", 600),
        ("!!int '600'", 600),
        ("!!float 600", 600),
        ("!!bool true", True),
        ("!!null null", None),
        ("!!map {a: 1}", {"a": 1}),
        ("!!seq [1]", [1]),
        ("<<", "<<"),
        ("|\n  a\n  b\n", "a\nb\n"),
        (">-\n  a\n  b\n", "a b"),
        ("٣", "٣"),  # digits of other scripts are no numbers
    ],
)
def test_a_scalar_has_the_value_that_yaml_1_2_gives_it(text: str, expected: Json) -> None:
    assert same(value(text), expected)
    assert type(value(text)) is type(expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".inf", "JSON has neither infinity"),
        ("-.INF", "JSON has neither infinity"),
        (".NaN", "JSON has neither infinity"),
        ("1e999", "too large for JSON"),
        ("9" * 301, "more than 300 digits"),
        ("!!int x", "does not fit"),
        ("!!int true", "does not fit"),
        ("!!bool 1", "does not fit"),
        ("!local x", "only the tags"),
        ("!!python/name:os.system x", "only the tags"),
        ("!!binary aGk=", "only the tags"),
        ("!local {a: 1}", "only the standard tags"),
        ("!!set {a}", "only the standard tags"),
    ],
)
def test_a_scalar_that_json_cannot_hold_is_refused_where_it_stands(text: str, message: str) -> None:
    told_fault = fault(f"v: {text}")
    assert told_fault.startswith("f:1:4: error: ")
    assert message in told_fault


PLACES = """\
# a comment
spec:
  AppName: Shop   # here
  "quoted key": é
  roles: [Shopper, {deep: 1}]
  list:
    - a
    -   b
  ? explicit
  : value
"""


@pytest.mark.parametrize(
    ("at", "key", "place"),
    [
        ("", "f:2:1", "f:2:1"),
        ("/spec", "f:2:1", "f:3:3"),
        ("/spec/AppName", "f:3:3", "f:3:12"),
        ("/spec/quoted key", "f:4:3", "f:4:17"),
        ("/spec/roles/1/deep", "f:5:21", "f:5:27"),
        ("/spec/list/1", "f:8:9", "f:8:9"),
        ("/spec/explicit", "f:9:5", "f:10:5"),
        ("/spec/absent/below", "f:2:1", "f:3:3"),
    ],
)
def test_every_key_and_value_has_its_place(at: str, key: str, place: str) -> None:
    document = only(PLACES)
    assert str(document.key_place(at)) == key
    assert str(document.place(at)) == place


def test_places_by_pointer_are_those_of_the_values() -> None:
    document = only("a: [1, {b/c: 2}]\n")
    assert {at: str(place) for at, place in document.places.items()} == {
        "": "f:1:1",
        "/a": "f:1:4",
        "/a/0": "f:1:5",
        "/a/1": "f:1:8",
        "/a/1/b~1c": "f:1:14",
    }
    assert len(document.places) == 5
    assert "/nothing" not in document.places


def test_a_byte_order_mark_moves_no_column() -> None:
    document = only("\ufeffa: 1\nb: 2\n")
    assert document.data == {"a": 1, "b": 2}
    assert str(document.place("/a")) == "f:1:4"


@pytest.mark.parametrize("newline", ["\r\n", "\r", "\n"])
def test_lines_count_the_same_however_they_end(newline: str) -> None:
    assert str(only(f"a: 1{newline}b: 2{newline}").place("/b")) == "f:2:4"


def test_columns_count_characters_not_bytes() -> None:
    assert str(only("{é😀: 1, b: 2}").place("/b")) == "f:1:12"


def test_a_file_holds_several_documents_and_the_empty_ones_do_not_count() -> None:
    parsed = parse(b"---\n---\na: 1\n...\n---\n# nothing\n---\nb: 2\n", "f")
    assert [document.data for document in parsed.documents] == [{"a": 1}, {"b": 2}]
    assert [str(document.place()) for document in parsed.documents] == ["f:3:1", "f:8:1"]


@pytest.mark.parametrize("text", ["", "\n", "# only a comment\n", "---\n", "null\n"])
def test_a_file_without_content_has_no_documents(text: str) -> None:
    assert parse(text.encode(), "f") == Parsed(())


def test_json_is_yaml() -> None:
    assert only('{"a": [1, true, null, "x\\/y"],\n\t"b": {"c": 1.5}}').data == {
        "a": [1, True, None, "x/y"],
        "b": {"c": 1.5},
    }


# -- anchors, aliases, merge keys --


def test_an_alias_stands_where_it_stands_and_its_content_where_that_stands() -> None:
    document = only("a: &x {k: 1}\nb: *x\nc: [*x, &y s, *y]\n*y : d\n")
    assert document.data == {"a": {"k": 1}, "b": {"k": 1}, "c": [{"k": 1}, "s", "s"], "s": "d"}
    assert str(document.place("/b")) == "f:2:4"
    assert str(document.place("/b/k")) == "f:1:11"
    assert str(document.place("/c/2")) == "f:3:15"
    assert str(document.key_place("/s")) == "f:4:1"


def test_a_key_can_have_an_anchor() -> None:
    assert only("&k a: 1\nb: *k\n").data == {"a": 1, "b": "a"}


def test_merge_keys_fill_in_what_the_mapping_does_not_have() -> None:
    document = only("base: &b {x: 1, y: {z: 2}}\nmore: &m {y: 3, w: 4}\nall:\n  x: 9\n  <<: [*b, *m]\n  v: 5\n")
    assert isinstance(document.data, dict)
    assert document.data["all"] == {"x": 9, "v": 5, "y": {"z": 2}, "w": 4}
    assert str(document.place("/all/y/z")) == "f:1:24"
    assert str(document.key_place("/all/w")) == "f:2:17"
    assert str(document.place("/all/v")) == "f:6:6"


def test_a_quoted_merge_key_is_an_ordinary_one() -> None:
    assert only("'<<': {a: 1}\n").data == {"<<": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("a: 1\n<<: 2\n", "f:2:5", "<< requires an alias of a mapping"),
        ("a: 1\n<<: [{b: 1}, 2]\n", "f:2:5", "<< requires an alias of a mapping"),
        ("<<: {a: 1}\n<<: {b: 1}\n", "f:2:1", "duplicate key"),
        ("a: *nobody\n", "f:1:4", "this alias has no anchor above it"),
        ("a: &x [1, *x]\n", "f:1:11", "this alias is inside its own anchor"),
        ("a: &x 1\n---\nb: *x\n", "f:3:4", "this alias has no anchor above it"),
        ("a: 1\nb: 2\na: 3\n", "f:3:1", "duplicate key, first at line 1, column 1"),
        ("x: {b: 1, 'b': [2]}\n", "f:1:11", "duplicate key, first at line 1, column 5"),
        ("1: a\n", "f:1:1", "a key must be a string"),
        (".inf: a\n", "f:1:1", "a key must be a string"),
        ("{[a]: b}\n", "f:1:2", "a key must be a string"),
        ("? {a: 1}\n: b\n", "f:1:3", "a key must be a string"),
        ("!!int 1: b\n", "f:1:1", "a key must be a string"),
        ("a: &x [1]\n*x : b\n", "f:2:1", "a key must be a string"),
        ("%YAML 1.1\n---\na: 1\n", "f:1:1", "only YAML 1.2 is read"),
        ("%YAML 1.3\n---\na: 1\n", "f:1:1", "only YAML 1.2 is read"),
    ],
)
def test_what_would_be_ambiguous_is_refused_where_it_stands(text: str, place: str, message: str) -> None:
    told_fault = fault(text)
    assert told_fault.startswith(f"{place}: error: {message}")


def test_a_fault_keeps_no_other_from_being_found_and_its_member_is_left_out() -> None:
    parsed = parse(b"a: 1\na: {b: 2}\n2: x\nc: *nobody\nd: {e: 1, e: [2]}\nf: 3\n", "f")
    assert [fault.place.line for fault in parsed.faults] == [2, 3, 4, 5]
    (document,) = parsed.documents
    assert document.data == {"a": 1, "c": None, "d": {"e": 1}, "f": 3}
    assert str(document.place("/f")) == "f:6:4"


def test_documents_before_a_broken_one_are_read() -> None:
    parsed = parse(b"a: 1\n---\nb: [\n", "f")
    assert [document.data for document in parsed.documents] == [{"a": 1}]
    assert len(parsed.faults) == 1


# -- what would exhaust the program --


def test_aliases_that_multiply_are_stopped() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    assert f"add more than {ALIAS_LIMIT:,} values" in fault("\n".join(lines))


def test_merged_mappings_that_multiply_are_stopped() -> None:
    big = "{" + ", ".join(f"k{n}: {n}" for n in range(1000)) + "}"
    text = f"a: &a {big}\nb:\n" + "".join("- {<<: *a}\n" for _ in range(200))
    assert f"add more than {ALIAS_LIMIT:,} values" in fault(text)


def test_aliases_that_pile_up_depth_are_stopped() -> None:
    lines = ["a0: &a0 []"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)]
    assert f"nested more than {DEPTH_LIMIT} levels" in fault("\n".join(lines))


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_depth_is_limited(opening: str) -> None:
    assert f"nested more than {DEPTH_LIMIT} levels" in fault(opening * 5000)


def test_what_is_just_deep_enough_is_read() -> None:
    document = only("[" * DEPTH_LIMIT + "]" * DEPTH_LIMIT)
    assert len(document.places) == DEPTH_LIMIT


def test_a_file_may_have_a_mebibyte_and_not_a_byte_more(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_bytes(b"a: 1\n".ljust(SIZE_LIMIT))
    assert read(file, "f").faults == ()
    file.write_bytes(b"a: 1\n".ljust(SIZE_LIMIT + 1))
    assert told(read(file, "f")) == ["f: error: the file is larger than 1,048,576 bytes; split it [file-size]"]


# -- bytes that are no text --


@pytest.mark.parametrize(
    ("content", "place", "message"),
    [
        ("a: 1\n".encode("utf-16"), "f", "the file is in UTF-16"),
        (b"\xfe\xff\x00a", "f", "the file is in UTF-16"),
        ("a: 1\n".encode("utf-16-le"), "f:1:2", "U+0000 is not allowed in a file; is this UTF-16?"),
        (b"a: 1\nb: \xff\n", "f:2:4", "byte 0xff at offset 8 is not UTF-8"),
        (b"\xef\xbb\xbfa: \xff", "f:1:4", "byte 0xff at offset 6 is not UTF-8"),
        (b"a: \xc3", "f:1:4", "byte 0xc3 at offset 3 is not UTF-8"),
        (b"a: \xed\xa0\x80", "f:1:4", "byte 0xed at offset 3 is not UTF-8"),
        (b"a: 1\r\nb: \x07", "f:2:4", "U+0007 is not allowed in a file"),
        (b"a: \x7f", "f:1:4", "U+007F is not allowed in a file"),
        ("# é\na: \x9f".encode(), "f:2:4", "U+009F is not allowed in a file"),
        ("# x\u2028AllowSeller: true".encode(), "f:1:4", "U+2028 is not allowed in a file"),
        ("# x\x85AllowSeller: true".encode(), "f:1:4", "U+0085 is not allowed in a file"),
    ],
)
def test_bytes_that_are_no_text_are_refused_with_their_place(content: bytes, place: str, message: str) -> None:
    told_fault = fault(content)
    assert told_fault.startswith(f"{place}: error: ")
    assert message in told_fault


@given(st.binary(max_size=60))
def test_no_bytes_make_it_fail(content: bytes) -> None:
    parse(content, "f")


@given(st.text(alphabet="ab:-[]{}&*!|>'\"%@`,? \n\t#<1.~", max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    for document in parse(text.encode(), "f").documents:
        assert {str(place) for place in document.places.values()}


# -- agreement with an independent reader --

TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff"))
SCALARS = st.none() | st.booleans() | st.integers(-(10**18), 10**18) | TEXTS
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)


@given(DATA)
def test_a_place_that_is_walked_to_is_the_one_that_is_found_among_all(value: Json) -> None:
    document = only(json.dumps({"a": value}, ensure_ascii=False))
    everywhere = dict(document.places)
    assert {at: document.places[at] for at in everywhere} == everywhere
    places = document.places
    for _ in range(10):  # the first few are walked to, the others looked up
        for missing in ("/nothing", "/a/nothing/below", "no pointer"):
            with pytest.raises(KeyError):
                places[missing]
        assert places["/a"] == everywhere["/a"]


@given(DATA)
def test_what_ruamel_yaml_writes_is_read_as_it_was(data: Json) -> None:
    writer = YAML(typ="safe", pure=True)
    writer.version = (1, 2)
    writer.default_flow_style = False
    text = written(writer, {"data": data})
    assert same(only(text).data, {"data": data})


def written(writer: YAML, data: Json) -> str:
    stream = StringIO()
    writer.dump(data, stream)
    return stream.getvalue()


@given(DATA)
def test_each_value_stands_where_its_place_says(data: Json) -> None:
    text = json.dumps({"data": data}, ensure_ascii=False)
    document = only(text)
    for at, leaf in leaves(document.data, ()):
        column = document.place(pointer(*at)).column
        assert text[column - 1 :].startswith(json.dumps(leaf, ensure_ascii=False))


def leaves(data: Json, at: tuple[str | int, ...]) -> list[tuple[tuple[str | int, ...], Json]]:
    if isinstance(data, dict):
        return [leaf for key, child in data.items() for leaf in leaves(child, (*at, key))]
    if isinstance(data, list):
        return [leaf for index, child in enumerate(data) for leaf in leaves(child, (*at, index))]
    return [(at, data)]


# -- files --


def broken_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def looping_link(path: Path) -> None:
    path.symlink_to(path)


def fifo(path: Path) -> None:
    os.mkfifo(path)


def nothing(path: Path) -> None:
    pass


def directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (nothing, "there is no such file or directory"),
        (broken_link, "the symbolic link is broken; correct or remove it"),
        (looping_link, "the symbolic link points to itself; remove it"),
        (fifo, "this is not a regular file"),
        (directory, "this is a directory, not a file"),
    ],
)
def test_what_is_no_readable_file_is_said_so(make: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    make(tmp_path / "f.yaml")
    assert told(read(tmp_path / "f.yaml", "f.yaml")) == [f"f.yaml: error: {message} [unreadable]"]


def test_a_device_is_not_read() -> None:
    assert told(read(Path("/dev/zero"), "zero")) == ["zero: error: this is not a regular file [unreadable]"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "f").touch(mode=0)
    assert "permission denied" in told(read(tmp_path / "f", "f"))[0]


def test_paths_are_shown_as_one_would_type_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown(tmp_path / "a" / "b.yaml") == str(Path("a", "b.yaml"))
    assert shown("./a/../b.yaml") == "b.yaml"
    assert shown(".") == "."
    assert shown("/etc/x") == "/etc/x"


def test_infinities_never_get_in() -> None:
    assert not any(isinstance(leaf, float) and math.isinf(leaf) for _, leaf in leaves(only("a: 1e308").data, ()))


def test_a_program_that_reads_many_documents_does_not_keep_all_of_their_keys() -> None:
    keys = 10_000
    assert parse("".join(f"key-{number}: 1\n" for number in range(keys)).encode(), "ids.yaml").faults == ()
    assert key_text.cache_info().currsize < keys
