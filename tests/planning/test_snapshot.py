"""A snapshot as a file: the same state has the same text, and what no service would answer is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from reconciler.errors import ReconcilerError
from reconciler.model.inputs import Snapshot
from reconciler.model.json import Json
from reconciler.planning import seal as sealed
from reconciler.planning import snapshot as snapshotfile
from tests.builders import body, live
from tests.service import client_id

SNAPSHOT = Snapshot(
    "2026-11-01T02:00:00Z",
    "test",
    "https://shop.example",
    live(body(client_id(2), "b", xp={"n": 1.5}), body(client_id(1), "a", MaximumGrantedRoles=["Shopper"])),
)


def altered(**members: Json) -> str:
    """A document with other members, and a seal that fits them."""
    document: dict[str, Any] = snapshotfile.to_document(SNAPSHOT)
    document["resources"][0] |= members
    return sealed.dumps(document, "snapshot", None)


def test_a_snapshot_is_read_as_it_was_taken_sorted() -> None:
    found = snapshotfile.loads(snapshotfile.dumps(SNAPSHOT, None), "s.json")
    assert [one.id for one in found.live.resources] == [client_id(1), client_id(2)]
    assert replace(found, live=SNAPSHOT.live) == SNAPSHOT
    assert {one.id: one.body for one in found.live.resources} == {one.id: one.body for one in SNAPSHOT.live.resources}


def test_the_order_in_which_a_service_answers_does_not_show() -> None:
    turned = replace(SNAPSHOT, live=replace(SNAPSHOT.live, resources=SNAPSHOT.live.resources[::-1]))
    assert snapshotfile.dumps(turned, b"k") == snapshotfile.dumps(SNAPSHOT, b"k")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (altered(kind="Buyer"), "s.json has a kind that this version does not know: Buyer"),
        (altered(body={"ID": "x", "Active": "yes"}), "s.json is not a snapshot: ApiClient .*Active"),
        (altered(id=""), "s.json is not a snapshot: "),
        (json.dumps([]), "s.json is not a snapshot: "),
    ],
)
def test_what_no_service_would_answer_is_refused(text: str, words: str) -> None:
    with pytest.raises(ReconcilerError, match=words):
        snapshotfile.loads(text, "s.json")
