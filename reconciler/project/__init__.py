"""From an environment to the session of a run. This module has the settings of the caller and the listener."""

import os
import re
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass
from reconciler.model.secret import PLAN_KEY_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconciler.config.settings import Config
    from reconciler.manifests.files import Memo
    from reconciler.model.diagnostic import Diagnostic
    from reconciler.model.outcome import RecordedRun
    from reconciler.remote.messages import Stats
    from reconciler.render.history import Uncertain


NOTIFY_VARIABLE: Final = "RECONCILER_NOTIFY_URL"
_UNREPLACED: Final = re.compile(r"\$\([^()]*\)|\$\{.*\}")
"""A variable reference that a CI system did not replace. As a key, it could be guessed."""


def plan_key(variables: Mapping[str, str]) -> bytes | None:
    """Read the plan key, without its final line end; None if it is not set or blank.

    Raises:
        ReconcilerError: the key is not UTF-8, or is a variable reference instead of a value.
    """
    key = variables.get(PLAN_KEY_VARIABLE, "").rstrip("\r\n")
    if _UNREPLACED.fullmatch(key.strip()):
        message = f"{PLAN_KEY_VARIABLE} is {key.strip()}: this CI job does not have that variable"
        raise ReconcilerError(message, hint="define the variable, or unset the key")
    try:
        return key.encode() if key.strip() else None
    except UnicodeEncodeError:
        hint = "set it to text: openssl rand -hex 32"
        raise ReconcilerError(f"{PLAN_KEY_VARIABLE} is not UTF-8", hint=hint) from None


class Listener:
    """Receives the events of a run. Methods do nothing unless overridden; one thread calls those of an environment."""

    def chosen(self, environment: str) -> None:
        """The run has chosen this environment."""

    def connected(self, environment: str, *, can_write: bool) -> None:
        """A connection was opened."""

    def disconnected(self, environment: str, stats: "Stats") -> None:
        """The connection was closed; `stats` counts its requests."""

    def noted(self, text: str) -> None:
        """A detail for verbose output."""

    def warned(self, environment: str, warnings: "Sequence[Diagnostic]") -> None:
        """The manifests have faults that do not stop the run."""

    def failed(self, error: "ReconcilerError") -> None:
        """Something apart from the run itself has failed, such as writing its record."""

    def found_interrupted_run(self, run: "RecordedRun", uncertain: "Sequence[Uncertain]") -> None:
        """An earlier run was interrupted; `uncertain` has its writes with an unknown result."""

    def masked(self, command: str) -> None:
        """A GitHub workflow command that masks a new secret in the log of the job. It contains the secret."""


SILENT: Final = Listener()


ENVIRONMENT_VARIABLE: Final = "RECONCILER_ENV"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one run."""

    config: Path | None = None
    """The configuration; None: the nearest `reconciler.yaml`, in the working directory or above."""
    environment: str | None = None
    """None: the one in `RECONCILER_ENV`, or the only one configured."""
    allowed_hosts: tuple[str, ...] = ()
    """Hosts that credentials may be sent to, in addition to those of OrderCloud."""
    variables: Mapping[str, str] = field(default_factory=lambda: os.environ, repr=False)
    """Where secrets, the plan key and the name of the environment are looked up."""
    reads: tuple[Path, ...] = ()
    """Files that the caller reads. No output may overwrite them."""
    writes: tuple[Path, ...] = ()
    """Files that the caller will write; see `environment.protect_inputs`."""
    listener: Listener = SILENT
    loaded: "Config | None" = None
    """The configuration, if it is already loaded."""
    memo: "Memo | None" = None
    """A cache of what the environments of one run share."""


def environment_name(settings: Settings) -> str | None:
    """The requested environment; None: the configuration decides."""
    return settings.environment or settings.variables.get(ENVIRONMENT_VARIABLE) or None
