import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.errors import ReconcilerError
from reconciler.project.files import read_file, write_file


def test_a_file_is_written_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    write_file(path, "text\n")
    assert path.read_text(encoding="utf-8") == "text\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_open_file_is_replaced_by_a_closed_one(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text("old", encoding="utf-8")
    path.chmod(0o644)
    write_file(path, "new")
    assert path.read_text(encoding="utf-8") == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_device_is_written_to_and_stays_a_device() -> None:
    write_file(Path("/dev/null"), "text")
    assert Path("/dev/null").is_char_device()


def test_a_file_that_is_open_is_written_to_and_keeps_its_name_in_the_system(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w", encoding="utf-8") as log:
        log.write("before\n")
        log.flush()
        for folder in ("/dev/fd", "/proc/self/fd"):
            write_file(Path(folder) / str(log.fileno()), "text\n")
            assert (Path(folder) / str(log.fileno())).is_symlink()
    assert (tmp_path / "log").read_text(encoding="utf-8") == "before\ntext\ntext\n"


@pytest.mark.parametrize("name", ["", "no/such/folder/plan.json"])
def test_a_place_that_cannot_be_written_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ReconcilerError, match="cannot write"):
        write_file(tmp_path / name, "text")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ReconcilerError) as caught:
        write_file(tmp_path / "no" / "a.json", "text")
    assert caught.value.hint == f"create the folder {tmp_path / 'no'}, or choose one that exists"


def test_a_text_in_pieces_is_written_as_they_are_made_and_one_that_breaks_off_leaves_the_old_file(
    tmp_path: Path,
) -> None:
    path = tmp_path / "plan.json"
    write_file(path, (piece for piece in ("one\n", "two\n")))
    write_file(Path("/dev/null"), iter(["text"]))

    def broken() -> Iterator[str]:
        yield "half"
        raise ReconcilerError("no more")

    with pytest.raises(ReconcilerError, match="no more"):
        write_file(path, broken())
    assert ([path.name], path.read_text()) == ([one.name for one in tmp_path.iterdir()], "one\ntwo\n")


@pytest.mark.parametrize(("name", "text"), [("a\ud800", "text"), ("a", "a\ud800b")], ids=["name", "content"])
def test_half_a_character_in_a_name_or_a_content_is_an_error_and_leaves_the_old_file(
    tmp_path: Path, name: str, text: str
) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(ReconcilerError, match="is not UTF-8 text"):
        write_file(tmp_path / name, text)
    assert [(one.name, one.read_text()) for one in tmp_path.iterdir()] == [("a", "old")]


def test_half_a_character_in_the_name_of_a_file_that_is_read_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReconcilerError, match="is not UTF-8 text"):
        read_file(tmp_path / "a\ud800")
