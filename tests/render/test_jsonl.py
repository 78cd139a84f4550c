"""Events, one on a line: each has what Terraform's have, and the last one counts the others."""

import json
from collections import Counter
from typing import Any

import pytest

from reconciler.render import jsonl
from reconciler.render.style import PLAIN
from tests.render.test_render_golden import DIGEST, DRIFTS, PLAIN_DOCUMENTS, PLANS


def events(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", [name for name in PLAIN_DOCUMENTS if name.endswith(".jsonl")])
def test_a_document_begins_with_its_version_and_each_event_says_what_it_is(name: str) -> None:
    first, *others = events(PLAIN_DOCUMENTS[name])
    assert (first["type"], first["format_version"]) == ("version", jsonl.FORMAT_VERSION)
    assert "version" not in {one["type"] for one in others}
    for one in (first, *others):
        assert one.keys() >= {"@level", "@message", "@module", "type"}
        assert one["@level"] in {"info", "warn", "error"}
        assert "@timestamp" not in one


@pytest.mark.parametrize("name", PLANS)
def test_the_last_event_of_a_plan_counts_its_changes(name: str) -> None:
    *others, last = events(jsonl.plan(PLANS[name], DIGEST, PLAIN))
    planned = Counter(one["change"]["action"] for one in others if one["type"] == "planned_change")
    assert last["type"] == "change_summary"
    counts = [last["changes"][each] for each in ("add", "change", "remove")]
    assert counts == [planned[each] for each in ("create", "update", "delete")]


@pytest.mark.parametrize("name", DRIFTS)
def test_each_deviation_is_an_event_with_its_fingerprint(name: str) -> None:
    told = [one for one in events(jsonl.drift(DRIFTS[name], DIGEST, PLAIN)) if one["type"] == "resource_drift"]
    assert [one["change"]["fingerprint"] for one in told] == [one.fingerprint for one in DRIFTS[name].deviations]


def test_no_line_is_a_command_to_a_runner() -> None:
    (line,) = jsonl.lines([jsonl.event("diagnostic", "\n::error::x\n##vso[task.x]\r##[group]", "error")]).splitlines()
    assert line.isascii()
    assert line.startswith("{")
    assert "##[" not in line
    assert "##vso[" not in line
    assert json.loads(line)["@message"] == "\n::error::x\n##vso[task.x]\r##[group]"
