"""A text -> a file: complete or not at all, and readable by its owner only unless it is meant for others."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_OWN: Final = 0o600
"""What a temporary file has from the start."""


def replace_file(path: Path, text: str | Iterable[str], mode: int = _OWN) -> None:
    """Write a text, or its pieces as they are made, in place of what was there; a crash leaves the old file.

    Raises:
        OSError: it cannot be written.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
            file.writelines([text] if isinstance(text, str) else text)
            file.flush()
            os.fsync(file.fileno())
        if mode != _OWN:
            temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
