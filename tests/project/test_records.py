"""Journals that somebody has written by hand, hashes and all: no shape of them ends a command, nor is it believed."""

import json
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any, Final

import pytest

from reconciler import pipeline
from reconciler.applying import journal, verify
from reconciler.applying.journal import Entry
from reconciler.applying.journal.events import recorded, recorded_rotation
from reconciler.errors import ReconcilerError
from reconciler.model.resource import Policy
from reconciler.project.records import listed
from reconciler.render.history import LISTS, RUNS, cut_off
from reconciler.render.style import PLAIN
from tests.applying.journal.test_events import apply
from tests.builders import body, desired, manifest
from tests.service import NO_LIMITS, Shop, client_id, shop

ODD: Final[tuple[Any, ...]] = (None, [], {}, 1, "x", "\ud800")
UNUSABLE: Final = "is not in the format of this version"
A, B, C = client_id(0xA), client_id(0xB), client_id(0xC)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of three clients and a buyer."""
    buyers = {"Buyers": [{"ID": "b1", "Name": "b1", "Active": True}]}
    with shop(tmp_path, body(A, "a"), body(B, "b"), body(C, "c"), objects=buyers) as opened:
        yield opened


@pytest.fixture
def lines(service: Shop, tmp_path: Path) -> list[dict[str, Any]]:
    """A run that made, changed, assigned and deleted, whose answers were all lost, and which was cut off."""
    wanted = (
        manifest("a", Active=False, assignments={"buyers": ("b1",)}),
        manifest("b", policy=Policy(absent=True)),
        manifest("new", AccessTokenDuration=600),
    )
    apply(service, tmp_path, *wanted)
    found = [json.loads(line) for line in journal.find(tmp_path / "runs", "last").read_text().splitlines()]
    return [one for one in found if one["event"] not in {"answer", "end"}] + found[-2:-1]


def written(folder: Path, lines: list[dict[str, Any]]) -> Path:
    """The journal of these lines, each with its right hash."""
    last, text = None, ""
    for line in lines:
        last, sealed = Entry.after(last, line["at"], line["event"], line["facts"])
        text += sealed
    path = journal.find(folder / "runs", "last")
    path.write_text(text)
    return path


def replaced(value: Any, at: tuple[str | int, ...], odd: Any) -> Any:
    """The value with another one in one place."""
    if not at:
        return odd
    changed: Any = dict(value) if isinstance(value, dict) else list(value)
    changed[at[0]] = replaced(value[at[0]], at[1:], odd)
    return changed


def use(path: Path, service: Shop) -> str:
    """Do with a journal what any command does; gives why it was refused, empty: it was not."""
    try:
        run = journal.read(path)
        for render in LISTS.values():
            render([listed(run, path)], PLAIN)
        for show in RUNS.values():
            show(listed(run, path), PLAIN)
        recorded_rotation(run)
        applied = recorded(run)
        if applied:
            with service.reader() as remote:
                list(verify.look(applied, remote))
                cut_off(applied, [], PLAIN)
                pipeline.plan_back(applied, (), desired(manifest("a")), remote, NO_LIMITS)
    except ReconcilerError as error:
        return error.message
    return ""


def test_a_journal_as_it_was_written_is_used(service: Shop, lines: list[dict[str, Any]], tmp_path: Path) -> None:
    assert use(written(tmp_path, lines), service) == ""


FORGED: Final[tuple[tuple[str, tuple[str | int, ...], Any], ...]] = (
    ("start", ("environment",), []),
    ("start", ("follows_up",), 1),
    ("start", ("pid",), "1"),
    ("plan", ("unchanged",), "many"),
    ("plan", ("changes", 0, "address"), "Nope/a"),
    ("plan", ("changes", 0, "address"), 1),
    ("plan", ("changes", 0, "action"), "unmanaged"),
    ("plan", ("changes", 0, "id"), []),
    ("plan", ("changes", 0, "before"), []),
    ("plan", ("changes", 0, "before", "AppName"), [[]]),
    ("plan", ("changes", 0, "after", "MaximumGrantedRoles"), {"x": 1}),
    ("plan", ("changes", 0, "assignments", 0, "party"), "nobody"),
    ("plan", ("changes", 0, "secrets"), [1]),
    ("intent", ("number",), []),
    ("intent", ("assignment",), {"party": "nobody", "id": "b1", "assign": True}),
    ("intent", ("path",), None),
    ("outcome", ("fields",), [1]),
    ("outcome", ("status",), "done"),
)


@pytest.mark.sample(6)
@pytest.mark.parametrize(("event", "at", "odd"), FORGED, ids=str)
def test_facts_that_this_version_does_not_write_are_refused(
    service: Shop,
    lines: list[dict[str, Any]],
    tmp_path: Path,
    event: str,
    at: tuple[str | int, ...],
    odd: Any,
) -> None:
    number = next(number for number, line in enumerate(lines) if line["event"] == event)
    lines[number] = replaced(lines[number], ("facts", *at), odd)
    assert use(written(tmp_path, lines), service).endswith(UNUSABLE)


def test_an_uncertain_write_of_an_object_without_an_id_is_looked_up_by_name(
    service: Shop, lines: list[dict[str, Any]], tmp_path: Path
) -> None:
    at = next(number for number, line in enumerate(lines) if line["event"] == "plan")
    lines[at] = replaced(lines[at], ("facts", "changes", 0, "id"), None)
    run = recorded(journal.read(written(tmp_path, [line for line in lines if line["event"] != "outcome"])))
    assert run
    with service.reader() as remote:
        found = {str(one.change.address): one.found for one in verify.look(run, remote)}
    assert "ApiClient/a" in found


# ------------------------------------------------------------------------------------------------------------ rotations

STEP: Final = {"address": "ApiClient/a", "secret": "primary", "step": "create", "secret_id": "S1", "name": "primary"}
ROTATED: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    (
        "start",
        {
            "kind": "rotation",
            "format_version": "2.0",
            "environment": "test",
            "base_url": "https://shop.example",
            "marketplace": "shop",
            "user": "u",
            "host": "h",
            "pid": 1,
            "tool_version": "1",
            "turns": [
                {
                    "address": "ApiClient/a",
                    "client": A,
                    "secret": "primary",
                    "steps": [{"kind": "create", "text": "create a new secret primary"}],
                }
            ],
        },
    ),
    ("secret-step-begun", {"address": "ApiClient/a", "secret": "primary", "step": "create", "secret_id": "S1"}),
    ("secret-step-done", {**STEP, "until": "2027-01-01T00:00:00Z"}),
    ("secret-outcome", {"address": "ApiClient/a", "secret": "primary", "status": "completed", "message": ""}),
    ("end", {"interrupted": False}),
)


def rotated(lines: Sequence[tuple[str, Any]]) -> str:
    """The text of a journal of these lines, each with its right hash."""
    last, text = None, ""
    for event, facts in lines:
        last, sealed = Entry.after(last, "2026-11-01T02:00:00Z", event, facts)
        text += sealed
    return text


def members(value: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The way to every part of a value."""
    yield at
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from members(part, (*at, key))


