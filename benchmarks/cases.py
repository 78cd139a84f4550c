"""Sizes -> rows of the table: each command against what bounds it, and against the target that it must hold."""

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import data
from measure import Figures, Sample, Work, exponent, in_turn, interleaved, process, script, serving

from reconciler.cli.documents import DRIFTS
from reconciler.cli.main import COMMANDS

COMMAND: Final = (sys.executable, "-m", "reconciler")
_MB: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured."""

    clients: int
    changes: int
    runs: int
    at_a_time: tuple[int, ...] = (1, 4, 8, 16, 32)
    slow_ms: int = 50

    @property
    def few(self) -> int:
        """Runs of what takes long and varies little."""
        return min(self.runs, 2)


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement, its bound and its target."""

    group: str
    work: str
    figures: Figures
    bound: float
    """Seconds."""
    bound_is: str
    target: str = ""
    holds: bool | None = None
    """None: there is no target."""
    note: str = ""

    @property
    def ratio(self) -> float:
        """How many times the bound."""
        return self.figures.seconds / self.bound


@dataclass(frozen=True, slots=True)
class Place:
    """A folder with manifests and a configuration, which commands are run in."""

    folder: Path

    @classmethod
    def of(cls, folder: Path, url: str, count: int, *, changed: int = 0, at_a_time: int = 8) -> "Place":
        """Write everything."""
        data.write_manifests(folder, count, changed)
        data.write_config(folder, url, at_a_time)
        return cls(folder)

    def runs(self, *words: str, codes: Sequence[int] = (0,)) -> Work:
        """Our command as work."""
        return lambda: process([*COMMAND, *words], self.folder, {data.SECRET_VARIABLE: "bench"}, codes=codes)


@dataclass
class Findings:
    """What is not a row: facts about the server, and series to be drawn."""

    server: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    """The cases of which a command failed; one whose peer cannot be installed is none."""
    growth: dict[str, dict[int, float]] = field(default_factory=dict)
    """Command -> clients -> seconds."""
    throughput: dict[str, dict[int, float]] = field(default_factory=dict)
    """Who -> requests at a time -> changes per second."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a server has seen so far."""

    requests: int
    writes: int
    allowed: int
    refused: int
    seconds: float
    """From the first request to the last one, since it was asked before."""


def counts(url: str) -> Counts:
    """Ask a server of `server.py`."""
    with urllib.request.urlopen(f"{url}/_bench") as answer:  # noqa: S310  # our own server
        return Counts(**json.load(answer))


# ------------------------------------------------------------------------------------------------------------- start


