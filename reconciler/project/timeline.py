"""The journals of environments -> the runs of a timeline, the oldest first."""

from collections.abc import Collection
from typing import Final

from reconciler.applying.journal.read import run_files, runs
from reconciler.project.environment import configuration
from reconciler.project.journals import listed
from reconciler.project.settings import Settings
from reconciler.render.history import moment
from reconciler.render.style import Moment

_MOST: Final = 40
"""Runs that a page shows: a year of weekly restores, or a busy month."""


def moments(settings: Settings, environments: Collection[str]) -> tuple[Moment, ...]:
    """The newest runs that wrote to one of these environments; a journal that cannot be read is shown as such."""
    folder = configuration(settings).journal
    found = [listed(run, path) for run, path in zip(runs(folder), run_files(folder), strict=True)]
    return tuple(moment(run) for run in found if run.fault or run.environment in environments)[-_MOST:]
