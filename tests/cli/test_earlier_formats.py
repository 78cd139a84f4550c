"""Files that format 1 wrote, as they are: each is refused with one sentence that says what to do."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.applying import journal
from tests.cli.conftest import Project, Runner

FORMER = Path(__file__).parents[1] / "earlier_formats"
RUNS = Path(".reconciler") / "runs"


@pytest.mark.parametrize(
    ("arguments", "code", "said", "hint"),
    [
        (["apply", "plan.json"], 4, "plan.json has plan format 1.0, but this version reads format 2.0", "plan again"),
        (["show", "plan.json"], 4, "plan.json has plan format 1.0", "run plan again with this version"),
        (["drift", "--receipt", "receipt.json"], 1, "receipt.json has receipt format 1.0", "the next apply writes"),
        (["plan", "--from-snapshot", "snapshot.json"], 1, "snapshot.json has snapshot format 1.0", "create a new one"),
        (
            ["drift", "--baseline", "drift.json"],
            1,
            "drift.json has drift format 1.0",
            "write one with: reconciler drift",
        ),
        (["history", "show", "last"], 1, "run.jsonl has format 1.0", "read it with the version that wrote it"),
        (["rollback", "last", "--auto-approve"], 1, "run.jsonl has format 1.0", "read it with the version"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_a_file_of_the_earlier_format_is_refused(
    project: Project, run: Runner, arguments: list[str], code: int, said: str, hint: str
) -> None:
    shutil.copytree(FORMER, project.folder, dirs_exist_ok=True)
    RUNS.mkdir(parents=True)
    shutil.move("run.jsonl", RUNS / "run.jsonl")
    done = run(*arguments)
    assert (done.code, project.writes()) == (code, [])
    assert said in done.err
    assert hint in done.err


def test_a_journal_of_the_earlier_format_stops_no_apply_and_is_not_continued(project: Project, run: Runner) -> None:
    RUNS.mkdir(parents=True)
    shutil.copy(FORMER / "run.jsonl", RUNS / "20261101T000000.000000Z-0000.jsonl")
    project.manifest("front", Active=False)
    assert run("apply", "--auto-approve").code == 0
    assert run("drift").code == 0
    assert "has format 1.0" in run("history").out
    assert not journal.check_all(RUNS)


def test_an_emulator_state_of_the_earlier_format_is_refused(project: Project, run: Runner) -> None:
    with closing(sqlite3.connect("state.db")) as connection:
        connection.executescript((FORMER / "emulator.sql").read_text(encoding="utf-8"))
    project.configure(test={"emulator": {"state": "state.db"}})
    done = run("plan")
    assert (done.code, done.out) == (1, "")
    assert "has state version 1, but this emulator requires 3; delete the file" in done.err
