"""A file is replaced as a whole or not at all, and opened only if it is one."""

import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from reconciler.cli import signals
from reconciler.manifests.replacing import NotRegular, open_regular, read_own, replace_file, unfinished


def test_a_signal_leaves_no_half_written_file(tmp_path: Path) -> None:
    found = []

    def leave(code: int) -> NoReturn:
        found.append((code, [one.name for one in tmp_path.iterdir()]))
        raise KeyboardInterrupt

    def interrupted() -> Iterator[str]:
        yield "half"
        assert len([*tmp_path.iterdir()]) == 2
        signals.end(signal.SIGTERM, None, leave)

    (tmp_path / "a.yaml").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        replace_file(tmp_path / "a.yaml", interrupted())
    assert found == [(signals.INTERRUPTED, ["a.yaml"])]
    assert (tmp_path / "a.yaml").read_text() == "old"
    assert not unfinished


def test_a_new_file_is_for_its_owner_unless_it_is_meant_for_others(tmp_path: Path) -> None:
    for name, modes in (("own", ()), ("shared", (0o644,))):
        replace_file(tmp_path / name, "new", *modes)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("own", "shared")] == [0o600, 0o644]


def test_a_file_that_keeps_its_owner_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    file.chmod(0o640)
    replace_file(file, b"new\r\n", keeps_owner=True)
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new\r\n", 0o640)


def test_half_a_character_leaves_the_old_file_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.write_text("old")
    with pytest.raises(OSError, match="is not UTF-8 text") as caught:
        replace_file(file, ["planted", "\ud800"])
    assert "planted" not in str(caught.value)
    assert [one.read_text() for one in tmp_path.iterdir()] == ["old"]


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(NotRegular):
            open_regular(path, os.O_RDONLY)


def test_a_file_of_the_tool_is_not_reached_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("ours")
    (tmp_path / "link").symlink_to("a")
    assert read_own(tmp_path / "a") == b"ours"
    with pytest.raises(OSError, match="symbolic link"):
        read_own(tmp_path / "link")
