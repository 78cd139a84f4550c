"""Read and write files: atomically and with private permissions; tell plans from manifests by their names."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from reconciler.errors import ReconcilerError
from reconciler.manifests.replacing import replace_file

OWN_FOLDER: Final = ".reconciler"
"""The folder for files of this machine."""
_MANIFESTS: Final = frozenset({".yaml", ".yml"})


@contextmanager
def os_errors_as(what: str, hint: str = "") -> Iterator[None]:
    """Convert an `OSError`; `what` says what failed.

    Raises:
        ReconcilerError: instead of the `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise ReconcilerError(f"{what}: {error.strerror}", hint=hint) from error


def read_file(path: Path) -> str:
    """Read a text file.

    Raises:
        ReconcilerError: the file cannot be read, or is not UTF-8.
    """
    try:
        with os_errors_as(f"cannot read {path}"):
            return path.read_text(encoding="utf-8")
    except UnicodeError:
        raise ReconcilerError(f"{path} is not UTF-8 text") from None


def write_file(path: Path, text: str | Iterable[str], mode: int = 0o600) -> None:
    """Replace a file atomically, by default readable by its owner only.

    Args:
        path: the file. A device, a pipe or an open file (``/dev/null``, ``/dev/stdout``) is written to, not replaced.
        text: the content, or pieces of it.
        mode: the permissions.

    Raises:
        ReconcilerError: the file cannot be written.
    """
    hint = "" if path.parent.is_dir() else f"create the folder {path.parent}, or choose one that exists"
    with os_errors_as(f"cannot write {path}", hint):
        if path.exists() and (not path.is_file() or _is_descriptor(path)):
            with path.open("a", encoding="utf-8") as device:
                device.writelines([text] if isinstance(text, str) else text)
        else:
            replace_file(path, text, mode)


def _is_descriptor(path: Path) -> bool:
    """Whether a path is the system's name of an open file, which must not be replaced."""
    folder = Path(os.path.realpath(path.parent))
    return folder == Path("/dev") or folder.is_relative_to("/proc")


def remove_file(path: Path) -> None:
    """Remove a file if it exists.

    Raises:
        ReconcilerError: the file cannot be removed.
    """
    with os_errors_as(f"cannot remove {path}"):
        path.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Create a folder if it does not exist.

    Raises:
        ReconcilerError: the folder cannot be created.
    """
    with os_errors_as(f"cannot create {folder}"):
        folder.mkdir(parents=True, exist_ok=True)


def own_folder(place: Path) -> None:
    """Create the folder `.reconciler` that `place` is in, if it is in one, with a .gitignore for all of its files.

    Raises:
        ReconcilerError: the folder cannot be written to, or is a symbolic link.
    """
    folder = next((each for each in (place, *place.parents) if each.name == OWN_FOLDER), None)
    if folder is None:
        return
    if folder.is_symlink():
        raise ReconcilerError(f"{folder} is a symbolic link", hint="remove it; a real folder is then created")
    hint = "make it a folder that this user can write to; in a container, mount a volume"
    with os_errors_as(f"cannot write to {folder}", hint):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (folder / ".gitignore").exists():
            replace_file(folder / ".gitignore", "*\n")


def is_manifest(path: Path) -> bool:
    """Whether a file of this name may be a manifest or the configuration."""
    return path.suffix.lower() in _MANIFESTS and path.is_file()


def is_plan(path: Path) -> bool:
    """Whether a path is a plan file, by its name, whatever its content: anything but a folder or a YAML file."""
    return path.suffix.lower() not in _MANIFESTS and not os.path.isdir(path)  # noqa: PTH112  # a name may be too long


def identity(path: Path | str) -> tuple[int, int] | None:
    """The identity of a regular file, whatever its path; None for anything else."""
    with suppress(OSError, ValueError):  # ValueError: a null character
        status = Path(path).stat()
        return (status.st_dev, status.st_ino) if stat.S_ISREG(status.st_mode) else None
    return None
