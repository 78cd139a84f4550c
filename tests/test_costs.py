"""What work costs in things that can be counted: requests, explanations, comparisons, files. Time is for benchmarks.

Calls are counted by a profile function, so that the code under test is the real one.
"""

import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import pytest
from deepdiff import DeepDiff

from reconciler import document
from reconciler.differ.fields import explain
from reconciler.loader import LoadContext, inspect
from reconciler.validator import words
from tests.builders import desired, manifest
from tests.service import client_id, shop

MANY = 250
MANIFEST = "{{apiVersion: reconciler/v1, kind: ApiClient, metadata: {{name: c{n}}}, spec: {{AppName: C{n}, {more}}}}}\n"


@contextmanager
def counted(**functions: Callable[..., Any]) -> Iterator[Mapping[str, int]]:
    """Count the calls of these functions in this thread."""
    calls: Counter[str] = Counter(dict.fromkeys(functions, 0))
    names: dict[CodeType, str] = {function.__code__: name for name, function in functions.items()}
    known: set[FrameType] = set()  # a generator that goes on is no new call

    def note(frame: FrameType, event: str, _: object) -> None:
        if event == "call" and frame.f_code in names and frame not in known:
            known.add(frame)
            calls[names[frame.f_code]] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield calls
    finally:
        sys.setprofile(before)


def clients(count: int, minutes: int = 60) -> list[dict[str, Any]]:
    return [{"ID": client_id(n), "AppName": f"c{n}", "AccessTokenDuration": minutes} for n in range(count)]


def write(folder: Path, count: int, faulty: int = 0) -> Path:
    folder.mkdir()
    for number in range(count):
        more = "AccessTokenDuration: 5" if number < faulty else "AccessTokenDuration: 60"
        (folder / f"{number}.yaml").write_text(MANIFEST.format(n=number, more=more))
    return folder


# ---------------------------------------------------------------------------------------------------------- requests


def test_a_plan_costs_a_login_a_look_at_who_we_are_and_a_request_for_each_hundred_clients(tmp_path: Path) -> None:
    with shop(tmp_path, *clients(MANY)) as marketplace:
        marketplace.plan(desired(*(manifest(f"c{n}", AccessTokenDuration=60) for n in range(MANY))))
        asked = Counter(f"{one['method']} {one['path']}" for one in marketplace.requests())
    assert asked == {"POST /oauth/token": 1, "GET /v1/me": 1, "GET /v1/apiclients": 3}


def test_an_apply_writes_each_changed_client_once_and_nothing_else(tmp_path: Path) -> None:
    with shop(tmp_path, *clients(20)) as marketplace:
        plan = marketplace.plan(
            desired(*(manifest(f"c{n}", AccessTokenDuration=90 if n < 7 else 60) for n in range(20)))
        )
        marketplace.forget()
        marketplace.apply(plan)
        asked = Counter((one["method"], one["path"]) for one in marketplace.requests())
    written = {path: times for (method, path), times in asked.items() if method == "PUT"}
    assert written == {f"/v1/apiclients/{client_id(n)}": 1 for n in range(7)}


def test_an_apply_with_nothing_to_do_sends_nothing(tmp_path: Path) -> None:
    with shop(tmp_path, *clients(20)) as marketplace:
        plan = marketplace.plan(desired(*(manifest(f"c{n}", AccessTokenDuration=60) for n in range(20))))
        marketplace.forget()
        marketplace.apply(plan)
        assert marketplace.requests() == []


# ------------------------------------------------------------------------------------------------------- explanations


@pytest.mark.parametrize("faulty", [0, 3])
def test_only_what_is_wrong_is_explained(tmp_path: Path, faulty: int) -> None:
    folder = write(tmp_path / "manifests", 40, faulty)
    with counted(explanations=words.explain) as calls:
        assert len(inspect([folder], LoadContext()).diagnostics) == faulty
    assert calls["explanations"] == faulty


@pytest.mark.parametrize("changed", [0, 3])
def test_deepdiff_is_asked_only_about_objects_that_differ(tmp_path: Path, changed: int) -> None:
    live = [{**one, "xp": {"n": n, "deep": {"er": [n]}}} for n, one in enumerate(clients(40))]
    wanted = [
        manifest(f"c{n}", xp={"n": n if n >= changed else "another", "deep": {"er": [n]}}, AccessTokenDuration=60)
        for n in range(40)
    ]
    with shop(tmp_path, *live) as marketplace, counted(explain=explain, deepdiff=DeepDiff.__init__) as calls:
        assert marketplace.plan(desired(*wanted)).summary.update == changed
    assert calls["explain"] == changed
    assert calls["deepdiff"] == changed


# -------------------------------------------------------------------------------------------------------------- files


def test_each_manifest_is_read_and_parsed_once(tmp_path: Path) -> None:
    folder = write(tmp_path / "manifests", 40)
    opened: Counter[str] = Counter()
    is_watching = True

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if is_watching and event == "open" and str(arguments[0]).startswith(str(folder)):
            opened[str(arguments[0])] += 1

    sys.addaudithook(note)  # cannot be taken away again, so it stops listening
    with counted(parsed=document.read) as calls:
        inspect([folder], LoadContext())
    is_watching = False
    assert opened == {str(folder / f"{number}.yaml"): 1 for number in range(40)}
    assert calls["parsed"] == 40
