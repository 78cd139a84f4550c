"""Sizes -> rows for the paths that grow with something else than clients alone: each against the same with half of it.

Most run against the embedded emulator, which starts anew for each run, so that what one run writes the next one does
not find. Their figures are CPU seconds of the whole process, the emulator's share included: it grows as its data does.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import data
from cases import COMMAND, Findings, Place, Row, Sizes, counts
from measure import Sample, Work, in_turn, interleaved, process, serving

_MB: Final = 1_000_000
_MOST: Final = 2.3
"""How much more twice as much may cost."""
_HEAD: Final = "apiVersion: reconciler/v1\nkind: {kind}\nmetadata: {{name: {name}}}\n"


@dataclass(frozen=True, slots=True)
class Measured:
    """A command in a folder that `make` fills for a size."""

    name: str
    make: Callable[[Path, int], None]
    words: Sequence[str]
    size: int
    """The larger one."""
    unit: str
    seconds: float = 0
    """The target in CPU seconds at this size; 0: none."""
    megabytes: float = 0
    codes: Sequence[int] = (0,)

    def row(self, root: Path, sizes: Sizes) -> Row:
        """Measure it at half the size and at the whole."""
        scale = sizes.clients / 10_000
        large = max(2, int(self.size * scale))
        works = {f"{size}": self._work(root / f"{size}", size) for size in (large // 2, large)}
        figures = interleaved(works, sizes.few, warm_up=False)
        found, half = figures[f"{large}"].of_cpu(), figures[f"{large // 2}"].of_cpu()
        holds = found.seconds <= _MOST * half.seconds
        holds = holds and not (self.seconds and found.seconds > self.seconds)
        holds = holds and not (self.megabytes and found.peak > self.megabytes * _MB)
        limits = [f"{self.seconds:g} s" if self.seconds else "", f"{self.megabytes:g} MB" if self.megabytes else ""]
        target = ", ".join(filter(None, [f"at most {_MOST}x", *limits]))
        return Row(
            "paths", f"{self.name}, {large} {self.unit}", found, half.seconds, f"{large // 2}, CPU", target, holds
        )

    def _work(self, folder: Path, size: int) -> Work:
        def work() -> Sample:
            folder.mkdir(parents=True, exist_ok=True)
            self.make(folder, size)
            return process([*COMMAND, *self.words], folder, codes=self.codes)

        return work


def _write(folder: Path, manifests: Mapping[str, str], objects: Mapping[str, Any], **environment: Any) -> None:  # noqa: ANN401  # JSON
    """Manifests, a seed of the emulator, and an environment of it."""
    (folder / "manifests").mkdir(exist_ok=True)
    for name, text in manifests.items():
        (folder / "manifests" / f"{name}.yaml").write_text(text)
    (folder / "seed.json").write_text(json.dumps({"Objects": objects}))
    environments = environment.pop("environments", None)
    emulated = {"emulator": {"seed": "seed.json"}, "limits": {"deletes": None}, **environment}
    config = {"apiVersion": "reconciler/v1", "kind": "Config", "manifests": ["manifests/"]}
    (folder / "reconciler.yaml").write_text(json.dumps({**config, "environments": environments or {"a": emulated}}))


def _id(number: int) -> str:
    return f"{number:08X}-0000-4000-8000-000000000000"


def _client(name: str, spec: str = "", more: str = "") -> str:
    fields = f"AppName: {name}, Active: true, AccessTokenDuration: 60{spec}"
    return f"{_HEAD.format(kind='ApiClient', name=name)}spec: {{{fields}}}\n{more}"


def _clients(count: int, suffix: str = "") -> list[dict[str, Any]]:
    return [
        {"ID": _id(number), "AppName": f"c{number}{suffix}", "Active": True, "AccessTokenDuration": 60}
        for number in range(count)
    ]


def _word(number: int) -> str:
    return f"{number * 2654435761 % 2**32:08x}"


def _renames(folder: Path, count: int) -> None:
    there = [{**one, "AppName": f"{_word(number)} old"} for number, one in enumerate(_clients(count))]
    wanted = {
        f"n{number}": _client(f"n{number}").replace(f"AppName: n{number}", f"AppName: {_word(number)} new")
        for number in range(count)
    }
    _write(folder, wanted, {"ApiClients": there})


def _one_file(folder: Path, count: int) -> None:
    text = "---\n".join(_client(f"c{number}", ", RefreshTokenDuration: 30") for number in range(count))
    _write(folder, {"all": text}, {"ApiClients": _clients(count)})


def _assigned(folder: Path, count: int) -> None:
    parties = ", ".join(f"b{number}" for number in range(10))
    wanted = {f"c{n}": _client(f"c{n}", more=f"assignments: {{buyers: [{parties}]}}\n") for n in range(count)}
    buyers = [{"ID": f"b{number}", "Name": f"b{number}", "Active": True} for number in range(10)]
    _write(folder, wanted, {"ApiClients": _clients(count), "Buyers": buyers})


def _posted(folder: Path, count: int) -> None:
    _write(folder, {f"c{n}": _client(f"c{n}") for n in range(count)}, {}, create="post")


def _references(folder: Path, count: int) -> None:
    wanted = {f"c{n}": _client(f"c{n}", f", OrderCheckoutIntegrationEventID: e{n}") for n in range(count)}
    event = {"EventType": "OrderCheckout", "CustomImplementationUrl": "https://middleware.example"}
    events = [{"ID": f"e{number}", "Name": f"e{number}", **event} for number in range(count)]
    _write(folder, wanted, {"ApiClients": _clients(count), "IntegrationEvents": events})


def _secrets(folder: Path, count: int) -> None:
    named = 'secrets: [{{name: primary, deliver: [{{file: "../secrets/c{n}"}}]}}]\n'
    _write(
        folder,
        {f"c{n}": _client(f"c{n}", more=named.format(n=n)) for n in range(count)},
        {"ApiClients": _clients(count)},
    )
    for file in (folder / "secrets").glob("*"):
        file.unlink()


def _ids(folder: Path, count: int) -> None:
    _write(folder, {"c0": _client("c0")}, {}, ids={"file": "ids.yaml"})
    (folder / "ids.yaml").write_text("".join(f"c{number}: {_id(number)}\n" for number in range(count)))


def _resolved(folder: Path, count: int) -> None:
    roles = ["Shopper", "MeAdmin", "OrderReader"]
    wanted = {f"c{n}": _client(f"c{n}", ", MaximumGrantedRoles: '${values.roles}'") for n in range(count)}
    _write(folder, wanted, {}, values={"roles": roles})


def _substituted(folder: Path, count: int) -> None:
    wanted = {f"c{n}": _client(f"c{n}", f", RefreshTokenDuration: '${{values.m{n}}}'") for n in range(count)}
    _write(folder, wanted, {}, values={f"m{number}": number % 900 for number in range(count)})


def _frozen(folder: Path, count: int) -> None:
    days = [{"days": ["mon"], "from": f"{n % 24:02}:{n % 60:02}", "to": "24:00"} for n in range(count)]
    _write(folder, {"c0": _client("c0")}, {}, freeze=days)


def _overlaid(folder: Path, count: int) -> None:
    names = [f"e{number}" for number in range(count)]
    (folder / "overlays").mkdir(exist_ok=True)
    for name in names:
        texts = (f"{_HEAD.format(kind='ApiClient', name=f'c{n}')}spec: {{xp: {{of: {name}}}}}\n" for n in range(50))
        (folder / "overlays" / f"{name}.yaml").write_text("---\n".join(texts))
    environments = {
        name: {"emulator": {}, "marketplace": name, "overlays": [f"overlays/{name}.yaml"]} for name in names
    }
    _write(folder, {f"c{n}": _client(f"c{n}") for n in range(50)}, {}, environments=environments)


_APPLY: Final = ("apply", "--auto-approve", "--quiet")
_PATHS: Final = (
    Measured("plan, creations and as many unmanaged", _renames, ("plan",), 1000, "of each", 2, 150),
    Measured("drift --write-back, one file", _one_file, ("drift", "--write-back"), 400, "manifests", 2, codes=(0, 2)),
    Measured("apply, ten new assignments each", _assigned, _APPLY, 200, "clients"),
    Measured("apply, created by POST", _posted, _APPLY, 400, "clients"),
    Measured("plan, a reference each", _references, ("plan",), 1000, "clients"),
    Measured("apply, a named secret each", _secrets, _APPLY, 200, "clients"),
    Measured("validate, ids in a file", _ids, ("validate", "manifests/c0.yaml"), 40_000, "ids"),
    Measured("show --resolved", _resolved, ("show", "--resolved"), 10_000, "manifests", megabytes=250),
    Measured(
        "show --resolved --format json",
        _resolved,
        ("show", "--resolved", "--format", "json"),
        10_000,
        "manifests",
        megabytes=250,
    ),
    Measured("validate, a value each", _substituted, ("validate",), 4000, "manifests"),
    Measured("plan, freeze windows", _frozen, ("plan",), 500, "windows", 2),
    Measured("validate, 50 overlays each", _overlaid, ("validate",), 50, "environments"),
)


def paths(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Every path at two sizes."""
    for number, path in enumerate(_PATHS):
        yield path.row(root / f"{number}", sizes)


