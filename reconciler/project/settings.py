"""What a caller chooses for a run: configuration, environment, allowed hosts, variables, and who listens."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from reconciler.project.listener import SILENT, Listener

ENVIRONMENT_VARIABLE: Final = "RECONCILER_ENV"


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
