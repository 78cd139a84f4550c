"""The file of a run: what is written, what is read back after a kill, and what shows that it was altered."""

import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler import __version__
from reconciler.applying.journal import check, check_all, find, read, runs
from reconciler.applying.journal.write import Disk, Journal
from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.json import canonical_text
from reconciler.model.secret import Secret

BEGAN = datetime(2026, 11, 24, 17, 3, 6, tzinfo=UTC)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


def written(folder: Path, *events: str, day: int = 0) -> Path:
    """The journal of a run with these events after its start."""
    ticks = count()
    with Journal.start(folder, {"kind": "apply"}, lambda: BEGAN + timedelta(days=day, seconds=next(ticks))) as journal:
        for number, event in enumerate(events):
            journal.append(event, {"number": number})
    return journal.path


def faults(path: Path) -> list[str]:
    return [f"{fault.line}: {fault.message}" for fault in check(path)]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines(keepends=True)


def test_a_journal_gives_back_what_was_written(folder: Path) -> None:
    path = written(folder, "intent", "outcome", "end")
    run = read(path)
    assert [(entry.line, entry.event) for entry in run.entries] == [
        (1, "start"),
        (2, "intent"),
        (3, "outcome"),
        (4, "end"),
    ]
    assert (run.kind, run.started_at, run.is_finished, run.torn) == (
        "apply",
        "2026-11-24T17:03:07.000000Z",
        True,
        False,
    )
    assert [entry.facts for entry in run.of("outcome")] == [{"number": 1}]
    assert faults(path) == []


def test_every_line_is_canonical_json(folder: Path) -> None:
    for line in lines(written(folder, "intent", "outcome", "end")):
        assert canonical_text(json.loads(line)) + "\n" == line


def test_the_first_line_says_who_ran_what_and_where(folder: Path) -> None:
    facts = read(written(folder)).facts
    assert (facts["kind"], facts["tool_version"], facts["pid"], facts["after"]) == (
        "apply",
        __version__,
        os.getpid(),
        None,
    )
    assert facts["user"]
    assert facts["host"]
    assert facts["run"] == read(find(folder, "last")).id


def _nobody(uid: int) -> None:
    raise KeyError(uid)


