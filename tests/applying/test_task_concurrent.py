"""Two applies at a time, from different manifests and over two connections: who overwrites whom, and who notices."""

import threading
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import httpx
import pytest

from reconciler.applying.run import Controls
from reconciler.model.outcome import Outcome, Status
from reconciler.model.plan import Plan
from tests.builders import body, desired, manifest
from tests.service import Shop, client_id, shop

A = client_id(0xA)
ORDERS = sorted({"".join(order) for order in permutations("111222")})
"""Every order in which the looks, writes and last looks of two runs at one object can follow one another."""
BLIND = {"121122", "122211", "211122", "212211"}
"""In these a whole run, last look included, comes between the look and the write of the other. The API has no ETag and
no conditional PUT, so that no client could notice."""


class Turns:
    """Lets the requests of two runs at one object pass in a given order, but for the turns of a run that has ended."""

    def __init__(self, order: str) -> None:
        self._left = list(order)
        self._moved = threading.Condition()

    def wait(self, name: str) -> None:
        """Return when it is this run's turn."""
        with self._moved:
            self._moved.wait_for(lambda: not self._left or self._left[0] == name or name not in self._left)

    def done(self, name: str) -> None:
        """Let the next one pass."""
        with self._moved:
            if name in self._left:
                self._left.remove(name)
            self._moved.notify_all()

    def leave(self, name: str) -> None:
        """Give up all turns that are left."""
        with self._moved:
            self._left = [one for one in self._left if one != name]
            self._moved.notify_all()


class InTurn(httpx.BaseTransport):
    """One run's connection."""

    def __init__(self, inner: httpx.BaseTransport, name: str, turns: Turns) -> None:
        self.inner = inner
        self.name = name
        self.turns = turns

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Wait for the turn, if the request is for the object."""
        if not request.url.path.endswith(A):
            return self.inner.handle_request(request)
        self.turns.wait(self.name)
        try:
            return self.inner.handle_request(request)
        finally:
            self.turns.done(self.name)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Shop]:
    """A marketplace of one client."""
    with shop(tmp_path, body(A, "a")) as opened:
        yield opened


def applied(service: Shop, plans: dict[str, Plan], order: str) -> dict[str, Outcome]:
    """Apply both plans at a time, in this order; gives the outcome of each."""
    turns = Turns(order)
    outcomes: dict[str, Outcome] = {}

    def run(name: str) -> None:
        connection = Shop(service._emulator)
        connection.transport = InTurn(connection.transport, name, turns)
        try:
            (outcomes[name],) = connection.apply(plans[name], Controls(concurrency=1)).outcomes
        finally:
            turns.leave(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in plans]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


@pytest.mark.sample(6)
@pytest.mark.parametrize("order", ORDERS)
def test_an_update_that_another_run_overwrites_is_noticed(one: Shop, order: str) -> None:
    wanted: dict[str, dict[str, Any]] = {"1": {"AccessTokenDuration": 60}, "2": {"RefreshTokenDuration": 99}}
    plans = {name: one.plan(desired(manifest("a", **fields))) for name, fields in wanted.items()}
    outcomes = applied(one, plans, order)
    held = one.bodies()["a"]
    there = {name for name, fields in wanted.items() if fields.items() <= held.items()}
    told = {name for name, outcome in outcomes.items() if outcome.status is Status.APPLIED}
    assert there
    assert (told <= there) is (order not in BLIND)


def test_whoever_comes_second_writes_nothing(one: Shop) -> None:
    plans = {name: one.plan(desired(manifest("a", AccessTokenDuration=60 + int(name)))) for name in "12"}
    outcomes = applied(one, plans, "111222")
    assert (outcomes["1"].status, outcomes["2"].status) == (Status.APPLIED, Status.CONFLICT)
    assert one.bodies()["a"]["AccessTokenDuration"] == 61
