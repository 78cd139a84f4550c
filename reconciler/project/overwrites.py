"""The files that a run writes x those that it reads -> refused, before any is written, where one is both.

It is a module of its own because commands that read no configuration import `files`.
"""

from collections.abc import Iterable
from pathlib import Path

from reconciler.config import Config
from reconciler.errors import WouldOverwrite
from reconciler.manifests.files import find_files
from reconciler.project.files import identity
from reconciler.project.settings import Settings


def keep_apart(settings: Settings, reads: Iterable[Path | str]) -> None:
    """Refuse to write over these files, and over those that the settings name for reading.

    Raises:
        WouldOverwrite: a file would be overwritten.
    """
    known = {identity(path) for path in (*settings.reads, *reads)} - {None} if settings.writes else set()
    for path in settings.writes:
        if identity(path) in known:
            raise WouldOverwrite(f"{path} is read by this run and would be overwritten", hint="name another file")


def keep_manifests_apart(settings: Settings, paths: Iterable[Path], config: Config | None = None) -> None:
    """The same of the manifests below these paths, and of what a configuration reads for any environment."""
    if not settings.writes:
        return
    environments = config.environments.values() if config else ()
    own = [config.path, *config.apart] if config else []
    seeds = [each.emulator.seed for each in environments if each.emulator and each.emulator.seed]
    keep_apart(settings, [*(file.path for file in find_files([*paths, *own]).files), *own, *seeds])
