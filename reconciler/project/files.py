"""A text -> a file, written completely or not at all and readable by its owner only. A path -> whether it is a plan."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import replace_file

OWN_FOLDER: Final = ".reconciler"
"""The folder for what belongs to this machine only."""
_MANIFESTS: Final = frozenset({".yaml", ".yml"})


@contextmanager
def os_errors_as(what: str, hint: str = "") -> Iterator[None]:
    """Say what failed where the operating system refuses it.

    Raises:
        ReconcilerError: it does.
    """
    try:
        yield
    except OSError as error:
        raise ReconcilerError(f"{what}: {error.strerror}", hint=hint) from error


def read_file(path: Path) -> str:
    """Read a text.

    Raises:
        ReconcilerError: it cannot be read, or is not UTF-8.
    """
    try:
        with os_errors_as(f"cannot read {path}"):
            return path.read_text(encoding="utf-8")
    except UnicodeError:
        raise ReconcilerError(f"{path} is not UTF-8 text") from None


def write_file(path: Path, text: str | Iterable[str], mode: int = 0o600) -> None:
    """Replace a file, by default readable by its owner only; a crash leaves the old one.

    A long text comes in pieces.

    A device, a pipe or a file that is open already (``/dev/null``, ``/dev/stdout``) is written to, not replaced.

    Raises:
        ReconcilerError: it cannot be written.
    """
    hint = "" if path.parent.is_dir() else f"create the folder {path.parent}, or choose one that exists"
    with os_errors_as(f"cannot write {path}", hint):
        if path.exists() and (not path.is_file() or _is_descriptor(path)):
            with path.open("a", encoding="utf-8") as device:
                device.writelines([text] if isinstance(text, str) else text)
        else:
            replace_file(path, text, mode)


def _is_descriptor(path: Path) -> bool:
    """Whether a path is the system's name of an open file: whoever replaces it takes it from everybody."""
    folder = Path(os.path.realpath(path.parent))
    return folder == Path("/dev") or folder.is_relative_to("/proc")


def new_file(path: Path, text: str) -> None:
    """Create a file that others may read, and its folders.

    Raises:
        ReconcilerError: it exists, or cannot be written.
    """
    with os_errors_as(f"cannot write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)


def remove_file(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        ReconcilerError: it cannot be removed.
    """
    with os_errors_as(f"cannot remove {path}"):
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create a folder if it does not exist.

    Raises:
        ReconcilerError: it cannot be created.
    """
    with os_errors_as(f"cannot create {folder}"):
        folder.mkdir(parents=True, exist_ok=True)


def own_folder(place: Path) -> None:
    """If `place` is in the tool's own folder, create that, with a .gitignore that keeps all of it out of git.

    Raises:
        ReconcilerError: it cannot be written to, or is a link, which leads elsewhere.
    """
    folder = next((each for each in (place, *place.parents) if each.name == OWN_FOLDER), None)
    if folder is None:
        return
    if folder.is_symlink():
        raise ReconcilerError(f"{folder} is a symbolic link", hint="remove it; a real folder is then created")
    hint = "it must be a folder that this user can write to; in a container, a volume"
    with os_errors_as(f"cannot write to {folder}", hint):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            replace_file(folder / ".gitignore", "*\n")


def is_manifest(path: Path) -> bool:
    """Whether a file of this name may be a manifest or the configuration."""
    return path.suffix.lower() in _MANIFESTS and path.is_file()


def is_plan(path: Path) -> bool:
    """Decided by the name, so that no content turns a plan into manifests: all but folders and YAML files are one."""
    return path.suffix.lower() not in _MANIFESTS and not os.path.isdir(path)  # noqa: PTH112  # a name may be too long


def identity(path: Path | str) -> tuple[int, int] | None:
    """What identifies a file under any of its names; None for a device, which has nothing to lose."""
    with suppress(OSError, ValueError):  # ValueError: a null character
        status = Path(path).stat()
        return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
    return None
