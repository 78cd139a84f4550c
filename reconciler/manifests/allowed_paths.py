"""A path that a manifest names -> the same path relative to the configuration, and why it may not be used, if so.

Secrets are read from files and written to files. Both stay in the folder of the configuration, and in folders that the
environment names besides, so that whoever may edit a manifest cannot have other files read or overwritten. What git
keeps for itself is neither read nor written, and what the tool or a CI job reads is not written.
"""

import os
import re
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.model.dataclass import dataclass

_GIT: Final = frozenset({".git", "git~1"})
"""Names of git's folder; the second is the first on old file systems of Windows."""
_KEPT: Final = (".github", ".reconciler")
"""Names of folders that nothing is delivered below: what CI runs, and what the tool keeps for itself."""
_OWN: Final = frozenset({".yaml", ".yml", ".json", ".jsonl", ".lock"})
"""Extensions of manifests, journals and locks."""
_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]")


@dataclass(frozen=True, slots=True)
class AllowedPaths:
    """The folders in which secrets may be."""

    root: Path
    """The folder of the configuration."""
    folders: tuple[Path, ...] = ()
    """Others that the environment allows; absolute."""
    inputs: tuple[Path, ...] = ()
    """What the tool reads from and keeps, see `Config.inputs`: nothing is delivered over these."""
    resolved: dict[tuple[Path, ...], frozenset[str]] = field(default_factory=dict, compare=False)
    """These as `_folded`, where they lead to: found once for all environments of a run."""

    def kept(self, path: str, beside: str) -> str:
        """Give a path, which is relative to the folder of the file `beside`, as it is kept: relative to the root.

        A path that is not below the root is kept as an absolute one, and an empty one as it is.
        """
        if not path:
            return ""
        root = Path(os.path.abspath(self.root))  # noqa: PTH100  # resolves ".." in words, not through links
        target = Path(os.path.abspath(Path(beside).parent / path))  # noqa: PTH100
        return target.relative_to(root).as_posix() if target.is_relative_to(root) else target.as_posix()

    def objection(self, kept: str, *, to_write: bool = False) -> str:
        """Why no secret may be read from this path, or be written there; empty: it may. Links are followed."""
        root, target = self.root.resolve(), resolved(self.root / kept)
        if target == root:
            return "names no file"
        if target is None or not self._holds(target):
            return "lies outside the folder of the configuration"
        names = [_plain(part) for part in Path(os.path.relpath(target, root)).parts]
        if not _GIT.isdisjoint(names):
            return "lies below .git"
        return self._objection_to_write(target, names) if to_write else ""

    def at(self, kept: str, *, to_write: bool = False) -> Path:
        """Give the place of a path that was kept, links resolved; a saved plan may name anything, so look again.

        Raises:
            ReconcilerError: it may not be used.
        """
        objection = self.objection(kept, to_write=to_write)
        if objection:
            raise ReconcilerError(f"the file {kept} {objection}", hint=hint_for(objection))
        return (self.root / kept).resolve()

    def _holds(self, target: Path) -> bool:
        return any(target.is_relative_to(folder.resolve()) for folder in (self.root, *self.folders))

    def _objection_to_write(self, target: Path, names: list[str]) -> str:
        for name in _KEPT:
            if name in names:
                return f"lies below {name}"
        if self._is_own(target):
            return (
                "is where the tool reads from or keeps its own files: configuration, manifests, overlays, logins, "
                "emulator data, journals, what the command line names"
            )
        return ""

    def _is_own(self, target: Path) -> bool:
        """Whether a file is an input, or would belong to one: a manifest in a folder of them. Case does not count."""
        if self.inputs not in self.resolved:
            self.resolved[self.inputs] = frozenset(_folded(place.resolve()) for place in self.inputs)
        own, name = self.resolved[self.inputs], Path(_folded(target))
        return str(name) in own or (name.suffix in _OWN and any(str(folder) in own for folder in name.parents))


def hint_for(objection: str) -> str:
    """What to do about an objection of `AllowedPaths`."""
    if objection.startswith("lies outside"):
        return "to allow another folder, name it in secrets.folders of the environment"
    return "choose another path"


def below(folder: Path, path: str) -> Path:
    """Give a path that a file in this folder names as an absolute one."""
    return Path(os.path.normpath(folder / path))


def repository_of(folder: Path) -> Path:
    """Give the top of the git repository that a folder is in, else the folder itself. Asks git nothing."""
    start = folder.resolve()
    return next((each for each in (start, *start.parents) if (each / ".git").exists()), start)


def objection_to_write(path: Path, folder: Path) -> str:
    """Why the tool may not write where a configuration in this folder says; empty: it may. Links are followed."""
    top, target = repository_of(folder), resolved(path)
    if target is None or not target.is_relative_to(top):
        return f"lies outside the repository {top}"
    names = {_plain(part) for part in target.relative_to(top).parts}
    return "" if _GIT.isdisjoint(names) else "lies below .git"


def require_inside(paths: Iterable[Path], folder: Path) -> None:
    """Refuse to write files that only the repository names, where they are not in it; `folder` as above.

    Raises:
        ReconcilerError: one is outside.
    """
    for path in paths:
        if objection := objection_to_write(path, folder):
            raise ReconcilerError(
                f"{path} {objection}, so nothing is written there", hint="move it into the repository"
            )


def resolved(path: Path) -> Path | None:
    """Follow links. None for what leads nowhere: a null character, or links in a circle, which Python 3.13 leaves."""
    try:
        target = path.resolve()
        is_circle = any(one.is_symlink() for one in (target, *target.parents))
    except (OSError, RuntimeError, ValueError):
        return None
    return None if is_circle else target


def _plain(name: str) -> str:
    """A name as the most lenient file systems compare it."""
    return _NOT_ASCII.sub("", name).casefold().rstrip(". ")


def _folded(path: Path) -> str:
    return str(path).casefold()
