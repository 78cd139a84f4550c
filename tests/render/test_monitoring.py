import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.model.drift import Side
from reconciler.render.monitoring import FEW, NOTIFICATIONS, DriftNotice, format_for, plain, slack, teams
from tests.render.test_render_golden import DRIFTS
from tests.render.test_render_hostile import DRIFT

NEW = tuple(one for one in DRIFTS["everything"].deviations if one.is_drift)
HOSTILE = tuple(one for one in DRIFT.deviations if one.is_drift)


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("hooks.slack.com", "slack"),
        ("acme.webhook.office.com", "teams"),
        ("prod-1.westeurope.logic.azure.com", "teams"),
        ("hooks.slack.com.evil.example", "plain"),
        ("example.com", "plain"),
    ],
)
def test_the_host_says_what_is_posted(host: str, name: str) -> None:
    assert format_for(host) == name


def test_what_is_wider_than_wanted_comes_first_and_the_rest_is_counted() -> None:
    many = DriftNotice("staging", NEW * 3, standing=2)
    assert many.title == f"staging has {len(NEW) * 3} new deviations, and 2 known deviations"
    assert many.lines[0] == "ApiClient/storefront /Active: changed (wider than desired)"
    assert len(many.lines) == FEW
    assert many.more == f"and {len(NEW) * 3 - FEW} more: reconciler drift --env staging shows all"
    for write in NOTIFICATIONS.values():
        assert many.more in json.dumps(write(many))
        assert " more: " not in json.dumps(write(replace(many, new=NEW[:FEW])))


def test_a_message_says_who_moved() -> None:
    moved = replace(NEW[-1], side=Side.LIVE_DRIFTED)
    assert DriftNotice("e", (moved,)).lines[0].endswith("live changed)")


@pytest.mark.parametrize("name", NOTIFICATIONS)
def test_no_value_is_in_a_message_and_it_is_short(name: str) -> None:
    text = json.dumps(NOTIFICATIONS[name](DriftNotice("staging", NEW)))
    assert "anonymous-shopper" not in text
    assert len(json.dumps(NOTIFICATIONS[name](DriftNotice("staging", HOSTILE)))) < 20_000


def test_nothing_hostile_leaves_its_code_span_in_slack() -> None:
    document: Any = slack(DriftNotice("`*<!channel> @everyone", HOSTILE))
    title, *lines = document["text"].split("\n")
    assert title.startswith("*'\\u002a&lt;!channel&gt; \\u0040everyone has ")
    assert [line for line in lines[:FEW] if line.count("`") != 2] == []
    assert not [character for character in "<@" if character in document["text"]]


def test_teams_is_given_runs_of_plain_text() -> None:
    document: Any = teams(DriftNotice("staging", NEW))
    body = document["attachments"][0]["content"]["body"]
    assert {block["type"] for block in body} == {"RichTextBlock"}
    assert body[0]["inlines"] == [
        {"type": "TextRun", "text": f"staging has {len(NEW)} new deviations", "weight": "Bolder"}
    ]


def test_plain_json_has_fingerprints_for_programs() -> None:
    document: Any = plain(DriftNotice("staging", NEW[:1]))
    assert document["state"] == "drifted"
    assert document["new"][0]["fingerprint"] == NEW[0].fingerprint
    assert plain(DriftNotice("staging", ())) == {
        "format_version": "1.0",
        "text": "staging has no drift any more",
        "environment": "staging",
        "state": "in-step",
        "standing": 0,
        "new": [],
        "new_count": 0,
    }
