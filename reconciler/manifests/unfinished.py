"""The temporary files that are being written -> none, where a signal ends the process; it imports next to nothing."""

import os
from contextlib import suppress
from typing import Final

files: Final[set[str]] = set()
"""Paths; each is here before its file is made."""


def discard() -> None:
    """Remove them all."""
    for path in tuple(files):
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108  # pathlib is not imported before the first signal may come
