"""What goes to stderr: requests, totals, events."""

import io
import json
import logging
import re
from typing import Any

import pytest

from reconciler.cli.console import RequestCounter
from tests.cli.conftest import Project, Run, Runner
from tests.hostile import PAYLOADS
from tests.render.test_escape import is_harmless


def events(run: Run) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.err.splitlines()]


def test_verbose_has_a_line_for_each_request_and_the_totals(project: Project, run: Runner) -> None:
    done = run("plan", "--verbose")
    lines = done.err.splitlines()
    assert lines[1].startswith("POST /oauth/token answered 200, log id ")
    assert lines[3].startswith("GET /v1/apiclients?page=1&pageSize=100&sortBy=ID answered 200, log id ")
    assert lines[-1].startswith(f"{len(lines) - 2} requests, 0 of them retries, ")
    assert run("plan", "--verbose", "--quiet").err == run("plan").err == ""
    assert logging.getLogger("reconciler.remote").handlers == []


def test_no_header_no_body_and_no_secret_is_in_a_verbose_run(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    err = run("apply", "--auto-approve", "--verbose").err
    assert "PUT /v1/apiclients/" in err
    assert not [word for word in ("Bearer", "emulator-admin-secret", "grant_type", "Authorization") if word in err]


def test_log_format_json_makes_an_event_of_everything_on_stderr(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuration=500)
    done = run("apply", "--auto-approve", "--verbose", "--log-format", "json")
    found = events(done)
    assert {one["type"] for one in found} == {
        "log",
        "request",
        "planned_change",
        "diagnostic",
        "change_summary",
        "apply_complete",
        "totals",
    }
    assert all(one["@timestamp"].endswith("Z") and one["@level"] and one["@message"] for one in found)
    request = next(one["request"] for one in found if one["type"] == "request")
    assert (request["method"], request["path"], request["status"]) == ("POST", "/oauth/token", 200)
    assert found[-1]["requests"] == sum(one["type"] == "request" for one in found)


def test_an_error_is_an_event_too_and_the_next_run_writes_text_again(project: Project, run: Runner) -> None:
    project.manifest("front", AccessTokenDuratio=500)
    (fault,) = events(run("--log-format", "json", "plan"))
    assert fault["diagnostic"]["rule"] == "unknown-field"
    assert fault["diagnostic"]["range"]["filename"] == "manifests/front.yaml"
    assert events(run("plan", "--env", "none", "--log-format", "json"))[0]["diagnostic"]["exit_code"] == 64
    assert run("plan").err.startswith("manifests/front.yaml:1:")


def test_a_sign_of_life_comes_after_a_second_and_leaves_nothing(project: Project) -> None:
    stream, clock = io.StringIO(), iter([0.0, 0.5, 1.5, 2.0])
    sign = RequestCounter(stream, lambda: next(clock))
    record = logging.makeLogRecord({"msg": "x"})
    for _ in range(3):
        sign.handle(record)
    sign.close()
    assert stream.getvalue() == "\rreading: 2 requests\rreading: 3 requests\r                   \r"


def test_the_sign_of_life_is_gone_before_anything_else_is_shown(
    project: Project, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconciler.cli.console.PROGRESS_DELAY", -1)
    monkeypatch.setattr("reconciler.cli.console.is_terminal", lambda _stream: True)
    project.manifest("front", AccessTokenDuration=60)
    shown = run("drift", "--write-back").err
    before, _, after = shown.partition("--- manifests/front.yaml")
    assert re.search(r"\rreading: [0-9]+ requests\r +\r$", before)
    assert "reading" not in after


def test_each_of_several_environments_leaves_a_line() -> None:
    stream, clock = io.StringIO(), iter([0.0, 0.5, 0.5, 1.5, 1.5, 2.0])
    sign = RequestCounter(stream, lambda: next(clock))
    for name in "ab":
        sign.handle(logging.makeLogRecord({"msg": "x", "environment": name}))
    sign.ended("a", "done")
    sign.handle(logging.makeLogRecord({"msg": "x", "environment": "b"}))
    sign.ended("b", "failed")
    assert stream.getvalue().splitlines() == [
        "",
        "a: done, 1 request",
        "",
        "reading: 3 requests",
        "b: failed, 2 requests",
    ]


def test_no_argument_reaches_stderr_unescaped(project: Project, run: Runner) -> None:
    for payload in PAYLOADS:
        if "\x00" not in payload and "\ud800" not in payload:
            for arguments in (["plan", "--env", payload], ["show", payload], [payload]):
                done = run(*arguments)
                assert done.code != 0
                assert is_harmless(done.err + done.out)


def test_a_wrong_command_line_is_an_event_too(project: Project, run: Runner) -> None:
    for arguments in (["plan", "--no-such", "--log-format", "json"], ["--log-format=json", "plna"]):
        done = run(*arguments)
        assert (done.code, [one["type"] for one in events(done)]) == (64, ["diagnostic"])
