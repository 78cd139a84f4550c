"""A text -> a file, written atomically and readable by its owner only, unless another mode is given; and back.

It imports very little: `cli.signals` needs it before the first signal can arrive.
"""

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

_OWN: Final = 0o600
"""The initial flags of a temporary file."""
_UNREDIRECTED: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
AS_IT_IS: Final = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
"""Flags that avoid blocking on a pipe, and the conversion of line ends on Windows."""
unfinished: Final[set[str]] = set()
"""The temporary files being written; each is registered before it is created."""


def discard_unfinished() -> None:
    """Remove all temporary files when a signal ends the process."""
    for path in tuple(unfinished):
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108  # pathlib is not imported


def replace_file(
    path: "Path", text: str | bytes | Iterable[str], mode: int = _OWN, *, keeps_owner: bool = False
) -> None:
    """Replace the content of a file by a text, or by an iterator of its pieces; a crash leaves the old file.

    Args:
        path: of the file.
        text: its new content; str is written as UTF-8.
        mode: its permissions.
        keeps_owner: an existing file keeps its owner and its mode, instead of the given one.

    Raises:
        OSError: it cannot be written, or its owner cannot be kept.
    """
    pieces = [text] if isinstance(text, str | bytes) else text
    try:
        with temporary_in(path.parent) as (descriptor, temporary):
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
                file.flush()
                os.fsync(file.fileno())
                if keeps_owner:
                    take_over(file.fileno(), path)
            if mode != _OWN:
                temporary.chmod(mode)
            temporary.replace(path)
    except UnicodeEncodeError:  # `from None`: it contains the text
        raise OSError(errno.EILSEQ, "its name or its content is not UTF-8 text") from None


@contextmanager
def temporary_in(folder: "Path") -> Iterator[tuple[int, "Path"]]:
    """Create a file that the caller closes; it is removed afterwards, also if a signal ends the process.

    Raises:
        OSError: it cannot be created.
    """
    path = folder / f".reconciler-{os.urandom(8).hex()}"
    unfinished.add(str(path))
    try:
        yield os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _UNREDIRECTED | AS_IT_IS, _OWN), path
    finally:
        path.unlink(missing_ok=True)
        unfinished.discard(str(path))


class NotRegular(OSError):
    """The path is a folder, a pipe or a device."""


def open_regular(path: "Path", flags: int) -> int:
    """Open a regular file, without blocking on a pipe or device.

    Raises:
        NotRegular: it is not a regular file.
        OSError: it cannot be opened.
    """
    descriptor = os.open(path, flags | AS_IT_IS, _OWN)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise NotRegular(errno.EINVAL, "it is not a regular file")


def open_own(path: "Path", flags: int) -> int:
    """Open a file of the tool itself, without following links to other files.

    Raises:
        OSError: it cannot be opened, is a symbolic link, or is not a regular file.
    """
    if not hasattr(os, "O_NOFOLLOW") and path.is_symlink():
        raise OSError(errno.ELOOP, "it is a symbolic link")
    return open_regular(path, flags | _UNREDIRECTED)


def read_own(path: "Path") -> bytes:
    """Read such a file.

    Raises:
        OSError: see `open_own`.
    """
    with os.fdopen(open_own(path, os.O_RDONLY), "rb") as file:
        return file.read()


def take_over(descriptor: int, path: "Path") -> None:
    """Set the owner and mode of an open file to those of the file that it will replace, if that exists.

    Raises:
        OSError: its owner cannot be kept.
    """
    if not path.exists() or not hasattr(os, "fchown"):
        return
    before, present = path.stat(), os.fstat(descriptor)
    if (before.st_uid, before.st_gid) != (present.st_uid, present.st_gid):
        os.fchown(descriptor, before.st_uid, before.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(before.st_mode))
