"""What a caller chooses for a run: configuration, environment, allowed hosts, variables, and who listens."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

from reconciler.project.listener import SILENT, Listener

if TYPE_CHECKING:
    from reconciler.config import Config
    from reconciler.manifests.yaml import Parsed

ENVIRONMENT_VARIABLE: Final = "RECONCILER_ENV"


def _read(path: str, shown: str) -> "Parsed":
    from reconciler.manifests.yaml import read  # noqa: PLC0415  # what reads no file does without its library

    return read(path, shown)


@dataclass(frozen=True, slots=True)
class Settings:
    """The choices of one run."""

    config: Path | None = None
    """The configuration; None: the nearest `reconciler.yaml`, in the working directory or above."""
    environment: str | None = None
    """None: the one that the variables name, or the only one configured."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that credentials may be sent to, besides those of OrderCloud."""
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """Where secrets, the plan key and the name of the environment are looked up."""
    reads: tuple[Path, ...] = ()
    """Files that the caller reads: no output overwrites them."""
    writes: tuple[Path, ...] = ()
    """Files that the caller is going to write; see `overwrites`."""
    listener: Listener = SILENT
    loaded: "Config | None" = None
    """The configuration, where it is loaded already."""
    read: "Callable[[str, str], Parsed]" = _read
    """Reads and parses a file, given its path and its name in messages."""


def environment_name(settings: Settings) -> str | None:
    """The environment that was asked for; None leaves the choice to the configuration."""
    return settings.environment or settings.variables.get(ENVIRONMENT_VARIABLE) or None


def reading_once() -> "Callable[[str, str], Parsed]":
    """Read each file once, for whichever thread asks first; it is kept as long as the function is."""
    lock, known = Lock(), dict[tuple[str, str], "Parsed"]()

    def read_once(path: str, shown: str) -> "Parsed":
        with lock:
            if (path, shown) not in known:
                known[path, shown] = _read(path, shown)
            return known[path, shown]

    return read_once