def test_a_user_without_a_name_is_known_by_number(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", _nobody)
    assert read(written(folder)).facts["user"] == str(os.getuid())


def test_nobody_else_may_read_it(folder: Path) -> None:
    path = written(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_secret_cannot_be_written(folder: Path) -> None:
    with Journal.start(folder, {"kind": "apply"}) as journal:
        with pytest.raises(TypeError):
            journal.append("intent", {"body": {"ClientSecret": Secret("planted")}})  # type: ignore[dict-item]  # on purpose
        journal.append("end", {})
    assert "planted" not in journal.path.read_text()
    assert [entry.event for entry in read(journal.path).entries] == ["start", "end"]


def test_each_line_is_on_the_disk_before_the_next_step(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    with Journal.start(folder, {"kind": "apply"}) as journal:
        journal.append("intent", {})
        assert synced[-1] == journal.path.stat().st_size


def test_lines_of_several_threads_make_one_chain(folder: Path) -> None:
    with Journal.start(folder, {"kind": "apply"}) as journal:
        threads = [Thread(target=journal.append, args=("intent", {"number": number})) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (faults(journal.path), len(read(journal.path).entries)) == ([], 9)


def test_a_disk_that_takes_a_byte_at_a_time_gets_the_whole_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr("os.write", lambda descriptor, data: write(descriptor, data[:1]))
    assert faults(written(folder, "end")) == []


def test_a_journal_that_cannot_be_written_is_an_error_that_says_so(folder: Path) -> None:
    folder.write_text("a file where the folder should be")
    with pytest.raises(ReconcilerError, match=r"runs.*cannot be written"):
        Journal.start(folder, {"kind": "apply"})


def test_a_full_disk_in_the_middle_of_a_run_is_an_error(folder: Path) -> None:
    journal = Journal.start(folder, {"kind": "apply"})
    journal.close()
    full = os.open("/dev/full", os.O_WRONLY)
    journal._descriptor = full
    with pytest.raises(ReconcilerError, match="No space left on device"):
        journal.append("intent", {})
    journal.close()
    journal.close()


def test_nothing_comes_after_a_line_that_may_be_torn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        monkeypatch.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
        return write(descriptor, data[:5])

    with Journal.start(folder, {"kind": "apply"}) as journal:
        monkeypatch.setattr("os.write", full)
        with pytest.raises(ReconcilerError, match="No space left on device"):
            journal.append("intent", {})
        monkeypatch.setattr("os.write", write)
        with pytest.raises(ReconcilerError, match="No space left on device"):
            journal.append("outcome", {})
    run = read(journal.path)
    assert ([entry.event for entry in run.entries], run.torn) == (["start"], True)


def test_a_run_whose_first_line_cannot_be_written_leaves_no_journal(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.write", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(ReconcilerError, match="No space left on device"):
        Journal.start(folder, {"kind": "apply"})
    assert [*folder.iterdir()] == []


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/dev/zero"), os.mkfifo])
def test_a_journal_that_is_a_link_or_a_pipe_is_not_read(folder: Path, make: Callable[[Path], None]) -> None:
    folder.mkdir()
    make(folder / "29990101T000000.000000Z-ffff.jsonl")
    (found,) = runs(folder).values()
    assert isinstance(found, ReconcilerError)
    assert "cannot be read" in found.message
    Journal.start(folder, {"kind": "apply"}).close()


# ------------------------------------------------------------------------------------------------------ after a kill


@given(st.integers(1, 400))
def test_a_journal_that_ends_anywhere_is_read_as_far_as_it_goes(
    tmp_path_factory: pytest.TempPathFactory, cut: int
) -> None:
    path = written(tmp_path_factory.mktemp("runs"), "intent", "outcome", "intent", "end")
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    path.write_bytes(whole[: min(first + cut, len(whole) - 1)])
    run = read(path)
    assert run.torn == (path.read_bytes()[-1:] != b"\n")
    assert len(run.entries) == path.read_bytes().count(b"\n")
    assert (run.is_finished, faults(path)) == (False, [])


def test_a_run_that_was_killed_before_its_first_line_is_told_apart(folder: Path) -> None:
    path = written(folder)
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(ReconcilerError, match="is empty"):
        read(path)
    second = written(folder, "end", day=1)
    assert [isinstance(one, ReconcilerError) for one in runs(folder).values()] == [True, False]
    assert (read(second).facts["after"], check_all(folder)) == (None, ())


# ------------------------------------------------------------------------------------------------- what was done to it


@pytest.fixture
def five(folder: Path) -> Path:
    """The journal of a run, of five lines."""
    return written(folder, "intent", "outcome", "intent", "end")


def test_a_removed_line_is_named(five: Path) -> None:
    kept = lines(five)
    five.write_text("".join(kept[:2] + kept[3:]))
    assert faults(five) == ["3: line 3 is missing before this line (line 4 when it was written): removed or moved"]


def test_removed_lines_are_named(five: Path) -> None:
    kept = lines(five)
    five.write_text("".join(kept[:1] + kept[4:]))
    assert faults(five) == [
        "2: lines 2 to 4 are missing before this line (line 5 when it was written): removed or moved"
    ]


def test_a_first_line_that_was_removed_is_missed(five: Path) -> None:
    five.write_text("".join(lines(five)[1:]))
    assert [fault.split(":")[0] for fault in faults(five)] == ["1", "1"]
    assert "the first line of the run is missing" in faults(five)[1]


@pytest.mark.parametrize(
    ("old", "new"), [('"number":1', '"number":7'), ('"number":1', '"number":1e999'), ("outcome", "intent!")]
)
def test_an_altered_line_is_named(five: Path, old: str, new: str) -> None:
    five.write_text(five.read_text().replace(old, new, 1))
    assert faults(five) == ["3: this line was altered: its hash does not match"]


@pytest.mark.parametrize("line", ["nonsense\n", "{}\n", "[NaN]\n", "\n"])
def test_a_line_that_is_none_is_named(five: Path, line: str) -> None:
    kept = lines(five)
    five.write_text("".join([*kept[:2], line, *kept[3:]]))
    assert [fault.split(":")[:2] for fault in faults(five)] == [["3", " this line was altered"]]
    with pytest.raises(ReconcilerError, match=":3: invalid journal line"):
        read(five)


def test_a_member_of_another_type_is_none_either(five: Path) -> None:
    five.write_text(five.read_text().replace('"line":3', '"line":"3"'))
    assert faults(five)[0] == "3: this line was altered: its line has the wrong type"


def test_lines_in_another_order_are_named(five: Path) -> None:
    one, two, three, four, end = lines(five)
    five.write_text(f"{one}{three}{two}{four}{end}")
    assert [fault.split(":")[0] for fault in faults(five)] == ["2", "3", "4"]
    assert "this line was moved here, or repeated: it was line 2" in faults(five)[1]


def test_a_line_of_another_run_does_not_fit_into_the_chain(folder: Path, five: Path) -> None:
    other = written(folder, "intent", "changed", "intent", "end", day=1)
    kept = lines(five)
    five.write_text("".join([*kept[:2], lines(other)[2], *kept[3:]]))
    assert [fault.split(":")[0] for fault in faults(five)] == ["3", "4"]


def test_a_run_that_was_removed_is_missed_by_the_one_after_it(folder: Path) -> None:
    oldest, middle, newest = (written(folder, "end", day=day) for day in range(3))
    middle.unlink()
    (fault,) = check_all(folder)
    assert (fault.path, fault.line) == (newest, 1)
    assert str(fault).endswith(f"the journal of the previous run, {middle.stem}, is missing")
    oldest.unlink()
    assert check_all(folder) == ()


def test_the_last_lines_of_a_run_are_missed_by_the_one_after_it(folder: Path, five: Path) -> None:
    newest = written(folder, "end", day=1)
    five.write_text("".join(lines(five)[:-1]))
    (fault,) = check_all(folder)
    assert fault.path == newest
    assert "had 5 lines when this run began; its journal now has 4" in fault.message


def test_a_run_that_was_written_anew_is_missed_by_the_one_after_it(folder: Path, five: Path) -> None:
    written(folder, "end", day=1)
    five.write_text(written(folder.parent / "elsewhere", "other", "other", "other", "end").read_text())
    (fault,) = check_all(folder)
    assert "line 5 of the previous run" in fault.message


def test_a_run_that_goes_on_while_the_next_begins_is_no_fault(folder: Path) -> None:
    with Journal.start(folder, {"kind": "apply"}, lambda: BEGAN) as slow:
        written(folder, "end", day=1)
        slow.append("end", {})
    assert check_all(folder) == ()


def test_a_journal_that_cannot_be_read_is_a_fault_among_the_others(folder: Path, five: Path) -> None:
    (folder / "20270101T000000.000000Z-dead.jsonl").mkdir()
    assert [(fault.line, "cannot be read" in str(fault)) for fault in check_all(folder)] == [(0, True)]
    five.write_text("nonsense\n")
    assert len(check_all(folder)) == 2


# -------------------------------------------------------------------------------------------------------- finding a run


@pytest.fixture
def three(folder: Path) -> list[str]:
    """The ids of three runs, a day between them."""
    return [written(folder, "end", day=day).stem for day in range(3)]


def test_a_run_is_found_by_a_part_of_its_id(folder: Path, three: list[str]) -> None:
    assert [find(folder, name).stem for name in (three[1], "20261125T", three[2][-4:], "last")] == [
        three[1],
        three[1],
        three[2],
        three[2],
    ]


@pytest.mark.parametrize("name", ["", "nothing", "202611"])
def test_a_run_that_is_not_there_or_not_the_only_one_is_wrong_usage(folder: Path, three: list[str], name: str) -> None:
    with pytest.raises(UsageError):
        find(folder, name)


def test_where_nothing_was_ever_written_there_are_no_runs(folder: Path) -> None:
    assert (runs(folder), check_all(folder)) == ({}, ())
    with pytest.raises(UsageError, match="there is no run last"):
        find(folder, "last")


# --------------------------------------------------------------------------------------------- many threads, one disk


def test_a_line_that_is_not_waited_for_is_there_all_the_same_and_keeps_its_place(folder: Path) -> None:
    with Journal.start(folder, {"kind": "apply"}) as journal:
        journal.append("outcome", {"number": 1}, wait=False)
        assert [entry.event for entry in read(journal.path).entries] == ["start", "outcome"]
        journal.append("end", {})
    assert faults(journal.path) == []


def test_what_was_written_while_the_disk_was_busy_takes_one_more_sync_for_all() -> None:
    syncs, is_busy, may_go_on = [], Event(), Event()

    def slow() -> None:
        syncs.append(1)
        is_busy.set()
        may_go_on.wait()

    disk = Disk(slow)
    disk.count_line()
    first = Thread(target=disk.sync)
    first.start()
    is_busy.wait()
    others = []
    for _ in range(10):
        disk.count_line()
        others.append(Thread(target=disk.sync))
        others[-1].start()
    may_go_on.set()
    for thread in (first, *others):
        thread.join()
    assert len(syncs) == 2


def test_nothing_new_needs_no_sync() -> None:
    syncs: list[int] = []
    disk = Disk(lambda: syncs.append(1))
    disk.count_line()
    disk.sync()
    disk.sync()
    assert len(syncs) == 1


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_sync_is_tried_again_by_the_next_and_not_taken_for_done(failure: BaseException) -> None:
    failures, tries = [failure], []

    def sync() -> None:
        tries.append(1)
        if failures:
            raise failures.pop()

    disk = Disk(sync)
    disk.count_line()
    with pytest.raises(type(failure)) as raised:
        disk.sync()
    assert raised.value is failure
    disk.sync()
    assert disk._safe == 1
    assert len(tries) == 2
