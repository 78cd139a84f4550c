"""Ugly configurations in, the same ones with ids out: byte for byte, or not at all."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ReconcilerError
from reconciler.manifests.edit import create_file, with_ids, write_ids
from reconciler.manifests.yaml import parse
from tests.builders import by_address
from tests.limits import no_file_larger_than

SCENARIOS = Path(__file__).parents[1] / "scenarios" / "adopt"
ID = "E5A05785-CAFF-4F7D-9CC3-758F13865FC3"
PLAIN = b"apiVersion: reconciler/v1\nkind: Config\nmanifests: [m/]\nenvironments:\n  a:\n    emulator: {}\n"


def at(environment: str) -> tuple[str, ...]:
    return ("environments", environment, "ids")


def data_of(content: bytes) -> Any:
    parsed = parse(content, "reconciler.yaml")
    assert parsed.faults == ()
    return parsed.documents[0].data


def outcome(folder: Path, before: bytes) -> tuple[str, bytes]:
    """The name of the file that a scenario is to have, and its content."""
    asked = json.loads((folder / "ids.json").read_text(encoding="utf-8"))
    try:
        return "after.yaml", with_ids(before, at(asked["environment"]), by_address(asked["ids"]), "reconciler.yaml")
    except ReconcilerError as error:
        return "refused.txt", f"{error.message}\n{error.hint}\n".encode()


@pytest.mark.parametrize("folder", sorted(SCENARIOS.iterdir()), ids=lambda folder: folder.name)
def test_a_configuration_gets_its_ids_or_is_refused_with_a_reason(folder: Path) -> None:
    name, content = outcome(folder, (folder / "before.yaml").read_bytes())
    assert content == (folder / name).read_bytes()
    assert {file.name for file in folder.iterdir()} == {"before.yaml", "ids.json", name}


@pytest.mark.parametrize("folder", sorted(SCENARIOS.glob("[!r]*")), ids=lambda folder: folder.name)
def test_adding_the_same_ids_again_changes_nothing(folder: Path) -> None:
    after = (folder / "after.yaml").read_bytes()
    assert outcome(folder, after) == ("after.yaml", after)


# -- whatever the layout --

PADS = st.sampled_from(["", " # é", "\t# tab", "   #"])
FILLERS = st.sampled_from(["", "\n", "  # a comment\n", "\n\n# at the margin\n", "                 # far out\n"])
QUOTES = st.sampled_from(["", "'", '"'])
VALUES = st.sampled_from(
    [
        "{emulator: {}}",
        "{emulator: {}, concurrency: 2, }",
        "{\n      emulator: {} # c\n    }",
        "{emulator: {},\n  concurrency: 2}",
    ]
)


@st.composite
def blocks(draw: st.DrawFn, known: dict[str, str], indent: str) -> str:
    """An environment in lines of its own, with ids in one of many styles, or none."""
    pad, filler, quote = draw(PADS), draw(FILLERS), draw(QUOTES)
    step = indent + " " * draw(st.integers(1, 4))
    entries = [f"{quote}{name}{quote}: {quote}{one}{quote}" for name, one in known.items()]
    styles = [f"ids:{pad}\n" + "".join(f"{step} {entry}{pad}\n{filler}" for entry in entries)] if entries else [""]
    styles += [f"ids: {{{', '.join(entries)}}}{pad}\n"]
    styles += (
        ["ids: {\n" + ",\n".join(f"{step}  {entry}" for entry in entries) + f"{pad}\n{step}}}\n"] if entries else []
    )
    styles += ["ids: {\n" + "".join(f"{step}  {entry},{pad}\n" for entry in entries) + f"{step}}}\n"] if entries else []
    members = [f"emulator: {{}}{pad}\n", draw(st.sampled_from(styles)), f"values:{pad}\n{step}t: |+\n{step}  x\n\n"]
    chosen = draw(st.permutations([member for member in members if member]))
    return pad + "\n" + filler + filler.join(f"{indent}{member}" for member in chosen)


@st.composite
def configurations(draw: st.DrawFn) -> bytes:
    """Three environments, of which `b` is the one in question; before and after it may stand anything."""
    known = draw(st.dictionaries(st.sampled_from(["app", "kiosk", "web.2"]), st.uuids().map(str), max_size=3))
    margin = " " * draw(st.integers(1, 4))
    parts = [PLAIN.decode().partition("  a:")[0]]
    for name in draw(st.permutations("abc")):
        block = draw(blocks(known, margin + " " * draw(st.integers(1, 4))))
        parts += [f"{margin}{name}:", block if draw(st.booleans()) else f" {draw(VALUES)}\n", draw(FILLERS)]
    text = draw(st.sampled_from(["", "---\n", "\ufeff"])) + "".join(parts)
    if "|+" not in text and draw(st.booleans()):  # else the line end may be a part of that value
        text = text.removesuffix("\n")
    return text.replace("\n", draw(st.sampled_from(["\n", "\r\n"]))).encode()


def is_part_of(part: str, whole: str) -> bool:
    """Whether the whole becomes the part by leaving characters out."""
    left = iter(whole)
    return all(character in left for character in part)


@given(configurations(), st.dictionaries(st.sampled_from(["new", "on", "12"]), st.uuids().map(str), min_size=1))
def test_whatever_the_layout_the_ids_are_added_and_nothing_else_changes(before: bytes, ids: dict[str, str]) -> None:
    expected = data_of(before)
    after = with_ids(before, at("b"), by_address(ids), "reconciler.yaml")
    expected["environments"]["b"].setdefault("ids", {}).update(ids)
    assert data_of(after) == expected
    assert is_part_of(before.decode(), after.decode())
    assert with_ids(after, at("b"), by_address(ids), "reconciler.yaml") == after


NAMES = st.text("01exofnytrual.-", min_size=1, max_size=5).filter(lambda name: name.strip(".-") == name)
IDS = st.text("01exofNYTRUEalse_-", min_size=1, max_size=5)


@given(st.dictionaries(NAMES, IDS))
def test_any_name_and_id_that_the_schema_allows_comes_back_as_a_text(ids: dict[str, str]) -> None:
    ids = dict({known.casefold(): (name, known) for name, known in ids.items()}.values())
    written = data_of(with_ids(PLAIN, at("a"), by_address(ids), "reconciler.yaml"))["environments"]["a"]
    assert written.get("ids", {}) == ids


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "shop: {id}\n"),
        ("# none yet", "# none yet\nshop: {id}\n"),
        ("\ufeff---\r\n# none yet\r\n", "\ufeff---\r\n# none yet\r\nshop: {id}\r\n"),
        ("kiosk: 'X'  # by hand\n\n# the end\n", "kiosk: 'X'  # by hand\nshop: '{id}'\n\n# the end\n"),
        ("{{kiosk: X}}\n", "{{kiosk: X, shop: {id}}}\n"),
        ("{{\n  # none yet\n}}\n", "{{shop: {id}\n  # none yet\n}}\n"),
    ],
)
def test_ids_are_added_to_a_file_of_their_own(before: str, after: str) -> None:
    before, after = before.format(id=ID), after.format(id=ID)
    found = with_ids(before.encode(), (), by_address({"shop": ID}), "ids.yaml")
    assert found.decode() == after
    assert with_ids(found, (), by_address({"shop": ID}), "ids.yaml") == found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("shop: OTHER", "shop is bound to OTHER already under ids.yaml"),
        ("- a", "ids.yaml can no longer be read as ids"),
        ("---\n...\n", "ids.yaml cannot be edited to add ids without changing other lines"),
        ("a: X\n" + "#" * (8 << 20), "ids.yaml can no longer be read as ids"),
    ],
)
def test_a_file_of_ids_that_cannot_take_them_is_refused(content: str, message: str) -> None:
    with pytest.raises(ReconcilerError) as caught:
        with_ids(content.encode(), (), by_address({"shop": ID}), "ids.yaml")
    assert caught.value.message == message


def test_ids_without_a_value_are_filled() -> None:
    before = PLAIN + b"    ids:  # none yet\n"
    assert with_ids(before, at("a"), by_address({"shop": ID}), "reconciler.yaml").decode() == before.decode().replace(
        "ids:", f"ids: {{shop: {ID}}}"
    )


def test_a_configuration_that_would_grow_too_large_is_refused_with_where_ids_can_go() -> None:
    with pytest.raises(ReconcilerError, match="larger than 1,048,576 bytes") as caught:
        with_ids(PLAIN + b"#" * ((1 << 20) - len(PLAIN) - 1), at("a"), by_address({"shop": ID}), "reconciler.yaml")
    assert "ids: {file: ids/ENV.yaml}" in caught.value.hint


# -- files --


def test_a_file_is_replaced_with_its_mode_kept(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.yaml"
    file.write_bytes(PLAIN)
    file.chmod(0o640)
    write_ids(file, at("a"), by_address({"shop": ID}))
    assert file.read_bytes() == PLAIN + f"    ids:\n      shop: {ID}\n".encode()
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_symbolic_link_is_followed_and_stays_one(tmp_path: Path) -> None:
    file, link = tmp_path / "real.yaml", tmp_path / "reconciler.yaml"
    file.write_bytes(PLAIN)
    link.symlink_to("real.yaml")
    write_ids(link, at("a"), by_address({"shop": ID}))
    assert link.is_symlink()
    assert ID in file.read_text(encoding="utf-8")


def test_a_file_that_has_the_ids_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.yaml"
    file.write_bytes(with_ids(PLAIN, at("a"), by_address({"shop": ID}), "reconciler.yaml"))
    before = file.stat()
    write_ids(file, at("a"), by_address({"shop": ID}))
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_file_that_is_refused_is_left_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "reconciler.yaml"
    file.write_bytes(PLAIN + b"  b: &b {emulator: {}}\n  c: *b\n")
    before = file.read_bytes()
    with pytest.raises(ReconcilerError, match="cannot be edited to add ids to b without changing other lines"):
        write_ids(file, at("b"), by_address({"shop": ID}))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", ["missing.yaml", "folder", "folder/below.yaml"])
def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReconcilerError, match=f"cannot write .*{name}: "):
        write_ids(tmp_path / name, at("a"), by_address({"shop": ID}))


def test_what_goes_wrong_half_way_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "reconciler.yaml"
    file.write_bytes(PLAIN)
    monkeypatch.setattr("os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ReconcilerError, match="No space left on device"):
        write_ids(file, at("a"), by_address({"shop": ID}))
    assert [(one, one.read_bytes()) for one in tmp_path.iterdir()] == [(file, PLAIN)]


def test_a_full_disk_leaves_no_part_of_a_new_file_and_an_existing_one_stays(tmp_path: Path) -> None:
    path = tmp_path / "manifests" / "a.yaml"
    with no_file_larger_than(100), pytest.raises(ReconcilerError, match=r"cannot write .*File too large"):
        create_file(path, "x: y\n" * 10_000)
    assert not path.exists()
    create_file(path, "first\n")
    with pytest.raises(ReconcilerError, match="File exists"):
        create_file(path, "second\n")
    assert path.read_text(encoding="utf-8") == "first\n"
