import io
import sys
from dataclasses import replace

import pytest

from reconciler.cli.console import bar, progress
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Action, Change
from reconciler.model.resource import Address

OUTCOME = Outcome(Change(Address("ApiClient", "a"), Action.UPDATE, "ID", {}, {}), Status.APPLIED)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_without_a_terminal_each_outcome_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, quiet=False) as report:
        report(OUTCOME)
    assert capsys.readouterr() == ("", "applied        update ApiClient/a (id ID)\n")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, quiet=True) as report:
        report(OUTCOME)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_short_work_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress(1, quiet=False) as report:
        report(OUTCOME)
    assert terminal.getvalue() == ""


def test_on_a_terminal_long_work_gets_a_bar() -> None:
    stream, clock = Terminal(), iter([0.0, 0.5, 2.0])
    with bar(3, stream, lambda: next(clock)) as report:
        for _ in range(3):
            report(OUTCOME)
    assert "applying" in stream.getvalue()
    assert "3/3" in stream.getvalue()


def test_a_bar_stops_where_the_run_has_stopped() -> None:
    stream, clock = Terminal(), iter([0.0, 2.0, 2.0])
    with bar(3, stream, lambda: next(clock)) as report:
        for status in (Status.APPLIED, Status.SKIPPED, Status.SKIPPED):
            report(replace(OUTCOME, status=status))
    assert "1/3" in stream.getvalue()
    assert "3/3" not in stream.getvalue()
