"""A path that a manifest names -> the same path relative to the configuration, or nothing where it may not be used.

Secrets are read from files and written to files. Both stay in the folder of the configuration, and in folders that the
environment names besides, so that whoever may edit a manifest cannot have other files read or overwritten.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import ReconcilerError


@dataclass(frozen=True, slots=True)
class Confines:
    """The folders in which secrets may be."""

    root: Path
    """The folder of the configuration."""
    folders: tuple[Path, ...] = ()
    """Others that the environment allows; absolute."""

    def kept(self, path: str, beside: str) -> str | None:
        """Give a path, which is relative to the folder of the file `beside`, as it is kept: relative to the root.

        A path in one of the other folders is kept as an absolute one; None: it is in none of them. Links are followed.
        """
        root = Path(os.path.abspath(self.root))  # noqa: PTH100  # resolves ".." in words, not through links
        target = Path(os.path.abspath(Path(beside).parent / path))  # noqa: PTH100
        if not path or target == root or not self._holds(target):
            return None
        return target.relative_to(root).as_posix() if target.is_relative_to(root) else target.as_posix()

    def at(self, kept: str) -> Path:
        """Give the place of a path that was kept, links resolved; a saved plan may name anything, so look again.

        Raises:
            ReconcilerError: it is not in the folders that are allowed.
        """
        target = self.root / kept
        if not self._holds(target):
            hint = "name the folder in secrets.folders of the environment, if secrets may be there"
            raise ReconcilerError(f"the file {kept} lies outside of {self.root}", hint=hint)
        return target.resolve()

    def _holds(self, target: Path) -> bool:
        found = target.resolve()
        return any(found.is_relative_to(folder.resolve()) for folder in (self.root, *self.folders))
