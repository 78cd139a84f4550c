import io
import os
import sys
from pathlib import Path

import pytest

from reconciler.cli import streams
from reconciler.cli.main import tolerate_any_encoding
from reconciler.errors import ReconcilerError
from tests.cli.conftest import Project, Runner


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_pipe_gets_no_colour() -> None:
    assert not streams.wants_colour(io.StringIO())


def test_a_terminal_gets_colour() -> None:
    assert streams.wants_colour(Terminal())


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("CI", "true"), ("TF_BUILD", "True"), ("TERM", "dumb")])
def test_the_environment_can_forbid_colour(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    assert not streams.wants_colour(Terminal())


def test_an_empty_no_color_forbids_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "")
    assert streams.wants_colour(Terminal())


def test_a_closed_pipe_is_silent(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        streams.write_stdout("text\n")
        streams.write_stdout("more\n")
    assert capfd.readouterr() == ("", "")


def test_a_full_disk_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(ReconcilerError, match="cannot write to stdout: No space left"):
            streams.write_stdout("text\n")


def test_streams_that_were_closed_from_the_start_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    streams.write_stdout("text\n")
    streams.write_stderr("text\n")
    assert not streams.wants_colour(sys.stdout)


def test_what_a_stream_cannot_encode_is_written_as_an_escape(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "stderr", io.StringIO())  # has no encoding, and needs no care
    tolerate_any_encoding()
    streams.write_stdout("Zürich\n")
    assert raw.getvalue() == b"Z\\xfcrich\n"


def test_force_color_colours_a_pipe_unless_no_color_forbids_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert streams.wants_colour(io.StringIO())
    monkeypatch.setenv("NO_COLOR", "1")
    assert not streams.wants_colour(Terminal())


def test_an_option_says_whether_to_colour_whatever_the_environment_says(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" in run("plan", "--color", "always").out
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[" not in run("plan", "--color", "never").out
    assert "\x1b[" in run("plan").out
    assert run("plan", "--color", "sometimes").code == 64


@pytest.mark.parametrize(("columns", "width"), [("72", 72), ("", 0), ("wide", 0), ("-3", 0)])
def test_columns_says_how_wide_a_text_is(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert streams.width(io.StringIO()) == width
