"""What a run found and cost -> metrics in the text format of Prometheus, for the textfile collector of node exporter.

https://prometheus.io/docs/instrumenting/exposition_formats/. A metric that a run says nothing of is left out. In a file
for several environments each has series of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from reconciler.model.drift import Drift, DriftKind
from reconciler.model.outcome import ApplyResult, Status
from reconciler.model.plan import Action, Plan
from reconciler.render.values import brief

Counts: TypeAlias = Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Measured:
    """One run for one environment."""

    environment: str
    command: str
    succeeded: bool
    """Whether it came to an answer; drift is one, too."""
    ended_at: float
    """Seconds since 1970."""
    seconds: float
    requests: int
    retries: int
    last_success_at: float | None = None
    """Seconds since 1970; of this run, or of the one that last came to an answer."""
    actions: Counts = field(default_factory=dict)
    drift: Counts = field(default_factory=dict)
    outcomes: Counts = field(default_factory=dict)


def actions_of(plan: Plan) -> Counts:
    """Resources by action, those that are 0 included: a series that vanishes raises no alarm."""
    summary = plan.summary
    numbers = (summary.create, summary.update, summary.delete, summary.no_op, summary.unmanaged)
    return {action.value: number for action, number in zip(Action, numbers, strict=True)}


def drift_of(drift: Drift) -> Counts:
    """Resources by kind of drift."""
    return {kind.value: drift.count(kind) for kind in DriftKind}


def outcomes_of(result: ApplyResult) -> Counts:
    """Changes by outcome."""
    return {status.value: result.count(status) for status in Status}


LAST_SUCCESS: Final = "reconciler_last_success_timestamp_seconds"


def metrics(runs: Sequence[Measured]) -> str:
    """The text of the file."""
    return "".join(
        [
            *_counts(
                "reconciler_resources", "Resources by what a plan would do.", "action", runs, lambda run: run.actions
            ),
            *_counts("reconciler_drift_resources", "Resources by kind of drift.", "kind", runs, lambda run: run.drift),
            *_counts("reconciler_outcomes", "Changes by outcome.", "status", runs, lambda run: run.outcomes),
            *_numbers("reconciler_run_success", "1 if the run produced an answer.", runs, lambda run: run.succeeded),
            *_numbers("reconciler_run_timestamp_seconds", "When the run ended.", runs, lambda run: run.ended_at),
            *_numbers(LAST_SUCCESS, "When a run last produced an answer.", runs, lambda run: run.last_success_at),
            *_numbers("reconciler_run_duration_seconds", "How long the run took.", runs, lambda run: run.seconds),
            *_numbers("reconciler_run_requests", "Requests, retries included.", runs, lambda run: run.requests),
            *_numbers("reconciler_run_retries", "Requests that were sent again.", runs, lambda run: run.retries),
        ]
    )


def series(name: str, environment: str, command: str, **labels: str) -> str:
    """The name and labels of one series."""
    given = {"environment": environment, "command": command, **labels}
    pairs = ",".join(f'{label}="{_label(value)}"' for label, value in given.items())
    return f"{name}{{{pairs}}}"


def _label(value: str) -> str:
    """A value of a label; what is invisible is shown, so that no two series look the same."""
    return brief(value).replace("\\", "\\\\").replace('"', '\\"')


def _counts(
    name: str, about: str, label: str, runs: Iterable[Measured], of: Callable[[Measured], Counts]
) -> Iterator[str]:
    lines = [
        f"{series(name, run.environment, run.command, **{label: value})} {number}\n"
        for run in runs
        for value, number in of(run).items()
    ]
    yield from _family(name, about, lines)


def _numbers(name: str, about: str, runs: Iterable[Measured], of: Callable[[Measured], float | None]) -> Iterator[str]:
    found = ((run, of(run)) for run in runs)
    lines = [
        f"{series(name, run.environment, run.command)} {float(value):.3f}\n"
        for run, value in found
        if value is not None
    ]
    yield from _family(name, about, lines)


def _family(name: str, about: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield f"# HELP {name} {about}\n# TYPE {name} gauge\n"
        yield from lines
