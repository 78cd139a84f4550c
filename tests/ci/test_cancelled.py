"""A job that is cancelled, or ended, in the middle of an apply: what is kept, and what the next run does."""

import signal
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from reconciler.emulator import Emulator
from tests.ci.cluster import Cluster
from tests.ci.conftest import Shop
from tests.ci.forge import Shell
from tests.ci.gitlab import APPROVAL, GitLab
from tests.ci.test_week_odd import configure, environments
from tests.cli.conftest import FRONT, Switchboard
from tests.service import client_id

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

OTHER = client_id(0x10)
PROGRAMS = Path(sys.executable).parent
"""With the real program: a signal does not reach one that `tests/prefork.py` runs."""


class Interrupted:
    """A marketplace: before the first write is answered, something happens to the job that waits for it."""

    def __init__(self, emulator: Emulator, happen: Callable[[], None]) -> None:
        self._emulator, self._happen = emulator, happen
        self._is_over = False

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> "Iterable[bytes]":
        answer = self._emulator(environ, start_response)
        if environ["REQUEST_METHOD"] == "PUT" and not self._is_over:
            self._is_over = True
            self._happen()
        return answer


@pytest.fixture
def both(shop: Shop) -> Shop:
    """There are two clients to change, one after the other."""
    known = environments(shop)
    configure(shop, {name: {**dict(one), "concurrency": 1} for name, one in known.items()})  # type: ignore[call-overload]
    shop.markets["production"].ask(
        "PUT", f"/v1/apiclients/{OTHER}", {"ID": OTHER, "AppName": "other", "Active": True, "AccessTokenDuration": 60}
    )
    shop.manifest("other", AccessTokenDuration=600)
    shop.manifest(AccessTokenDuration=300)
    return shop


def interrupt(shop: Shop, servers: Mapping[str, tuple[Switchboard, str]], happen: Callable[[], None]) -> None:
    market = shop.markets["production"].emulator
    servers["production"][0].emulator = Interrupted(market, happen)  # type: ignore[assignment]  # as far as it is used


def durations(shop: Shop) -> list[int]:
    return [shop.live("production", id_)["AccessTokenDuration"] for id_ in (FRONT, OTHER)]


def cancel(shell: Shell) -> None:
    """As GitHub and Azure do at first."""
    shell.signal(signal.SIGINT)


@pytest.mark.sweep
@pytest.mark.parametrize("happen", [cancel, Shell.kill])
def test_a_cancelled_job_keeps_its_journal_and_the_next_run_asks_for_the_rest(
    both: Shop, servers: Mapping[str, tuple[Switchboard, str]], happen: Callable[[Shell], None]
) -> None:
    hub = both.hub
    hub.require_reviewers("production")
    hub.commit("straight to main")
    run = hub.dispatch(environment="production")
    hub.path = f"{PROGRAMS}:{hub.path}"
    interrupt(both, servers, lambda: happen(hub.shell))
    run.approve("production")
    assert run.results["apply production/apply"] == "cancelled", run.log
    assert durations(both) == [600, 600]
    assert len(list((hub.kept("api-clients-runs-production") / "runs").glob("*.jsonl"))) == 1
    run = hub.dispatch(environment="production")
    assert (run.waiting, durations(both)) == ({"production"}, [600, 600]), run.log
    run.approve("production")
    assert durations(both) == [300, 600], run.log


@pytest.mark.sweep
def test_a_job_of_gitlab_that_is_ended_loses_its_journal_and_the_next_one_asks_for_the_rest(
    both: Shop, gitlab: GitLab, servers: Mapping[str, tuple[Switchboard, str]]
) -> None:
    assert gitlab.protected("reconciler:apply", "production")[0] == APPROVAL
    installed = gitlab.builds / "venv" / "bin"
    installed.unlink()
    installed.symlink_to(PROGRAMS)
    interrupt(both, servers, gitlab.shell.kill)
    gitlab.protected("reconciler:approve", "production")
    assert durations(both) == [600, 600]
    code, log = gitlab.protected("reconciler:apply", "production")
    assert (code, durations(both)) == (APPROVAL, [600, 600]), log
    code, log = gitlab.protected("reconciler:approve", "production")
    assert (code, durations(both)) == (0, [300, 600]), log


@pytest.mark.sweep
def test_a_pod_that_is_moved_to_another_node_finishes_its_write_and_the_next_one_goes_on(
    both: Shop, tmp_path: Path, servers: Mapping[str, tuple[Switchboard, str]]
) -> None:
    both.hub.commit("both")
    cluster = Cluster(tmp_path / "cluster", PROGRAMS, both.hub.secrets)
    assert [job.codes for job in cluster.build("staging", both.place)] == [[0]]
    other = both.markets["staging"].ask("GET", "/v1/apiclients?AppName=other")["Items"][0]["ID"]
    for id_ in (FRONT, other):
        both.portal("staging", id_, AccessTokenDuration=60)
    market = both.markets["staging"].emulator
    stop = partial(cluster.shell.signal, signal.SIGTERM)
    servers["staging"][0].emulator = Interrupted(market, stop)  # type: ignore[assignment]  # as far as it is used
    job = cluster.run("api-clients-restore-staging")
    assert (job.codes, both.live("staging", other)["AccessTokenDuration"]) == ([130, 0], 600), job.log
    assert len(list((cluster.volumes / "api-clients-state" / "runs").glob("*.jsonl"))) == 3
