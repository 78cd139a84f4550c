"""Rows and findings -> a Markdown table, and a plot as SVG."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from cases import Findings, Row

_HEAD = """\
| Work | seconds | lowest to highest | peak MB | bound | seconds | ratio | target | |
|---|---:|---|---:|---|---:|---:|---|---|
"""
_READING = """\
![Seconds by number of clients, and changes per second by requests at a time](results.svg)

Each row stands against a bound: the least that its work takes with nothing around it. The bounds are

- *starting Python*: `python -c ''`;
- *parsing them*: the same files, read into data with positions;
- *fetching and parsing*: the same pages, read one after another over one connection, and that parsing;
- *fetching through httpx and parsing*: the same pages through httpx, eight at a time, and that parsing;
- *httpx and threads*: the requests of the same apply through httpx and a pool of as many threads, with nothing done
  about the answers; in CPU seconds of the whole process;
- a number of something, *CPU*: the same command with half of it, in CPU seconds; growth as of the work gives 2.0;
- *a bare client*: the requests of the same apply, as many at a time, in the order in which they depend on one another
  (login, who we are, the pages, a look before each PUT, the pages again), with nothing done about the answers;
- *the rate allowed*: as many requests as the service let through, at its rate.

[Where the time goes](../docs/decisions/0006-where-the-time-goes.md) explains what limits each command: `validate` the
YAML parser, `plan` that and the pages, `apply` the latency, and where there is none, what Python does around a request.
Notes below a table say what is compared with other tools, what of each is there whatever the number of clients, and
what grows with it.
"""
_START: Final = (
    "Commands, formats and heavy libraries are imported when they are first used, and methods of dataclasses compiled "
    "when they are first called; what is left is Python, click, and the modules that every run of the command needs."
)
_REQUESTS: Final = (
    "Headers are written and read once, and there are no cookies: 0.51 ms for a request, against 0.43 of httpx alone. "
    "The rest is the journal, a look before each write, and the comparison after it."
)
_LATENCY: Final = (
    "A quarter more threads than requests at a time, and one sync of the journal for all that wait. The rest is the "
    "start of the command, and what one Python process does between two requests."
)
_THROTTLED: Final = (
    "The rate is halved when a request is refused, and grows by addition until the next refusal: about three quarters "
    "of the rate are used on average. CUBIC used 91 to 96 %, for 40 lines and five constants more."
)
TRIED: Final[Mapping[str, str]] = {
    **dict.fromkeys(("--help", "--version", "validate, one file", "plan, three clients"), _START),
    "plan, 10000 clients in step": (
        "Scalars of live objects are asked for no nesting (26 to 16 µs for a client), manifests without references "
        "are not copied, fields that no manifest names are skipped. The rest is many checks of 1 to 4 % each."
    ),
    "plan 50000 clients": (
        "Objects are let go of as they are read, and plain values of manifests are kept once: 11.9 to 10.9 kB for a "
        "client. The rest is the objects and the manifests, 3 kB each, which a plan compares as a whole."
    ),
    **{f"apply 1000 changes, {count} at a time, 0 ms, CPU": _REQUESTS for count in (1, 4, 8, 16, 32)},
    **{f"apply 1000 changes, {count} at a time, 50 ms": _LATENCY for count in (8, 16, 32)},
    **{
        f"apply 2000 changes at {rate} requests/s, {count} at a time, from the first to the last request": _THROTTLED
        for rate, count in ((200, 8), (400, 16))
    },
}
"""Work whose target does not hold, as the table names it -> what was tried. A run compares: see `unexplained`."""
_VERDICTS = {True: "holds", False: "**missed**", None: ""}


def line(row: Row) -> str:
    """One row of the table."""
    figures = row.figures
    spread = f"{figures.low:.2f} to {figures.high:.2f}"
    bound = f"{row.bound_is} | {row.bound:.2f} | {row.ratio:.2f}"
    verdict = f"{row.target} | {_VERDICTS[row.holds]}"
    return f"| {row.work} | {figures.seconds:.2f} | {spread} | {_megabytes(row)} | {bound} | {verdict} |"


def missed(rows: Sequence[Row]) -> list[str]:
    """By how much each target is missed, and what was tried."""
    return [
        f"- {row.work}: {row.ratio:.2f}x {row.bound_is}, {row.figures.seconds:.2f} s, {_megabytes(row)} MB; "
        f"target {row.target}. {TRIED.get(row.work, '**Nothing is said of it yet.**')}"
        for row in rows
        if row.holds is False
    ]


def unexplained(rows: Sequence[Row]) -> list[str]:
    """The work whose target does not hold, and of which `TRIED` says nothing."""
    return [row.work for row in rows if row.holds is False and row.work not in TRIED]


def _megabytes(row: Row) -> str:
    return f"{row.figures.peak / 1_000_000:.0f}"


def markdown(rows: Sequence[Row], findings: Findings, facts: str) -> str:
    """The whole page."""
    parts = ["# Results", facts, _READING.rstrip()]
    for group in dict.fromkeys(row.group for row in rows):
        members = [row for row in rows if row.group == group]
        parts.append(f"## {group.capitalize()}\n\n{_HEAD}" + "\n".join(map(line, members)))
        notes = [f"- {row.work}: {row.note}" for row in members if row.note]
        if notes:
            parts.append("\n".join(notes))
    if misses := missed(rows):
        parts.append("## Targets that do not hold\n\n" + "\n".join(misses))
    parts.append("\n".join(findings.server))
    return "\n\n".join(part for part in parts if part) + "\n"


def plot(findings: Findings, path: Path) -> None:
    """Growth with the number of clients, and changes per second with the requests at a time."""
    # Only at the end: what the measuring process holds is counted as memory of every process that it starts.
    import matplotlib as mpl  # noqa: PLC0415
    from matplotlib import pyplot as plt  # noqa: PLC0415

    mpl.rcParams["svg.hashsalt"] = "reconciler"
    mpl.rcParams["svg.fonttype"] = "none"
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for name, times in findings.growth.items():
        left.plot(list(times), list(times.values()), marker="o", label=name)
    sizes = [size for times in findings.growth.values() for size in times]
    if sizes:
        last = max(next(iter(findings.growth.values())).values())
        left.plot(sizes, [last * size / max(sizes) for size in sizes], linestyle=":", color="grey", label="linear")
    left.set(xscale="log", yscale="log", xlabel="clients", ylabel="seconds", title="growth")
    for name, rates in findings.throughput.items():
        right.plot(list(rates), list(rates.values()), marker="o", label=name)
    right.set(xscale="log", yscale="log", xlabel="requests at a time", ylabel="changes per second", title="apply")
    for axes in (left, right):
        axes.grid(visible=True, which="both", alpha=0.2)
        axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
