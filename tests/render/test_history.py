"""Runs as a list and one by one: what is said of each, in text and as JSON."""

import json
from dataclasses import replace

import pytest

from reconciler.render.history import LISTS, RUNS, VERIFICATIONS, Event, ListedRun, Verified, moment
from reconciler.render.style import PLAIN

ENDED = ListedRun("20261128T010000Z-aaaa", "secrets", "2026-11-28T01:00:00.123456Z", "test", "ann", is_finished=True)
CUT_OFF = replace(ENDED, id="20261128T020000Z-bbbb", is_finished=False, torn=True)
UNREADABLE = ListedRun("20261128T030000Z-cccc", fault="\x1b[2Jline 3 was altered")


def test_where_there_is_no_run_it_says_so() -> None:
    assert LISTS["text"]([], PLAIN) == "No runs.\n"
    assert json.loads(LISTS["json"]([], PLAIN))["runs"] == []


def test_each_run_has_a_line_with_how_it_ended() -> None:
    head, *lines = LISTS["text"]([ENDED, CUT_OFF, UNREADABLE], PLAIN).splitlines()
    assert head.split() == ["RUN", "STARTED", "KIND", "ENVIRONMENT", "USER", "RESULT"]
    assert lines[0].split() == [ENDED.id, "2026-11-28T01:00:00", "secrets", "test", "ann", "ended"]
    assert lines[1].endswith("interrupted, or still running")
    assert lines[2].endswith("unreadable: \\u001b[2Jline 3 was altered")


def test_as_json_the_same_runs_are_there() -> None:
    runs = json.loads(LISTS["json"]([ENDED, CUT_OFF, UNREADABLE], PLAIN))["runs"]
    assert [(one["id"], one["finished"], one["torn"], one["fault"]) for one in runs] == [
        (ENDED.id, True, False, ""),
        (CUT_OFF.id, False, True, ""),
        (UNREADABLE.id, False, False, UNREADABLE.fault),
    ]


def test_a_run_of_another_kind_is_shown_by_its_events() -> None:
    run = replace(CUT_OFF, events=(Event("2026-11-28T01:00:01Z", "noted\n", {"b": "\u202e", "a": 1}),))
    shown = RUNS["text"](run, PLAIN)
    assert shown.startswith(f"{run.id}: interrupted, or still running\n  kind          secrets\n")
    assert "The last line of the journal is incomplete" in shown
    assert '2026-11-28T01:00:01Z  noted\\u000a  {"a": 1, "b": "\\u202e"}' in shown
    assert json.loads(RUNS["json"](run, PLAIN))["events"] == [
        {"at": "2026-11-28T01:00:01Z", "event": "noted\n", "facts": {"b": "\u202e", "a": 1}}
    ]


@pytest.mark.parametrize(("run", "tone"), [(ENDED, "good"), (CUT_OFF, "warn"), (UNREADABLE, "bad")])
def test_a_timeline_shows_what_needs_a_look(run: ListedRun, tone: str) -> None:
    assert moment(run).tone == tone


@pytest.mark.parametrize(
    ("faults", "verdict"), [((), "Verified: 2 journals read."), (("a.jsonl:3: altered",), "Altered: 2 journals read.")]
)
def test_a_verification_ends_with_its_verdict(faults: tuple[str, ...], verdict: str) -> None:
    verified = Verified(2, faults)
    assert VERIFICATIONS["text"](verified, PLAIN).splitlines() == [*faults, verdict]
    found = json.loads(VERIFICATIONS["json"](verified, PLAIN))
    assert (found["journals"], found["faults"]) == (2, list(faults))
