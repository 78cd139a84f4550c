"""A run -> `--metrics FILE`: what it found and cost in each environment, for Prometheus, also where it failed.

A file that cannot be written is a warning, and changes no exit code. It may be read by everybody: the exporter that
collects it seldom runs as the same user, and there is nothing secret in it.
"""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from reconciler.cli.console import settings_of
from reconciler.cli.failures import tell_error
from reconciler.cli.options import common_of_this_run, output_file
from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.drift import Drift
from reconciler.model.outcome import ApplyResult
from reconciler.model.plan import Plan
from reconciler.project import environment_name
from reconciler.project.files import is_manifest, read_file, write_file
from reconciler.remote.messages import Stats
from reconciler.render.monitoring import LAST_SUCCESS, Measured, actions_of, drift_of, metrics, outcomes_of, series

if TYPE_CHECKING:
    from reconciler.render.several import Planned


@dataclass(slots=True)
class Metering:
    """What a run has found so far, by environment."""

    command: str
    began: float
    found: dict[str, Measured] = field(default_factory=dict)

    def plan(self, plan: Plan) -> None:
        """Count a plan."""
        self._add(plan.binding.environment, actions=actions_of(plan))

    def drift(self, drift: Drift) -> None:
        """Count drift, and the plan that it was seen in."""
        self._add(drift.plan.binding.environment, actions=actions_of(drift.plan), drift=drift_of(drift))

    def result(self, environment: str, result: ApplyResult) -> None:
        """Count outcomes; a run that did not do all of it has no success."""
        self._add(environment, outcomes=outcomes_of(result))
        if not result.is_complete or result.interrupted:
            self.failed(environment)

    def planned(self, planned: "Sequence[Planned]") -> None:
        """Count several environments."""
        for one in planned:
            match one.found:
                case Drift():
                    self.drift(one.found)
                case Plan():
                    self.plan(one.found)
                case ApplyResult():
                    self.result(one.environment, one.found)
                case None:
                    self.failed(one.environment)

    def failed(self, environment: str) -> None:
        """Note that there is no answer for an environment."""
        self._add(environment, succeeded=False)

    def _add(self, environment: str, **facts: Any) -> None:  # noqa: ANN401  # fields of `Measured`
        empty = Measured(environment, self.command, succeeded=True, ended_at=0, seconds=0, requests=0, retries=0)
        self.found[environment] = replace(self.found.get(environment, empty), **facts)

    def measured(self, costs: Mapping[str, Stats], old: str) -> list[Measured]:
        """All runs with what they cost, by environment; `old` is the text of the file that is there already."""
        now, seconds = time.time(), time.monotonic() - self.began
        return [self._finished(one, costs.get(one.environment), old, now, seconds) for one in self.found.values()]

    def _finished(self, one: Measured, stats: Stats | None, old: str, now: float, seconds: float) -> Measured:
        return replace(
            one,
            ended_at=now,
            seconds=seconds,
            requests=stats.requests if stats else 0,
            retries=stats.retries if stats else 0,
            last_success_at=now if one.succeeded else _last_success(old, one),
        )


def _last_success(old: str, run: Measured) -> float | None:
    name = re.escape(series(LAST_SUCCESS, environment=run.environment, command=run.command))
    found = re.search(rf"^{name} ([0-9.]+)$", old, re.MULTILINE)
    return float(found[1]) if found else None


F = TypeVar("F", bound=Callable[..., Any])
_FOR_ALL: Final = 0o644


def metrics_option(command: str) -> Callable[[F], F]:
    """Give a command ``--metrics FILE``, and a `Metering` named `metering`."""

    def decorate(function: F) -> F:
        @wraps(function)
        def call(*arguments: Any, metrics_file: Path | None, **options: Any) -> Any:  # noqa: ANN401  # click's signature
            metering = Metering(command, time.monotonic())
            try:
                return function(*arguments, metering=metering, **options)
            except BaseException:
                metering.failed(_environment())
                raise
            finally:
                if metrics_file and not is_manifest(metrics_file):
                    _write(metrics_file, metering)

        option = click.option(
            "--metrics", "metrics_file", type=output_file, metavar="FILE", help="Write metrics for Prometheus, as text."
        )
        return option(cast("F", call))

    return decorate


def _environment() -> str:
    common = common_of_this_run()
    return common.chosen or environment_name(settings_of(common)) or ""


def _write(path: Path, metering: Metering) -> None:
    try:
        old = read_file(path) if path.is_file() else ""
        write_file(path, metrics(metering.measured(common_of_this_run().stats, old)), _FOR_ALL)
    except ReconcilerError as error:
        tell_error(error)
