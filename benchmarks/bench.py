"""Generated manifests and a local service -> a table of what the commands cost, as ratios to what bounds them.

Every figure is the median of several runs; a bound and what it bounds are measured in turn, in the same run, so that a
machine that is slow today is slow for both. Absolute figures mean little; the ratios are what to look at.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from reconciler import document
from reconciler.emulator import Emulator, Settings, running
from reconciler.loader import LoadContext, load

MANIFEST = """\
apiVersion: reconciler/v1
kind: ApiClient
metadata:
  name: client-{number}
  labels: {{team: web}}
spec:
  AppName: Client {number}
  Active: true
  AccessTokenDuration: 60
  RefreshTokenDuration: {refresh}
  AllowAnyBuyer: false
  AllowSeller: true
  OrderCheckoutIntegrationEventID: null
  MaximumGrantedRoles: [MeAdmin, Shopper, OrderReader]
  MaximumGrantedCustomRoles: [support]
  xp: {{channel: web, region: eu, contact: {{team: web, phone: "0{number}"}}}}
policy:
  ignore: [/xp/lastRelease]
"""
CONFIG = """\
apiVersion: reconciler/v1
kind: Config
manifests: [manifests/]
environments:
  bench:
    url: {url}
    marketplace: emulator
    auth: {{clientId: 00000000-0000-0000-0000-00000000AD01, clientSecret: {{fromEnv: BENCH_SECRET}}}}
    limits: {{deletes: 0}}
    concurrency: {concurrency}
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. Times in seconds."""

    work: str
    measured: float
    bound: float
    bound_is: str
    target: str

    def __str__(self) -> str:
        ratio = self.measured / self.bound
        return (
            f"| {self.work} | {self.measured:.2f} | {self.bound:.2f} | {self.bound_is} | {ratio:.2f} | {self.target} |"
        )


def median(work: Callable[[], object], runs: int) -> float:
    """Seconds, the median of several runs."""
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def write_manifests(folder: Path, count: int, refresh: int) -> None:
    """One file for each client."""
    (folder / "manifests").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / "manifests" / f"{number:05}.yaml").write_text(MANIFEST.format(number=number, refresh=refresh))


def write_seed(folder: Path, count: int) -> Path:
    """A marketplace that has these clients already."""
    clients = [
        {
            "ID": f"{number:08X}-0000-4000-8000-000000000000",
            "AppName": f"Client {number}",
            "Active": True,
            "AccessTokenDuration": 60,
            "RefreshTokenDuration": 60,
            "AllowSeller": True,
            "MaximumGrantedRoles": ["Shopper", "OrderReader", "MeAdmin"],
            "MaximumGrantedCustomRoles": ["support"],
            "xp": {"channel": "web", "region": "eu", "contact": {"team": "web", "phone": f"0{number}"}},
        }
        for number in range(count)
    ]
    path = folder / "seed.json"
    path.write_text(json.dumps({"Objects": {"ApiClients": clients}}))
    return path


@contextmanager
def marketplace(folder: Path, count: int, *, latency_ms: int = 0, concurrency: int = 8) -> Iterator[Emulator]:
    """Serve a marketplace over a socket, and configure the folder for it."""
    emulator = Emulator(Settings(seed=write_seed(folder, count), latency_ms=latency_ms))
    with running(emulator) as url:
        (folder / "reconciler.yaml").write_text(CONFIG.format(url=url, concurrency=concurrency))
        yield emulator


def command(folder: Path, *arguments: str) -> None:
    """Run the command line as a process of its own."""
    environment = os.environ | {"BENCH_SECRET": "emulator-admin-secret"}
    subprocess.run(
        [sys.executable, "-m", "reconciler", *arguments], cwd=folder, env=environment, check=True, capture_output=True
    )


def bench_validate(folder: Path, count: int, runs: int) -> Row:
    """All of loading against parsing the same files into data with positions."""
    write_manifests(folder, count, 60)
    files = sorted((folder / "manifests").iterdir())
    whole = median(lambda: load([folder / "manifests"], LoadContext()), runs)
    parsing = median(lambda: [document.read(path, path.name) for path in files], runs)
    return Row(f"validate {count} manifests", whole, parsing, "parsing them, with positions", "at most 2")


def bench_plan(folder: Path, count: int, runs: int) -> Row:
    """Planning what is in step, a tenth and all of it: the time must grow no faster than the number of clients."""
    small, large = folder / "small", folder / "large"
    times = []
    for place, size in ((small, count // 10), (large, count)):
        write_manifests(place, size, 60)
        with marketplace(place, size):
            times.append(median(lambda place=place: command(place, "plan"), runs))  # type: ignore[misc]  # bound now
    return Row(f"plan {count} unchanged clients", times[1], times[0], f"plan {count // 10}", "at most 11")


def bench_apply(folder: Path, count: int, at_a_time: int) -> Row:
    """Applying over a slow network against what the network's latency alone would take."""
    latency_ms = 50
    write_manifests(folder, count, 120)
    with marketplace(folder, count, latency_ms=latency_ms, concurrency=at_a_time):
        began = time.perf_counter()
        command(folder, "apply", "--auto-approve", "--quiet")
        measured = time.perf_counter() - began
    requests = 2 * count + 2 + -(-count // 100)  # login, me, the pages; then one read and one PUT for each change
    bound = requests / at_a_time * latency_ms / 1000
    return Row(f"apply {count} changes, {at_a_time} at a time, 50 ms", measured, bound, "latency alone", "at most 1.18")


def bench_start(folder: Path, runs: int) -> Iterator[Row]:
    """Starting the program against starting Python."""
    write_manifests(folder, 1, 60)
    bare = median(lambda: subprocess.run([sys.executable, "-c", ""], check=True), runs)
    for words, target in ((("--help",), "under 120 ms"), (("validate", "manifests"), "under 200 ms")):
        took = median(lambda words=words: command(folder, *words), runs)  # type: ignore[misc]  # bound now
        yield Row(" ".join(("reconciler", *words)), took, bare, "starting Python", target)


def main() -> None:
    """Run all cases and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=10_000, help="for validate and plan")
    parser.add_argument("--changes", type=int, default=1_000, help="for apply")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print("| Work | seconds | bound, seconds | the bound is | ratio | target |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        for row in bench_start(place / "start", options.runs):
            print(row, flush=True)
        print(bench_validate(place / "validate", options.clients, options.runs), flush=True)
        print(bench_plan(place / "plan", options.clients, max(1, options.runs // 2)), flush=True)
        for at_a_time in (8, 16):
            print(bench_apply(place / f"apply{at_a_time}", options.changes, at_a_time), flush=True)


if __name__ == "__main__":
    main()
