"""A live object whose fields have unexpected types: it hides no other, and never looks absent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler import pipeline
from reconciler.errors import BadAnswer, InputError, RequestFacts
from reconciler.export import ManifestOrigin, export
from reconciler.kinds import KINDS
from reconciler.manifests.load import LoadContext
from reconciler.model.plan import Action, Plan
from reconciler.model.resource import DesiredState
from reconciler.planning import diff as differ
from reconciler.planning import snapshot as snapshotfile
from reconciler.planning.diff.notices import hints
from tests.builders import body, by_address, desired, live, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

A, B = client_id(0xA), client_id(0xB)
WHO = f"ApiClient {B} (theirs) has fields of unexpected types: /xp: Input should be a valid dictionary"


class Odd(httpx.BaseTransport):
    """Answers with another xp wherever the one of `theirs` stands."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self.inner = inner
        self.xp = '"a text"'

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.inner.handle_request(request)
        text = json.dumps(json.loads(answer.read().decode("utf-8-sig") or "null"))
        return httpx.Response(answer.status_code, text=text.replace('{"mark": "planted"}', self.xp))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of the client `ours`, and of `theirs`, whose xp is a text."""
    with shop(tmp_path, body(A, "ours"), body(B, "theirs", xp={"mark": "planted"})) as opened:
        opened.transport = Odd(opened.transport)
        yield opened


def test_one_that_is_unmanaged_is_named_and_the_others_are_planned(two: Shop) -> None:
    plan = two.plan(desired(manifest("ours", Active=False)))
    actions = {change.id: change.action for change in plan.changes}
    assert (actions[A], actions[B]) == (Action.UPDATE, Action.UNMANAGED)
    assert f"{WHO}; it is not changed" in plan.warnings
    assert two.apply(plan).is_complete


def test_data_that_somebody_has_written_as_an_empty_list_is_just_empty(two: Shop) -> None:
    assert isinstance(two.transport, Odd)
    two.transport.xp = "[]"
    plan = two.plan(desired(manifest("theirs", AccessTokenDuration=77, xp={})))
    (change,) = [one for one in plan.changes if one.action.writes]
    assert ([one.pointer for one in change.fields], plan.warnings) == (["/AccessTokenDuration"], ())
    assert two.apply(plan).is_complete


@pytest.mark.parametrize(
    "wanted", [manifest("theirs"), manifest("other", id=B.lower()), manifest("x", AppName="theirs")]
)
def test_one_that_a_manifest_claims_is_an_error_that_names_it_and_is_not_created(two: Shop, wanted: Any) -> None:
    with pytest.raises(InputError) as caught:
        two.plan(desired(replace(wanted, spec={**wanted.spec, "AccessTokenDuration": 60})))
    assert [fault.message for fault in caught.value.diagnostics] == [f"{wanted.address}: {WHO}"]


def test_one_is_not_pruned(two: Shop) -> None:
    plan = two.plan(desired(manifest("ours")), replace(NO_LIMITS, prunes=True))
    assert {change.action for change in plan.changes if change.id == B} == {Action.UNMANAGED}
    assert any(B in text and "is not pruned" in text for text in plan.warnings)


def test_an_export_leaves_it_out_and_says_why(two: Shop, tmp_path: Path) -> None:
    with two.reader() as reader:
        found = pipeline.live(reader, NO_LIMITS, ["ApiClient"])
    made = export(found, (), LoadContext(), tmp_path / "out", ManifestOrigin("shop"))
    left = [(one.title, one.left_out[0].reason) for one in made.objects if one.id == B]
    assert left == [("theirs", WHO)]
    assert any("ours" in path.name for path in made.new)


def planned_from_a_snapshot(service: Shop, want: DesiredState) -> Plan:
    with service.reader() as reader:
        taken = pipeline.snapshot(reader, NO_LIMITS, ["ApiClient"], "2026-11-27T00:00:00Z")
    read = snapshotfile.loads(snapshotfile.dumps(taken, None), "snapshot.json")
    return pipeline.plan_from(read, want, taken.base_url, NO_LIMITS)


def test_a_snapshot_keeps_that_it_is_odd(two: Shop) -> None:
    assert f"{WHO}; it is not changed" in planned_from_a_snapshot(two, desired(manifest("ours"))).warnings
    with pytest.raises(InputError) as caught:
        planned_from_a_snapshot(two, desired(manifest("theirs")))
    assert WHO in caught.value.diagnostics[0].message


def test_adopting_it_is_an_error_that_names_it_and_adopting_others_is_none(two: Shop) -> None:
    with two.reader() as reader:
        assert pipeline.adopt(desired(manifest("ours")), reader, NO_LIMITS, {}, {}).ids == by_address({"ours": A})
        with pytest.raises(InputError) as caught:
            pipeline.adopt(desired(manifest("theirs")), reader, NO_LIMITS, {}, {})
    assert WHO in caught.value.diagnostics[0].message


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def test_one_that_is_nested_too_deep_to_be_compared_is_named_likewise(two: Shop) -> None:
    two.transport.xp = nested(150)  # type: ignore[attr-defined]  # see `Odd`
    plan = two.plan(desired(manifest("ours")))
    assert f"ApiClient {B} (theirs) has fields of unexpected types: /xp: nested more than 100 levels deep" in " ".join(
        plan.warnings
    )


def test_one_that_is_nested_too_deep_to_be_read_is_named(two: Shop) -> None:
    two.transport.xp = nested(50_000)  # type: ignore[attr-defined]  # see `Odd`
    with pytest.raises(BadAnswer, match=f"JSON that is nested too deeply, in the object with ID {B}"):
        two.plan(desired(manifest("ours")))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*KINDS["ApiClient"].fields, "ClientSecret", "New"]), JSON, max_size=4))
@settings(max_examples=2 * settings().max_examples)
def test_whatever_an_unmanaged_object_holds_the_others_are_planned(fields: dict[str, Any]) -> None:
    kind = KINDS["ApiClient"]
    found = live(body(A, "ours"))
    seen = kind.seen({**body(B, "theirs"), **fields}, RequestFacts("GET", "/v1/apiclients"))
    state = replace(found, resources=(*found.resources, seen))
    want = desired(manifest("ours", Active=False), manifest("new", AccessTokenDuration=60))
    changes = differ.diff(want, state, {})
    assert {change.id: change.action for change in changes}[A] is Action.UPDATE
    hints(changes, want)  # compares all unmanaged ones with what is created