def start(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Starting each command against starting Python."""
    data.write_manifests(root, 1)
    data.write_config(root, "http://127.0.0.1:9")
    place = Place(root)
    works = {"python -c ''": lambda: process([sys.executable, "-c", ""], root), "--help": place.runs("--help")}
    works |= {f"{name} --help": place.runs(name, "--help") for name in COMMANDS}
    works["validate, one file"] = place.runs("validate", "manifests")
    works["--version"] = place.runs("--version")
    with serving("--clients", 3) as url:
        works["plan, three clients"] = Place.of(root / "three", url, 3).runs("plan")
        figures = interleaved(works, sizes.runs)
    bare = figures.pop("python -c ''").seconds
    limits = {"--version": 0.036, "--help": 0.036, "validate, one file": 0.080, "plan, three clients": 0.160}
    for name, walled in figures.items():
        limit, found = limits.get(name), walled.of_cpu() if name in limits else walled
        target = f"under {1000 * limit:.0f} ms of CPU" if limit else ""
        yield Row("start", name, found, bare, "starting Python", target, found.seconds < limit if limit else None)


# ---------------------------------------------------------------------------------------------------------- validate


def validate(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """All of validating against parsing the same files into data with positions."""
    place = Place.of(root, "http://127.0.0.1:9", sizes.clients)
    figures = interleaved(
        {"validate": place.runs("validate"), "parse": script("bounds.py", "parse", root / "manifests")}, sizes.runs
    )
    found, parsing = figures["validate"], figures["parse"].seconds
    holds = found.seconds <= 1.8 * parsing and found.seconds < 3 and found.peak < 150 * _MB  # noqa: PLR2004  # the target
    target = "at most 1.8x, under 3 s and 150 MB"
    yield Row("validate", f"validate {sizes.clients} manifests", found, parsing, "parsing them", target, holds)


# -------------------------------------------------------------------------------------------------------------- plan


def plan(root: Path, sizes: Sizes, findings: Findings) -> Iterator[Row]:
    """Planning what is in step and what is not quite, against reading all pages and parsing all manifests."""
    with serving("--clients", sizes.clients) as url:
        places = {
            part: Place.of(root / f"{part}", url, sizes.clients, changed=sizes.clients * part // 100)
            for part in (0, 1, 10)
        }
        works = {f"plan, {part} % changed": place.runs("plan") for part, place in places.items()}
        works["fetch"] = script("bounds.py", "fetch", url)
        works["pages"] = script("bounds.py", "pages", url)
        works["parse"] = script("bounds.py", "parse", root / "0" / "manifests")
        figures = interleaved(works, sizes.runs)
        requests = _requests(url, places[0].runs("plan"))
        load = script("bounds.py", "load", url, "16", "20000")().seconds
    findings.server.append(f"The server takes {20000 / load:,.0f} replacements a second over 16 connections.")
    parsing = figures.pop("parse").seconds
    floor, through_httpx = (figures.pop(name).seconds + parsing for name in ("fetch", "pages"))
    unchanged = figures["plan, 0 % changed"]
    yield Row(
        "plan",
        f"plan, {sizes.clients} clients in step",
        unchanged,
        through_httpx,
        "fetching through httpx and parsing",
        "at most 1.6x",
        unchanged.seconds <= 1.6 * through_httpx,  # the target
    )
    least = 2 + -(-sizes.clients // 100)
    for name, found in figures.items():
        holds = found.seconds < 6 and found.peak < 250 * _MB and requests == least  # noqa: PLR2004  # the target
        target = f"under 6 s, 250 MB, {least} requests"
        note = f"{requests} requests" if name.startswith("plan, 0") else ""
        yield Row("plan", f"{name}, {sizes.clients} clients", found, floor, "fetching and parsing", target, holds, note)


def kinds(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """The same plan with objects of all other kinds as well: they may cost what so many clients more would."""
    others = sizes.clients // 50
    with serving("--clients", sizes.clients, "--others", others) as url:
        bare, whole = (Place.of(root / name, url, sizes.clients) for name in ("clients", "kinds"))
        data.write_others(whole.folder, others)
        works = {
            name: place.runs("plan", "--detailed-exitcode") for name, place in (("clients", bare), ("kinds", whole))
        }
        figures = interleaved(works, sizes.runs)
        requests = _requests(url, works["kinds"]) - _requests(url, works["clients"])
    many = [kind for kind, _ in data.others(1)]
    lists = [path for kind in many for path in (kind.path, *(kind.assignments.paths if kind.assignments else ()))]
    most = 1.15 * (sizes.clients + len(many) * others) / sizes.clients
    found, clients = figures["kinds"], figures["clients"].seconds
    work = f"plan {sizes.clients} clients and {others} objects of each of {len(many)} other kinds"
    target = f"at most {most:.2f}x, a request for each kind and page"
    holds = found.seconds <= most * clients and requests <= len(many) * -(-others // 100)
    yield Row(
        "kinds",
        work,
        found,
        clients,
        "plan the clients",
        target,
        holds,
        f"{requests} requests more, of {len(lists)} lists",
    )


def _requests(url: str, work: Work) -> int:
    before = counts(url).requests
    work()
    return counts(url).requests - before


def many(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Five times as many clients: their plan must fit into memory."""
    count = 5 * sizes.clients
    with serving("--clients", count) as url:
        place = Place.of(root, url, count)
        works = {"plan": place.runs("plan"), "parse": script("bounds.py", "parse", root / "manifests")}
        figures = interleaved(works, 1, warm_up=False)
    found = figures["plan"]
    holds = found.peak < 400 * _MB  # the target
    yield Row("growth", f"plan {count} clients", found, figures["parse"].seconds, "parsing them", "under 400 MB", holds)


def growth(root: Path, sizes: Sizes, findings: Findings) -> Iterator[Row]:
    """The same plan at three sizes: the time may grow no faster than the number of clients."""
    works, clients = {}, (sizes.clients // 100, sizes.clients // 10, sizes.clients)
    with ExitStack() as servers:
        for count in clients:
            url = servers.enter_context(serving("--clients", count))
            works[f"plan {count}"] = Place.of(root / f"{count}", url, count).runs("plan")
        figures = interleaved(works, sizes.runs)
    times = {count: figures[f"plan {count}"].seconds for count in clients}
    findings.growth["plan, unchanged"] = times
    slope = exponent({count: times[count] for count in clients[1:]})
    last, before = figures[f"plan {clients[2]}"], times[clients[1]]
    note = f"exponent {slope:.2f}; {exponent(times):.2f} with {clients[0]} clients, where starting counts most"
    yield Row(
        "growth",
        f"plan {clients[2]} clients",
        last,
        before,
        f"plan {clients[1]}",
        "at most 11x",
        last.seconds <= 11 * before,
        note,
    )


# ------------------------------------------------------------------------------------------------------------- apply


def apply(root: Path, sizes: Sizes, findings: Findings) -> Iterator[Row]:
    """Applying many changes, so many at a time, against a bare client that sends the same requests."""
    for latency in (0, sizes.slow_ms):
        series = findings.throughput.setdefault(f"apply, {latency} ms", {})
        for at_a_time in sizes.at_a_time:
            # Where latency is nearly all of it, a rate needs fewer changes.
            count = sizes.changes * at_a_time // 10 if latency and at_a_time < _WALL_FROM else sizes.changes
            rows = [*_apply(root / f"{latency}-{at_a_time}", replace(sizes, changes=count), latency, at_a_time)]
            series[at_a_time] = count / rows[-1].figures.seconds
            yield from rows


_WALL_FROM: Final = 8
"""Fewer requests at a time have no target."""
_WALL: Final = {8: 1.08, 16: 1 / 0.85, 32: 1.15}
"""Requests at a time -> how many times the bare client, with latency."""
_CPU: Final = 1.6
"""How many times the CPU time of httpx and a pool of threads, without latency."""


def _apply(root: Path, sizes: Sizes, latency: int, at_a_time: int) -> Iterator[Row]:
    server = ("--clients", sizes.changes, "--latency-ms", latency)
    sent = (f"{at_a_time}", f"{sizes.changes}")
    with serving(*server) as url, serving(*server) as other:
        works = {
            "apply": _there_and_back(root, url, sizes.changes, at_a_time),
            "bare": script("bounds.py", "apply", other, *sent),
        }
        if not latency:
            works["pool"] = script("bounds.py", "pool", other, *sent)
        before = counts(url)
        figures = interleaved(works, sizes.runs, warm_up=False)
        after = counts(url)
    found, bound = figures["apply"], figures["bare"].seconds
    writes, requests = ((after.writes - before.writes) // sizes.runs, (after.requests - before.requests) // sizes.runs)
    most = _WALL.get(at_a_time) if latency else None
    work = f"apply {sizes.changes} changes, {at_a_time} at a time, {latency} ms"
    alone = f", latency alone {requests / at_a_time * latency / 1000:.2f} s" if latency else ""
    if not latency:
        ours, pool = found.of_cpu(), figures["pool"].of_cpu().seconds
        holds = ours.seconds <= _CPU * pool
        yield Row("apply", f"{work}, CPU", ours, pool, "httpx and threads, CPU", f"at most {_CPU}x", holds)
    yield Row(
        "apply",
        work,
        found,
        bound,
        "a bare client",
        f"at most {most:.2f}x" if most else "",
        found.seconds <= most * bound if most else None,
        f"{sizes.changes / found.seconds:.0f} changes/s, {requests} requests, {writes} writes{alone}",
    )


def _there_and_back(root: Path, url: str, count: int, at_a_time: int) -> Work:
    """Each run changes every client: what one run sets, the next one takes back."""
    ways = [Place.of(root / f"{way}", url, count, changed=way * count, at_a_time=at_a_time) for way in (1, 0)]
    return in_turn(*(way.runs("apply", "--auto-approve", "--quiet") for way in ways))


def nothing_to_do(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Applying what is in step already must cost what the plan costs, and write nothing."""
    with serving("--clients", sizes.clients) as url:
        place = Place.of(root, url, sizes.clients)
        figures = interleaved({"apply": place.runs("apply", "--auto-approve"), "plan": place.runs("plan")}, sizes.runs)
        writes = counts(url).writes
    yield Row(
        "apply",
        f"apply with nothing to do, {sizes.clients} clients",
        figures["apply"],
        figures["plan"].seconds,
        "plan",
        "zero writes",
        writes == 0,
        f"{writes} writes",
    )


def throttled(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Against a server that allows so many requests a second: use them, and ask for hardly any more."""
    for rate, latency, at_a_time in ((200, 10, 8), (400, 5, 16)):
        changes = 2 * sizes.changes
        with serving("--clients", changes, "--latency-ms", latency, "--rate", rate) as url:
            work = _as_the_server_sees_it(url, _there_and_back(root / f"{rate}", url, changes, at_a_time))
            found = interleaved({"apply": work}, sizes.few, warm_up=False)["apply"]
            seen = counts(url)
        bound = seen.allowed / sizes.few / rate
        refused = seen.refused / seen.allowed
        yield Row(
            "throttled",
            f"apply {changes} changes at {rate} requests/s, {at_a_time} at a time, from the first to the last request",
            found,
            bound,
            "the rate allowed",
            "at least 90 %, at most 1 % refused",
            found.seconds * 0.9 <= bound and refused <= 0.01,  # noqa: PLR2004  # the contract names them
            f"{100 * refused:.1f} % refused",
        )


def _as_the_server_sees_it(url: str, work: Work) -> Work:
    def timed() -> Sample:
        counts(url)
        return replace(work(), seconds=counts(url).seconds)

    return timed


# ------------------------------------------------------------------------------------------------------------ outputs


def outputs(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Drift in every format, and export, against the same drift as text."""
    with serving("--clients", sizes.clients) as url:
        place = Place.of(root, url, sizes.clients, changed=sizes.clients // 10)
        works = {f"drift --format {name}": place.runs("drift", "--format", name, codes=(2,)) for name in DRIFTS}
        works["export"] = place.runs("export", "--out", "exported")
        figures = interleaved(works, sizes.few, warm_up=False)
    text = figures["drift --format text"].seconds
    for name, found in figures.items():
        bound_is = "drift as text" if name != "export" else "drift as text (export also writes a file each)"
        holds = found.peak < 250 * _MB if name.startswith("drift") else None
        target = "under 250 MB" if holds is not None else ""
        yield Row("outputs", f"{name}, {sizes.clients} clients, 10 % differ", found, text, bound_is, target, holds)


Case = Callable[[Path, Sizes, Findings], Iterator[Row]]
CASES: Final[tuple[Case, ...]] = (start, validate, plan, kinds, many, growth, nothing_to_do, apply, throttled, outputs)
