"""Commands -> seconds and peak memory of whole processes, several runs of each, in turn.

A command and what bounds it are run alternately, so that a machine that is slow for a minute is slow for both. The
figure to quote is the median, the figure to compare is the ratio of two medians of one call.
"""

import itertools
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias

HERE: Final = Path(__file__).parent
_KIB: Final = 1024
NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Sample:
    """One run."""

    seconds: float
    peak: int = 0
    """Bytes of memory, of the process at its largest."""
    cpu: float = 0
    """Seconds of CPU."""


Work: TypeAlias = Callable[[], Sample]


@dataclass(frozen=True, slots=True)
class Figures:
    """What several runs came to."""

    samples: tuple[Sample, ...]

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(sample.seconds for sample in self.samples)

    @property
    def low(self) -> float:
        """The quickest run, in seconds."""
        return min(sample.seconds for sample in self.samples)

    @property
    def high(self) -> float:
        """The slowest run, in seconds."""
        return max(sample.seconds for sample in self.samples)

    def of_cpu(self) -> "Figures":
        """The same by CPU seconds."""
        return Figures(tuple(replace(sample, seconds=sample.cpu) for sample in self.samples))

    @property
    def peak(self) -> int:
        """The median, in bytes."""
        return int(statistics.median(sample.peak for sample in self.samples))


def interleaved(works: Mapping[str, Work], runs: int, *, warm_up: bool = True) -> dict[str, Figures]:
    """Run each once as a warm-up, unless each takes long anyway, then all in turn, so many times."""
    for work in works.values() if warm_up else ():
        work()
    rounds = [{name: work() for name, work in works.items()} for _ in range(runs)]
    return {name: Figures(tuple(one[name] for one in rounds)) for name in works}


def in_turn(*works: Work) -> Work:
    """One of them after the other, and from the start: what one run writes the next one takes back."""
    turn = itertools.cycle(works)

    def work() -> Sample:
        return next(turn)()

    return work


class CommandFailed(Exception):
    """A measured command ended in another way than it should; the message has its last words."""


_LAUNCHER: Final = """
import os, signal, sys, time
os.set_inheritable(int(sys.argv[1]), False)
began = time.perf_counter()
command = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])
_, status, usage = os.wait4(command, 0)
seconds = time.perf_counter() - began
figures = os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss, usage.ru_utime + usage.ru_stime
os.write(int(sys.argv[1]), " ".join(map(str, figures)).encode())
"""
"""Runs a command from a small process: a process starts with the peak memory of the one that starts it."""


def process(
    words: Sequence[str | Path], folder: Path, variables: Mapping[str, str] = NOTHING, *, codes: Sequence[int] = (0,)
) -> Sample:
    """Run one command to its end in a process of its own; its output is read and thrown away.

    Raises:
        CommandFailed: it ended with another exit code than those in `codes`.
    """
    report, write = os.pipe()
    with subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(write), *map(str, words)],
        cwd=folder,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=[write],
    ) as launcher:
        os.close(write)
        tail = b""
        assert launcher.stdout  # noqa: S101  # it is piped
        while chunk := os.read(launcher.stdout.fileno(), 1 << 16):
            tail = (tail + chunk)[-2000:]
    with os.fdopen(report) as file:
        found = file.read()
    status, seconds, peak, cpu = map(float, found.split() or (1, 0, 0, 0))
    if not found or status not in codes:
        raise CommandFailed(f"{' '.join(map(str, words))} ended with {status:.0f}: {tail.decode()}")
    return Sample(seconds, int(peak) * (1 if sys.platform == "darwin" else _KIB), cpu)


def script(name: str, *words: str | Path) -> Work:
    """A script of this folder as work that can be measured."""
    return lambda: process([sys.executable, HERE / name, *words], HERE)


@contextmanager
def serving(
    *options: str | float | Path, words: Sequence[str] = (sys.executable, str(HERE / "server.py"))
) -> Iterator[str]:
    """Run the benchmarks' server, or another one, in a process of its own; gives its URL."""
    with subprocess.Popen([*words, *map(str, options)], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101  # it is piped
        try:
            yield server.stdout.readline().removeprefix("listening on ").strip()
        finally:
            server.terminate()


def exponent(times: Mapping[int, float]) -> float:
    """The slope of the line through (log size, log seconds): 1 is linear growth."""
    xs, ys = [math.log(size) for size in times], [math.log(seconds) for seconds in times.values()]
    return statistics.linear_regression(xs, ys).slope


def machine() -> dict[str, Any]:
    """What a reader must know to place the figures."""
    return {"processors": os.cpu_count(), "python": sys.version.split()[0], "system": sys.platform}