def large_plan(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Showing a saved plan of clients with large xp: its memory against the file."""
    count = sizes.clients
    xp = {
        f"key{number}": f"value number {number}, with some words more to fill it up to its size" for number in range(92)
    }
    works = {}
    for name, size in {"plan": count, "plan of one client": 1}.items():
        folder = root_of(root / f"{size}")
        clients = {"ApiClients": [{**one, "xp": xp} for one in _clients(size)]}
        _write(folder, {f"c{n}": _client(f"c{n}") for n in range(size)}, clients)
        process([*COMMAND, "plan", "--out", "plan.json", "--quiet"], folder)
        works[name] = lambda folder=folder: process([*COMMAND, "show", "plan.json"], folder)
    figures = interleaved(works, sizes.few, warm_up=False)
    written = (root / f"{count}" / "plan.json").stat().st_size
    found, bare = figures["plan"], figures["plan of one client"]
    most = bare.peak + 2 * written
    target = f"under {most / _MB:.0f} MB: twice the file more than a plan of one client"
    work = f"show a plan of {count} clients with 8 kB of xp, {written / _MB:.0f} MB"
    yield Row("paths", work, found, bare.seconds, "a plan of one client", target, found.peak <= most)


def root_of(root: Path) -> Path:
    """The folder, made."""
    root.mkdir(parents=True, exist_ok=True)
    return root


def exported(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """The requests of an export: the pages and the login, nothing for each client."""
    with serving("--clients", sizes.clients) as url:
        place = Place.of(root, url, 1)
        figures = interleaved({"export": place.runs("export", "--out", "exported")}, 1, warm_up=False)
        requests = counts(url).requests
    least = 2 + -(-sizes.clients // 100)
    target, note = f"at most {least + 1} requests", f"{requests} requests"
    found = figures["export"]
    yield Row(
        "paths", f"export {sizes.clients} clients", found, found.seconds, "itself", target, requests <= least + 1, note
    )


def fleet(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Fifty environments at once: no slower than their CPU time together, or than so many rounds of one of them."""
    environments, count, jobs = max(2, sizes.clients // 200), 200, 32
    with serving("--clients", count, "--latency-ms", sizes.slow_ms) as url:
        one, all_ = Place.of(root / "one", url, count), Place.of(root / "all", url, count)
        text = (all_.folder / "reconciler.yaml").read_text()
        head, block = text.split("environments:\n")
        blocks = "".join(re.sub(r"^  bench:", f"  bench{number}:", block) for number in range(environments))
        (all_.folder / "reconciler.yaml").write_text(f"{head}environments:\n{blocks}")
        works = {"one": one.runs("plan"), "all": all_.runs("plan", "--env-all", "--jobs", f"{jobs}")}
        figures = interleaved(works, sizes.few, warm_up=False)
    found, rounds = figures["all"], -(-environments // jobs)
    bound = max(found.of_cpu().seconds, rounds * figures["one"].seconds)
    work = f"plan {environments} environments of {count} clients, {sizes.slow_ms} ms"
    bound_is = f"the larger of its CPU time and {rounds} rounds of one environment"
    yield Row("fleet", work, found, bound, bound_is, "at most 1.3x", found.seconds <= 1.3 * bound)


def assignments(root: Path, sizes: Sizes, _findings: Findings) -> Iterator[Row]:
    """Two hundred assignments of one client come and go: side by side, bounded by latency."""
    buyers, at_a_time = max(8, sizes.clients // 50), 8
    objects = {
        "ApiClients": _clients(1),
        "Buyers": [{"ID": f"b{number}", "Name": f"b{number}", "Active": True} for number in range(buyers)],
    }
    everyone = ", ".join(f"b{number}" for number in range(buyers))
    wanted = {
        name: _client("c0", more=f"assignments: {{buyers: [{rows}]}}\n")
        for name, rows in (("all", everyone), ("none", ""))
    }
    root_of(root)
    (root / "seed.json").write_text(json.dumps({"Objects": objects}))
    with serving(
        "--port", 0, "--seed", root / "seed.json", "--latency", sizes.slow_ms, "--quiet", words=(*COMMAND, "emulator")
    ) as url:
        auth = {"clientId": "00000000-0000-0000-0000-00000000AD01", "clientSecret": {"fromEnv": data.SECRET_VARIABLE}}
        target = {"url": url, "marketplace": "emulator", "auth": auth, "concurrency": at_a_time}
        for name, text in wanted.items():
            root_of(root / name)
            _write(root / name, {"c0": text}, {}, environments={"a": {**target, "limits": {"deletes": None}}})
        secret = {data.SECRET_VARIABLE: "emulator-admin-secret"}
        ways = [lambda name=name: process([*COMMAND, *_APPLY], root / name, secret) for name in wanted]
        figures = interleaved({"apply": in_turn(*ways)}, 2 * sizes.few, warm_up=False)
    found = figures["apply"]
    bound = sizes.slow_ms / 1000 * (buyers / at_a_time + 12) + found.of_cpu().seconds
    bound_is = f"its CPU time, and the latency of a write each, {at_a_time} at a time, and of 12 requests in turn"
    yield Row(
        "paths",
        f"apply {buyers} assignments of one client, {sizes.slow_ms} ms",
        found,
        bound,
        bound_is,
        "at most 1.3x",
        found.seconds <= 1.3 * bound,
    )


PATHS: Final = (paths, assignments, large_plan, exported, fleet)
