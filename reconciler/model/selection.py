"""Which resources a run is about: all of them, or those that match what the user named."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Selection:
    """A resource is selected if its address matches one of `only`, and it has all labels of `selector`.

    Empty parts select everything. A live object that no manifest claims has no labels.
    """

    only: tuple[str, ...] = ()
    """Patterns with ``*``, ``?`` and ``[...]`` for addresses, as `ApiClient/store*`; case does not count. Sorted."""
    selector: Mapping[str, str] = field(default_factory=dict)
    """Label -> the value that it must have."""
    paths: tuple[str, ...] = ()
    """The files and folders whose manifests were loaded, as the user wrote them; empty: all those of the configuration.

    Live objects that none of them claims are left out: manifests that were not loaded may claim them."""
    write_secrets: tuple[str, ...] = ()
    """Write-only secrets that are written although nothing says that they differ: ``ADDRESS#FIELD``. Sorted."""

    @property
    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return not self.only and not self.selector and not self.paths

    def __str__(self) -> str:
        only = [f"--only {glob}" for glob in self.only]
        labels = ",".join(f"{label}={value}" for label, value in sorted(self.selector.items()))
        return " ".join([*only, *([f"--selector {labels}"] if labels else [])])
