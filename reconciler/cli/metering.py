"""A run -> `--metrics FILE`: what it found and cost, for Prometheus, also where it failed.

A file that cannot be written is a warning, and changes no exit code. It may be read by everybody: the exporter that
collects it seldom runs as the same user, and there is nothing secret in it.
"""

import time
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import click

from reconciler.cli.console import settings_of
from reconciler.cli.failures import tell_error
from reconciler.cli.options import common_of_this_run, output_file
from reconciler.errors import ReconcilerError
from reconciler.project.files import is_manifest, read_file, write_file
from reconciler.project.metering import Metering
from reconciler.project.settings import environment_name
from reconciler.render.monitoring import metrics

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
