"""A path and new bytes -> the file in place of the old one, complete or not at all, with its mode and owner."""

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from reconciler.document import shown
from reconciler.errors import ReconcilerError


def replace_file(path: Path, content: bytes) -> None:
    """Change a file that is there; a symbolic link is followed, a crash leaves the old one.

    Raises:
        ReconcilerError: it cannot be written; it is as it was.
    """
    try:
        target = path.resolve(strict=True)
        with target.open("r+b"):  # a file that may not be written is not replaced either
            _replace(target, content)
    except OSError as error:
        raise ReconcilerError(f"cannot write {shown(path)}: {error.strerror}") from error


def _replace(path: Path, content: bytes) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, temporary)
        owner = path.stat()
        with suppress(OSError):  # only root can give a file away
            shutil.chown(temporary, owner.st_uid, owner.st_gid)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
