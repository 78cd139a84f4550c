"""How requests went -> counts of a run, and how the last requests went."""

import threading
from collections import deque
from dataclasses import dataclass
from typing import Final

REMEMBERED: Final = 1000
"""Requests whose course is kept in mind."""


@dataclass(frozen=True, slots=True)
class Stats:
    """What a run has cost so far."""

    requests: int = 0
    """Sent or attempted, logins and retries included."""
    retries: int = 0
    bytes: int = 0
    """Of answer bodies, decompressed."""
    seconds: float = 0.0
    """Spent waiting for answers, added over all threads."""


@dataclass(frozen=True, slots=True)
class Sample:
    """How one request went."""

    seconds: float
    status: int | None
    """None: no usable answer came."""
    date: float | None
    """The service's clock, see `Answer.date`."""


class Meter:
    """Counts for `Stats`, and how the last requests went. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stats = Stats()
        self._samples: deque[Sample] = deque(maxlen=REMEMBERED)

    @property
    def stats(self) -> Stats:
        """The counts of the moment."""
        return self._stats

    @property
    def samples(self) -> tuple[Sample, ...]:
        """How the last requests went, retries and logins included; the oldest first."""
        with self._lock:
            return tuple(self._samples)

    def note(self, sample: Sample) -> None:
        """Remember how a request went."""
        with self._lock:
            self._samples.append(sample)

    def count(self, *, requests: int = 0, retries: int = 0, size: int = 0, seconds: float = 0.0) -> None:
        """Add to the counts."""
        with self._lock:
            now = self._stats
            self._stats = Stats(now.requests + requests, now.retries + retries, now.bytes + size, now.seconds + seconds)
