"""One run at a time that writes to an environment from one checkout."""

import os
from pathlib import Path

import pytest

from reconciler.applying.journal.write import exclusive
from reconciler.errors import ReconcilerError


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    who = rf"process {os.getpid()} of .* on .*, since 2"
    with exclusive(tmp_path / "runs", "staging"):
        with pytest.raises(ReconcilerError, match=who) as caught, exclusive(tmp_path / "runs", "staging"):
            pass
        with exclusive(tmp_path / "runs", "production"):
            pass
    assert "another run is writing to environment staging" in caught.value.message
    assert "nothing was written" in caught.value.message


def test_the_lock_goes_with_its_run_however_that_ends(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), exclusive(tmp_path, "staging"):
        raise ZeroDivisionError
    with exclusive(tmp_path, "staging"):
        pass


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_dead_process_locks_nobody_out(tmp_path: Path) -> None:
    child = os.fork()
    if child == 0:
        exclusive(tmp_path, "staging").__enter__()
        os._exit(9)
    os.waitpid(child, 0)
    assert "pid" in (tmp_path / "staging.lock").read_text()
    with exclusive(tmp_path, "staging"):
        pass


@pytest.mark.parametrize("said", ["", "[" * 1024, '{"pid": 1}', "7"])
def test_a_holder_that_says_nothing_readable_is_a_process_all_the_same(tmp_path: Path, said: str) -> None:
    with exclusive(tmp_path, "staging"):
        (tmp_path / "staging.lock").write_text(said)
        with pytest.raises(ReconcilerError, match="a process that has just started"), exclusive(tmp_path, "staging"):
            pass


def test_a_lock_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file where the folder should be")
    with pytest.raises(ReconcilerError, match="cannot be used"), exclusive(tmp_path / "runs", "staging"):
        pass
    (tmp_path / "other.lock").mkdir()
    with pytest.raises(ReconcilerError, match="cannot be used"), exclusive(tmp_path, "other"):
        pass


def test_a_file_system_without_locks_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("portalocker.portalocker.LOCKER", refuse)
    with pytest.raises(ReconcilerError, match="No locks available"), exclusive(tmp_path, "staging"):
        pass


def test_a_lock_that_was_let_go_says_nothing_of_its_last_holder(tmp_path: Path) -> None:
    with exclusive(tmp_path, "staging"):
        pass
    assert (tmp_path / "staging.lock").read_text().strip() == ""


def test_a_lock_that_is_a_link_is_refused_and_what_it_points_to_unharmed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("kept")
    (tmp_path / "staging.lock").symlink_to("precious")
    with pytest.raises(ReconcilerError, match="it is a symbolic link"), exclusive(tmp_path, "staging"):
        pass
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_lock_that_is_a_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "staging.lock")
    with pytest.raises(ReconcilerError, match="it is not a regular file"), exclusive(tmp_path, "staging"):
        pass


def test_a_lock_file_is_never_made_shorter(tmp_path: Path) -> None:
    (tmp_path / "staging.lock").write_text("x" * 5000)
    with exclusive(tmp_path, "staging"):
        pass
    assert (tmp_path / "staging.lock").stat().st_size == 5000


def test_a_full_disk_is_an_error_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_descriptor: int, _text: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.write", refuse)
    with pytest.raises(ReconcilerError, match="No space left on device"), exclusive(tmp_path, "staging"):
        pytest.fail("it must not begin")
