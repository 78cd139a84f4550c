"""A full disk, or a limit of the size of files, at any byte of a run's record: no write without it, no false 0."""

import os
import shutil
from itertools import accumulate
from pathlib import Path

import pytest

from reconciler.applying import journal
from tests.cli.conftest import BACK, FRONT, Project, Runner
from tests.cli.test_secrets import shop as shop  # noqa: PLC0414  # the fixture, under its own name
from tests.limits import no_file_larger_than

RUNS = Path(".reconciler/runs")
pytestmark = pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")


def limited(run: Runner, size: int, *arguments: str) -> tuple[int, str]:
    """A command in a child that can make no file larger than so many bytes: its exit code, and what it said."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with no_file_larger_than(size):
            done = run(*arguments)
        os.write(writing, (done.out + done.err).encode())
        os._exit(done.code)
    os.close(writing)
    with os.fdopen(reading) as said:
        text = said.read()
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), text


@pytest.mark.sweep
def test_in_any_line_of_the_journal_no_write_lacks_its_record_and_no_code_is_0(project: Project, run: Runner) -> None:
    for name in ("front", "back"):
        project.manifest(name, AccessTokenDuration=60)
    assert run("apply", "--auto-approve").code == 0
    ends = [*accumulate(map(len, journal.find(RUNS, "last").read_bytes().splitlines(keepends=True)))]
    codes = []
    for end in [0, 1024, *(end - 20 for end in ends), ends[-1] + 1000]:
        shutil.rmtree(RUNS)
        for client in (FRONT, BACK):
            project.ask("PATCH", f"/v1/apiclients/{client}", {"AccessTokenDuration": 600})
        project.writes()
        code, said = limited(run, end, "apply", "--auto-approve", "--keep-going")
        demand_the_record(end, code, said, project.writes())
        codes.append(code)
    assert set(codes) == {0, 1, 5}
    assert codes == sorted(codes, key=[1, 5, 0].index)


def demand_the_record(size: int, code: int, said: str, writes: list[str]) -> None:
    """One journal, which announces each write, and is whole where the run was a success."""
    found = [one for one in journal.runs(RUNS).values() if isinstance(one, journal.Run)] if RUNS.exists() else []
    announced = [entry for one in found for entry in one.of("intent")]
    assert len(found) == len([*RUNS.glob("*.jsonl")]) == (1 if writes or announced else len(found)), said
    assert len(announced) >= len(writes), (size, said)
    assert (code == 0) == any(one.is_finished for one in found), (size, code, said)
    assert (code == 1) == (not writes), (size, code, said)
    assert "internal error" not in said
    assert "Traceback" not in said
    assert code == 0 or "File too large" in said, (size, said)


def forget_others(shop: Project) -> None:
    """Leave the client with its one secret, as if no rotation had begun."""
    for one in shop.ask("GET", f"/v1/apiclients/{FRONT}/secrets")["Items"]:
        if one["Name"] != "primary":
            shop.ask("DELETE", f"/v1/apiclients/{FRONT}/secrets/{one['ID']}")
    shop.writes()


@pytest.mark.sweep
def test_a_rotation_with_a_record_that_is_not_whole_ends_with_1_only_where_nothing_was_written(
    shop: Project, run: Runner
) -> None:
    rotate = ("secrets", "rotate", "ApiClient/front", "--auto-approve")
    shutil.rmtree(RUNS)
    assert run(*rotate).code == 0
    ends = [*accumulate(map(len, journal.find(RUNS, "last").read_bytes().splitlines(keepends=True)))]
    codes = []
    for end in (ends[0] - 20, ends[1] - 20, ends[3] - 20, ends[-2] - 20, ends[-1] - 20):
        shutil.rmtree(RUNS)
        forget_others(shop)
        code, said = limited(run, end, *rotate)
        writes = shop.writes()
        assert (code == 1) == (not writes), (end, code, said)
        assert ("File too large" in said, "Traceback" in said) == (True, False), said
        assert code == 1 or said.startswith("Environment test: "), "the document comes first"
        codes.append(code)
    assert codes == [1, 1, 5, 5, 5]


def test_nothing_is_written_where_the_journal_cannot_begin(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=60)
    RUNS.parent.mkdir()
    RUNS.write_text("a file where the folder should be")
    done = run("apply", "--auto-approve")
    assert (done.code, project.writes()) == (1, [])
    assert "cannot be used" in done.err


@pytest.mark.parametrize("options", [("--out", "/dev/full"), ("--json-into", "/dev/full")])
def test_a_document_on_a_full_disk_is_an_error(project: Project, run: Runner, options: tuple[str, ...]) -> None:
    done = run("plan", *options)
    assert (done.code, done.err.count("cannot write /dev/full: No space left on device")) == (1, 1)


def test_a_receipt_on_a_full_disk_is_told_and_the_code_is_that_of_the_run(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=60)
    done = run("apply", "--auto-approve", "--receipt", "/dev/full")
    assert (done.code, "cannot write /dev/full" in done.err) == (0, True)