@pytest.mark.parametrize("until", ["never", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_no_calendar_has_is_refused(
    service: Shop, lines: list[dict[str, Any]], tmp_path: Path, until: str
) -> None:
    number = next(number for number, line in enumerate(lines) if line["event"] == "outcome")
    lines.insert(number, {**lines[number], "event": "secret-step-done", "facts": {**STEP, "until": until}})
    assert use(written(tmp_path, lines), service).endswith(UNUSABLE)


@pytest.mark.sweep
def test_a_rotation_is_used_as_it_was_written_and_with_any_odd_fact_refused_or_used(
    service: Shop, tmp_path: Path
) -> None:
    path = tmp_path / "20261101T020000Z-1.jsonl"
    path.write_text(rotated(ROTATED))
    assert use(path, service) == ""
    refused = []
    for number, (event, facts) in enumerate(ROTATED):
        for at, odd in product(list(members(facts))[1:], ODD):
            forged = (event, replaced(facts, at, odd))
            path.write_text(rotated([*ROTATED[:number], forged, *ROTATED[number + 1 :]]))
            refused += [(event, at)] if use(path, service).endswith(UNUSABLE) else []
    assert {("start", ("turns", 0, "steps")), ("secret-outcome", ("status",)), ("end", ("interrupted",))} <= {*refused}


@pytest.mark.parametrize("number", range(1, len(ROTATED)))
def test_a_rotation_with_a_line_missing_or_moved_is_read_all_the_same(
    service: Shop, tmp_path: Path, number: int
) -> None:
    path = tmp_path / "20261101T020000Z-1.jsonl"
    others = ROTATED[:number] + ROTATED[number + 1 :]
    for lines in (others, (*others, ROTATED[number]), (*others, ROTATED[number], ROTATED[number])):
        path.write_text(rotated(lines))
        assert use(path, service) == ""
